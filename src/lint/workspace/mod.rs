//! Which files there are, which package each belongs to, and which versions that package uses.
//!
//! The only part of lint that touches the file system: what comes after works on values.

mod dependencies;
mod draft;
mod edition;
mod inherit;
mod interval;
mod load;
mod lock;
mod locks;
mod manifest;
mod manifests;
mod members;
mod package;
mod paths;
mod purpose;
mod read;
mod sources;
mod targets;
#[cfg(test)]
mod tests;
mod toml_file;
mod versions;
mod walk;

pub use edition::Edition;
pub use load::{LoadError, Request, Workspace, home, load};
pub use members::{dependencies_of, in_rounds};
pub use package::{Dependency, DependencyKind, Package, SourceFile, Target, TargetKind};
pub use paths::{absolute, shown, working_directory};
pub use purpose::Purpose;
pub use read::{MARK, MAX_BYTES, Skip, Text, read};
pub use versions::Versions;
