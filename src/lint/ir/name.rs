//! Interned names: one copy of each text, shared by all threads.

use std::cell::RefCell;
use std::fmt;

use rustc_hash::FxHashMap;
use ustr::Ustr;

/// An interned text: where its only copy is. That depends on threads and on the run: nothing may
/// be ordered by it, so this type has no order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name(Ustr);

impl Name {
    /// The name for this text.
    pub(crate) fn new(text: &str) -> Self {
        thread_local! {
            /// What this thread has asked for: most names come again, and the table has a lock.
            static KNOWN: RefCell<FxHashMap<&'static str, Name>> = RefCell::default();
        }
        KNOWN.with_borrow_mut(|known| {
            if let Some(&name) = known.get(text) {
                return name;
            }
            let name = Self(Ustr::from(text));
            known.insert(name.as_str(), name);
            name
        })
    }

    /// The text.
    pub(crate) fn as_str(self) -> &'static str {
        self.0.as_str()
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
