//! Recordings: the complete input of judgement on disk, one JSON object a line (docs/recording.md).
//!
//! What [`Recorder`] writes, [`Reader`] gives back fact for fact, so that a replay judges exactly
//! what the live watch judged. A recording cut anywhere is readable up to the cut.

mod decode;
mod encode;
mod format;
mod intern;
mod line;
mod reader;
#[cfg(test)]
mod tests;
mod watermark;
mod writer;

pub use format::{FORMAT, Header, Issues, Item, MAX_LINE_BYTES, MAX_TIME_MS, ReadError};
pub use reader::Reader;
pub use writer::Recorder;
