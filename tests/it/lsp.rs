//! `poolscan lsp` as an editor uses it, and as nobody should.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::editor::{Editor, applied, uri};
use super::linted::Tree;

const FORGOTTEN: &str = "pub fn f() -> std::path::PathBuf {\n    \
    let path = tempfile::tempdir().unwrap().path().to_owned();\n    path\n}\n";
const LOCKED: &str = "pub fn g(m: &std::sync::Mutex<u32>) {\n    let _ = m.lock();\n    \
    std::thread::yield_now();\n}\n";
const NOTHING: &str = "pub fn f() {}\n";

/// A package of one file.
fn package(source: &str) -> (Tree, PathBuf) {
    let tree = Tree::new();
    tree.package("one", &BTreeMap::from([("tempfile".to_owned(), "3".to_owned())]), source);
    let file = tree.path("one/src/lib.rs");
    (tree, file)
}

fn editor(tree: &Tree) -> Editor {
    Editor::in_folder(&tree.path(""), &[], &json!({}))
}

fn codes(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().map(|one| one["code"].as_str().unwrap_or("none")).collect()
}

fn titles(actions: &[Value]) -> Vec<&str> {
    actions.iter().map(|action| action["title"].as_str().unwrap()).collect()
}

/// The edits of an action in the one file that it changes.
fn edits(action: &Value) -> Vec<Value> {
    let changes = action["edit"]["changes"].as_object().unwrap_or_else(|| panic!("{action}"));
    changes.values().next().unwrap().as_array().unwrap().clone()
}

#[test]
fn a_finding_is_shown_explained_and_mended() {
    let (tree, file) = package(FORGOTTEN);
    let mut editor = editor(&tree);
    editor.open(&file, FORGOTTEN);
    let found = editor.diagnostics(&file);
    assert_eq!(codes(&found), ["temp-dir-dropped-at-once"], "{found:?}");
    assert_eq!(found[0]["range"]["start"], json!({"line": 1, "character": 15}));
    assert_eq!((found[0]["source"].as_str(), &found[0]["severity"]), (Some("poolscan"), &json!(2)));
    assert!(found[0]["message"].as_str().unwrap().contains("\nhelp: "), "{found:?}");

    let hover = editor.hover(&file, &json!({"line": 1, "character": 20}));
    let page = hover["contents"]["value"].as_str().unwrap();
    assert_eq!(hover["contents"]["kind"], "markdown");
    assert!(page.starts_with("## temp-dir-dropped-at-once\n"), "{page}");
    assert!(page.contains("```rust\n"), "{page}");
    assert_eq!(hover["range"], found[0]["range"]);
    assert_eq!(editor.hover(&file, &json!({"line": 2, "character": 4})), Value::Null);

    let actions = editor.actions(&file, &found[0]["range"]);
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert_eq!(
        (&actions[0]["kind"], &actions[0]["isPreferred"]),
        (&json!("quickfix"), &json!(true))
    );
    assert_eq!(actions[0]["diagnostics"][0], found[0]);
    let mended = applied(FORGOTTEN, &edits(&actions[0]));
    assert!(mended.contains("let _dir = tempfile::tempdir().unwrap();"), "{mended}");
    editor.save(&file, &mended);
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new());
    assert_eq!(editor.shut_down().code(), Some(0));
}

#[test]
fn a_fix_that_is_not_safe_says_so_and_a_comment_silences() {
    let (tree, file) = package(LOCKED);
    let mut editor = editor(&tree);
    editor.open(&file, LOCKED);
    let found = editor.diagnostics(&file);
    assert_eq!(codes(&found), ["guard-dropped-at-once"]);
    let actions = editor.actions(&file, &found[0]["range"]);
    let titles = titles(&actions);
    assert!(titles[0].contains("unsafe") && titles[1].contains("silence"), "{titles:?}");
    assert_eq!(actions[0]["isPreferred"], false);
    let silenced = applied(LOCKED, &edits(&actions[1]));
    let comment =
        "    // poolscan: allow(guard-dropped-at-once, reason = \"\")\n    let _ = m.lock();";
    assert!(silenced.contains(comment), "{silenced}");
    // Silent, but who says no reason is asked for one.
    editor.save(&file, &silenced);
    let left = editor.diagnostics(&file);
    assert_eq!(codes(&left), ["none"]);
    assert_eq!((&left[0]["severity"], &left[0]["range"]["start"]["line"]), (&json!(3), &json!(1)));
    editor.save(&file, &silenced.replace("reason = \"\"", "reason = \"a test\""));
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new());
    assert_eq!(editor.shut_down().code(), Some(0));
}

