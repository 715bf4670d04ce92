//! What a recording consists of: its version, its header, and what can be wrong with one.

use std::io;

use crate::live::facts::{Fact, Millis};

/// Version of the format, major and minor, that this program writes and reads.
///
/// A higher minor adds line types or fields that older readers may skip; a higher major does not
/// allow that.
pub const FORMAT: (u16, u16) = (1, 4);

/// Longest line in bytes, its line end not counted; readers skip longer ones.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// Largest distance of any time from zero, in milliseconds (2^53, exact in every JSON reader).
pub const MAX_TIME_MS: Millis = 1 << 53;

/// Numeric handle ids lie below this; those above are given to handles with a text for an id.
pub(super) const FIRST_NAMED_ID: u64 = 1 << 63;

/// First line of a recording: by what, when and at which scale it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the format, major and minor.
    pub format: (u16, u16),
    /// Version of the program that wrote it; empty when another tool did and does not say.
    pub poolscan: String,
    /// Wall clock at event time 0, milliseconds since the Unix epoch; `None` when not known.
    pub wall_start_ms: Option<i64>,
    /// Bucket width that last activity was quantised to, in milliseconds.
    pub bucket_ms: Option<Millis>,
    /// The longest normal life of a handle as stated with `--lifetime`, in milliseconds.
    pub lifetime_ms: Option<Millis>,
    /// What was asked for, as typed; empty when not known. Untrusted text.
    pub command: String,
    /// The recording tells its watermarks by `source` lines: the reader makes up none.
    pub sources: bool,
}

impl Header {
    /// A header of the present format for a recording with `source` lines.
    pub fn new(poolscan: impl Into<String>) -> Self {
        Self {
            format: FORMAT,
            poolscan: poolscan.into(),
            wall_start_ms: None,
            bucket_ms: None,
            lifetime_ms: None,
            command: String::new(),
            sources: true,
        }
    }
}

/// What a reader yields.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// The header; at most once.
    Header(Header),
    /// A fact, in the order of the file.
    Fact(Fact),
}

/// What a reader met on its way and carried on from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issues {
    /// Lines read, of any kind, blank ones included.
    pub lines: u64,
    /// Lines of a type this version does not know, skipped.
    pub unknown_types: u64,
    /// Lines that are not JSON, or lack what their type needs, skipped.
    pub malformed: u64,
    /// Line number (from 1) of the first malformed line, and what is wrong with it.
    pub first_malformed: Option<(u64, String)>,
    /// Lines above [`MAX_LINE_BYTES`], skipped.
    pub oversized: u64,
    /// Lines skipped, or targets left without watermarks, because a memory bound was reached.
    pub over_bound: u64,
    /// Headers after the first one, skipped.
    pub extra_headers: u64,
    /// The recording ends inside a line or a gzip member: how it was noticed.
    pub truncated: Option<String>,
    /// The recording is of this newer minor version: it may hold what was skipped.
    pub newer_minor: Option<(u16, u16)>,
    /// Reason of the `end` line; `None`: the recording was cut or still grows.
    pub ended: Option<String>,
}

impl Issues {
    /// Whether something was skipped or missing, so that findings may differ from the live run's.
    pub fn any_loss(&self) -> bool {
        self.unknown_types + self.malformed + self.oversized + self.over_bound + self.extra_headers
            > 0
            || self.truncated.is_some()
    }
}

/// Why a recording cannot be read (any further).
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("cannot read recording: {0}")]
    Io(#[from] io::Error),
    /// The format is a newer one.
    #[error(
        "recording has format {}.{}, this poolscan reads up to {}.{}: use a newer poolscan",
        .found.0, .found.1, FORMAT.0, FORMAT.1
    )]
    NewerMajor {
        /// Format that its header names.
        found: (u16, u16),
    },
    /// No line made sense.
    #[error("not a recording: none of its first {lines} lines is one of a recording ({first})")]
    NotARecording {
        /// How many lines were tried.
        lines: u64,
        /// What is wrong with the first.
        first: String,
    },
}

/// Finds the first tick: what is open then was there before the watch came.
#[derive(Debug, Default)]
pub(super) struct FirstTick(Option<Millis>);

impl FirstTick {
    /// Notes the time of a line; the first one at or after zero counts.
    pub(super) fn note(&mut self, at: Millis) {
        if self.0.is_none() && at >= 0 {
            self.0 = Some(at);
        }
    }

    /// What `pre` is on an `open` line that does not say.
    pub(super) fn implies_pre(&self, at: Millis) -> bool {
        at < 0 || self.0 == Some(at)
    }
}
