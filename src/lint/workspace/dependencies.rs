//! What a package depends on, under the names its code uses, with what is known of the versions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};

use super::inherit::Root;
use super::lock::Edges;
use super::manifest::{Manifest, Need, NeedTable};
use super::versions::matches_release;
use super::{Dependency, DependencyKind, Versions};

/// The dependencies of the package in `dir` by extern crate name, and what is wrong with them.
///
/// `library_at` gives the library name of the package in a folder, for dependencies by path.
pub(super) fn dependencies(
    manifest: &Manifest,
    dir: &Path,
    root: Option<&Root>,
    edges: Option<&Edges>,
    library_at: impl Fn(&Path) -> Option<String>,
) -> (BTreeMap<String, Dependency>, Vec<String>) {
    let mut wanted = BTreeMap::<String, Wanted>::new();
    let mut wrong = Vec::new();
    for (kind, table) in tables(manifest) {
        for (key, need) in table {
            let (need, base) = match whole(key, need, dir, root) {
                Ok(whole) => whole,
                Err(message) => {
                    wrong.push(message);
                    (long(need), dir)
                }
            };
            let requirement = need.version.as_deref().map(VersionReq::parse).transpose();
            let requirement = requirement.unwrap_or_else(|error| {
                wrong.push(format!("version of `{key}`: {error}; taken as unknown"));
                None
            });
            let name = extern_name(key, &need, base, &library_at);
            let dir = need.path.as_ref().map(|path| super::paths::absolute(base, path));
            let new = Wanted {
                package: need.package.unwrap_or_else(|| key.clone()),
                requirement,
                contradicts: false,
                kind,
                optional: need.optional,
                dir,
            };
            wanted.entry(name).and_modify(|old| old.join(&new)).or_insert(new);
        }
    }
    (wanted.into_iter().map(|(name, wanted)| (name, wanted.resolve(edges))).collect(), wrong)
}

/// A dependency before the lock file is asked.
#[derive(Clone)]
struct Wanted {
    package: String,
    requirement: Option<VersionReq>,
    /// Platforms want different versions under one name.
    contradicts: bool,
    kind: DependencyKind,
    optional: bool,
    dir: Option<PathBuf>,
}

impl Wanted {
    /// Takes in the same name from another table.
    fn join(&mut self, other: &Self) {
        if other.kind < self.kind {
            // What tests add to a dependency of the package itself does not change it.
            self.clone_from(other);
        } else if other.kind == self.kind {
            self.optional &= other.optional;
            self.contradicts |=
                self.package != other.package || self.requirement != other.requirement;
        }
    }

    fn resolve(self, edges: Option<&Edges>) -> Dependency {
        let versions = match (self.locked(edges), &self.requirement) {
            (Some(version), _) => Versions::Locked(version.clone()),
            (None, Some(requirement)) if !self.contradicts => {
                Versions::Required(requirement.clone())
            }
            _ => Versions::Unknown,
        };
        let Self { package, kind, optional, dir, .. } = self;
        Dependency { package, versions, kind, optional, dir }
    }

    /// The one version among the package's own edges that fits the requirement. None fits when
    /// the lock file is stale, several do when the same crate comes under two names.
    fn locked<'e>(&self, edges: Option<&'e Edges>) -> Option<&'e Version> {
        let versions = edges?.get(&self.package)?;
        let fits = |version: &&Version| {
            self.contradicts || self.requirement.as_ref().is_none_or(|r| fits(r, version))
        };
        let mut fitting = versions.iter().filter(fits);
        let first = fitting.next()?;
        fitting.all(|version| version == first).then_some(first)
    }
}

/// Whether Cargo may have locked `version` for `requirement`; git dependencies may be pre-releases.
fn fits(requirement: &VersionReq, version: &Version) -> bool {
    requirement.matches(version) || matches_release(requirement, version)
}

/// The tables of dependencies: for all platforms first, then for some, in each the most general
/// kind first.
fn tables(manifest: &Manifest) -> impl Iterator<Item = (DependencyKind, &BTreeMap<String, Need>)> {
    let all = [
        (DependencyKind::Normal, &manifest.dependencies),
        (DependencyKind::Build, &manifest.build_dependencies),
        (DependencyKind::Dev, &manifest.dev_dependencies),
    ];
    let some = manifest.target.values().flat_map(|needs| {
        [
            (DependencyKind::Normal, &needs.dependencies),
            (DependencyKind::Build, &needs.build_dependencies),
            (DependencyKind::Dev, &needs.dev_dependencies),
        ]
    });
    all.into_iter().chain(some)
}

/// The long form of `need` with what it takes from the workspace, and the folder its path is
/// relative to.
fn whole<'d>(
    key: &str,
    need: &Need,
    dir: &'d Path,
    root: Option<&'d Root>,
) -> Result<(NeedTable, &'d Path), String> {
    let own = long(need);
    if !own.workspace {
        return Ok((own, dir));
    }
    let inherited = root.and_then(|root| Some((root.table()?.dependencies.get(key)?, root)));
    let Some((inherited, root)) = inherited else {
        return Err(format!(
            "no workspace above has the dependency `{key}` that is taken from it; its version is \
             unknown"
        ));
    };
    Ok((NeedTable { optional: own.optional, ..long(inherited) }, &root.dir))
}

fn long(need: &Need) -> NeedTable {
    match need {
        Need::Version(version) => {
            NeedTable { version: Some(version.clone()), ..NeedTable::default() }
        }
        Need::Table(table) => table.clone(),
    }
}

/// The name under which code sees the dependency. A rename is that name; else it is the library's,
/// which for other people's packages we take to be named after them.
fn extern_name(
    key: &str,
    need: &NeedTable,
    base: &Path,
    library_at: &impl Fn(&Path) -> Option<String>,
) -> String {
    let library = match (&need.package, &need.path) {
        (None, Some(path)) => library_at(&super::paths::absolute(base, path)),
        _ => None,
    };
    library.unwrap_or_else(|| key.to_owned()).replace('-', "_")
}