#[test]
fn what_is_not_saved_counts_where_it_is_open() {
    let (tree, file) = package(NOTHING);
    let mut editor = editor(&tree);
    // As after a crash of the editor: the text is newer than the file.
    editor.open(&file, LOCKED);
    assert_eq!(codes(&editor.diagnostics(&file)), ["guard-dropped-at-once"]);
    // Another file of the package is saved.
    tree.write("one/src/other.rs", LOCKED);
    let other = tree.path("one/src/other.rs");
    editor.open(&other, LOCKED);
    editor.change(&file, "pub mod other;\n");
    editor.saved(&other);
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new());
    assert_eq!(codes(&editor.diagnostics(&other)), ["guard-dropped-at-once"]);
    // Closed, it is as it is on disk, and nothing is shown of it.
    editor.close(&other);
    assert_eq!(editor.diagnostics(&other), Vec::<Value>::new());
    assert_eq!(editor.shut_down().code(), Some(0));
}

#[test]
fn columns_count_what_was_agreed() {
    let source = "pub fn g(m: &std::sync::Mutex<u32>) {\n    \
        /* ß😀 */ let _ = m.lock();\n    std::thread::yield_now();\n}\n";
    let (tree, file) = package(source);
    let column = |more: Value| {
        let mut editor = Editor::in_folder(&tree.path(""), &[], &more);
        editor.open(&file, source);
        let found = editor.diagnostics(&file);
        assert_eq!(editor.shut_down().code(), Some(0));
        found[0]["range"]["start"]["character"].as_u64().unwrap()
    };
    let offered = |list: Value| json!({"general": {"positionEncodings": list}});
    let scalars = column(offered(json!(["utf-32"])));
    assert_eq!(column(json!({})), scalars + 1);
    assert_eq!(column(offered(json!(["utf-8", "utf-16"]))), scalars + 4);
    // What is mended is where it is seen.
    let mut editor = editor(&tree);
    editor.open(&file, source);
    let found = editor.diagnostics(&file);
    let actions = editor.actions(&file, &found[0]["range"]);
    let want = source.replace("let _ =", "let _guard =");
    assert_eq!(applied(source, &edits(&actions[0])), want);
}

#[test]
fn after_an_edit_findings_move_until_they_are_touched() {
    let (tree, file) = package(LOCKED);
    let mut editor = editor(&tree);
    editor.open(&file, LOCKED);
    let found = editor.diagnostics(&file);
    let longer = format!("// ß\n{LOCKED}");
    editor.change(&file, &longer);
    let here = json!({"line": 2, "character": found[0]["range"]["start"]["character"]});
    assert!(editor.hover(&file, &here).is_object());
    let range = json!({"start": here, "end": here});
    let actions = editor.actions(&file, &range);
    assert_eq!(applied(&longer, &edits(&actions[0])), longer.replace("let _ =", "let _guard ="));
    let other = longer.replace("m.lock()", "m.try_lock()");
    editor.change(&file, &other);
    assert_eq!(editor.hover(&file, &here), Value::Null);
    assert_eq!(editor.actions(&file, &range), Vec::<Value>::new());
}

#[test]
fn edits_name_the_version_for_who_wants_it() {
    let (tree, file) = package(LOCKED);
    let more = json!({"workspace": {"workspaceEdit": {"documentChanges": true}}});
    let mut editor = Editor::in_folder(&tree.path(""), &[], &more);
    editor.open(&file, LOCKED);
    let found = editor.diagnostics(&file);
    let actions = editor.actions(&file, &found[0]["range"]);
    let change = &actions[0]["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": uri(&file), "version": 1}));
    assert_eq!(change["edits"][0]["newText"], "_guard", "{change}");
}

