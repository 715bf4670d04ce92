//! The catalogue as its readers see it: what is refused, what is found, and how fast.

use std::time::Instant;

use proptest::prelude::*;

use super::model::Handle;
use super::*;

const APIS: &str = r#"
crate = "some-crate"
[[type]]
path = "some_crate::Thing"
classes = ["thing"]
[[api]]
paths = ["some_crate::open", "some_crate::Thing::open"]
versions = ">=0.2, <0.4"
returns = "Result<some_crate::Thing>"
acquires = "thing"
classes = ["opening"]
[[api]]
path = "some_crate::Thing::close"
releases = ["thing"]
[[alias]]
path = "some_crate::prelude"
is = "some_crate"
[[macro]]
paths = ["some_crate::go"]
grammar = "select"
"#;

const RULE: &str = r#"
id = "thing-lost"
engine = "must-release"
class = "thing"
severity = "warning"
status = "preview"
since = "0.2"
aliases = ["XX01"]
summary = "s"
message = "{item} is never closed"
help = "h"
why = "w"
limits = "l"
bad = "fn f() {} //~"
good = "fn f() {}"
when = { paths = "all" }
"#;

fn problems(apis: &str, rule: &str) -> Vec<String> {
    match Catalog::parse(&[("apis/some-crate.toml", apis), ("lint/things/thing-lost.toml", rule)]) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_small_catalogue_is_looked_up() {
    let files = [("apis/some-crate.toml", APIS), ("lint/things/thing-lost.toml", RULE)];
    let catalog = Catalog::parse(&files).expect("it is right");
    assert_eq!(catalog.apis().len(), 3);
    assert_eq!(catalog.apis_named("open").len(), 2);
    let open = catalog.api(catalog.apis_at("some_crate::open")[0]);
    assert_eq!(&*open.package, "some-crate");
    let versions = open.versions.as_ref().expect("there are some");
    assert!(versions.matches(&semver::Version::new(0, 3, 9)));
    assert_eq!(
        open.returns.as_ref().map(ToString::to_string).as_deref(),
        Some("std::result::Result<some_crate::Thing>")
    );
    assert_eq!(catalog.types_at("some_crate::Thing").len(), 1);
    assert_eq!(&*catalog.aliases()[0].is, "some_crate");
    assert!(catalog.macro_at("some_crate::go").is_some());
    let rule = catalog.rule_named("XX01").expect("by its alias");
    assert_eq!(catalog.rule_named("thing-lost"), Some(rule));
    assert_eq!(&*catalog.rule(rule).family, "things");
}

#[test]
fn mistakes_are_named_with_file_line_and_key() {
    assert_eq!(problems(APIS, RULE), [] as [String; 0]);
    for (from, to, expected) in [
        ("acquires =", "aquires =", "apis/some-crate.toml:10: aquires: unknown field"),
        ("<0.4", "<x", "apis/some-crate.toml:8: versions: "),
        ("Result<some_crate::Thing>", "Thing", "apis/some-crate.toml:9: returns: 'Thing'"),
        ("releases = [\"thing\"]", "releases = [\"it\"]", ":14: releases: nothing acquires"),
        ("\"some_crate::open\"", "\"other::open\"", ":7: paths: 'other::open' is no path of"),
        ("crate = \"some-crate\"", "crate = \"x\"", ":2: crate: 'x' is not the name of the file"),
        ("releases = [\"thing\"]", "", ":13: path: the fact says nothing"),
        ("grammar = \"select\"", "grammar = \"s\"", ":20: \"s\": unknown variant"),
        ("acquires = \"thing\"", "sets = [\"x\"]", "no constructor has the bound 'x'"),
        ("acquires = \"thing\"", "handle = \"out:x\"", "'x' is not a number"),
    ] {
        assert!(APIS.contains(from), "{from}");
        let found = problems(&APIS.replacen(from, to, 1), RULE).join("\n");
        assert!(found.contains(expected), "{expected}\nin\n{found}");
    }
    for (from, to, expected) in [
        ("\"thing-lost\"", "\"other\"", ":2: id: 'other' is not the name of the file"),
        ("class = \"thing\"", "class = \"opening\"", "thing-lost.toml:4: class: no fact"),
        ("{item}", "{thing}", ":10: message: '{thing}' is not known"),
        (" //~", "", ":14: bad: no line ends"),
        ("paths = \"all\"", "enough = [[\"x\"]]", ":16: when: "),
        ("aliases = [\"XX01\"]", "aliases = [\"thing-lost\"]", "names another rule already"),
    ] {
        assert!(RULE.contains(from), "{from}");
        let found = problems(APIS, &RULE.replacen(from, to, 1)).join("\n");
        assert!(found.contains(expected), "{expected}\nin\n{found}");
    }
    assert!(Catalog::parse(&[("elsewhere.toml", "")]).is_err());
}

#[test]
fn handles() {
    for (text, expected) in [
        ("return", Handle::Return),
        ("ok", Handle::Ok),
        ("some", Handle::Some),
        ("receiver", Handle::Receiver),
        ("tuple:1", Handle::Tuple(1)),
        ("arg:0", Handle::Arg(0)),
        ("out:2", Handle::Out(2)),
        ("out:3[1]", Handle::OutAt(3, 1)),
    ] {
        assert_eq!(text.parse(), Ok(expected));
    }
    for text in ["", "Return", "arg", "arg:", "arg:-1", "arg:999", "out:3[", "out:3[1", "tuple:x"] {
        assert!(text.parse::<Handle>().is_err(), "{text}");
    }
}

#[test]
fn what_the_binary_carries_is_right() {
    let begun = Instant::now();
    let result = Catalog::parse(Catalog::embedded_files());
    let took = begun.elapsed();
    if let Err(error) = result {
        panic!("{error}");
    }
    println!("{} files in {took:?}", Catalog::embedded_files().len());
    let _ = Catalog::embedded();
}

#[test]
fn snippets_are_rust() {
    for LintRule { rule, .. } in Catalog::embedded().rules() {
        for snippet in rule.snippets() {
            if let Err(error) = syn::parse_file(snippet.source) {
                let (which, at) = (snippet.label(), error.span().start());
                panic!("{} {which}: {error} at {}:{}", rule.id, at.line, at.column);
            }
        }
    }
}

#[test]
fn every_class_that_facts_release_or_rules_use_is_explained() {
    let readme = include_str!("../../rules/README.md");
    let catalog = Catalog::embedded();
    for LintRule { rule, .. } in catalog.rules() {
        assert!(readme.contains(&format!("`{}`", rule.class)), "class {}", rule.class);
    }
    for api in catalog.apis() {
        let classes = api.fact.acquires.iter().chain(&api.fact.finishes).chain(&api.fact.classes);
        for class in classes {
            assert!(readme.contains(&format!("`{class}`")), "class {class} of {}", api.path);
        }
    }
    for known in catalog.types() {
        for class in &known.fact.classes {
            assert!(readme.contains(&format!("`{class}`")), "class {class} of {}", known.fact.path);
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,200}") {
        let _ = Catalog::parse(&[("apis/x.toml", &text), ("lint/y/z.toml", &text)]);
    }

    #[test]
    fn any_change_is_parsed_or_refused(at in 0..600_usize, with in "[\\[\\]\"=a-z:{}#\n<,>&]{0,6}") {
        let mut apis = APIS.to_owned();
        let mut rule = RULE.to_owned();
        for text in [&mut apis, &mut rule] {
            let at = at.min(text.len());
            text.insert_str(at, &with);
        }
        let _ = problems(&apis, &rule);
    }
}
