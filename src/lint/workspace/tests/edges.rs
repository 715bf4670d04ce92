//! Lock files: the version of a dependency is that of the package's own edge.

use super::super::{Package, Versions};
use super::{Tree, package};

fn versions(package: &Package, name: &str) -> String {
    match &package.dependencies[name].versions {
        Versions::Locked(version) => version.to_string(),
        Versions::Required(requirement) => requirement.to_string(),
        Versions::Unknown => "unknown".to_owned(),
    }
}

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn entry(name: &str, version: &str, source: Option<&str>, dependencies: &[&str]) -> String {
    let source = source.map_or(String::new(), |source| format!("source = '{source}'\n"));
    format!(
        "[[package]]\nname = '{name}'\nversion = '{version}'\n{source}dependencies = \
         {dependencies:?}\n"
    )
}

#[test]
fn two_versions_of_a_crate_are_told_apart_by_edges() {
    let lock = [
        entry("rand", "0.8.5", Some(REGISTRY), &[]),
        entry("rand", "0.9.1", Some(REGISTRY), &[]),
        entry("serde", "1.0.200", Some(REGISTRY), &[]),
        entry("a", "0.1.0", None, &["rand 0.8.5", "serde"]),
        entry("b", "0.0.0", None, &["a", &format!("rand 0.9.1 ({REGISTRY})")]),
        entry("both", "0.1.0", None, &["rand 0.8.5", "rand 0.9.1"]),
        // A namesake from elsewhere is not the package here.
        entry("a", "0.1.0", Some(REGISTRY), &["rand 0.9.1"]),
    ];
    let tree = Tree::new(&[
        ("Cargo.toml", "[workspace]\n"),
        ("Cargo.lock", &format!("version = 4\n\n{}", lock.concat())),
        (
            "a/Cargo.toml",
            "[package]\nname = 'a'\nversion = '0.1.0'\n[dependencies]\nrand = '>=0.8'\nserde = '1'\n\
             late = '7'\n",
        ),
        ("a/src/lib.rs", ""),
        (
            "b/Cargo.toml",
            "[package]\nname = 'b'\n[dependencies]\nrand = '>=0.8'\na = { path = '../a' }\n",
        ),
        ("b/src/lib.rs", ""),
        (
            "both/Cargo.toml",
            "[package]\nname = 'both'\nversion = '0.1.0'\n[dependencies]\nrand = '0.9'\n\
             rand_old = { package = 'rand', version = '0.8' }\n\
             any = { package = 'rand', version = '*' }\n",
        ),
        ("both/src/lib.rs", ""),
    ]);
    let workspace = tree.load(&[]);
    let (a, b, both) = ("a", "b", "both").into_packages(&workspace);
    assert_eq!(versions(a, "rand"), "0.8.5");
    assert_eq!(versions(a, "serde"), "1.0.200");
    assert_eq!(versions(a, "late"), "^7", "not in the lock file yet");
    assert_eq!(versions(b, "rand"), "0.9.1");
    assert_eq!(versions(both, "rand"), "0.9.1");
    assert_eq!(versions(both, "rand_old"), "0.8.5");
    assert_eq!(versions(both, "any"), "*", "either of two");
}

trait IntoPackages {
    fn into_packages(self, from: &super::Workspace) -> (&Package, &Package, &Package);
}

impl IntoPackages for (&str, &str, &str) {
    fn into_packages(self, from: &super::Workspace) -> (&Package, &Package, &Package) {
        (package(from, self.0), package(from, self.1), package(from, self.2))
    }
}

const MANIFEST: &str = "[package]\nname = 'p'\nversion = '1.0.0'\n[dependencies]\nredis = '>=0.30'\n\
     pinned = { git = 'https://example.org/pinned' }\n";

/// The versions of the two dependencies of `MANIFEST` under `lock` in the package's folder.
#[track_caller]
fn under(lock: &str) -> [String; 2] {
    let tree = Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", ""), ("Cargo.lock", lock)]);
    let workspace = tree.load(&[]);
    let p = package(&workspace, "p");
    ["redis", "pinned"].map(|name| versions(p, name))
}

#[test]
fn every_format_of_the_file_is_read() {
    let git = "git+https://example.org/pinned#abc";
    let others = [
        entry("redis", "0.32.1", Some(REGISTRY), &[]),
        entry("pinned", "2.0.0-rc.1", Some(git), &[]),
    ]
    .concat();
    let long = [format!("redis 0.32.1 ({REGISTRY})"), format!("pinned 2.0.0-rc.1 ({git})")];
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let expected = ["0.32.1", "2.0.0-rc.1"];
    let v1 = entry("p", "1.0.0", None, &long) + &others + "[metadata]\n'checksum x' = '00'\n";
    assert_eq!(under(&v1), expected);
    let root = v1.replacen("[[package]]", "[root]", 1);
    assert_eq!(under(&root), expected);
    let short = entry("p", "1.0.0", None, &["redis", "pinned"]) + &others;
    for version in ["", "version = 3\n", "version = 4\n"] {
        assert_eq!(under(&format!("{version}{short}")), expected);
    }
}

#[test]
fn a_lock_file_of_another_package_says_nothing() {
    let other =
        [entry("redis", "0.32.1", Some(REGISTRY), &[]), entry("p", "2.0.0", None, &["redis"])];
    assert_eq!(under(&other.concat()), [">=0.30", "unknown"]);
}

#[test]
fn a_stale_edge_gives_way_to_the_requirement() {
    let stale =
        [entry("redis", "0.29.0", Some(REGISTRY), &[]), entry("p", "1.0.0", None, &["redis"])];
    assert_eq!(under(&stale.concat())[0], ">=0.30");
}

#[test]
fn a_broken_lock_file_is_an_issue() {
    let tree = Tree::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", ""),
        ("Cargo.lock", "version = 4\n<<<<<<< HEAD\n"),
    ]);
    let workspace = tree.try_load(&[]).unwrap();
    assert_eq!(versions(package(&workspace, "p"), "redis"), ">=0.30");
    let [issue] = &workspace.issues[..] else { panic!("{:?}", workspace.issues) };
    assert_eq!((&*issue.path, issue.line), ("Cargo.lock", 2));
    assert!(issue.message.contains("requirements"), "{}", issue.message);
}

#[test]
fn a_lock_file_above_counts_when_it_knows_the_package() {
    let lock =
        [entry("redis", "0.31.0", Some(REGISTRY), &[]), entry("p", "1.0.0", None, &["redis"])];
    let tree = Tree::new(&[
        ("Cargo.lock", &lock.concat()),
        ("p/Cargo.toml", MANIFEST),
        ("p/src/lib.rs", ""),
    ]);
    assert_eq!(versions(package(&tree.load(&["p"]), "p"), "redis"), "0.31.0");
}