#[test]
fn wrong_settings_are_told_and_mending_them_is_seen() {
    let (tree, file) = package(LOCKED);
    let settings = tree.path("one/poolscan.toml");
    tree.write("one/poolscan.toml", "# ß\nignor = [\"guard-dropped-at-once\"]\n");
    let more = json!({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}});
    let mut editor = Editor::in_folder(&tree.path(""), &[], &more);
    let asked = editor.wait(|message| message["method"] == "client/registerCapability");
    let watchers = asked["params"]["registrations"][0]["registerOptions"]["watchers"].to_string();
    for name in ["poolscan.toml", "Cargo.toml", "Cargo.lock"] {
        assert!(watchers.contains(&format!("**/{name}")), "{watchers}");
    }
    editor.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": null}));
    editor.open(&file, LOCKED);
    let message = editor.wait(|message| message["method"] == "window/showMessage");
    assert!(message["params"]["message"].as_str().unwrap().contains("ignor"), "{message}");
    let wrong = editor.diagnostics(&settings);
    assert_eq!((wrong.len(), &wrong[0]["severity"]), (1, &json!(1)));
    assert_eq!(wrong[0]["range"]["start"], json!({"line": 1, "character": 0}));

    let changed = json!({"changes": [{"uri": uri(&settings), "type": 2}]});
    tree.write("one/poolscan.toml", "ignore = []\n");
    editor.notify("workspace/didChangeWatchedFiles", changed.clone());
    assert_eq!(editor.diagnostics(&settings), Vec::<Value>::new());
    assert_eq!(codes(&editor.diagnostics(&file)), ["guard-dropped-at-once"]);
    tree.write("one/poolscan.toml", "ignore = [\"guard-dropped-at-once\"]\n");
    editor.notify("workspace/didChangeWatchedFiles", changed);
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new());
    assert_eq!(editor.shut_down().code(), Some(0));
}

#[test]
fn a_baseline_holds_here_too() {
    let (tree, file) = package(LOCKED);
    let known = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
        command.env("XDG_CACHE_HOME", "/dev/null").current_dir(tree.path(""));
        command.arg("lint").args(args).output().unwrap()
    };
    known(&["--baseline", "known.json", "--write-baseline", "one"]);
    let args = ["--baseline", "known.json"];
    let mut editor = Editor::in_folder(&tree.path(""), &args, &json!({}));
    editor.open(&file, LOCKED);
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new());
    let more = format!("{LOCKED}{}", LOCKED.replace("fn g", "fn h"));
    editor.save(&file, &more);
    let found = editor.diagnostics(&file);
    assert_eq!((found.len(), &found[0]["range"]["start"]["line"]), (1, &json!(5)));
}

#[test]
fn only_files_of_the_folders_are_looked_at() {
    let (tree, file) = package(LOCKED);
    let inside = Tree::new();
    inside.package("two", &BTreeMap::new(), LOCKED);
    let mut editor = Editor::in_folder(&inside.path(""), &[], &json!({}));
    for uri in ["untitled:Untitled-1", "https://example.org/a.rs", "file://host/a.rs", "%", ""] {
        let item = json!({"uri": uri, "languageId": "rust", "version": 1, "text": LOCKED});
        editor.notify("textDocument/didOpen", json!({"textDocument": item}));
    }
    editor.open(&file, LOCKED);
    let own = inside.path("two/src/lib.rs");
    editor.open(&own, LOCKED);
    let all = |message: &Value| message["method"] == "textDocument/publishDiagnostics";
    assert_eq!(editor.wait(all)["params"]["uri"], uri(&own));
    assert_eq!(editor.hover(&file, &json!({"line": 1, "character": 14})), Value::Null);
    let folder = |tree: &Tree| json!([{"uri": uri(&tree.path("")), "name": "x"}]);
    let event = json!({"added": folder(&tree), "removed": folder(&inside)});
    editor.notify("workspace/didChangeWorkspaceFolders", json!({"event": event}));
    assert_eq!(editor.diagnostics(&own), Vec::<Value>::new());
    assert_eq!(codes(&editor.diagnostics(&file)), ["guard-dropped-at-once"]);
    // Without the last folder nothing is ours.
    let event = json!({"added": [], "removed": folder(&tree)});
    editor.notify("workspace/didChangeWorkspaceFolders", json!({"event": event}));
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new());
    assert_eq!(editor.shut_down().code(), Some(0));
}

