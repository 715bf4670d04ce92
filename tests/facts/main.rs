//! Compares the facts of the catalogue with the sources of the crates they are about.
//!
//! Sources are those that Cargo has fetched on this machine; nothing is fetched here. What has no
//! source in a version that a fact is about is skipped, and counted aloud.

// A test program talks to a person.
#![allow(clippy::print_stdout, reason = "a test program of its own")]

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use poolscan::catalog::Catalog;
use semver::VersionReq;

use sources::{Declared, Sources};

/// What became of the checks.
#[derive(Default)]
struct Tally {
    checked: usize,
    wrong: Vec<String>,
    /// Packages without any source of a fitting version, with the number of facts about them.
    skipped: BTreeMap<String, usize>,
}

impl Tally {
    /// Looks into every source that fits; one that has what is wanted is enough.
    fn check(&mut self, what: &str, fitting: &[Declared<'_>], has: impl Fn(&Declared<'_>) -> bool) {
        self.checked += 1;
        if !fitting.iter().any(has) {
            let versions: Vec<_> = fitting.iter().map(|found| found.version.to_string()).collect();
            self.wrong.push(format!("{what}: not in {}", versions.join(", ")));
        }
    }

    fn skip(&mut self, package: &str) {
        *self.skipped.entry(package.to_owned()).or_default() += 1;
    }
}

fn main() {
    if std::env::args().any(|arg| arg == "--list") {
        println!("facts: test");
        return;
    }
    let sources = Sources::open();
    let mut tally = Tally::default();
    paths(&sources, &mut tally);
    citations(&sources, &mut tally);
    for (package, facts) in &tally.skipped {
        println!("facts: SKIPPED {facts} about {package}: no source of such a version is fetched");
    }
    let skipped: usize = tally.skipped.values().sum();
    println!("facts: {} checked, {skipped} skipped, {} wrong", tally.checked, tally.wrong.len());
    for wrong in &tally.wrong {
        println!("facts: WRONG {wrong}");
    }
    if !tally.wrong.is_empty() {
        std::process::exit(1);
    }
}

/// Functions, methods and types are declared in some release that the fact is about.
fn paths(sources: &Sources, tally: &mut Tally) {
    let catalog = Catalog::embedded();
    let mut seen: BTreeSet<(&str, Option<String>)> = BTreeSet::new();
    let mut check = |package: &'static str, path: &'static str, versions: Option<&VersionReq>| {
        if package == "std" || !seen.insert((path, versions.map(ToString::to_string))) {
            return;
        }
        let fitting = sources.of(package, versions);
        if fitting.is_empty() {
            tally.skip(package);
            return;
        }
        let range = versions.map_or_else(|| "*".to_owned(), ToString::to_string);
        let what = format!("{path} ({range})");
        tally.check(&what, &fitting, |declared| {
            // The function and its type; functions that are derived, or that every stream has by a
            // trait of another crate, have no text.
            let names = path.split("::").skip(1).collect::<Vec<_>>().into_iter().rev().take(2);
            names
                .filter(|name| !["default", "try_next"].contains(name))
                .all(|name| declared.item(name))
        });
    };
    for api in catalog.apis() {
        check(&api.package, &api.path, api.versions.as_ref());
    }
    for known in catalog.types() {
        check(&known.package, &known.fact.path, known.versions.as_ref());
    }
}

/// What a default is told in, whatever the bound is called.
const ABOUT: [&str; 4] = ["timeout", "timer", "deadline", "duration"];

/// `crate-version/path:line` is a line there, and what stands around it is about the fact.
fn citations(sources: &Sources, tally: &mut Tally) {
    for api in Catalog::embedded().apis() {
        let Some(text) = &api.fact.source else { continue };
        let fact = &api.fact;
        let named = fact.bounds.keys().chain(&fact.sets).chain(&fact.classes);
        let named = named.chain(&fact.acquires).chain(&fact.finishes);
        let mut words: BTreeSet<&str> =
            named.flat_map(|word| word.split('-')).filter(|word| word.len() > 3).collect();
        words.extend(fact.all_paths().flat_map(|path| path.split("::").skip(1)));
        words.extend(ABOUT);
        for (package, version, file, line) in text.split([' ', ',', ';']).filter_map(citation) {
            let Some(around) = sources.lines(package, version, file, line) else {
                tally.skip(package);
                continue;
            };
            tally.checked += 1;
            let about = |around: &String| {
                let around = around.to_lowercase();
                words.iter().any(|word| around.contains(&word.to_lowercase()))
            };
            if !around.as_ref().is_some_and(about) {
                tally.wrong.push(format!("{}: {text} says nothing about it", api.path));
            }
        }
    }
}

/// `tokio-1.54.1/src/fs/file.rs:12` in its parts.
fn citation(word: &str) -> Option<(&str, &str, &str, usize)> {
    let (place, rest) = word.split_once('/')?;
    let (file, line) = rest.trim_end_matches(':').rsplit_once(':')?;
    let (package, version) = sources::split(place)?;
    Some((package, version, file, line.parse().ok()?))
}
