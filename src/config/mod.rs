//! Settings of lint that a repository carries: `poolscan.toml`, or the metadata of Cargo.toml.
//!
//! Only what is written is read here; which rules and packages it means is worked out by whoever
//! knows them (`cli::lint::policies`). The format is explained in docs/config.md.

mod document;
mod find;
mod guess;
mod read;
mod settings;
#[cfg(test)]
mod tests;

pub use document::{Document, LONGEST, Mistake, Mistakes, read_text};
pub use find::Finder;
pub use guess::nearest;
pub use read::read;
pub use settings::{FailOn, InPaths, Knowledge, NAME, Settings, Step, Word};
