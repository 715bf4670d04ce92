//! What one package knows of the crates it uses: the catalogue for the versions that it depends on,
//! and the interfaces of other packages of the workspace.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use semver::VersionReq;

use crate::catalog::model::TypeFact;
use crate::catalog::{Api, ApiId, Catalog, Type, TypeId, TypeText};
use crate::finding::Region;

use super::interface::Interface;
use super::ir::Name;

/// Which of several facts about a package hold, that are limited to these versions.
pub(crate) type Holds<'c> = dyn Fn(&str, &[Option<&VersionReq>]) -> Vec<bool> + 'c;

/// A fact about a type: of the member of this number, else of the catalogue.
type Found = (Option<usize>, TypeId);

/// Whether there are facts about what this path names, or stands for.
pub(crate) fn is_known(catalog: &Catalog, path: &str) -> bool {
    let stands_for = || catalog.unaliased(path).is_some_and(|is| catalog.knows_of(&is));
    catalog.knows_of(path) || stands_for() || passed_on(catalog, path).is_some()
}

/// The path without the crate in front, when another one stands behind that has what the path
/// names: `pub use parking_lot;` of a crate that nobody knows.
fn passed_on<'p>(catalog: &Catalog, path: &'p str) -> Option<&'p str> {
    let (_, rest) = path.split_once("::").filter(|(first, _)| *first != "std")?;
    let known = catalog.knows_of(rest) || catalog.unaliased(rest).is_some();
    (known && rest.contains("::")).then_some(rest)
}

/// See the module.
pub(crate) struct Facts<'c> {
    pub(crate) catalog: &'c Catalog,
    holds: Box<Holds<'c>>,
    /// What is written down comes first. Numbers of their facts follow on those of the catalogue.
    members: &'c [Arc<Interface>],
    canonical: RefCell<FxHashMap<Name, Name>>,
    apis: RefCell<FxHashMap<Name, Box<[ApiId]>>>,
    types: RefCell<FxHashMap<Name, Option<Found>>>,
}

impl<'c> Facts<'c> {
    pub(crate) fn new(
        catalog: &'c Catalog,
        holds: Box<Holds<'c>>,
        members: &'c [Arc<Interface>],
    ) -> Self {
        let (canonical, apis, types) = <(RefCell<_>, RefCell<_>, RefCell<_>)>::default();
        Self { catalog, holds, members, canonical, apis, types }
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
            if !self.known_at(&path).is_empty() {
                break;
            }
            let of_member = || self.member_of(&path)?.0.catalog.unaliased(&path);
            let passed_on = || passed_on(self.catalog, &path).map(str::to_owned);
            let next = self.catalog.unaliased(&path).or_else(of_member).or_else(passed_on);
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
        let found = self.known_at(path.as_str());
        self.apis.borrow_mut().insert(path, found.clone());
        found
    }

    /// Facts about the function of this very path: what is written down, else what was worked out.
    fn known_at(&self, path: &str) -> Box<[ApiId]> {
        let written = self.holding(self.catalog.apis_at(path));
        if !written.is_empty() {
            return written;
        }
        let Some((member, first)) = self.member_of(path) else { return written };
        member.catalog.apis_at(path).iter().map(|id| ApiId(first + id.0)).collect()
    }

    /// The package of the workspace that a path leads into, and the number of its first fact.
    fn member_of(&self, path: &str) -> Option<(&'c Interface, u32)> {
        let lib = path.split("::").next()?;
        self.numbered().find(|(member, _)| member.lib() == lib)
    }

