//! The only place with own `unsafe` code: system calls that no library wraps.

#![expect(unsafe_code, reason = "each call says why it is sound")]

pub(super) mod perf;
