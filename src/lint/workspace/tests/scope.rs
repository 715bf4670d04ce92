//! Named paths narrow what is reported, never what is known.

use super::super::{Request, load};
use super::{Tree, package, shown};

fn two_packages() -> Tree {
    Tree::new(&[
        ("Cargo.toml", "[package]\nname = 'outer'\n[workspace]\n"),
        ("src/main.rs", ""),
        ("src/deep/mod.rs", ""),
        ("inner/Cargo.toml", "[package]\nname = 'inner'\n"),
        ("inner/src/lib.rs", ""),
        ("inner/tests/t.rs", ""),
    ])
}

#[test]
fn a_file_brings_its_whole_package() {
    let workspace = two_packages().load(&["src/deep/mod.rs"]);
    assert_eq!(workspace.packages.len(), 1);
    assert_eq!(shown(&package(&workspace, "outer").files), ["+src/deep/mod.rs", "src/main.rs"]);
}

#[test]
fn a_folder_brings_its_whole_package() {
    let workspace = two_packages().load(&["./inner/../inner/tests/"]);
    assert_eq!(workspace.packages.len(), 1);
    let files = shown(&package(&workspace, "inner").files);
    assert_eq!(files, ["inner/src/lib.rs", "+inner/tests/t.rs"]);
}

#[test]
fn a_file_belongs_to_the_nearest_package() {
    let workspace = two_packages().load(&["."]);
    assert_eq!(shown(&package(&workspace, "outer").files), ["+src/deep/mod.rs", "+src/main.rs"]);
    let inner = package(&workspace, "inner");
    assert_eq!(shown(&inner.files), ["+inner/src/lib.rs", "+inner/tests/t.rs"]);
    assert_eq!(inner.inside(&inner.files[1]).to_str(), Some("tests/t.rs"));
    assert_eq!(workspace.loose, []);
}

#[test]
fn folders_above_bring_every_package_below() {
    let tree = Tree::new(&[
        ("a/Cargo.toml", "[workspace]\nmembers = ['m']\n"),
        ("a/m/Cargo.toml", "[package]\nname = 'm'\n"),
        ("a/m/src/lib.rs", ""),
        ("a/stray.rs", ""),
        ("a/no_member/Cargo.toml", "[package]\nname = 'n'\n"),
        ("a/no_member/src/lib.rs", ""),
        ("a/inner/Cargo.toml", "[workspace]\n"),
        ("a/inner/x/Cargo.toml", "[package]\nname = 'x'\n"),
        ("a/inner/x/src/lib.rs", ""),
        ("script.rs", ""),
    ]);
    let workspace = tree.load(&[]);
    let names: Vec<_> = workspace.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["x", "m", "n"], "by folder");
    assert_eq!(shown(&workspace.loose), ["+a/stray.rs", "+script.rs"]);
    let both = tree.load(&["a/m", "a"]);
    assert_eq!(both.packages.len(), 3);
    assert_eq!(shown(&both.loose), ["+a/stray.rs"]);
}

#[test]
fn loose_files_are_reported_only_when_named() {
    let tree = Tree::new(&[("a.rs", ""), ("b.rs", "")]);
    assert_eq!(shown(&tree.load(&["b.rs"]).loose), ["+b.rs"]);
}

#[test]
fn paths_are_shown_from_where_the_run_started() {
    let tree = two_packages();
    let request = Request { paths: vec!["..".into()], cwd: tree.path("inner") };
    let workspace = load(&request).unwrap();
    let outer = shown(&package(&workspace, "outer").files);
    let whole = format!("+{}", tree.path("src/main.rs").display());
    assert_eq!(outer[1], whole);
    assert_eq!(shown(&package(&workspace, "inner").files), ["+src/lib.rs", "+tests/t.rs"]);
}

#[test]
fn missing_paths_and_empty_folders_say_so() {
    let tree = Tree::new(&[("a/readme.md", ""), ("Cargo.lock", "")]);
    let message = |paths: &[&str]| tree.try_load(paths).unwrap_err().to_string();
    assert_eq!(message(&["b"]), "`b` does not exist; name a folder or a Rust file");
    assert!(message(&["a/readme.md/x"]).contains("does not exist"));
    assert!(message(&["a"]).starts_with("nothing to analyse in `a`:"), "{}", message(&["a"]));
    assert!(message(&[]).starts_with("nothing to analyse in this folder:"));
    assert!(message(&["a/readme.md"]).starts_with("nothing to analyse in `a/readme.md`:"));
}

#[test]
fn other_files_among_those_named_are_counted() {
    let workspace = two_packages().load(&["Cargo.toml", "src/main.rs"]);
    assert_eq!(workspace.skipped.len(), 1);
    assert_eq!(workspace.skipped[0].reason, "not_rust");
    assert_eq!(shown(&workspace.packages[0].files), ["src/deep/mod.rs", "+src/main.rs"]);
}
