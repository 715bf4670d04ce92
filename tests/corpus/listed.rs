//! The crates of mutants.txt and their two halves.

use std::path::PathBuf;

use crate::fetch::source;

/// A half of the list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Half {
    /// Its misses are read.
    Dev,
    /// Only its table is looked at.
    HeldOut,
}

impl Half {
    /// The half with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "dev" => Some(Self::Dev),
            "held-out" => Some(Self::HeldOut),
            _ => None,
        }
    }
}

/// The sources of the crates of a half; a crate that cannot be had is named.
pub(crate) fn sources(half: Half) -> Vec<PathBuf> {
    let of_half = crates().skip(usize::from(half == Half::HeldOut)).step_by(2);
    of_half
        .filter_map(|(name, version)| match source(name, version) {
            Ok(folder) => Some(folder),
            Err(error) => {
                println!("SKIPPED: {error}");
                None
            }
        })
        .collect()
}

/// Names and versions in the order of the list.
fn crates() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("mutants.txt").lines().filter_map(|line| {
        let (name, rest) = line.split_once('@').filter(|_| !line.starts_with('#'))?;
        Some((name, rest.split_whitespace().next()?))
    })
}
