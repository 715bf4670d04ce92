//! Who opens file descriptors: events of the calls that create them, and whose handle each is.

pub mod births;
pub mod calls;
pub mod control;
pub mod events;
pub mod ledger;
