//! Holds the invariants of ARCHITECTURE.md by reading every `use crate::…` under src/.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// Every Rust file under src/, with its module path such as `live/detect`.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    let room = |path: &PathBuf| {
        path.strip_prefix(&root).unwrap().with_extension("").to_string_lossy().into_owned()
    };
    found.into_iter().map(|path| (path.clone(), room(&path))).collect()
}

/// Paths below the crate that a file names, whether in a `use` or in place.
#[derive(Default)]
struct Paths(BTreeSet<String>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        fn flatten(tree: &syn::UseTree, prefix: &str, found: &mut BTreeSet<String>) {
            match tree {
                syn::UseTree::Path(path) => {
                    flatten(&path.tree, &format!("{prefix}{}/", path.ident), found);
                }
                syn::UseTree::Group(group) => {
                    for tree in &group.items {
                        flatten(tree, prefix, found);
                    }
                }
                syn::UseTree::Name(name) => {
                    found.insert(format!("{prefix}{}", name.ident));
                }
                syn::UseTree::Rename(name) => {
                    found.insert(format!("{prefix}{}", name.ident));
                }
                syn::UseTree::Glob(_) => {
                    found.insert(prefix.to_owned());
                }
            }
        }
        flatten(&item.tree, "", &mut self.0);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.0.insert(names.join("/"));
        syn::visit::visit_path(self, path);
    }
}

fn paths_of(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let mut paths = Paths::default();
    paths.visit_file(&syn::parse_file(&text).unwrap());
    paths.0
}

/// Asserts that no file in `room` names anything that starts with one of `forbidden`.
fn keeps_out(room: &str, forbidden: &[&str]) {
    let mut seen = 0;
    let mut broken = Vec::new();
    for (file, at) in sources() {
        let inside = at == room || at.starts_with(&format!("{room}/"));
        if !inside || at.ends_with("tests") || at.contains("/tests/") {
            continue;
        }
        seen += 1;
        for path in paths_of(&file) {
            if forbidden.iter().any(|f| path == *f || path.starts_with(&format!("{f}/"))) {
                broken.push(format!("{} names {path}", file.display()));
            }
        }
    }
    assert!(seen > 0, "no file in {room}: the test looks in the wrong place");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn finding_knows_nobody_above_it() {
    for room in ["finding", "catalog"] {
        keeps_out(room, &["crate/live", "crate/lint", "crate/report", "crate/cli"]);
    }
}

#[test]
fn the_wings_do_not_know_each_other() {
    keeps_out("live", &["crate/lint"]);
    // Rules about processes are data, too; only diagnoses know of them.
    let facts = ["census", "detect", "host", "record", "target", "watch"];
    // Whose frames are whose is data that stacks need.
    keeps_out(
        "live/trace",
        &["crate/catalog/live", "crate/catalog/pools", "crate/catalog/Catalog"],
    );
    // What metrics mean is data that a collector needs.
    keeps_out("live/collect", &["crate/catalog/live", "crate/catalog/Catalog"]);
    for room in facts {
        keeps_out(&format!("live/{room}"), &["crate/catalog"]);
    }
    keeps_out("lint", &["crate/live", "crate/report", "crate/cli"]);
    keeps_out("config", &["crate/live", "crate/report", "crate/cli", "crate/catalog"]);
    keeps_out("lint", &["crate/config"]);
    keeps_out("lint/suppress", &["std/fs", "std/io", "std/env", "std/time"]);
}

#[test]
fn the_join_knows_findings_alone() {
    let others = ["catalog", "cli", "config", "lint", "live", "report"];
    let others: Vec<String> = others.iter().map(|room| format!("crate/{room}")).collect();
    let mut outside: Vec<&str> = others.iter().map(String::as_str).collect();
    outside.extend(["std/fs", "std/io", "std/env", "std/time"]);
    keeps_out("join", &outside);
}

#[test]
fn judgement_does_no_io_and_reads_no_clock() {
    let outside = [
        "crate/live/collect",
        "crate/live/host",
        "crate/live/target",
        "crate/live/sys",
        "crate/live/record",
        "crate/report",
        "crate/cli",
        "std/fs",
        "std/io",
        "std/net",
        "std/process",
        "std/env",
        "std/time",
        "rustix",
        "procfs",
        "sysinfo",
        "jiff",
    ];
    for room in ["live/census", "live/detect", "live/diagnose", "live/watch"] {
        keeps_out(room, &outside);
    }
}

#[test]
fn collectors_do_not_judge_and_reports_do_not_collect() {
    for room in ["live/collect", "live/host", "live/target", "live/trace"] {
        keeps_out(
            room,
            &[
                "crate/live/census",
                "crate/live/detect",
                "crate/live/watch",
                "crate/report",
                "crate/cli",
            ],
        );
    }
    keeps_out(
        "report",
        &[
            "crate/live/collect",
            "crate/live/host",
            "crate/live/target",
            "crate/live/census",
            "crate/live/detect",
            "crate/live/watch",
            "crate/cli",
        ],
    );
}

#[test]
fn unsafe_stays_in_sys() {
    for (file, at) in sources() {
        if at.starts_with("live/sys") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let allows = text.contains("allow(unsafe_code") || text.contains("expect(unsafe_code");
        // The one place that opens the door for live/sys.
        assert!(!allows || at == "live/mod", "{} allows unsafe code", file.display());
    }
}

#[test]
fn every_module_says_what_it_is_for_and_stays_small() {
    for (file, _) in sources() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not say its job first", file.display());
        let lines = text.lines().count();
        assert!(lines <= 700, "{} has {lines} lines: split it", file.display());
    }
}
