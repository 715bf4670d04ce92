//! Targets: listed and discovered.

use super::{Tree, package, shown, targets};

#[test]
fn targets_are_discovered_by_their_place() {
    let tree = Tree::new(&[
        ("Cargo.toml", "[package]\nname = 'my-app'\nedition = '2021'\n"),
        ("build.rs", ""),
        ("src/lib.rs", ""),
        ("src/main.rs", ""),
        ("src/bin/tool.rs", ""),
        ("src/bin/big/main.rs", ""),
        ("src/bin/big/part.rs", ""),
        ("tests/t.rs", ""),
        ("tests/it/main.rs", ""),
        ("tests/common/mod.rs", ""),
        ("examples/e.rs", ""),
        ("benches/b.rs", ""),
    ]);
    assert_eq!(
        targets(package(&tree.load(&[]), "my-app")),
        [
            "Lib my_app src/lib.rs",
            "Bin big src/bin/big/main.rs",
            "Bin my-app src/main.rs",
            "Bin tool src/bin/tool.rs",
            "Example e examples/e.rs",
            "Test it tests/it/main.rs",
            "Test t tests/t.rs",
            "Bench b benches/b.rs",
            "BuildScript build-script-build build.rs",
        ]
    );
}

#[test]
fn listed_targets_come_first_and_discovery_can_be_off() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            "[package]\nname = 'p'\nedition = '2021'\nautotests = false\nbuild = 'make/b.rs'\n\
             [lib]\nname = 'other'\npath = './code/root.rs'\nproc-macro = true\n\
             [[bin]]\nname = 'run'\npath = 'src/main.rs'\n\
             [[bin]]\nname = 'tool'\n\
             [[test]]\nname = 'listed'\n\
             [[test]]\nname = 'absent'\n",
        ),
        ("make/b.rs", ""),
        ("code/root.rs", ""),
        ("src/lib.rs", ""),
        ("src/main.rs", ""),
        ("src/bin/tool/main.rs", ""),
        ("tests/listed.rs", ""),
        ("tests/other.rs", ""),
    ]);
    assert_eq!(
        targets(package(&tree.load(&[]), "p")),
        [
            "ProcMacro other code/root.rs",
            "Bin run src/main.rs",
            "Bin tool src/bin/tool/main.rs",
            "Test listed tests/listed.rs",
            "BuildScript build-script-b make/b.rs",
        ]
    );
}

#[test]
fn normalised_manifests_list_everything() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            "[package]\nname = 'p'\nversion = '1.0.0'\nedition = '2021'\nbuild = false\n\
             autolib = false\nautobins = false\nautoexamples = false\nautotests = false\n\
             autobenches = false\n[lib]\nname = 'p'\npath = 'src/lib.rs'\n\
             [dependencies.serde]\nversion = '1'\n",
        ),
        ("src/lib.rs", ""),
        ("src/main.rs", ""),
        ("tests/t.rs", ""),
        ("build.rs", ""),
    ]);
    let workspace = tree.load(&[]);
    assert_eq!(targets(package(&workspace, "p")), ["Lib p src/lib.rs"]);
    assert!(package(&workspace, "p").dependencies.contains_key("serde"));
}

#[test]
fn the_2015_edition_discovers_only_kinds_that_are_not_listed() {
    let tree = Tree::new(&[
        ("Cargo.toml", "[package]\nname = 'p'\n[[bin]]\nname = 'a'\n"),
        ("src/bin/a.rs", ""),
        ("src/bin/b.rs", ""),
        ("tests/t.rs", ""),
    ]);
    assert_eq!(targets(package(&tree.load(&[]), "p")), ["Bin a src/bin/a.rs", "Test t tests/t.rs"]);
}

#[test]
fn a_root_file_outside_is_read_with_the_package() {
    let tree = Tree::new(&[
        ("p/Cargo.toml", "[package]\nname = 'p'\n[lib]\npath = '../shared/lib.rs'\n"),
        ("p/src/main.rs", ""),
        ("shared/lib.rs", ""),
    ]);
    let narrow = tree.load(&["p"]);
    assert_eq!(shown(&narrow.packages[0].files), ["+p/src/main.rs", "shared/lib.rs"]);
    let wide = tree.load(&["."]);
    assert_eq!(shown(&wide.packages[0].files), ["+p/src/main.rs", "+shared/lib.rs"]);
    assert_eq!(wide.loose, []);
}
