//! Bounded memory for what repeats in a recording: texts, and handle ids that are texts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::format::FIRST_NAMED_ID;
use crate::live::facts::HandleId;

/// Longest text worth sharing, in bytes.
const MAX_SHARED_BYTES: usize = 256;
/// Number of texts kept; when it is reached all are forgotten, which costs time but no memory.
const MAX_TEXTS: usize = 8192;
/// Longest handle id, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// Number of handles with a text for an id that may be open at a time.
const MAX_NAMES: usize = 1 << 18;

/// Shares equal texts.
#[derive(Debug)]
pub(super) struct Texts {
    empty: Arc<str>,
    known: HashSet<Arc<str>>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { empty: Arc::from(""), known: HashSet::new() }
    }
}

impl Texts {
    /// The empty text.
    pub(super) fn empty(&self) -> Arc<str> {
        Arc::clone(&self.empty)
    }

    /// `text`, shared with earlier equal ones where that was cheap to know.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if text.is_empty() {
            return self.empty();
        }
        if text.len() > MAX_SHARED_BYTES {
            return Arc::from(text);
        }
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        if self.known.len() >= MAX_TEXTS {
            self.known.clear();
        }
        let new: Arc<str> = Arc::from(text);
        self.known.insert(Arc::clone(&new));
        new
    }
}

/// Gives handles whose id is a text a number that no other handle has.
///
/// An id is forgotten when its handle closes, so a tool may use it again for another handle, and
/// memory follows the handles open at a time.
#[derive(Debug, Default)]
pub(super) struct HandleNames {
    open: HashMap<Box<str>, HandleId>,
    given: u64,
}

/// Why a text could not become an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameError {
    TooLong,
    TooMany,
}

impl HandleNames {
    /// The number of a handle that opens.
    pub(super) fn opened(&mut self, name: &str) -> Result<HandleId, NameError> {
        if name.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        if let Some(id) = self.open.get(name) {
            return Ok(*id);
        }
        if self.open.len() >= MAX_NAMES {
            return Err(NameError::TooMany);
        }
        let id = self.fresh();
        self.open.insert(name.into(), id);
        Ok(id)
    }

    /// The number of a handle that changes; one that is not open gets a number of its own.
    pub(super) fn changed(&mut self, name: &str) -> HandleId {
        self.open.get(name).copied().unwrap_or_else(|| self.fresh())
    }

    /// The number of a handle that closes.
    pub(super) fn closed(&mut self, name: &str) -> HandleId {
        self.open.remove(name).unwrap_or_else(|| self.fresh())
    }

    fn fresh(&mut self) -> HandleId {
        let id = HandleId(FIRST_NAMED_ID | self.given);
        self.given += 1;
        id
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_shared_and_memory_is_bounded() {
        let mut texts = Texts::default();
        let first = texts.share("socket");
        assert!(Arc::ptr_eq(&first, &texts.share("socket")));
        for n in 0..3 * MAX_TEXTS {
            texts.share(&format!("text {n}"));
        }
        assert!(texts.known.len() <= MAX_TEXTS);
        assert_eq!(&*texts.share("socket"), "socket");
        let long = "x".repeat(MAX_SHARED_BYTES + 1);
        assert_eq!(&*texts.share(&long), long);
        assert!(!texts.known.contains(long.as_str()));
    }

    #[test]
    fn names_are_unique_and_may_be_used_again_after_close() {
        let mut names = HandleNames::default();
        let a = names.opened("fd 7").unwrap();
        assert_eq!(names.changed("fd 7"), a);
        assert_eq!(names.opened("fd 7"), Ok(a));
        assert_eq!(names.closed("fd 7"), a);
        let b = names.opened("fd 7").unwrap();
        assert_ne!(a, b);
        assert!(a.0 >= FIRST_NAMED_ID && b.0 >= FIRST_NAMED_ID);
        assert_ne!(names.closed("never opened"), b);
        assert_eq!(names.opened(&"x".repeat(999)), Err(NameError::TooLong));
    }
}