    /// Interfaces with the numbers of their first facts.
    fn numbered(&self) -> impl Iterator<Item = (&'c Interface, u32)> + use<'c> {
        let mut next = self.catalog.apis().len();
        self.members.iter().map(move |member| {
            let first = u32::try_from(next).unwrap_or(u32::MAX);
            next += member.catalog.apis().len();
            (&**member, first)
        })
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
        match self.worked_out(id) {
            Some((member, own)) => member.catalog.api(own),
            None => self.catalog.api(id),
        }
    }

    /// The package of the workspace whose interface has this fact, and its number there; none of
    /// what is written down.
    fn worked_out(&self, id: ApiId) -> Option<(&'c Interface, ApiId)> {
        if (id.0 as usize) < self.catalog.apis().len() {
            return None;
        }
        let (member, first) = self.numbered().take_while(|(_, first)| *first <= id.0).last()?;
        Some((member, ApiId(id.0 - first)))
    }

    /// Whether a fact was worked out: then it says nothing of what the function may do besides.
    pub(crate) fn is_worked_out(&self, id: ApiId) -> bool {
        self.worked_out(id).is_some()
    }

    /// Where in another package of the workspace an obligation begins that a call hands out.
    pub(crate) fn begun_at(&self, id: ApiId) -> Option<Region> {
        let (member, own) = self.worked_out(id)?;
        member.begun_at(member.catalog.api(own))
    }

    /// Whether other packages of the workspace speak of this crate by what they offer.
    pub(crate) fn is_passed_on(&self, package: &str) -> bool {
        self.members.iter().any(|member| member.speaks_of(package))
    }

    /// Last names of the functions of other packages that give their callers something to look
    /// after, by class.
    pub(crate) fn handing_out(&self) -> impl Iterator<Item = (&'c str, Name)> {
        let apis = self.members.iter().flat_map(|member| member.catalog.apis());
        apis.filter_map(|api| {
            let class = api.fact.acquires.as_deref()?;
            Some((class, Name::new(api.path.rsplit("::").next()?)))
        })
    }

    /// Names right below a path into another package of the workspace.
    pub(crate) fn names_below(&self, path: &str) -> BTreeSet<&'c str> {
        self.member_of(path).map(|(member, _)| member.names_below(path)).unwrap_or_default()
    }

    /// All facts about functions of this name, those of other packages included.
    fn named(&self, name: &str) -> impl Iterator<Item = &'c Api> {
        let catalogs = self.members.iter().map(|member| &member.catalog);
        std::iter::once(self.catalog)
            .chain(catalogs)
            .flat_map(move |catalog| catalog.apis_named(name).iter().map(|&id| catalog.api(id)))
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
        self.named(name.as_str()).all(|api| {
            let fact = &api.fact;
            fact.takes.is_empty() && !fact.releases.iter().any(|known| known == class)
        })
    }

    /// Whether a function of this name, whosever it is, ends obligations of the class.
    pub(crate) fn ends(&self, name: &str, class: &str) -> bool {
        self.named(name).any(|api| api.fact.releases.iter().any(|known| known == class))
    }

    /// The type that a macro's value has, when a fact says so.
    pub(crate) fn macro_returns(&self, path: Name) -> Option<&'c TypeText> {
        self.catalog.macro_at(path.as_str())?.returns.as_ref()
    }

    /// What is known about a type.
    pub(crate) fn type_fact(&self, path: Name) -> Option<&'c TypeFact> {
        self.known_type(path).map(|known| &known.fact)
    }

    /// The type of what a method of a type hands out, when that is all that is known of it.
    pub(crate) fn given_by(&self, path: Name, method: Name) -> Option<&'c TypeText> {
        self.known_type(path)?.gives.get(method.as_str())
    }

    /// The same with the types in it.
    pub(crate) fn known_type(&self, path: Name) -> Option<&'c Type> {
        let known = self.types.borrow().get(&path).copied();
        let found = known.unwrap_or_else(|| {
            let found = self.find_type(path.as_str());
            self.types.borrow_mut().insert(path, found);
            found
        });
        let (member, id) = found?;
        let catalog = member.map_or(self.catalog, |number| &self.members[number].catalog);
        Some(catalog.type_of(id))
    }

    fn find_type(&self, path: &str) -> Option<Found> {
        if let Some(id) = self.written_type(path) {
            return Some((None, id));
        }
        let lib = path.split("::").next()?;
        let number = self.members.iter().position(|member| member.lib() == lib)?;
        Some((Some(number), *self.members[number].catalog.types_at(path).first()?))
    }

    fn written_type(&self, path: &str) -> Option<TypeId> {
        let ids = self.catalog.types_at(path);
        let package = &self.catalog.type_of(*ids.first()?).package;
        let limits: Vec<_> =
            ids.iter().map(|&id| self.catalog.type_of(id).versions.as_ref()).collect();
        let holds = (self.holds)(package, &limits);
        ids.get(holds.iter().position(|&holds| holds)?).copied()
    }
}
