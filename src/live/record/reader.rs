//! Reads recordings as a stream: plain or gzip, cut or damaged, in bounded memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::decode::{Decoded, Decoder, LineError};
use super::format::{FORMAT, Issues, Item, MAX_LINE_BYTES, ReadError};
use super::watermark::Watermarks;
use crate::live::facts::Fact;

/// What gzip members begin with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Size of each read, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// After so many lines that all say nothing, the file is something else.
const PATIENCE_LINES: u64 = 1000;

/// Yields the header and the facts of a recording in the order of its lines.
///
/// What cannot be used is skipped and counted in [`Reader::issues`]. An error ends the iteration;
/// whatever was yielded before stands.
pub struct Reader<'r> {
    input: Box<dyn BufRead + 'r>,
    gzip: bool,
    line: Vec<u8>,
    decoder: Decoder,
    /// `None` when the recording tells its own watermarks.
    watermarks: Option<Watermarks>,
    queue: VecDeque<Fact>,
    issues: Issues,
    /// Lines that said something.
    understood: u64,
    seen_header: bool,
    done: bool,
}

/// What came instead of, or as, the next line.
enum Next {
    Line,
    Skipped,
    End,
}

impl Reader<'static> {
    /// Opens a recording; whether it is compressed shows by its first bytes, not by its name.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let file = File::open(path).map_err(named)?;
        Self::new(file).map_err(|error| match error {
            ReadError::Io(e) => ReadError::Io(named(e)),
            other => other,
        })
    }
}

impl<'r> Reader<'r> {
    /// Reads a recording from any stream.
    ///
    /// # Errors
    /// When its first bytes cannot be read.
    pub fn new(mut input: impl Read + 'r) -> Result<Self, ReadError> {
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        input.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut magic)?;
        let gzip = magic == GZIP_MAGIC;
        let whole = BufReader::with_capacity(READ_BYTES, Cursor::new(magic).chain(input));
        let input: Box<dyn BufRead + 'r> = if gzip {
            Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(whole)))
        } else {
            Box::new(whole)
        };
        Ok(Self {
            input,
            gzip,
            line: Vec::new(),
            decoder: Decoder::default(),
            watermarks: Some(Watermarks::default()),
            queue: VecDeque::new(),
            issues: Issues::default(),
            understood: 0,
            seen_header: false,
            done: false,
        })
    }

    /// What was met so far; complete after the last item.
    pub fn issues(&self) -> &Issues {
        &self.issues
    }

    /// Reads until something can be yielded; `None` at the end.
    fn advance(&mut self) -> Result<Option<Item>, ReadError> {
        loop {
            if let Some(fact) = self.queue.pop_front() {
                return Ok(Some(Item::Fact(fact)));
            }
            if self.done {
                return Ok(None);
            }
            match self.next_line()? {
                Next::Line => {
                    if let Some(header) = self.take_line()? {
                        return Ok(Some(header));
                    }
                }
                Next::Skipped => {}
                Next::End => {
                    self.done = true;
                    if let Some(watermarks) = &mut self.watermarks {
                        watermarks.tell(&mut self.queue);
                    }
                    self.check_patience(0)?;
                }
            }
            self.check_patience(PATIENCE_LINES)?;
        }
    }

    /// Reads a line into `self.line`, never more than the bound of one.
    fn next_line(&mut self) -> Result<Next, ReadError> {
        self.line.clear();
        let bound = MAX_LINE_BYTES as u64 + 1;
        let read = (&mut self.input).take(bound).read_until(b'\n', &mut self.line);
        if let Err(error) = read {
            self.cut(error)?;
        }
        if self.line.is_empty() {
            return Ok(Next::End);
        }
        self.issues.lines += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() > MAX_LINE_BYTES {
            self.issues.oversized += 1;
            if let Err(error) = self.input.skip_until(b'\n') {
                self.cut(error)?;
            }
            return Ok(Next::Skipped);
        } else if serde_json::from_slice::<serde::de::IgnoredAny>(&self.line).is_err() {
            // no line end and no whole object: it was cut here
            self.issues.truncated.get_or_insert_with(|| "its last line is cut".to_owned());
            return Ok(Next::Skipped);
        }
        if self.issues.lines == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(..3);
        }
        Ok(if self.line.trim_ascii().is_empty() { Next::Skipped } else { Next::Line })
    }

    /// A damaged gzip member ends the recording, not the replay; other errors are real.
    fn cut(&mut self, error: io::Error) -> Result<(), ReadError> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let how = match error.kind() {
            UnexpectedEof if self.gzip => "its last gzip member is cut".to_owned(),
            InvalidData | InvalidInput if self.gzip => {
                format!("a gzip member is damaged, what follows is lost: {error}")
            }
            _ => return Err(error.into()),
        };
        self.issues.truncated.get_or_insert(how);
        self.input = Box::new(io::empty());
        Ok(())
    }

    /// Takes in `self.line`: its facts go to the queue; a header comes back.
    fn take_line(&mut self) -> Result<Option<Item>, ReadError> {
        match self.decoder.decode(&self.line) {
            Ok(Decoded::Facts(first, second)) => {
                self.understood += 1;
                if let Some(watermarks) = &mut self.watermarks
                    && !watermarks.before(&first, &mut self.queue)
                {
                    self.issues.over_bound += 1;
                }
                self.queue.push_back(first);
                self.queue.extend(second);
            }
            Ok(Decoded::Header(header)) => {
                self.understood += 1;
                if header.format.0 > FORMAT.0 {
                    return Err(ReadError::NewerMajor { found: header.format });
                }
                if self.seen_header {
                    self.issues.extra_headers += 1;
                    return Ok(None);
                }
                self.seen_header = true;
                if header.format > FORMAT {
                    self.issues.newer_minor = Some(header.format);
                }
                if header.sources {
                    self.watermarks = None;
                }
                return Ok(Some(Item::Header(header)));
            }
            Ok(Decoded::End(reason)) => {
                self.understood += 1;
                self.issues.ended = Some(reason);
            }
            Ok(Decoded::Unknown) => self.issues.unknown_types += 1,
            Err(LineError::OverBound) => self.issues.over_bound += 1,
            Err(LineError::Malformed(reason)) => {
                self.issues.malformed += 1;
                self.issues.first_malformed.get_or_insert((self.issues.lines, reason));
            }
        }
        Ok(None)
    }

    /// Fails when more than `lines` lines were read and none was understood.
    fn check_patience(&self, lines: u64) -> Result<(), ReadError> {
        if self.understood > 0 || self.issues.lines <= lines {
            return Ok(());
        }
        let first = match (&self.issues.first_malformed, &self.issues.truncated) {
            (Some((line, reason)), _) => format!("line {line}: {reason}"),
            (None, Some(cut)) => cut.clone(),
            (None, None) => "lines of unknown types, too long, or blank".to_owned(),
        };
        Err(ReadError::NotARecording { lines: self.issues.lines, first })
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Item, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.done = true;
            self.queue.clear();
        }
        next.transpose()
    }
}
