//! Interned names: a number for each text, shared by all threads.

use std::cell::RefCell;
use std::fmt;
use std::sync::OnceLock;

use lasso::{Spur, ThreadedRodeo};
use rustc_hash::{FxBuildHasher, FxHashMap};

/// An interned text. Numbers are given in the order of arrival, which depends on threads: nothing
/// may be ordered by them, so this type has no order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name(Spur);

fn table() -> &'static ThreadedRodeo<Spur, FxBuildHasher> {
    static TABLE: OnceLock<ThreadedRodeo<Spur, FxBuildHasher>> = OnceLock::new();
    TABLE.get_or_init(|| ThreadedRodeo::with_hasher(FxBuildHasher))
}

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
            let name = Self(table().get_or_intern(text));
            known.insert(name.as_str(), name);
            name
        })
    }

    /// The text.
    pub(crate) fn as_str(self) -> &'static str {
        table().resolve(&self.0)
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
