//! Writes recordings: complete on disk after each tick, and never larger than asked.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::encode;
use super::format::{FirstTick, Header, MAX_LINE_BYTES};
use super::line::Line;
use crate::live::facts::Fact;

/// Bytes held back before they are written; a tick's end writes what there is.
const BUFFER_BYTES: usize = 64 * 1024;
/// A gzip member ends after so many bytes of lines: damage costs no more than one member.
const MEMBER_BYTES: u64 = 1024 * 1024;
/// Room kept under the size bound for the last line and the end of a gzip member.
const RESERVE_BYTES: u64 = 256;
/// Reason of the last line when the size bound was reached.
const SIZE_LIMIT: &str = "size limit";

/// Lines on their way to the file.
enum Buffer {
    Plain(Vec<u8>),
    Gzip {
        encoder: GzEncoder<Vec<u8>>,
        /// Bytes of lines in the present member.
        member: u64,
        /// Bytes of lines since the compressor was last flushed.
        held: u64,
    },
}

/// Writes facts to a recording.
///
/// An error leaves everything written before it readable; the recorder then takes no more.
pub struct Recorder<W: Write> {
    out: W,
    path: PathBuf,
    buffer: Buffer,
    line: Vec<u8>,
    first: FirstTick,
    max_bytes: Option<u64>,
    on_disk: u64,
    state: State,
    shortened: u64,
}

/// Whether the recorder still takes facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Full,
    Failed,
}

impl Recorder<File> {
    /// Creates a recording, replacing what was there. A name that ends in `.gz` is compressed.
    ///
    /// `max_bytes` bounds the size of the file (of the compressed one, if it is); the header is
    /// always written.
    ///
    /// # Errors
    /// When the file cannot be created or the header cannot be written; the error names the path.
    pub fn create(path: &Path, header: &Header, max_bytes: Option<u64>) -> io::Result<Self> {
        let file = File::create(path).map_err(|error| at_path(path, &error))?;
        let gzip = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
        Self::new(file, path, gzip, header, max_bytes)
    }
}

