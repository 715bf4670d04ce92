//! Settings that a repository carries: which hold where, what they change, and what is refused.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ci::Run;
use super::linted::Tree;

/// One child that nobody waits for, one channel without a bound.
const SOURCE: &str = "use std::process::Command;
use std::sync::mpsc;

pub fn start() {
    Command::new(\"a\").spawn().unwrap();
}

pub fn endless() {
    std::thread::spawn(|| loop {
        println!(\"on and on\");
    });
}
";

/// A workspace in a repository, with two packages that are the same but for their names.
fn workspace() -> Tree {
    let tree = Tree::new();
    tree.write(".git/HEAD", "");
    tree.write("Cargo.toml", "[workspace]\nmembers = [\"one\", \"two\"]\n");
    for name in ["one", "two"] {
        tree.package(name, &BTreeMap::new(), SOURCE);
        tree.write(&format!("{name}/src/other.rs"), SOURCE);
    }
    tree
}

/// Severities by path and rule.
fn found(tree: &Tree, folder: &str, args: &[&str]) -> Vec<(String, String, String)> {
    let run = Run::of(&tree.path(folder), &[args, &["--format", "json"]].concat());
    let document = run.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|f| (text(&f["path"]), text(&f["rule"]), text(&f["severity"]))).collect()
}

fn code(tree: &Tree, args: &[&str]) -> i32 {
    Run::of(&tree.path(""), args).code()
}

/// How many findings of a rule there are below a folder.
fn count(all: &[(String, String, String)], folder: &str, rule: &str) -> usize {
    all.iter().filter(|(path, id, _)| path.starts_with(folder) && id == rule).count()
}

const CHILD: &str = "child-not-waited";
const THREAD: &str = "detached-endless-thread";

#[test]
fn each_package_has_the_nearest() {
    let tree = workspace();
    let plain = found(&tree, "", &[]);
    for folder in ["one/", "two/"] {
        assert_eq!(
            (count(&plain, folder, CHILD), count(&plain, folder, THREAD)),
            (2, 2),
            "{plain:?}"
        );
    }
    tree.write("poolscan.toml", "ignore = [\"child-not-waited\"]\n");
    tree.write("two/poolscan.toml", "select = [\"process\"]\n");
    let all = found(&tree, "", &[]);
    assert_eq!((count(&all, "one/", CHILD), count(&all, "one/", THREAD)), (0, 2), "{all:?}");
    assert_eq!((count(&all, "two/", CHILD), count(&all, "two/", THREAD)), (2, 0), "{all:?}");
    // The same from within, and for one file.
    assert_eq!(count(&found(&tree, "one/src", &[]), "", CHILD), 0);
    assert_eq!(count(&found(&tree, "two", &["src/other.rs"]), "", CHILD), 1);
    // The command line counts more.
    let all = found(&tree, "", &["--select", CHILD]);
    assert_eq!((count(&all, "one/", CHILD), all.len()), (2, 4), "{all:?}");
    assert_eq!(found(&tree, "", &["--no-config"]), plain);
    let all = found(&tree, "", &["--config", "poolscan.toml"]);
    assert_eq!((count(&all, "two/", CHILD), count(&all, "two/", THREAD)), (0, 2), "{all:?}");
    let all = found(&tree, "", &["--ignore", THREAD]);
    assert_eq!((count(&all, "", THREAD), count(&all, "two/", CHILD)), (0, 2), "{all:?}");
    let shown = Run::of(&tree.path(""), &["--show-config"]).stdout();
    assert!(shown.starts_with("one: poolscan.toml, "), "{shown}");
    assert!(shown.contains("\ntwo: two/poolscan.toml, "), "{shown}");
}

#[test]
fn metadata_of_manifests_counts() {
    let tree = workspace();
    let workspace = "[workspace]\nmembers = [\"one\", \"two\"]\n\
                     [workspace.metadata.poolscan]\nignore = [\"child-not-waited\"]\n";
    tree.write("Cargo.toml", workspace);
    let package = "[package]\nname = \"two\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                   [package.metadata.poolscan]\nignore = [\"task\", \"detached-endless-thread\"]\n";
    tree.write("two/Cargo.toml", package);
    let all = found(&tree, "", &[]);
    assert_eq!((count(&all, "one/", CHILD), count(&all, "one/", THREAD)), (0, 2), "{all:?}");
    assert_eq!((count(&all, "two/", CHILD), count(&all, "two/", THREAD)), (2, 0), "{all:?}");
    tree.write("two/poolscan.toml", "");
    let run = Run::of(&tree.path(""), &[]);
    assert_eq!(run.code(), 2);
    assert!(run.stderr().contains(" --> two/Cargo.toml:5:1\n"), "{}", run.stderr());
}

#[test]
fn severities_decide_what_fails() {
    let tree = workspace();
    assert_eq!(code(&tree, &["--select", CHILD]), 1);
    tree.write("one/poolscan.toml", "severity = { process = \"note\" }\n");
    tree.write("two/poolscan.toml", "fail-on = \"error\"\n");
    assert_eq!(code(&tree, &["--select", CHILD]), 0);
    assert_eq!(code(&tree, &["--select", CHILD, "--fail-on", "note"]), 1);
    tree.write("two/poolscan.toml", "fail-on = \"error\"\nseverity.child-not-waited = \"error\"\n");
    assert_eq!(code(&tree, &["--select", CHILD]), 1);
    assert_eq!(code(&tree, &["--select", CHILD, "--fail-on", "never"]), 0);
    let all = found(&tree, "", &["--select", CHILD]);
    let of = |folder: &str| all.iter().find(|(path, ..)| path == folder).unwrap().2.clone();
    assert_eq!((of("one/src/lib.rs"), of("two/src/lib.rs")), ("note".into(), "error".into()));
}

#[test]
fn some_paths_are_different() {
    let tree = workspace();
    let text = "[[override]]\npaths = [\"one/src/other.rs\"]\nignore = [\"all\"]\n\
                [[override]]\npaths = [\"two/\"]\nignore = [\"detached-endless-thread\"]\n\
                severity = { child-not-waited = \"note\" }\n";
    tree.write("poolscan.toml", text);
    let suppressed = format!("// poolscan: allow-file({CHILD}): why\n{SOURCE}");
    tree.write("one/src/other.rs", &suppressed);
    let all = found(&tree, "", &[]);
    let of = |path: &str| -> Vec<(&str, &str)> {
        let here = all.iter().filter(|(at, ..)| at == path);
        here.map(|(_, rule, severity)| (rule.as_str(), severity.as_str())).collect()
    };
    assert_eq!(count(&all, "one/src/lib.rs", CHILD), 1);
    assert_eq!(of("one/src/other.rs"), []);
    for path in ["two/src/lib.rs", "two/src/other.rs"] {
        assert!(of(path).contains(&(CHILD, "note")), "{all:?}");
        assert_eq!(count(&all, path, THREAD), 0);
    }
    // The rule did not count in that file: that the comment silences nothing says nothing.
    let issues = Run::of(&tree.path(""), &["--format", "json"]).json()["issues"].clone();
    assert_eq!(issues, Value::Array(Vec::new()));
}

#[test]
fn each_has_its_baseline() {
    let tree = workspace();
    tree.write("poolscan.toml", "baseline = \"known.json\"\n");
    tree.write("two/poolscan.toml", "baseline = \"two.json\"\n");
    assert_eq!(code(&tree, &[]), 2);
    assert_eq!(code(&tree, &["--write-baseline"]), 0);
    let read = |name: &str| std::fs::read_to_string(tree.path(name)).unwrap();
    assert_eq!(read("known.json").matches("\"package\":\"one\"").count(), 4);
    assert_eq!(read("known.json").matches("\"package\":\"two\"").count(), 0);
    assert_eq!(read("two/two.json").matches("\"package\":\"two\"").count(), 4);
    assert_eq!(found(&tree, "", &[]), []);
    assert_eq!(found(&tree, "two/src", &[]), []);
    // What is gone is told by the baseline of its package, and a rule that is off is not gone.
    tree.write("two/src/other.rs", "");
    tree.write("poolscan.toml", "baseline = \"known.json\"\nignore = [\"child-not-waited\"]\n");
    let issues = Run::of(&tree.path(""), &["--format", "json"]).json()["issues"].clone();
    let texts: Vec<&str> =
        issues.as_array().unwrap().iter().map(|i| i["path"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 1, "{issues}");
    assert!(texts[0].ends_with("two/two.json"), "{issues}");
    let before = read("known.json");
    assert_eq!(code(&tree, &["--prune-baseline"]), 0);
    assert_eq!(read("known.json"), before);
    assert_eq!(read("two/two.json").matches("\"package\":\"two\"").count(), 2);
    tree.write("poolscan.toml", "");
    assert_eq!(Run::of(&tree.path("one"), &["--write-baseline"]).code(), 2);
}

#[test]
fn macros_can_be_transparent() {
    let tree = workspace();
    let source = "pub fn start() -> std::io::Result<()> {\n    \
                  attempt!(std::process::Command::new(\"a\").spawn());\n    Ok(())\n}\n";
    tree.write("one/src/lib.rs", source);
    tree.write("one/src/other.rs", "");
    // Nobody knows what the macro does with the child.
    assert_eq!(found(&tree, "one", &[]), []);
    tree.write("poolscan.toml", "transparent-macros = [\"attempt!\"]\n");
    assert_eq!(count(&found(&tree, "one", &[]), "", CHILD), 1);
}

#[test]
fn mistakes_show_the_line() {
    let tree = workspace();
    for (text, expected) in [
        (
            "slect = []",
            &["unknown key `slect`\n --> poolscan.toml:1:1\n", "did you mean `select`?"][..],
        ),
        (
            "# é\nignore = [\"child-not-wated\"]",
            &[
                "no rule or family is called `child-not-wated`\n --> poolscan.toml:2:11\n",
                "2 | ignore = [\"child-not-wated\"]\n  |           ^^^^^^^^^^^^^^^^^\n",
                "did you mean `child-not-waited`?",
            ],
        ),
        ("severity = { proces = \"note\" }", &["poolscan.toml:1:14\n", "did you mean `process`?"]),
        ("[[override]]\npaths = [\"a[z-a]\"]", &[" --> poolscan.toml:2:10\n"]),
        ("a = = 1", &[" --> poolscan.toml:1:5\n"]),
        ("rules = [\"none.toml\"]", &["`none.toml` cannot be read", "poolscan.toml:1:10\n"]),
        // What names itself is no rule, and nothing is followed further.
        ("rules = [\"poolscan.toml\"]", &["'poolscan.toml' has neither a 'crate'"]),
        ("rules = [\"/dev/zero\"]", &["`/dev/zero` is no file"]),
    ] {
        tree.write("poolscan.toml", text);
        let run = Run::of(&tree.path(""), &[]);
        assert_eq!(run.code(), 2, "{text}");
        for part in expected {
            assert!(run.stderr().contains(part), "{part}\nin\n{}", run.stderr());
        }
        assert_eq!(Run::of(&tree.path(""), &["--no-config", "--fail-on", "never"]).code(), 0);
    }
    tree.write("poolscan.toml", b"# \xff");
    assert!(Run::of(&tree.path(""), &[]).stderr().contains("is not UTF-8 from byte 2"));
    tree.write("poolscan.toml", "#".repeat(2 << 20));
    assert!(Run::of(&tree.path(""), &[]).stderr().contains("is longer than 1 MiB"));
    tree.write("poolscan.toml", "\"\\u001b[2J\\u202e\" = 1 # \u{1b}[2J");
    // A file with such a character is no TOML; either way none of them reaches the terminal.
    let shown = Run::of(&tree.path(""), &[]).stderr();
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown}");
    let run = Run::of(&tree.path(""), &["--config", "nowhere.toml"]);
    assert!(run.stderr().contains("`nowhere.toml` cannot be read"), "{}", run.stderr());
    tree.write("poolscan.toml", "");
    let run = Run::of(&tree.path(""), &["--select", "proces"]);
    assert!(run.stderr().contains("no rule is called 'proces'; did you mean `process`?"));
}

#[test]
fn the_examples_of_the_page_are_settings() {
    let page = include_str!("../../docs/config.md");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    for text in blocks {
        let (path, shown) = ("/a/poolscan.toml".into(), "poolscan.toml".into());
        let document = poolscan::config::Document { path, shown, text: text.into() };
        let settings = poolscan::config::read(&std::sync::Arc::new(document), &[]);
        assert!(settings.unwrap().is_some());
    }
}
