//! Rules and facts that users bring: loaded beside ours, refused with file and line, tested.

use std::path::Path;
use std::process::{Command, Output};

use super::linted::Tree;

const FACTS: &str = r#"
crate = "my-pool"

[[type]]
path = "my_pool::Lease"
classes = ["my-lease"]

[[api]]
path = "my_pool::lease"
returns = "Result<my_pool::Lease>"
acquires = "my-lease"
handle = "ok"

[[api]]
path = "my_pool::Lease::give_back"
returns = "()"
releases = ["my-lease"]

[[api]]
path = "my_pool::Lease::id"
returns = "int"
"#;

const RULE: &str = r#"
id = "my-lease-lost"
engine = "must-release"
class = "my-lease"
severity = "warning"
status = "preview"
since = "0.1.0"
summary = "A lease that is not given back"
message = "{item} is not given back"
help = "call `give_back`"
why = "They run out."
limits = "None known."
bad = '''
pub fn one() -> std::io::Result<()> {
    let lease = my_pool::lease()?; //~
    println!("{}", lease.id());
    Ok(())
}
'''
good = '''
pub fn one() -> std::io::Result<()> {
    my_pool::lease()?.give_back();
    Ok(())
}
'''

[when]
paths = "all"

[deps]
my-pool = "1.0.0"
"#;

