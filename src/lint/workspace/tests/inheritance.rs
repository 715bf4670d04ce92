//! Manifests: what they say, what they take from the workspace, and when they are wrong.

use semver::{Version, VersionReq};

use super::super::{Dependency, DependencyKind, Edition, Package, Versions};
use super::{Tree, package};

fn required(package: &Package, name: &str) -> String {
    match &package.dependencies[name].versions {
        Versions::Required(requirement) => requirement.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn members_take_values_and_dependencies_from_the_workspace() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = ['*']\n[workspace.package]\nversion = '3.2.1'\nedition = '2021'\n\
             [workspace.dependencies]\nplain = '1.2'\nshort = { package = 'long-name', version = '^0.3' }\n\
             sibling = { path = 'sib' }\n",
        ),
        (
            "m/Cargo.toml",
            "[package]\nname = 'm'\nversion.workspace = true\nedition = { workspace = true }\n\
             [dependencies]\nplain = { workspace = true, optional = true }\nshort.workspace = true\n\
             sibling.workspace = true\n[features]\ndefault = ['plain']\n",
        ),
        ("m/src/lib.rs", ""),
        ("sib/Cargo.toml", "[package]\nname = 'sibling'\n[lib]\nname = 'brother'\n"),
        ("sib/src/lib.rs", ""),
    ]);
    let workspace = tree.load(&["m"]);
    let m = package(&workspace, "m");
    assert_eq!(m.version, Some(Version::new(3, 2, 1)));
    assert_eq!(m.edition, Edition::Rust2021);
    assert_eq!(m.features["default"], ["plain"]);
    let names: Vec<_> = m.dependencies.keys().collect();
    assert_eq!(names, ["brother", "plain", "short"]);
    assert_eq!(required(m, "plain"), "^1.2");
    assert!(m.dependencies["plain"].optional);
    assert_eq!(m.dependencies["short"].package, "long-name");
    assert_eq!(required(m, "short"), "^0.3");
    assert_eq!(m.dependencies["brother"].package, "sibling");
    assert_eq!(m.dependencies["brother"].versions, Versions::Unknown);
}

#[test]
fn a_package_may_name_its_workspace() {
    let tree = Tree::new(&[
        ("root/Cargo.toml", "[workspace]\n[workspace.package]\nedition = '2018'\n"),
        (
            "m/Cargo.toml",
            "[package]\nname = 'm'\nworkspace = '../root'\nedition.workspace = true\n",
        ),
        ("m/src/lib.rs", ""),
    ]);
    assert_eq!(package(&tree.load(&["m"]), "m").edition, Edition::Rust2018);
}

#[test]
fn the_nearest_of_nested_workspaces_counts() {
    let tree = Tree::new(&[
        ("Cargo.toml", "[workspace]\n[workspace.package]\nedition = '2018'\n"),
        ("in/Cargo.toml", "[workspace]\n[workspace.package]\nedition = '2024'\n"),
        ("in/m/Cargo.toml", "[package]\nname = 'm'\nedition.workspace = true\n"),
        ("in/m/src/lib.rs", ""),
    ]);
    assert_eq!(package(&tree.load(&[]), "m").edition, Edition::Rust2024);
}

#[test]
fn dependencies_have_the_names_code_uses_and_their_widest_kind() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            "[package]\nname = 'p'\n\
             [dependencies]\nserde-json = '1'\nold = { package = 'rand', version = '0.8' }\n\
             opt = { version = '2', optional = true }\n\
             [dev-dependencies]\nserde-json = '1'\nopt = '2'\ntempfile = '3'\n\
             [build-dependencies]\ncc = '1'\n\
             [target.'cfg(unix)'.dependencies]\nlibc = '0.2'\ntempfile = '3.1'\nsplit = '1'\n\
             [target.'cfg(windows)'.dependencies]\nsplit = '2'\n",
        ),
        ("src/lib.rs", ""),
    ]);
    let workspace = tree.load(&[]);
    let p = package(&workspace, "p");
    assert_eq!(p.edition, Edition::Rust2015);
    let kinds: Vec<_> = p.dependencies.iter().map(|(name, d)| (name.as_str(), d.kind)).collect();
    use DependencyKind::{Build, Normal};
    assert_eq!(
        kinds,
        [
            ("cc", Build),
            ("libc", Normal),
            ("old", Normal),
            ("opt", Normal),
            ("serde_json", Normal),
            ("split", Normal),
            ("tempfile", Normal)
        ]
    );
    let expected = Dependency {
        package: "rand".into(),
        versions: Versions::Required(VersionReq::parse("0.8").unwrap()),
        kind: Normal,
        optional: false,
        dir: None,
    };
    assert_eq!(p.dependencies["old"], expected);
    assert!(p.dependencies["opt"].optional);
    assert_eq!(required(p, "tempfile"), "^3.1");
    assert_eq!(p.dependencies["split"].versions, Versions::Unknown);
}

#[test]
fn a_broken_manifest_is_an_issue_and_its_files_stay() {
    let tree = Tree::new(&[
        ("bad/Cargo.toml", "[package]\nname = 'bad'\nedition = = 2021\n"),
        ("bad/src/lib.rs", ""),
        ("typed/Cargo.toml", "[package]\nname = 'typed'\n[dependencies]\na = '1'\nb = 7\n"),
        ("typed/src/lib.rs", ""),
        ("good/Cargo.toml", "[package]\nname = 'good'\n"),
        ("good/src/lib.rs", ""),
    ]);
    let workspace = tree.try_load(&[]).unwrap();
    let names: Vec<_> = workspace.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["bad", "good", "typed"]);
    let issues: Vec<_> = workspace.issues.iter().map(|i| (&*i.path, i.line)).collect();
    assert_eq!(issues, [("bad/Cargo.toml", 3), ("typed/Cargo.toml", 5)], "{:?}", workspace.issues);
    assert!(workspace.issues[1].message.contains("a version or a table"));
    assert_eq!(package(&workspace, "bad").targets.len(), 1);
    // Other packages' manifests are no concern of a narrower run.
    assert_eq!(tree.load(&["good"]).packages.len(), 1);
}

#[test]
fn wrong_values_are_issues_and_the_rest_stays() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            "[package]\nname = 'p'\nversion = 'one'\nedition = '2099'\n\
             [dependencies]\na = 'x.y'\nb.workspace = true\nc = '1'\n",
        ),
        ("src/lib.rs", ""),
    ]);
    let workspace = tree.try_load(&[]).unwrap();
    let p = package(&workspace, "p");
    assert_eq!((p.version.clone(), p.edition), (None, Edition::Rust2024));
    assert_eq!(p.dependencies["a"].versions, Versions::Unknown);
    assert_eq!(p.dependencies["b"].versions, Versions::Unknown);
    assert_eq!(required(p, "c"), "^1");
    let messages: Vec<_> = workspace.issues.iter().map(|i| i.message.as_str()).collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
}

#[test]
fn a_workspace_root_that_is_broken_is_named_by_its_members() {
    let tree = Tree::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\n"),
        ("m/Cargo.toml", "[package]\nname = 'm'\nedition.workspace = true\n"),
        ("m/src/lib.rs", ""),
    ]);
    let workspace = tree.try_load(&["m"]).unwrap();
    let issues: Vec<_> = workspace.issues.iter().map(|i| &*i.path).collect();
    assert_eq!(issues, ["Cargo.toml", "m/Cargo.toml"], "{:?}", workspace.issues);
}
