//! Paths of a fix as its module can write them: known there, and no longer than they have to be.

use crate::lint::ir::Name;
use crate::lint::names::{ModId, Resolution, Space};
use crate::lint::types::World;

/// A text whose paths are all known in a module, each without what is imported there. None where
/// the crate of one is not.
pub(super) fn in_scope(world: &World<'_>, module: ModId, text: &str) -> Option<String> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_word) {
        let path = &rest[at..];
        let path = &path[..path.find(|c| !is_word(c) && c != ':').unwrap_or(path.len())];
        let path = path.trim_end_matches(':');
        let (before, after) = (&rest[..at], &rest[at + path.len()..]);
        written.push_str(before);
        // What goes on from something else is no path of its own.
        let begins = !before.ends_with("::");
        written.push_str(if begins && path.contains("::") {
            shortest(world, module, path)?
        } else {
            path
        });
        rest = after;
    }
    written.push_str(rest);
    Some(written)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn shortest<'p>(world: &World<'_>, module: ModId, path: &'p str) -> Option<&'p str> {
    let segments: Vec<Name> = path.split("::").map(Name::new).collect();
    let foreign =
        |segments: &[Name], space| match world.names.resolve(module, segments, false, space) {
            Resolution::Foreign(path) => Some(path),
            _ => None,
        };
    let root = foreign(segments.get(..2)?, Space::Type)?;
    if root.first() != segments.first() {
        return None;
    }
    let imported = (1..segments.len()).rev().find(|&from| {
        let last = from + 1 == segments.len();
        let space = if last { Space::Value } else { Space::Type };
        foreign(&segments[from..=from], space).is_some_and(|path| path[..] == segments[..=from])
    });
    let skipped: usize =
        segments[..imported.unwrap_or(0)].iter().map(|s| s.as_str().len() + 2).sum();
    Some(&path[skipped..])
}
