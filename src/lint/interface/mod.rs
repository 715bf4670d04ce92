//! What other packages of a workspace may know of a package: facts as the catalogue has them, worked
//! out from its source instead of written down.

mod paths;
mod work_out;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::catalog::model::{AliasFact, ApiFact, ApiFile, BoundDefault, Effect, Handle, TypeFact};
use crate::catalog::{Api, Catalog, TypeText};
use crate::finding::Region;

use super::workspace;

pub(crate) use work_out::{Fresh, Offer, work_out};

/// What a package tells, by canonical path: the first of the public ones, else where it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The name that paths begin with.
    lib: String,
    functions: BTreeMap<String, Function>,
    types: BTreeMap<String, Type>,
    /// Other public paths, and what they stand for.
    aliases: BTreeMap<String, String>,
}

/// A function, static or constant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Function {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returns: Option<String>,
    /// It is a static or constant.
    #[serde(default, skip_serializing_if = "is_not")]
    value: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    never_returns: bool,
    /// Bounds of the builder that it gives, and which of them it sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bounds: BTreeMap<String, BoundDefault>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    sets: BTreeSet<String>,
    /// What its callers have to look after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hands_out: Vec<HandedOut>,
    /// Which class it ends, by handle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    releases: Vec<(String, String)>,
    /// Handles of what it may keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    takes: Vec<String>,
}

/// An obligation that a function begins for its callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HandedOut {
    class: String,
    handle: String,
    begun: Begun,
}

/// Where that is. Positions as in [`Region`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    /// Absolute path.
    file: PathBuf,
    start: (u32, u32),
    end: (u32, u32),
    bytes: (u32, u32),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Type {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    holds: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    points_to: Option<String>,
}

/// Serde asks by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_not(flag: &bool) -> bool {
    !*flag
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Interface {
    told: Told,
    pub(crate) catalog: Catalog,
    /// Of everything in it.
    pub(crate) hash: [u8; 32],
    /// Crates that its types and aliases name.
    speaks_of: FxHashSet<String>,
    /// The folder that shown paths are relative to.
    cwd: Arc<Path>,
}

impl Interface {
    /// Ready to be looked up.
    pub(crate) fn new(told: Told, cwd: &Arc<Path>) -> Self {
        // Nothing in it can fail to be written down; a hash of nothing would only be one more key.
        let hash = blake3::hash(&serde_json::to_vec(&told).unwrap_or_default()).into();
        let catalog = Catalog::of_crate(told.facts());
        let returned = catalog.apis().iter().filter_map(|api| api.returns.as_ref());
        let of_types = catalog.types().iter();
        let held = of_types
            .flat_map(|known| known.holds.values().chain(&known.points_to).chain(&known.is));
        let named = returned.chain(held).flat_map(TypeText::paths);
        let named = named.chain(catalog.aliases().iter().map(|alias| &*alias.is));
        let lib = |path: &str| path.split("::").next().unwrap_or(path).to_owned();
        let speaks_of = named.map(lib).collect();
        Self { told, catalog, hash, speaks_of, cwd: Arc::clone(cwd) }
    }

    /// The name that its paths begin with.
    pub(crate) fn lib(&self) -> &str {
        &self.told.lib
    }

    /// Whether it names something of this package.
    pub(crate) fn speaks_of(&self, package: &str) -> bool {
        self.speaks_of.contains(&package.replace('-', "_"))
    }

    /// The names right below a path.
    pub(crate) fn names_below(&self, path: &str) -> BTreeSet<&str> {
        let Told { lib: _, functions, types, aliases } = &self.told;
        let all = functions.keys().chain(types.keys()).chain(aliases.keys());
        let below = all.filter_map(|known| {
            let rest = known.strip_prefix(path)?.strip_prefix("::")?;
            rest.split("::").next()
        });
        below.collect()
    }

    /// Where what this fact acquires begins.
    pub(crate) fn begun_at(&self, api: &Api) -> Option<Region> {
        let class = api.fact.acquires.as_deref()?;
        let all = &self.told.functions.get(&*api.path)?.hands_out;
        let Begun { file, start, end, bytes } = &all.iter().find(|one| one.class == class)?.begun;
        Some(Region {
            path: workspace::shown(file, &self.cwd),
            line: start.0,
            column: start.1,
            end_line: end.0,
            end_column: end.1,
            bytes: *bytes,
        })
    }

    /// Files of the package that findings elsewhere may point into.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let all = self.told.functions.values().flat_map(|function| &function.hands_out);
        all.map(|one| one.begun.file.as_path())
    }
}

impl Told {
    /// As facts. The package is called by its lib name: nobody asks for its versions.
    fn facts(&self) -> ApiFile {
        let alias =
            |(path, is): (&String, &String)| AliasFact { path: path.clone(), is: is.clone() };
        let ty = |(path, known): (&String, &Type)| TypeFact {
            path: path.clone(),
            is: known.is.clone(),
            holds: known.holds.clone(),
            points_to: known.points_to.clone(),
            ..TypeFact::default()
        };
        ApiFile {
            package: self.lib.clone(),
            types: self.types.iter().map(ty).collect(),
            apis: self.functions.iter().flat_map(|(path, known)| known.facts(path)).collect(),
            aliases: self.aliases.iter().map(alias).collect(),
            macros: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

impl Function {
    /// A fact of its own for each obligation: what a function says adds up.
    fn facts(&self, path: &str) -> Vec<ApiFact> {
        let handle = |text: &String| text.parse::<Handle>().ok();
        let of_path = || ApiFact { path: path.to_owned(), ..ApiFact::default() };
        let begins = self.hands_out.iter().map(|one| ApiFact {
            acquires: Some(one.class.clone()),
            handle: handle(&one.handle),
            ..of_path()
        });
        let ends = self.releases.iter().map(|(class, at)| ApiFact {
            releases: vec![class.clone()],
            at: handle(at),
            ..of_path()
        });
        let first = ApiFact {
            returns: self.returns.clone(),
            value: self.value,
            bounds: self.bounds.clone(),
            sets: self.sets.iter().cloned().collect(),
            effects: self.never_returns.then_some(Effect::NeverReturns).into_iter().collect(),
            takes: self.takes.iter().filter_map(handle).collect(),
            ..of_path()
        };
        std::iter::once(first).chain(begins).chain(ends).collect()
    }
}
