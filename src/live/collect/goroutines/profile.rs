//! The goroutine profile as text (`debug=1`): how many goroutines stand in each stack.
//!
//! It has neither identities nor creators, so it can only be counted. The profile `goroutineleak`
//! has the same form.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use super::frames::{Place, Texts};
use crate::live::collect::endpoint::Lines;

/// Different places kept; further ones are only part of the total.
const MAX_PLACES: usize = 4096;

/// Where goroutines stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// What they wait for, as far as the stack tells; empty: nothing, or unknown.
    pub wait: &'static str,
    /// The innermost function of the program, and its line.
    pub place: Arc<str>,
}

/// A profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Goroutines, without those that serve the question itself.
    pub total: u64,
    /// How many stand where.
    pub places: BTreeMap<Standing, u64>,
}

/// Reads a profile.
///
/// # Errors
/// What the input returns; [`io::ErrorKind::InvalidData`] when it is no such profile.
pub fn parse<R: BufRead>(lines: &mut Lines<R>) -> io::Result<Profile> {
    let mut reader = Reader::default();
    let head = lines.next_line()?.and_then(|(line, _)| head(&line));
    let total = head.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it is no text of a goroutine profile")
    })?;
    while let Some((line, _)) = lines.next_line()? {
        if let Some(count) = line.split_once(" @").and_then(|(count, _)| count.parse().ok()) {
            reader.end();
            reader.open = Some((count, Place::default()));
        } else if let Some(frame) = line.strip_prefix("#\t") {
            reader.frame(frame);
        }
    }
    reader.end();
    // One connection and one goroutine that reads from it for each who asks.
    let readers = reader.readers.min(reader.asking);
    for (standing, count) in reader.reading {
        let count = count.saturating_sub(readers);
        if count > 0 {
            reader.profile.places.insert(standing, count);
        }
    }
    reader.profile.total = total.saturating_sub(reader.asking + readers);
    Ok(reader.profile)
}

/// `goroutine profile: total 12`.
fn head(line: &str) -> Option<u64> {
    let (name, total) = line.split_once(" profile: total ")?;
    total.trim().parse().ok().filter(|_| name.starts_with("goroutine"))
}

#[derive(Default)]
struct Reader {
    profile: Profile,
    texts: Texts,
    open: Option<(u64, Place)>,
    asking: u64,
    readers: u64,
    /// Goroutines that read in the background of a connection: one of them may be ours.
    reading: BTreeMap<Standing, u64>,
}

impl Reader {
    /// `0x4a1b2c<TAB>main.work+0x1c<TAB><TAB>/src/main.go:12`
    fn frame(&mut self, frame: &str) {
        let Some((_, place)) = &mut self.open else { return };
        let mut fields = frame.split('\t').filter(|field| !field.is_empty()).skip(1);
        let Some(function) = fields.next() else { return };
        let function = function.rsplit_once("+0x").map_or(function, |(name, _)| name);
        place.take(function, fields.next().unwrap_or_default().trim());
    }

    fn end(&mut self) {
        let Some((count, place)) = self.open.take() else { return };
        if place.asks() {
            self.asking = self.asking.saturating_add(count);
            return;
        }
        let standing = Standing { wait: place.wait(), place: self.texts.share(place.shown()) };
        let places = if place.reads() {
            self.readers = self.readers.saturating_add(count);
            &mut self.reading
        } else {
            &mut self.profile.places
        };
        if places.len() < MAX_PLACES || places.contains_key(&standing) {
            let held = places.entry(standing).or_default();
            *held = held.saturating_add(count);
        }
    }
}