#[test]
fn requests_are_answered_in_every_stage() {
    let (tree, _) = package(NOTHING);
    let mut editor = Editor::start(&tree.path(""), &[]);
    let code = |answer: Value| answer["error"]["code"].as_i64();
    assert_eq!(code(editor.request("textDocument/hover", json!({}))), Some(-32002));
    let can = editor.initialize(&tree.path(""), &json!({}));
    assert_eq!((&can["positionEncoding"], &can["hoverProvider"]), (&json!("utf-16"), &json!(true)));
    assert_eq!(code(editor.request("initialize", json!({}))), Some(-32600));
    assert_eq!(code(editor.request("workspace/whatever", json!([1, 2]))), Some(-32601));
    assert_eq!(code(editor.request("textDocument/hover", json!({"position": 7}))), Some(-32602));
    editor.notify("$/cancelRequest", json!({"id": 4711}));
    editor.notify("nobody/knows", json!(null));
    assert!(editor.request("shutdown", Value::Null)["error"].is_null());
    assert_eq!(code(editor.request("textDocument/hover", json!({}))), Some(-32600));
    assert_eq!(editor.exit().code(), Some(0));
}

/// A look that waits until somebody writes into the pipe that is its baseline.
#[test]
fn requests_are_answered_during_a_look_and_saves_wait_for_its_end() {
    let (tree, file) = package(LOCKED);
    let pipe = tree.path("known.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let args = ["--baseline", "known.json"];
    let mut editor = Editor::in_folder(&tree.path(""), &args, &json!({}));
    // Opens when somebody reads: then a look is under way.
    let under_way = || OpenOptions::new().write(true).open(&pipe).unwrap();
    let end = |mut known: File| {
        known.write_all(b"{\"schema\":\"poolscan.baseline/1\",\"findings\":[]}").unwrap();
    };
    editor.open(&file, LOCKED);
    let first = under_way();
    for _ in 0..20 {
        editor.saved(&file);
        assert_eq!(editor.hover(&file, &json!({"line": 1, "character": 14})), Value::Null);
    }
    end(first);
    assert_eq!(codes(&editor.diagnostics(&file)), ["guard-dropped-at-once"]);
    // All of the saves are one more look, which is the last one.
    end(under_way());
    assert_eq!(codes(&editor.diagnostics(&file)), ["guard-dropped-at-once"]);
    assert!(editor.hover(&file, &json!({"line": 1, "character": 14})).is_object());
    editor.saved(&file);
    let _never_ended = under_way();
    assert_eq!(editor.shut_down().code(), Some(0));
}

#[test]
fn who_leaves_without_a_word_gets_1() {
    let (tree, _) = package(NOTHING);
    assert_eq!(editor(&tree).exit().code(), Some(1));
    assert_eq!(editor(&tree).vanish().code(), Some(1));
    assert_eq!(Editor::start(&tree.path(""), &[]).exit().code(), Some(1));
}

#[test]
fn what_is_no_message_is_refused_and_survived() {
    let (tree, file) = package(LOCKED);
    let mut editor = editor(&tree);
    for (bad, code) in [("{", -32700), ("[]", -32600), ("\"x\"", -32600), ("{}", -32600)] {
        editor.send_bytes(format!("Content-Length: {}\r\n\r\n{bad}", bad.len()).as_bytes());
        let answer = editor.wait(|message| message.get("error").is_some());
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(code)));
    }
    for method in ["textDocument/didOpen", "textDocument/didChange", "textDocument/didClose"] {
        editor.notify(method, json!({"textDocument": 7}));
        editor.wait(|message| message["method"] == "window/logMessage");
    }
    editor.open(&file, LOCKED);
    assert_eq!(codes(&editor.diagnostics(&file)), ["guard-dropped-at-once"]);
    // Behind such a header nothing can be found again.
    editor.send_bytes(b"Content-Length: many\r\n\r\n");
    assert_eq!(editor.end().code(), Some(1));
}
