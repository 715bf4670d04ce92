//! What a walk takes, what it leaves out, and in which order.

use super::{Tree, package, shown};

const MANIFEST: &str = "[package]\nname = 'one'\nversion = '0.1.0'\nedition = '2024'\n";

#[test]
fn ignored_hidden_and_built_files_are_left_out() {
    let tree = Tree::new(&[
        ("Cargo.toml", MANIFEST),
        (".git/HEAD", ""),
        (".gitignore", "/generated/**\n*.tmp.rs\n"),
        ("src/lib.rs", ""),
        ("src/a.tmp.rs", ""),
        ("src/notes.txt", ""),
        ("src/target/mod.rs", ""),
        (".hidden/x.rs", ""),
        ("generated/x.rs", ""),
        ("generated/deep/y.rs", ""),
        ("target/debug/build/out.rs", ""),
        ("elsewhere/CACHEDIR.TAG", ""),
        ("elsewhere/debug/build/out.rs", ""),
    ]);
    let workspace = tree.load(&["."]);
    assert_eq!(shown(&workspace.packages[0].files), ["+src/lib.rs", "+src/target/mod.rs"]);
    assert_eq!(workspace.packages.len(), 1);
}

#[test]
fn what_is_named_is_never_ignored() {
    let tree = Tree::new(&[
        ("Cargo.toml", MANIFEST),
        (".git/HEAD", ""),
        (".gitignore", "/generated/**\n*.tmp.rs\n"),
        ("src/lib.rs", ""),
        ("src/a.tmp.rs", ""),
        ("generated/x.rs", ""),
        ("generated/deep/y.rs", ""),
        (".hidden/x.rs", ""),
        ("target/debug/build/out.rs", ""),
    ]);
    let files = |path: &str| shown(&package(&tree.load(&[path]), "one").files);
    assert_eq!(files("src/a.tmp.rs"), ["+src/a.tmp.rs", "src/lib.rs"]);
    assert_eq!(files("generated"), ["+generated/deep/y.rs", "+generated/x.rs", "src/lib.rs"]);
    assert_eq!(files("generated/deep"), ["+generated/deep/y.rs", "src/lib.rs"]);
    assert_eq!(files(".hidden"), ["+.hidden/x.rs", "src/lib.rs"]);
    assert_eq!(files("target"), ["src/lib.rs", "+target/debug/build/out.rs"]);
}

#[test]
fn an_ignored_package_that_is_named_is_loaded_whole() {
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        (".gitignore", "vendor/**\n"),
        ("vendor/one/Cargo.toml", MANIFEST),
        ("vendor/one/src/lib.rs", ""),
        ("vendor/one/tests/t.rs", ""),
    ]);
    let workspace = tree.load(&["vendor/one/src"]);
    let files = shown(&package(&workspace, "one").files);
    assert_eq!(files, ["+vendor/one/src/lib.rs", "vendor/one/tests/t.rs"]);
}

#[cfg(unix)]
#[test]
fn links_neither_loop_nor_double() {
    use std::os::unix::fs::symlink;
    let tree =
        Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", ""), ("elsewhere.txt", "fn f() {}")]);
    symlink(tree.path("."), tree.path("src/round")).unwrap();
    symlink(tree.path("src/self.rs"), tree.path("src/self.rs")).unwrap();
    symlink(tree.path("src/nowhere"), tree.path("src/gone.rs")).unwrap();
    symlink(tree.path("src/lib.rs"), tree.path("src/twin.rs")).unwrap();
    symlink(tree.path("elsewhere.txt"), tree.path("src/other.rs")).unwrap();
    let workspace = tree.load(&[]);
    let files = shown(&workspace.packages[0].files);
    assert_eq!(files, ["+src/lib.rs", "+src/other.rs", "src/twin.rs"]);
    assert_eq!(workspace.skipped.len(), 1);
    assert_eq!(workspace.skipped[0].reason, "linked_folder");
    let named = tree.load(&["src/twin.rs"]);
    assert_eq!(shown(&named.packages[0].files), ["src/lib.rs", "src/other.rs", "+src/twin.rs"]);
}

#[test]
fn a_byte_order_mark_in_a_manifest_does_no_harm() {
    let tree = Tree::new(&[("src/lib.rs", "")]);
    tree.write("Cargo.toml", format!("\u{feff}{MANIFEST}").as_bytes());
    package(&tree.load(&[]), "one");
}

#[test]
fn loading_twice_gives_the_same() {
    let names: Vec<String> = (0..40).map(|i| format!("p{}/src/f{i}.rs", i % 7)).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let manifests: Vec<String> = (0..7).map(|i| format!("p{i}/Cargo.toml")).collect();
    files.extend(manifests.iter().map(|name| (name.as_str(), "[package]\nname = 'same'\n")));
    let tree = Tree::new(&files);
    let once = format!("{:?}", tree.load(&[]));
    for paths in [&["."][..], &["p1", ".", "p0"], &["p0/..", "p3/src/f3.rs"]] {
        assert_eq!(format!("{:?}", tree.load(paths)), once);
    }
}
