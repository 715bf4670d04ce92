//! Source trees of every odd kind: nothing stops the linter, and what is sound is still analysed.

use std::process::Command;

use poolscan::lint::Report;

use super::linted::Tree;

const MANIFEST: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

/// A function in which the linter finds something, on its second line.
const LEAK: &str = "pub fn leak() {\n    let _ = std::process::Command::new(\"a\").spawn();\n}\n";

fn tree(files: &[(&str, &str)]) -> Tree {
    let tree = Tree::new();
    for (name, text) in files {
        tree.write(name, text);
    }
    tree
}

/// File and line of every finding of one rule.
fn leaks(report: &Report) -> Vec<(String, u32)> {
    let found = report.findings.iter().filter(|finding| finding.rule == "child-not-waited");
    let place = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    found.map(|finding| (place(&finding.region.path), finding.region.line)).collect()
}

#[track_caller]
fn assert_leaks(report: &Report, expected: &[(&str, u32)]) {
    let expected: Vec<(String, u32)> =
        expected.iter().map(|&(file, line)| (file.to_owned(), line)).collect();
    assert_eq!(leaks(report), expected, "{:?}", report.issues);
}

#[test]
fn modules_that_include_each_other() {
    let a = format!("{LEAK}#[path = \"lib.rs\"]\nmod again;\n#[path = \"a.rs\"]\nmod own;\n");
    let lib = format!("{LEAK}#[path = \"a.rs\"]\nmod a;\n");
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &lib), ("src/a.rs", &a)]);
    assert_leaks(&tree.lint("", &[]), &[("a.rs", 2), ("lib.rs", 2)]);
}

#[test]
fn modules_without_a_file() {
    let lib = format!("{LEAK}mod gone;\n#[path = \"../../x.rs\"]\nmod far;\nuse gone::Thing;\n");
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &lib)]);
    assert_leaks(&tree.lint("", &[]), &[("lib.rs", 2)]);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle() {
    use std::os::unix::fs::symlink;
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LEAK)]);
    symlink(tree.path(""), tree.path("src/round")).unwrap();
    symlink(tree.path("src/b.rs"), tree.path("src/a.rs")).unwrap();
    symlink(tree.path("src/a.rs"), tree.path("src/b.rs")).unwrap();
    assert_leaks(&tree.lint("", &[]), &[("lib.rs", 2)]);
}

#[test]
fn bytes_that_are_no_text() {
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LEAK)]);
    tree.write("src/wrong.rs", [LEAK.as_bytes(), b"// \xff\xfe\n"].concat());
    let report = tree.lint("", &[]);
    assert_leaks(&report, &[("lib.rs", 2)]);
    let [issue] = &report.issues[..] else { panic!("{:?}", report.issues) };
    assert!(issue.path.ends_with("wrong.rs") && issue.message.contains("UTF-8"), "{issue:?}");
}

#[test]
fn marks_and_line_ends_before_and_in_the_text() {
    let windows = LEAK.replace('\n', "\r\n");
    let tree = tree(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "mod bang;\nmod both;\nmod crlf;\nmod mark;\n"),
        ("src/bang.rs", &format!("#!/usr/bin/env run\n{LEAK}")),
        ("src/both.rs", &format!("\u{feff}#!/usr/bin/env run\r\n{windows}")),
        ("src/crlf.rs", &windows),
        ("src/mark.rs", &format!("\u{feff}{LEAK}")),
        ("src/empty.rs", ""),
    ]);
    let report = tree.lint("", &[]);
    assert_leaks(&report, &[("bang.rs", 3), ("both.rs", 3), ("crlf.rs", 2), ("mark.rs", 2)]);
    assert!(report.issues.is_empty(), "{:?}", report.issues);
    let columns: Vec<u32> = report.findings.iter().map(|finding| finding.region.column).collect();
    assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{columns:?}");
}

#[test]
fn no_manifest() {
    let tree = tree(&[("one.rs", LEAK), ("deep/two.rs", LEAK)]);
    assert_leaks(&tree.lint("", &[]), &[("two.rs", 2), ("one.rs", 2)]);
    assert_leaks(&tree.lint("one.rs", &[]), &[("one.rs", 2)]);
}

#[test]
fn a_workspace_in_a_workspace() {
    let outer = format!("[workspace]\nmembers = [\"in\", \"absent\"]\n{MANIFEST}");
    let inner = format!("[workspace]\nmembers = [\"..\"]\n{MANIFEST}");
    let tree = tree(&[
        ("Cargo.toml", &outer),
        ("src/lib.rs", LEAK),
        ("in/Cargo.toml", &inner),
        ("in/src/main.rs", LEAK),
    ]);
    assert_leaks(&tree.lint("", &[]), &[("main.rs", 2), ("lib.rs", 2)]);
    assert_leaks(&tree.lint("in", &[]), &[("main.rs", 2)]);
}

#[test]
fn a_very_long_file() {
    let mut text = String::new();
    for number in 0..2_500 {
        text += &format!(
            "pub fn f{number}(a: u32, all: &mut Vec<u32>) -> Option<u32> {{\n    \
             let b = all.get({number})?;\n    if a > *b {{\n        return None;\n    }}\n    \
             all.push(a + 1);\n    Some(a)\n}}\n"
        );
    }
    text += LEAK;
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &text)]);
    assert_leaks(&tree.lint("", &[]), &[("lib.rs", 20_002)]);
}

