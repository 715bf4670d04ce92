//! `lint --fix` as a program: what it writes, what it leaves alone, and what it says.

use std::collections::BTreeMap;
use std::process::Output;

use super::linted::Tree;

const LOCKED: &str = "pub fn f(m: &std::sync::Mutex<u32>) {\n    let _ = m.lock();\n    \
    std::thread::yield_now();\n}\n";
const MENDED: &str = "pub fn f(m: &std::sync::Mutex<u32>) {\n    let _guard = m.lock();\n    \
    std::thread::yield_now();\n}\n";

fn lint(tree: &Tree, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.env("XDG_CACHE_HOME", "/dev/null").current_dir(tree.path(""));
    command.arg("lint").args(arguments).output().unwrap()
}

fn tree(source: impl AsRef<[u8]>) -> Tree {
    let tree = Tree::new();
    tree.package("own/crate", &BTreeMap::new(), "");
    tree.write("own/crate/src/lib.rs", source);
    tree
}

fn text(tree: &Tree) -> String {
    std::fs::read_to_string(tree.path("own/crate/src/lib.rs")).unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn what_may_change_behaviour_is_asked_for() {
    let tree = tree(LOCKED);
    let output = lint(&tree, &["--fix"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("fixable with --fix --unsafe-fixes"), "{}", said(&output));
    assert_eq!(text(&tree), LOCKED);
    let output = lint(&tree, &["--fix", "--unsafe-fixes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("mended 1 finding in 1 file"), "{}", said(&output));
    assert_eq!(text(&tree), MENDED);
    assert_eq!(lint(&tree, &["--unsafe-fixes"]).status.code(), Some(2));
}

#[test]
fn a_diff_changes_nothing_and_says_whether_it_would() {
    let tree = tree(LOCKED);
    let output = lint(&tree, &["--diff"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    let output = lint(&tree, &["--diff", "--unsafe-fixes"]);
    assert_eq!(output.status.code(), Some(1));
    let want = "--- a/own/crate/src/lib.rs\n+++ b/own/crate/src/lib.rs\n@@ -1,4 +1,4 @@\n pub fn \
        f(m: &std::sync::Mutex<u32>) {\n-    let _ = m.lock();\n+    let _guard = m.lock();\n     \
        std::thread::yield_now();\n }\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), want);
    assert_eq!(text(&tree), LOCKED);
}

#[test]
fn a_mark_a_script_line_and_line_ends_are_kept() {
    let dressed = |source: &str| {
        format!("\u{feff}#!/usr/bin/env é\r\n{source}").replace("\r\n", "\n").replace('\n', "\r\n")
    };
    let tree = tree(dressed(LOCKED));
    let json = lint(&tree, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let edit = &json["findings"][0]["fixes"][0]["edits"][0];
    let (start, end) = (edit["start_byte"].as_u64().unwrap(), edit["end_byte"].as_u64().unwrap());
    let whole = dressed(LOCKED);
    assert_eq!(&whole[start as usize..end as usize], "_", "{edit}");
    assert_eq!((edit["line"].as_u64(), edit["column"].as_u64()), (Some(3), Some(9)), "{edit}");
    lint(&tree, &["--fix", "--unsafe-fixes"]);
    assert_eq!(text(&tree), dressed(MENDED));
}

#[cfg(unix)]
#[test]
fn permissions_are_kept_and_some_files_are_not_ours() {
    use std::os::unix::fs::PermissionsExt as _;

    let tree = tree(LOCKED);
    let file = tree.path("own/crate/src/lib.rs");
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode));
    let all = ["--fix", "--unsafe-fixes"];
    mode(0o444).unwrap();
    assert!(said(&lint(&tree, &all)).contains("not mended: it is read-only"));
    mode(0o751).unwrap();
    tree.write("own/crate/.cargo-checksum.json", "{}");
    assert!(said(&lint(&tree, &all)).contains("not mended: it is the source of a dependency"));
    assert_eq!(text(&tree), LOCKED);
    std::fs::remove_file(tree.path("own/crate/.cargo-checksum.json")).unwrap();
    lint(&tree, &all);
    assert_eq!(text(&tree), MENDED);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o751);
    let left: Vec<_> = std::fs::read_dir(tree.path("own/crate/src")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn standard_input_stands_for_a_file_of_its_package() {
    use std::io::Write as _;
    use std::process::Stdio;

    let tree = tree("mod other;\npub fn f() -> std::process::Command { other::command() }\n");
    tree.write("own/crate/src/other.rs", "use std::process::Command;\n");
    // What the text calls is known only from the rest of the package.
    let text = "pub fn command() -> std::process::Command { todo!() }\npub fn start() {\n    \
        let _child = crate::f().spawn().unwrap();\n}\n";
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_poolscan"))
        .current_dir(tree.path("own/crate"))
        .args(["lint", "--stdin-filename", "src/other.rs", "--format", "agent", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("src/other.rs:3:"), "{said}");
    let wrong = lint(&tree, &["--stdin-filename", "own/crate/src/lib.rs", "own"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn what_is_silenced_or_known_is_left_alone() {
    let allowed = LOCKED
        .replace("    let _", "    // poolscan: allow(guard-dropped-at-once): why\n    let _");
    let tree = tree(&allowed);
    lint(&tree, &["--fix", "--unsafe-fixes"]);
    assert_eq!(text(&tree), allowed);
    let tree = self::tree(LOCKED);
    lint(&tree, &["--baseline", "known.json", "--write-baseline"]);
    lint(&tree, &["--baseline", "known.json", "--fix", "--unsafe-fixes"]);
    assert_eq!(text(&tree), LOCKED);
}

#[test]
fn settings_hold_in_every_round() {
    let all = ["--fix", "--unsafe-fixes"];
    let set = |settings: &str| {
        let tree = tree(LOCKED);
        tree.write("own/crate/poolscan.toml", settings);
        tree
    };
    let tree = set("ignore = [\"guard-dropped-at-once\"]");
    lint(&tree, &all);
    assert_eq!(text(&tree), LOCKED);
    lint(&tree, &[&all[..], &["--no-config"]].concat());
    assert_eq!(text(&tree), MENDED);
    // What is only a note is mended where notes are shown.
    let note = "severity = { guard-dropped-at-once = \"note\" }\n";
    let tree = set(note);
    lint(&tree, &all);
    assert_eq!(text(&tree), LOCKED);
    let tree = set(&format!("{note}fail-on = \"note\""));
    lint(&tree, &all);
    assert_eq!(text(&tree), MENDED);
    let tree = set("baseline = \"known.json\"");
    lint(&tree, &["--write-baseline"]);
    lint(&tree, &all);
    assert_eq!(text(&tree), LOCKED);
}
