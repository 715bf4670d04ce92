//! Collectors: each turns one part of /proc or one kernel interface into facts.

pub mod beat;
