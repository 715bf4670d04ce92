//! What a package was found to hold, kept from run to run: under a key of all that went into it.
//!
//! Of other packages only their interfaces go into it, so a change behind an interface is no change
//! for who depends on it.

mod entry;
mod key;
mod places;

pub(super) use entry::Entry;
pub(super) use key::{Key, policy};
pub(super) use places::Places;
