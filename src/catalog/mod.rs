//! Knowledge that is data: facts about crates, and the rules that are built on them.

mod check;
mod error;
pub mod families;
pub mod frames;
pub mod live;
mod load;
pub mod model;
pub mod pools;
mod snippet;
#[cfg(test)]
mod tests;
mod text;
mod types;

pub use error::{CatalogError, Problem};
pub use load::{Alias, Api, ApiId, Attribute, Catalog, LintRule, Macro, RuleId, Type, TypeId};
pub use snippet::Snippet;
pub use text::Text;
pub use types::TypeText;
