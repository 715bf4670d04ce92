//! The lists of crates that mutants are made of: three to learn from, one to measure.

use std::path::PathBuf;

use crate::fetch::source;

/// A list of crates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum List {
    /// Its misses are read.
    Dev,
    /// Its misses are read, too, since it was used up as the one below.
    Second,
    /// The same.
    Third,
    /// Only its table is looked at.
    HeldOut,
}

impl List {
    /// The list with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "dev" => Some(Self::Dev),
            "second" => Some(Self::Second),
            "third" => Some(Self::Third),
            "held-out" => Some(Self::HeldOut),
            _ => None,
        }
    }
}

/// The sources of the crates of a list; a crate that cannot be had is named.
pub(crate) fn sources(list: List) -> Vec<PathBuf> {
    let found = crates(list).filter_map(|(name, version)| match source(name, version) {
        Ok(folder) => Some(folder),
        Err(error) => {
            println!("SKIPPED: {error}");
            None
        }
    });
    found.collect()
}

/// Names and versions in the order of the list.
fn crates(list: List) -> impl Iterator<Item = (&'static str, &'static str)> {
    let text = match list {
        List::Dev => include_str!("mutants.txt"),
        List::Second => include_str!("mutants-second.txt"),
        List::Third => include_str!("mutants-third.txt"),
        List::HeldOut => include_str!("mutants-held-out.txt"),
    };
    text.lines().filter_map(|line| {
        let (name, rest) = line.split_once('@').filter(|_| !line.starts_with('#'))?;
        Some((name, rest.split_whitespace().next()?))
    })
}
