//! Names and places of tasks, each kept once, and bounded: a target may tell any number of them.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_console_api::Location;

use crate::live::facts::OTHER;

/// Different texts kept; what comes later shares one.
const MAX_TEXTS: usize = 8192;
/// The longest text, bytes.
const MAX_BYTES: usize = 256;
/// What tokio says of a task whose place it does not know.
pub(super) const NOWHERE: &str = "(unknown place)";

/// Texts by their bytes.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// The one copy of a text, cut where it is too long.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        let text = &text[..text.floor_char_boundary(MAX_BYTES)];
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text = if self.0.len() < MAX_TEXTS { text } else { OTHER };
        let shared: Arc<str> = text.into();
        self.0.insert(Arc::clone(&shared));
        shared
    }

    /// `src/main.rs:12`; the folder in which Cargo keeps packages is left out.
    pub(super) fn place(&mut self, location: Option<&Location>) -> Arc<str> {
        let file = location.and_then(|location| location.file.as_deref());
        let Some(file) = file.filter(|file| !file.is_empty()) else { return self.share(NOWHERE) };
        let line = location.and_then(|location| location.line).unwrap_or(0);
        let package = package(file);
        // The end of a long path tells more than its beginning.
        let from = package.len().saturating_sub(MAX_BYTES - 16);
        self.share(&format!("{}:{line}", &package[package.ceil_char_boundary(from)..]))
    }
}

/// `tokio-1.47.1/src/lib.rs` of `/home/u/.cargo/registry/src/index.crates.io-6f17/tokio-1.47.1/…`.
fn package(file: &str) -> &str {
    let below = file.split_once("/registry/src/").and_then(|(_, below)| below.split_once('/'));
    below.map_or(file, |(_, package)| package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, line: u32) -> Location {
        Location { file: Some(file.to_owned()), line: Some(line), ..Location::default() }
    }

    #[test]
    fn places_are_short_and_kept_once() {
        let mut texts = Texts::default();
        let own = texts.place(Some(&at("src/main.rs", 12)));
        assert_eq!(&*own, "src/main.rs:12");
        assert!(Arc::ptr_eq(&own, &texts.place(Some(&at("src/main.rs", 12)))));
        let foreign = at("/root/.cargo/registry/src/index.crates.io-1949/h2-0.4.1/src/lib.rs", 7);
        assert_eq!(&*texts.place(Some(&foreign)), "h2-0.4.1/src/lib.rs:7");
        assert_eq!(&*texts.place(None), NOWHERE);
        let long = texts.place(Some(&at(&"é".repeat(4000), 1)));
        assert!(long.len() <= MAX_BYTES && long.ends_with(":1"), "{long}");
    }

    #[test]
    fn their_number_is_bounded() {
        let mut texts = Texts::default();
        for n in 0..2 * MAX_TEXTS {
            texts.share(&n.to_string());
        }
        assert!(texts.0.len() <= MAX_TEXTS + 1);
        assert_eq!(&*texts.share("one more"), OTHER);
    }
}
