//! The catalogue as one package sees it: facts of the versions that it depends on.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use semver::VersionReq;

use crate::catalog::model::TypeFact;
use crate::catalog::{Api, ApiId, Catalog, Type, TypeText};

use super::ir::Name;

/// Which of several facts about a package hold, that are limited to these versions.
pub(crate) type Holds<'c> = dyn Fn(&str, &[Option<&VersionReq>]) -> Vec<bool> + 'c;

/// See the module.
pub(crate) struct Facts<'c> {
    pub(crate) catalog: &'c Catalog,
    holds: Box<Holds<'c>>,
    canonical: RefCell<FxHashMap<Name, Name>>,
    apis: RefCell<FxHashMap<Name, Box<[ApiId]>>>,
}

impl<'c> Facts<'c> {
    pub(crate) fn new(catalog: &'c Catalog, holds: Box<Holds<'c>>) -> Self {
        Self { catalog, holds, canonical: RefCell::default(), apis: RefCell::default() }
    }

    /// The path that facts use for a path into another crate.
    pub(crate) fn canonical(&self, segments: &[Name]) -> Name {
        let text: Vec<&str> = segments.iter().map(|name| name.as_str()).collect();
        let written = Name::new(&text.join("::"));
        if let Some(&known) = self.canonical.borrow().get(&written) {
            return known;
        }
        let canonical = self.follow(written.as_str());
        self.canonical.borrow_mut().insert(written, canonical);
        canonical
    }

    /// Applies aliases until none fits: a path, or a prefix of it that ends at `::`.
    fn follow(&self, path: &str) -> Name {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let known = self.catalog.apis_at(&path);
            if !self.holding(known).is_empty() {
                break;
            }
            let next = self.catalog.aliases().iter().find_map(|alias| {
                let rest = path.strip_prefix(&*alias.path)?;
                (rest.is_empty() || rest.starts_with("::")).then(|| format!("{}{rest}", alias.is))
            });
            match next {
                Some(next) if next != path => path = next,
                _ => break,
            }
        }
        Name::new(&path)
    }

    /// Facts about a function that hold for this package, by canonical path.
    pub(crate) fn apis(&self, path: Name) -> Box<[ApiId]> {
        if let Some(known) = self.apis.borrow().get(&path) {
            return known.clone();
        }
        let found = self.holding(self.catalog.apis_at(path.as_str()));
        self.apis.borrow_mut().insert(path, found.clone());
        found
    }

    /// Those of some facts about one function that hold.
    fn holding(&self, ids: &[ApiId]) -> Box<[ApiId]> {
        let Some(&first) = ids.first() else { return Box::default() };
        let package = &self.catalog.api(first).package;
        let limits: Vec<_> = ids.iter().map(|&id| self.catalog.api(id).versions.as_ref()).collect();
        let holds = (self.holds)(package, &limits);
        ids.iter().copied().zip(holds).filter_map(|(id, holds)| holds.then_some(id)).collect()
    }

    pub(crate) fn api(&self, id: ApiId) -> &'c Api {
        self.catalog.api(id)
    }

    /// Facts whose name alone says enough, in crates that the package depends on.
    pub(crate) fn distinctive(&self, name: Name, depends: impl Fn(&str) -> bool) -> Vec<ApiId> {
        let ids = self.catalog.apis_named(name.as_str()).iter().copied();
        let ids: Vec<ApiId> = ids
            .filter(|&id| {
                let api = self.catalog.api(id);
                api.fact.distinctive && depends(&api.package)
            })
            .collect();
        ids.chunk_by(|&a, &b| self.catalog.api(a).path == self.catalog.api(b).path)
            .flat_map(|same| self.holding(same))
            .collect()
    }

    /// Whether nothing of this name releases this class or takes something over.
    pub(crate) fn harmless(&self, name: Name, class: &str) -> bool {
        self.catalog.apis_named(name.as_str()).iter().all(|&id| {
            let fact = &self.catalog.api(id).fact;
            fact.takes.is_empty() && !fact.releases.iter().any(|known| known == class)
        })
    }

    /// Whether a function of this name, whosever it is, ends obligations of the class.
    pub(crate) fn ends(&self, name: &str, class: &str) -> bool {
        let ids = self.catalog.apis_named(name).iter();
        ids.map(|&id| self.catalog.api(id))
            .any(|api| api.fact.releases.iter().any(|known| known == class))
    }

    /// The type that a macro's value has, when a fact says so.
    pub(crate) fn macro_returns(&self, path: Name) -> Option<&'c TypeText> {
        self.catalog.macro_at(path.as_str())?.returns.as_ref()
    }

    /// What is known about a type.
    pub(crate) fn type_fact(&self, path: Name) -> Option<&'c TypeFact> {
        Some(&self.type_at(path)?.fact)
    }

    /// The type of what a method of a type hands out, when that is all that is known of it.
    pub(crate) fn given_by(&self, path: Name, method: Name) -> Option<&'c TypeText> {
        self.type_at(path)?.gives.get(method.as_str())
    }

    fn type_at(&self, path: Name) -> Option<&'c Type> {
        let ids = self.catalog.types_at(path.as_str());
        let package = &self.catalog.type_of(*ids.first()?).package;
        let limits: Vec<_> =
            ids.iter().map(|&id| self.catalog.type_of(id).versions.as_ref()).collect();
        let holds = (self.holds)(package, &limits);
        let at = holds.iter().position(|&holds| holds)?;
        Some(self.catalog.type_of(*ids.get(at)?))
    }
}
