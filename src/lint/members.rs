//! Packages of a workspace in the order of their dependencies, each with what it may know of others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rayon::prelude::*;

use super::interface::Interface;
use super::workspace::{self, Dependency, DependencyKind, Package, Versions};

/// What a package has to do with others of its workspace.
#[derive(Debug, Default)]
pub(crate) struct Near {
    /// What it depends on, and what that depends on in turn; the nearest first.
    pub(crate) members: Vec<Arc<Interface>>,
    /// Versions of packages that these depend on: types of theirs come through them.
    pub(crate) versions: BTreeMap<String, Vec<Versions>>,
    /// Whether another one depends on it.
    pub(crate) is_asked: bool,
}

/// Runs `one` for every package with its number: those that depend on nothing first, at the same
/// time. What comes out stands in the order of the packages.
pub(crate) fn in_rounds<T: Send>(
    packages: Vec<Package>,
    one: impl Fn(usize, Package, Near) -> (Option<T>, Option<Arc<Interface>>) + Sync,
) -> Vec<T> {
    let mut edges = workspace::dependencies_of(&packages);
    let rounds = workspace::in_rounds(&mut edges);
    let asked: BTreeSet<usize> = edges.iter().flatten().copied().collect();
    let needs = |number: &usize| (*number, packages[*number].dependencies.clone());
    let needs: BTreeMap<usize, BTreeMap<String, Dependency>> = asked.iter().map(needs).collect();
    let mut waiting: Vec<Option<Package>> = packages.into_iter().map(Some).collect();
    let mut interfaces: BTreeMap<usize, Arc<Interface>> = BTreeMap::new();
    let mut found: BTreeMap<usize, T> = BTreeMap::new();
    for round in rounds {
        let jobs: Vec<(usize, Package, Near)> = round
            .into_iter()
            .filter_map(|number| {
                let package = waiting[number].take()?;
                let of = around(number, &edges);
                let all = of.iter().filter_map(|other| needs.get(other));
                let near = Near {
                    members: of.iter().filter_map(|of| interfaces.get(of).cloned()).collect(),
                    versions: versions(all),
                    is_asked: asked.contains(&number),
                };
                Some((number, package, near))
            })
            .collect();
        let done: Vec<_> = jobs
            .into_par_iter()
            .map(|(number, package, near)| (number, one(number, package, near)))
            .collect();
        for (number, (part, interface)) in done {
            found.extend(part.map(|part| (number, part)));
            interfaces.extend(interface.map(|interface| (number, interface)));
        }
    }
    found.into_values().collect()
}

/// All that a package depends on, over others as well; the nearest first, then by number.
fn around(number: usize, edges: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([number]);
    let mut next = VecDeque::from([number]);
    while let Some(at) = next.pop_front() {
        for &other in &edges[at] {
            if seen.insert(other) {
                found.push(other);
                next.push_back(other);
            }
        }
    }
    found
}

fn versions<'d>(
    all: impl Iterator<Item = &'d BTreeMap<String, Dependency>>,
) -> BTreeMap<String, Vec<Versions>> {
    let mut versions: BTreeMap<String, Vec<Versions>> = BTreeMap::new();
    let dependencies = all.flat_map(BTreeMap::values);
    for dependency in dependencies.filter(|of| of.kind == DependencyKind::Normal) {
        let known = versions.entry(dependency.package.clone()).or_default();
        if !known.contains(&dependency.versions) {
            known.push(dependency.versions.clone());
        }
    }
    versions
}
