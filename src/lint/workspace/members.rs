//! Which packages of a workspace depend on which others, and in which order that lets them be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::inherit::Root;
use super::manifests::Manifests;
use super::{DependencyKind, Package, SourceFile, sources};

/// The folders that a package itself depends on, whatever is there; not for its tests alone.
fn folders(package: &Package) -> impl Iterator<Item = &Path> {
    let all = package.dependencies.values();
    let of_itself = all.filter(|dependency| dependency.kind == DependencyKind::Normal);
    of_itself.filter_map(|dependency| dependency.dir.as_deref())
}

/// Packages of the same workspaces that these depend on and that are not among them, by folder with
/// their files.
pub(super) fn unread(
    packages: &[Package],
    manifests: &Manifests,
    cwd: &Path,
) -> BTreeMap<PathBuf, Vec<SourceFile>> {
    let known: BTreeSet<&Path> = packages.iter().map(|package| package.dir.as_path()).collect();
    let mut unread = BTreeSet::new();
    for package in packages {
        let Some(workspace) = &package.workspace else { continue };
        let is_member = |dir: &&Path| {
            let slot = manifests.get(dir);
            let manifest = slot.manifest().filter(|manifest| manifest.package.is_some());
            let root = manifest.and_then(|manifest| Root::of(dir, manifest, manifests));
            root.is_some_and(|root| root.dir == *workspace)
        };
        let new = folders(package).filter(|dir| !known.contains(dir)).filter(is_member);
        unread.extend(new.map(Path::to_owned));
    }
    let with_files = |dir: PathBuf| {
        let mut files = sources::of_member(&dir, cwd).files;
        let home = |file: &SourceFile| manifests.package_at_or_above(file.path.parent()?);
        files.retain(|file| home(file).as_deref() == Some(&dir));
        (dir, files)
    };
    unread.into_iter().map(with_files).collect()
}

/// For each package, in order, the numbers of those that it depends on.
#[must_use]
pub fn dependencies_of(packages: &[Package]) -> Vec<BTreeSet<usize>> {
    let numbers: FxHashMap<&Path, usize> =
        packages.iter().enumerate().map(|(number, of)| (of.dir.as_path(), number)).collect();
    let of = |(number, package): (usize, &Package)| {
        let all = folders(package).filter_map(|dir| numbers.get(dir).copied());
        all.filter(|&other| other != number).collect()
    };
    packages.iter().enumerate().map(of).collect()
}

/// Rounds of packages, each of which depends on none but those of earlier rounds. What goes round in
/// a circle comes last, and then sees nothing of its likes: those edges are taken out.
pub fn in_rounds(edges: &mut [BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut rounds = Vec::new();
    let mut done = BTreeSet::new();
    while done.len() < edges.len() {
        let free = |number: &usize| !done.contains(number) && edges[*number].is_subset(&done);
        let mut round: Vec<usize> = (0..edges.len()).filter(free).collect();
        if round.is_empty() {
            round = (0..edges.len()).filter(|number| !done.contains(number)).collect();
            for &number in &round {
                edges[number].retain(|other| done.contains(other));
            }
        }
        done.extend(&round);
        rounds.push(round);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(edges: &[&[usize]]) -> (Vec<Vec<usize>>, Vec<BTreeSet<usize>>) {
        let mut edges: Vec<BTreeSet<usize>> =
            edges.iter().map(|of| of.iter().copied().collect()).collect();
        (in_rounds(&mut edges), edges)
    }

    #[test]
    fn a_package_comes_after_what_it_depends_on() {
        assert_eq!(rounds(&[&[1, 2], &[2], &[], &[]]).0, [vec![2, 3], vec![1], vec![0]]);
    }

    #[test]
    fn a_circle_ends() {
        let (order, edges) = rounds(&[&[1, 2], &[0], &[], &[1]]);
        assert_eq!(order, [vec![2], vec![0, 1, 3]]);
        assert_eq!(edges, [BTreeSet::from([2]), [].into(), [].into(), [].into()]);
    }
}