#[test]
fn tuples_made_of_each_other() {
    let text = "pub fn round() {
    let _ = std::process::Command::new(\"a\").spawn();
    let mut a: (bool, u8);
    let mut b: (bool, u8);
    loop {
        a = (b.0, 1);
        b = (a.0, 2);
        if b.0 {
            break;
        }
    }
}
";
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", text)]);
    assert_leaks(&tree.lint("", &[]), &[("lib.rs", 2)]);
}

#[test]
fn branches_before_each_of_many_nested_closures() {
    // Each level doubles the ways to the next one.
    let mut inner = "println!(\"{}\", child.id());".to_owned();
    for level in 0..24 {
        inner = format!(
            "let r{level} = ask(child.id()); if r{level}.is_some() {{ tell(); }}
             let c{level} = || {{ {inner} }}; if r{level}.is_none() {{ tell(); }}"
        );
    }
    let text = format!(
        "pub fn nested() {{
    let child = std::process::Command::new(\"a\").spawn().unwrap();
    {inner}\n}}\nfn ask(_: u32) -> Option<u32> {{ None }}\nfn tell() {{}}\n"
    );
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &text)]);
    assert_leaks(&tree.lint("", &[]), &[("lib.rs", 2)]);
}

#[test]
fn very_deep_nesting() {
    let deep = |open: &str, inner: &str, close: &str| {
        let (open, close) = (open.repeat(5_000), close.repeat(5_000));
        format!("{LEAK}pub fn deep(a: bool) {{ let x = {open}{inner}{close}; }}\n")
    };
    let tree = tree(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", &deep("(", "a", ")")),
        ("src/blocks.rs", &deep("{", "a", "}")),
        ("src/ifs.rs", &deep("if a { ", "", "}")),
        ("src/nots.rs", &deep("!", "a", "")),
        ("src/calls.rs", &deep("f(", "a", ")")),
        ("src/methods.rs", &deep("", "a", ".f()")),
        ("src/sums.rs", &deep("", "a", " + a")),
        ("src/closures.rs", &deep("|| ", "a", "")),
        ("src/matches.rs", &deep("match a { _ => ", "a", "}")),
        ("src/broken.rs", &deep("(", "a", "")),
    ]);
    let report = tree.lint("", &[]);
    assert_eq!(leaks(&report).len(), 10, "{:?} {:?}", leaks(&report), report.skipped);
}

#[test]
fn items_that_are_no_rust() {
    let more = LEAK.replace("leak", "more");
    let text =
        format!("{LEAK}\npub fn broken() {{ let = ; }}\n\nimpl X {{\n{more} fn 3() {{}}\n}}\n");
    let stray = format!("{LEAK}\n}} fn after() {{}}\n{LEAK}");
    let tree = tree(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", &format!("{LEAK}mod parts;\nmod stray;\n")),
        ("src/parts.rs", &text),
        ("src/stray.rs", &stray),
    ]);
    let report = tree.lint("", &[]);
    assert_leaks(
        &report,
        &[("lib.rs", 2), ("parts.rs", 2), ("parts.rs", 9), ("stray.rs", 2), ("stray.rs", 7)],
    );
    let issue = |issue: &poolscan::lint::Issue| {
        format!("{}:{}", issue.path.rsplit('/').next().unwrap(), issue.line)
    };
    let issues: Vec<String> = report.issues.iter().map(issue).collect();
    assert_eq!(issues, ["parts.rs:5", "parts.rs:11", "stray.rs:5"]);
}

#[test]
fn a_file_without_one_item() {
    let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "{ {\n")]);
    let report = tree.lint("", &[]);
    assert_eq!((report.stats.files, report.issues.len()), (0, 1));
}

#[test]
fn words_without_end() {
    let before = ["x = ", "return ", "match ", "if ", "let _ = ", "break ", "for x in "];
    let behind = ["? ", "() ", "[0] ", ".a ", " as u8 ", " + () "];
    // Brackets in comments and strings close nothing; a comma does not end a closure.
    let around = [("!(/*)*/", ")"), ("(\")\", ", ")"), ("(')', ", ")"), ("[|x, y| ", "]")];
    let endless = before.map(|words| (words, "")).into_iter();
    let endless = endless.chain(behind.map(|words| ("", words))).chain(around);
    for (number, (open, close)) in endless.enumerate() {
        let tree = tree(&[("Cargo.toml", MANIFEST), ("src/lib.rs", LEAK)]);
        for count in [2_000, 400_000] {
            let (open, close) = (open.repeat(count), close.repeat(count));
            let text = format!("fn f(x: u32) {{ {open}x{close}; }}\n");
            tree.write(&format!("src/f{number}_{count}.rs"), text);
        }
        let report = tree.lint("", &[]);
        assert_leaks(&report, &[("lib.rs", 2)]);
        let deep = report.skipped.iter().filter(|skipped| skipped.reason == "too_deep");
        assert_eq!(deep.count(), 1);
    }
}

#[test]
fn as_many_threads_as_one_likes_make_no_difference() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let tree = Tree::new();
    for known in poolscan::catalog::Catalog::embedded().rules() {
        let text = format!("{}\nmod good {{\n{}\n}}\n", known.rule.bad, known.rule.good);
        tree.package(&format!("p/{}", known.rule.id), &known.rule.deps, &text);
    }
    let document = |threads: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
        command.args(["lint", "--format", "json", "--fail-on", "never", "--threads", threads]);
        command.arg(tree.path("")).current_dir(source).output().unwrap().stdout
    };
    let one = document("1");
    assert!(one.len() > 10_000, "{}", String::from_utf8_lossy(&one));
    assert!(one == document("2"), "two threads say something else than one");
}
