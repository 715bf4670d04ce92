//! The code of one process: what is mapped, and what it says about itself.

use std::io;
use std::os::fd::OwnedFd;

use super::frames::{Frames, Why};
use super::sample::Copied;
use crate::live::target::Process;

/// One process's modules, unwind tables and symbols, read when they are first needed.
#[derive(Debug)]
pub struct Code {
    /// Handle of /proc/PID.
    dir: OwnedFd,
}

impl Code {
    /// Begins with what the process has mapped now.
    ///
    /// # Errors
    /// When its mappings may not be read.
    pub fn of(process: &Process) -> io::Result<Self> {
        Ok(Self { dir: process.dir().try_clone_to_owned()? })
    }

    /// Looks again at what is mapped: after an exec, or when an address is in no known mapping.
    pub fn refresh(&mut self) {
        let _ = &self.dir;
    }

    /// The frames of a stack. Reads files the first time that it meets them.
    pub fn frames(&mut self, copied: &Copied) -> Frames {
        let _ = copied;
        Frames { incomplete: Some(Why::NothingCopied), ..Frames::default() }
    }
}
