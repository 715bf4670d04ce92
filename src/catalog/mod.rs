//! Knowledge that is data: facts about crates, and the rules that are built on them.

pub mod model;