fn poolscan(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.current_dir(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Facts about functions of the package that is linted, and a method of it.
const ABOUT_ITSELF: &str = r#"
crate = "my-app"

[[api]]
path = "my_app::raw::open_it"
returns = "Result<int>"
acquires = "raw-fd"
handle = "ok"

[[api]]
path = "my_app::raw::close_it"
releases = ["raw-fd"]
at = "arg:0"

[[api]]
path = "my_app::raw::Shelf::put"
releases = ["raw-fd"]
at = "arg:0"
"#;

#[test]
fn facts_may_be_about_the_package_itself() {
    let source = "pub mod raw;\nuse raw::{Shelf, open_it};\n\
        pub fn lost() -> Result<(), ()> {\n    let fd = open_it()?;\n    println!(\"{fd}\");\n    Ok(())\n}\n\
        pub fn closed() -> Result<(), ()> {\n    let fd = raw::open_it()?;\n    crate::raw::close_it(fd);\n    Ok(())\n}\n\
        pub fn put(shelf: &Shelf) -> Result<(), ()> {\n    let fd = open_it()?;\n    shelf.put(fd);\n    Ok(())\n}\n";
    let raw = "pub struct Shelf;\nimpl Shelf { pub fn put(&self, fd: i32) { unsafe { sys_close(fd) } } }\n\
        extern \"C\" { fn sys_open() -> i32; fn sys_close(fd: i32); }\n\
        pub fn open_it() -> Result<i32, ()> { Ok(unsafe { sys_open() }) }\n\
        pub fn close_it(fd: i32) { unsafe { sys_close(fd) } }\n";
    let tree = Tree::new();
    tree.write("facts.toml", ABOUT_ITSELF);
    tree.package("my-app", &[].into(), source);
    tree.write("my-app/src/raw.rs", raw);
    let args = ["lint", "--no-cache", "--rules", "facts.toml", "my-app"];
    let out = text(&poolscan(&tree.path(""), &args).stdout);
    assert!(out.contains("my-app/src/lib.rs:4:"), "{out}");
    assert_eq!(out.matches("raw-fd-not-closed").count(), 1, "{out}");
}

#[test]
fn they_are_used_beside_ours() {
    let tree = Tree::new();
    tree.write("facts.toml", FACTS);
    tree.write("rule.toml", RULE);
    let deps = [("my-pool".to_owned(), "1.0.0".to_owned())].into();
    let source = "pub fn one() {\n    let lease = my_pool::lease().unwrap();\n    lease.id();\n}\n\
                  pub fn two(path: &std::path::Path) {\n    \
                  std::process::Command::new(path).spawn().unwrap();\n}\n";
    tree.package("code", &deps, source);
    let files = ["--rules", "facts.toml", "--rules", "rule.toml"];
    let run = poolscan(&tree.path(""), &[&["lint", "code"], &files[..]].concat());
    let shown = text(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{shown}{}", text(&run.stderr));
    for rule in ["my-lease-lost", "child-not-waited"] {
        assert!(shown.contains(rule), "{rule} in {shown}");
    }
    let selected = [&["lint", "code", "--select", "my-lease-lost"], &files[..]].concat();
    assert!(!text(&poolscan(&tree.path(""), &selected).stdout).contains("child-not-waited"));
    let explained = poolscan(&tree.path(""), &[&["explain", "my-lease-lost"], &files[..]].concat());
    assert!(text(&explained.stdout).contains("They run out."));
}

#[test]
fn their_examples_are_run() {
    let tree = Tree::new();
    tree.write("facts.toml", FACTS);
    tree.write("rule.toml", RULE);
    let run = poolscan(&tree.path(""), &["rules", "test", "facts.toml", "rule.toml"]);
    assert_eq!(text(&run.stdout), "1 rules, 2 examples: all as they say\n");
    assert_eq!(run.status.code(), Some(0));
    tree.write("wrong.toml", RULE.replace(".give_back()", ".id()"));
    let run = poolscan(&tree.path(""), &["rules", "test", "facts.toml", "wrong.toml"]);
    let shown = text(&run.stdout);
    assert!(shown.contains("my-lease-lost/good:2: unexpected my-lease-lost"), "{shown}");
    assert!(shown.ends_with("1 rules, 2 examples: 1 not as they say\n"), "{shown}");
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn ours_are_run_too() {
    let run = poolscan(Path::new("."), &["rules", "test"]);
    let shown = text(&run.stdout);
    assert!(shown.ends_with("all as they say\n"), "{shown}");
    assert_eq!(run.status.code(), Some(0));
}

#[test]
fn mistakes_are_named_with_file_and_line() {
    let tree = Tree::new();
    for (name, content, expected) in [
        ("a.toml", FACTS.replace("acquires", "aquires"), "a.toml:11:1\n"),
        ("b.toml", "x = 1".to_owned(), "'b.toml' has neither a 'crate'"),
        ("c.toml", FACTS.replace("my_pool::lease", "other::lease"), "is no path of the crate"),
        (
            "d.toml",
            "crate = \"tokio\"\n[[api]]\npath = \"tokio::task::yield_now\"\nreturns = \"_\"\n"
                .to_owned(),
            "'tokio::task::yield_now' is described in apis/tokio.toml already\n --> d.toml:3:1",
        ),
        (
            "e.toml",
            RULE.replace("my-lease-lost", "child-not-waited").replace("my-lease", "raw-fd"),
            "'child-not-waited' names another rule already\n --> e.toml:2:1",
        ),
    ] {
        tree.write(name, content);
        let run = poolscan(&tree.path(""), &["rules", "--rules", name]);
        let shown = text(&run.stderr);
        assert!(shown.contains(expected), "{expected}\nin\n{shown}");
        assert_eq!(run.status.code(), Some(2));
    }
    let run = poolscan(&tree.path(""), &["rules", "--rules", "absent.toml"]);
    assert!(text(&run.stderr).contains("`absent.toml` cannot be read"));
}

#[test]
fn settings_bring_them_too() {
    let tree = Tree::new();
    tree.write(".git/HEAD", "");
    tree.write("pool/facts.toml", FACTS);
    let deps = [("my-pool".to_owned(), "1.0.0".to_owned())].into();
    tree.package("code", &deps, "pub fn one() {\n    my_pool::lease().unwrap().id();\n}\n");
    // Facts in a file, the rule in a table: the texts are the same but for the headers.
    let rule = RULE.replace("[when]", "[rules.when]").replace("[deps]", "[rules.deps]");
    let settings = format!("facts = [\"pool/facts.toml\"]\n[[rules]]{rule}");
    tree.write("poolscan.toml", &settings);
    let lint = |folder: &str, args: &[&str]| {
        poolscan(&tree.path(folder), &[&["lint", "--select", "my-lease-lost"], args].concat())
    };
    let run = lint("code/src", &[]);
    assert!(text(&run.stdout).contains("[my-lease-lost]"), "{}", text(&run.stderr));
    // The same from elsewhere, and named twice.
    let (file, folder) = (tree.path("poolscan.toml"), tree.path("code"));
    let elsewhere = Tree::new();
    let args = ["--config", file.to_str().unwrap(), "--rules", file.to_str().unwrap()];
    let run =
        [&["lint", folder.to_str().unwrap(), "--select", "my-lease-lost"], &args[..]].concat();
    let run = poolscan(&elsewhere.path(""), &run);
    assert!(text(&run.stdout).contains("[my-lease-lost]"), "{}", text(&run.stderr));
    // Others of the command line know them, and their examples are run.
    let explained = poolscan(&tree.path("code"), &["explain", "my-lease-lost"]);
    assert!(text(&explained.stdout).contains("They run out."), "{}", text(&explained.stderr));
    let run = poolscan(&tree.path(""), &["rules", "test", "poolscan.toml"]);
    assert_eq!(text(&run.stdout), "1 rules, 2 examples: all as they say\n");

    // Mistakes in a table are shown where they are.
    for (from, to, expected) in [
        ("engine =", "engin =", "error: unknown field `engin`"),
        ("class = \"my-lease\"", "class = \"my-leas\"", "no fact that this engine reads"),
        ("paths = \"all\"", "paths = \"al\"", "unknown variant `al`"),
    ] {
        let wrong = settings.replacen(from, to, 1);
        let key = to.split(' ').next().unwrap();
        let line = 1 + wrong.lines().position(|line| line.starts_with(key)).unwrap();
        tree.write("poolscan.toml", &wrong);
        let shown = text(&lint("", &[]).stderr);
        assert!(shown.contains(expected), "{expected} in {shown}");
        assert!(shown.contains(&format!("--> poolscan.toml:{line}:")), "{line} in {shown}");
    }
    tree.write("poolscan.toml", "[[facts]]\nx = 1\n");
    let shown = text(&lint("", &[]).stderr);
    assert!(shown.contains("'this table' has neither a 'crate'"), "{shown}");
    assert!(shown.contains("--> poolscan.toml:1:1"), "{shown}");
}
