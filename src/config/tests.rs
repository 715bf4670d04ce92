//! What settings are read as, what is refused, and which hold where.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::finding::Severity;

fn document(text: &str) -> Arc<Document> {
    Arc::new(Document { path: "/a/poolscan.toml".into(), shown: "p".into(), text: text.into() })
}

fn mistakes(text: &str) -> Vec<(String, String, Option<String>)> {
    let found = read(&document(text), &[]).map(|_| ()).unwrap_err();
    let marked = |mistake: &Mistake| text.get(mistake.span.clone()).unwrap_or("?").to_owned();
    found.iter().map(|m| (marked(m), m.message.clone(), m.help.clone())).collect()
}

#[test]
fn everything_is_read() {
    let text = r#"
select = ["all"]
ignore = ["a", "b"]
fail-on = "note"
baseline = "../known.json"
transparent-macros = ["go", "stop!"]
rules = ["x/r.toml"]

[severity]
z = "error"
a = "note"

[[facts]]
crate = "c"

[[override]]
paths = ["src/gen/"]
ignore = ["all"]
severity = { a = "warning" }
"#;
    let settings = read(&document(text), &[]).unwrap().unwrap();
    let words = |words: &[Word]| words.iter().map(|w| w.get_ref().clone()).collect::<Vec<_>>();
    assert_eq!(words(settings.select.as_ref().unwrap()), ["all"]);
    assert_eq!(words(&settings.ignore), ["a", "b"]);
    assert_eq!(settings.fail_on, Some(FailOn::Least(Severity::Note)));
    assert_eq!(settings.baseline.as_deref(), Some(Path::new("/known.json")));
    assert_eq!(settings.transparent_macros, ["go", "stop"]);
    let severity: Vec<_> =
        settings.severity.iter().map(|(w, s)| (w.get_ref().as_str(), *s)).collect();
    assert_eq!(severity, [("z", Severity::Error), ("a", Severity::Note)]);
    match settings.knowledge.as_slice() {
        [Knowledge::File(file), Knowledge::Table(at)] => {
            assert_eq!(file.get_ref(), Path::new("/a/x/r.toml"));
            assert_eq!(at, &[Step::Key("facts"), Step::Element(0)]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(words(&settings.overrides[0].paths), ["src/gen/"]);
    assert_eq!(words(&settings.overrides[0].ignore), ["all"]);
    let empty = read(&document(""), &[]).unwrap().unwrap();
    assert_eq!((empty.select, empty.fail_on, empty.overrides.len()), (None, None, 0));
}

#[test]
fn mistakes_are_told_with_their_places_all_at_once() {
    let text = "slect = []\nignore = \"a\"\nfail-on = \"warnin\"\nrules = [1]\nfacts = 2\n\
                transparent-macros = [\"a::b!\"]\n[severity]\na = \"eror\"\n[[override]]\nx = 1\n";
    let found = mistakes(text);
    let has = |marked: &str, message: &str, help: Option<&str>| {
        let hit = found.iter().any(|(at, what, advice)| {
            at == marked && what.contains(message) && advice.as_deref() == help
        });
        assert!(hit, "{marked}: {message} {help:?} in {found:#?}");
    };
    has("slect", "unknown key `slect`", Some("did you mean `select`?"));
    has("\"a\"", "expected a list of strings, found a string", None);
    has("\"warnin\"", "`warnin` is none of", Some("did you mean `warning`?"));
    has("1", "expected the name of a file, or a table, found an integer", None);
    has("2", "expected a list of files, or tables `[[facts]]`, found an integer", None);
    has("\"a::b!\"", "no name of a macro", Some("only the last part counts: `b`"));
    has("\"eror\"", "`eror` is none of", Some("did you mean `error`?"));
    has("x", "unknown key `x`", Some("there are paths, ignore, severity"));
    assert!(found.iter().any(|(_, what, _)| what == "it says for no `paths`"), "{found:?}");
    assert_eq!(found.len(), 9, "{found:?}");
    assert_eq!(mistakes("a = 1\nb =").len(), 1);
    assert_eq!(mistakes(&"k = 1\n".replace('k', "k.k")).len(), 1);
    let many: String = (0..500).map(|n| format!("k{n} = 1\n")).collect();
    assert_eq!(mistakes(&many).len(), 20);
    let deep = format!("a = {}", "[".repeat(100_000));
    assert_eq!(mistakes(&deep).len(), 1);
}

#[test]
fn metadata_is_read_where_it_is_a_table() {
    let at = ["package", "metadata", "poolscan"];
    let read = |text: &str| read(&document(text), &at).map(|settings| settings.is_some());
    assert_eq!(read("[package.metadata.poolscan]\nignore = []"), Ok(true));
    assert_eq!(read("[package]\nname = \"poolscan\""), Ok(false));
    assert_eq!(read("[package]\nmetadata = 3"), Ok(false));
    assert_eq!(read("[package.metadata]\npoolscan = 3").unwrap_err().len(), 1);
}

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = tree.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The file that holds in a folder.
    fn holds(&self, folder: &str, workspace: Option<&str>) -> Option<String> {
        let mut finder = Finder::new(self.0.path());
        let workspace = workspace.map(|folder| self.path(folder));
        let found = finder.of(&self.path(folder), workspace.as_deref());
        assert_eq!(finder.into_mistakes(), []);
        found.map(|settings| settings.document.shown.to_string())
    }
}

#[test]
fn the_nearest_holds_up_to_the_root() {
    let tree = Tree::new(&[
        ("poolscan.toml", ""),
        ("r/.git/x", ""),
        ("r/a/poolscan.toml", ""),
        ("r/a/b/c/x", ""),
        ("r/a/d/Cargo.toml", "[package.metadata.poolscan]"),
        ("r/e/Cargo.toml", "[workspace.metadata.poolscan]\n[package]\nname = \"e\""),
        ("r/e/f/x", ""),
        ("s/poolscan.toml", ""),
        ("s/t/u/x", ""),
    ]);
    assert_eq!(tree.holds("r/a/b/c", None).as_deref(), Some("r/a/poolscan.toml"));
    assert_eq!(tree.holds("r/a/d", None).as_deref(), Some("r/a/d/Cargo.toml"));
    assert_eq!(tree.holds("r/e/f", None).as_deref(), Some("r/e/Cargo.toml"));
    assert_eq!(tree.holds("r", None), None);
    // Outside of a repository the workspace is the end, or the package itself.
    assert_eq!(tree.holds("s/t/u", Some("s")).as_deref(), Some("s/poolscan.toml"));
    assert_eq!(tree.holds("s/t/u", Some("s/t")), None);
    assert_eq!(tree.holds("s/t/u", None), None);
    assert_eq!(tree.holds("s", None).as_deref(), Some("s/poolscan.toml"));
}

#[test]
fn two_in_one_folder_are_a_mistake() {
    let cargo = "[package.metadata.poolscan]\n[workspace.metadata.poolscan]\n";
    let tree = Tree::new(&[("a/poolscan.toml", ""), ("a/Cargo.toml", cargo)]);
    let mut finder = Finder::new(&tree.path(""));
    finder.of(&tree.path("a"), None);
    let found = finder.into_mistakes();
    assert_eq!(found.len(), 2);
    assert!(found[0].message.starts_with("poolscan.toml beside it"), "{found:?}");
    assert!(found.iter().all(|mistake| mistake.span.len() > 10), "{found:?}");
}

#[test]
fn what_is_no_text_is_a_mistake() {
    let huge = "#".repeat(usize::try_from(LONGEST).unwrap() + 1);
    let tree = Tree::new(&[("a/poolscan.toml", &huge), ("b/poolscan.toml/x", "")]);
    std::fs::create_dir(tree.path("c")).unwrap();
    std::fs::write(tree.path("c/poolscan.toml"), b"# \xff").unwrap();
    for (folder, expected) in
        [("a", "longer than 1 MiB"), ("b", "is no file"), ("c", "not UTF-8 from byte 2")]
    {
        let mut finder = Finder::new(&tree.path(""));
        assert!(finder.of(&tree.path(folder), None).is_none());
        let found = finder.into_mistakes();
        assert!(found[0].message.contains(expected), "{found:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(select|ignore|rules|override|severity|\\[|\\]|=|\"|a|\n|\\{|\\}|,|\\PC){0,40}") {
        for mistake in read(&document(&text), &[]).err().unwrap_or_default() {
            prop_assert!(mistake.span.end <= text.len());
        }
    }
}
