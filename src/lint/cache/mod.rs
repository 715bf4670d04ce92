//! What a package was found to hold, kept from run to run: under a key of all that went into it.
//!
//! Nothing flows from one package of a workspace into another yet but the names of libraries, which
//! are among its dependencies; what does one day belongs into the key.

mod entry;
mod key;

pub(super) use entry::Entry;
pub(super) use key::{Key, policy};