impl<W: Write> Recorder<W> {
    /// Writes a recording to any stream; `path` is what errors name.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn new(
        out: W,
        path: &Path,
        gzip: bool,
        header: &Header,
        max_bytes: Option<u64>,
    ) -> io::Result<Self> {
        let buffer = if gzip { Buffer::gzip() } else { Buffer::Plain(Vec::new()) };
        let mut recorder = Self {
            out,
            path: path.to_owned(),
            buffer,
            line: Vec::new(),
            first: FirstTick::default(),
            max_bytes,
            on_disk: 0,
            state: State::Open,
            shortened: 0,
        };
        recorder.append(&encode::header(header))?;
        recorder.flush_tick()?;
        Ok(recorder)
    }

    /// Adds facts, in their order. Nothing is added once the size bound was reached.
    ///
    /// # Errors
    /// When the file cannot be written, such as on a full disk; the error names the path. What was
    /// written before stays readable. Later calls fail, too.
    pub fn write(&mut self, facts: &[Fact]) -> io::Result<()> {
        for fact in facts {
            if self.state == State::Full {
                return Ok(());
            }
            self.write_one(fact)?;
        }
        Ok(())
    }

    /// Ends a tick: everything added so far is in the file when this returns.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn flush_tick(&mut self) -> io::Result<()> {
        self.check()?;
        self.buffer.flush()?;
        self.drain()?;
        self.out.flush().map_err(|error| self.fail(&error))
    }

    /// Ends the recording with a line that says why, such as `target ended`.
    ///
    /// # Errors
    /// As [`Recorder::write`].
    pub fn finish(mut self, reason: &str) -> io::Result<()> {
        if self.state != State::Full {
            self.check()?;
            self.append(&encode::end(reason))?;
        }
        self.close()
    }

    /// Whether the size bound was reached, so that later facts are not in the recording.
    pub fn is_full(&self) -> bool {
        self.state == State::Full
    }

    /// Bytes in the file so far.
    pub fn bytes(&self) -> u64 {
        self.on_disk
    }

    /// Facts whose texts were cut because their line would have been above the bound.
    pub fn shortened(&self) -> u64 {
        self.shortened
    }

    fn write_one(&mut self, fact: &Fact) -> io::Result<()> {
        self.check()?;
        if let Some(at) = fact.at() {
            self.first.note(at);
        }
        to_json(&mut self.line, &encode::fact(fact, &self.first))?;
        if self.line.len() > MAX_LINE_BYTES {
            self.shortened += 1;
            to_json(&mut self.line, &encode::fact(&encode::shortened(fact), &self.first))?;
        }
        if !self.has_room()? {
            self.append(&encode::end(SIZE_LIMIT))?;
            self.close()?;
            self.state = State::Full;
            return Ok(());
        }
        self.push_line()
    }

    fn append(&mut self, line: &Line<'_>) -> io::Result<()> {
        to_json(&mut self.line, line)?;
        self.push_line()
    }

    fn push_line(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        self.buffer.push(&self.line)?;
        if self.buffer.ready().len() >= BUFFER_BYTES { self.drain() } else { Ok(()) }
    }

    /// Whether `self.line` fits under the size bound.
    fn has_room(&mut self) -> io::Result<bool> {
        let Some(max) = self.max_bytes else {
            return Ok(true);
        };
        let line = self.line.len() as u64 + RESERVE_BYTES;
        if self.on_disk + self.buffer.most() + line <= max {
            return Ok(true);
        }
        // how far it compresses is known after a flush only
        self.buffer.flush()?;
        Ok(self.on_disk + self.buffer.most() + line <= max)
    }

    fn close(&mut self) -> io::Result<()> {
        self.buffer.end_member()?;
        self.drain()?;
        self.out.flush().map_err(|error| self.fail(&error))
    }

    fn drain(&mut self) -> io::Result<()> {
        let ready = self.buffer.ready();
        let result = self.out.write_all(ready);
        self.on_disk += ready.len() as u64;
        ready.clear();
        result.map_err(|error| self.fail(&error))
    }

    fn check(&self) -> io::Result<()> {
        match self.state {
            State::Open | State::Full => Ok(()),
            State::Failed => Err(io::Error::other(format!(
                "recording {} ended at an earlier write error",
                self.path.display()
            ))),
        }
    }

    fn fail(&mut self, error: &io::Error) -> io::Error {
        self.state = State::Failed;
        at_path(&self.path, error)
    }
}

impl Buffer {
    fn gzip() -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self::Gzip { encoder, member: 0, held: 0 }
    }

    fn push(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(bytes) => bytes.extend_from_slice(line),
            Self::Gzip { encoder, member, held } => {
                encoder.write_all(line)?;
                *member += line.len() as u64;
                *held += line.len() as u64;
                if *member >= MEMBER_BYTES {
                    return self.end_member();
                }
            }
        }
        Ok(())
    }

    /// Makes everything pushed ready, without ending the gzip member.
    fn flush(&mut self) -> io::Result<()> {
        if let Self::Gzip { encoder, held, .. } = self
            && *held > 0
        {
            encoder.flush()?;
            *held = 0;
        }
        Ok(())
    }

    fn end_member(&mut self) -> io::Result<()> {
        if let Self::Gzip { encoder, member, held } = self
            && *member > 0
        {
            encoder.try_finish()?;
            let ready = mem::take(encoder.get_mut());
            *encoder = GzEncoder::new(ready, Compression::fast());
            (*member, *held) = (0, 0);
        }
        Ok(())
    }

    /// Bytes that can be written now.
    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Gzip { encoder, .. } => encoder.get_mut(),
        }
    }

    /// The most bytes that everything pushed can become.
    fn most(&self) -> u64 {
        match self {
            Self::Plain(bytes) => bytes.len() as u64,
            // what does not compress is stored, at 5 bytes for each block of some KiB
            Self::Gzip { encoder, held, .. } => encoder.get_ref().len() as u64 + held + held / 256,
        }
    }
}

fn to_json(into: &mut Vec<u8>, line: &Line<'_>) -> io::Result<()> {
    into.clear();
    serde_json::to_writer(into, line).map_err(io::Error::from)
}

fn at_path(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write recording {}: {error}", path.display()))
}
