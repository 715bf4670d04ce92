//! What names mean inside functions, and outside of those that have items in their bodies.

use super::{Def, FnId, Names, Resolution, Root, Side, Source, Space, Surroundings, build};
use crate::lint::ir::Name;
use crate::lint::syntax::{MacroGrammars, lower};

/// A library of one file that depends on the crates `one` and `two`.
fn library(text: &str) -> Names {
    of_files(&[("src/lib.rs", text)])
}

/// The same of several files, the root first.
fn of_files(files: &[(&str, &str)]) -> Names {
    let source = |&(shown, text): &(&str, &str)| Source {
        path: std::path::Path::new("/").join(shown),
        shown: shown.into(),
        reported: true,
        text: text.into(),
        mark: 0,
        file: lower(text, &MacroGrammars::default(), false),
    };
    let same = |name: &str| (name.to_owned(), name.to_owned());
    let sources: Vec<Source> = files.iter().map(source).collect();
    let path = sources[0].path.clone();
    let around = Surroundings {
        roots: vec![Root { path, side: Side::Lib, name: "own".to_owned() }],
        externs: vec![same("one"), same("two")],
        own: Some("own".to_owned()),
        edition_2015: false,
    };
    build(sources, &around)
}

fn function(names: &Names, name: &str) -> FnId {
    let all = &names.by_name[&Name::new(name)];
    assert_eq!(all.len(), 1, "{name}");
    all[0]
}

/// What a path means in the body of a function: the way into another crate, or the name in this
/// one, behind the function in whose body it is declared.
fn meant(names: &Names, within: &str, path: &str, space: Space) -> String {
    let segments: Vec<Name> = path.split("::").map(Name::new).collect();
    let inside = names.function(function(names, within)).inside;
    match names.resolve(inside, &segments, false, space) {
        Resolution::Foreign(path) => {
            path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("::")
        }
        Resolution::Own(Def::Fn(id), _) => {
            let around = names.function(id).within.map(|outer| names.qualified(outer));
            format!("{}{}", around.map(|name| name + "/").unwrap_or_default(), names.qualified(id))
        }
        Resolution::Own(Def::Type(id), _) => {
            let inside = if names.module(names.type_def(id).module).in_body { "/" } else { "" };
            format!("{inside}{}", names.type_def(id).name)
        }
        Resolution::Own(Def::Static(_), _) => "static".to_owned(),
        Resolution::Own(Def::Mod(id), _) => names.module_path(id),
        Resolution::Own(Def::Variant(..) | Def::Macro(_), _) => "other".to_owned(),
        Resolution::Unknown => "?".to_owned(),
    }
}

fn value(names: &Names, within: &str, path: &str) -> String {
    meant(names, within, path, Space::Value)
}

fn ty(names: &Names, within: &str, path: &str) -> String {
    meant(names, within, path, Space::Type)
}

#[test]
fn a_module_is_in_each_file_that_its_conditions_allow() {
    let sides = |attributes: &str| {
        let names = of_files(&[
            ("src/lib.rs", &format!("{attributes} mod sys;")),
            ("src/sys.rs", "fn usual() {}"),
            ("src/small.rs", "fn small() {}"),
        ]);
        ["usual", "small"].map(|name| {
            let id = function(&names, name);
            names.module(names.function(id).module).side
        })
    };
    let (lib, orphan) = (Side::Lib, Side::Orphan);
    assert_eq!(sides(""), [lib, orphan]);
    assert_eq!(sides("#[path = \"small.rs\"]"), [orphan, lib]);
    // Features are not known.
    assert_eq!(sides("#[cfg_attr(feature = \"small\", path = \"small.rs\")]"), [lib, lib]);
    assert_eq!(sides("#[cfg_attr(unix, path = \"small.rs\")]"), [orphan, lib]);
    assert_eq!(sides("#[cfg_attr(windows, path = \"small.rs\")]"), [lib, orphan]);
}

#[test]
fn a_macro_of_the_package_may_declare_modules() {
    let side = |body: &str| {
        let names = of_files(&[
            (
                "src/lib.rs",
                &format!(
                    "macro_rules! plug {{ ($($name:ident;)*) => {{ $({body})* }} }} plug! {{ ftp; }}"
                ),
            ),
            ("src/ftp.rs", "fn attempt() {}"),
        ]);
        names.module(names.function(function(&names, "attempt")).module).side
    };
    assert_eq!(side("mod $name;"), Side::Lib);
    assert_eq!(side("fn $name() {}"), Side::Orphan);
}

#[test]
fn an_import_in_a_body_is_seen_there_alone() {
    let names = library(
        "fn first() { use one::Connector; }
         fn second() { use two::Connector; }
         fn third() {}
         mod below { fn fourth() { use super::Outer as Connector; } }
         struct Outer;",
    );
    assert_eq!(ty(&names, "first", "Connector"), "one::Connector");
    assert_eq!(ty(&names, "second", "Connector"), "two::Connector");
    assert_eq!(ty(&names, "third", "Connector"), "?");
    assert_eq!(ty(&names, "fourth", "Connector"), "Outer");
    assert_eq!(ty(&names, "first", "Outer"), "Outer");
}

#[test]
fn an_import_of_something_unknown_hides_what_is_around() {
    let names = library(
        "use one::Connector;
         fn unknown() { use nobody::Connector; }
         fn tool() {}
         mod tool { pub fn run() {} pub mod deep { pub fn tool() {} } }
         fn of_one_kind() { use self::tool::deep::tool; }",
    );
    assert_eq!(ty(&names, "unknown", "Connector"), "?");
    assert_eq!(ty(&names, "of_one_kind", "Connector"), "one::Connector");
    // What is imported is a function, so the module is still the one around.
    assert_eq!(value(&names, "of_one_kind", "tool::run"), "tool::run");
}

#[test]
fn what_a_body_has_comes_before_what_is_around_it() {
    let names = library(
        "use one::{Connector, Kept};
         fn run() {}
         const LIMIT: u32 = 1;
         fn plain() {}
         fn shadowing() {
             use two::Connector;
             fn run() {}
             struct Kept { part: u32 }
             fn deeper() { const LIMIT: u32 = 2; }
         }",
    );
    for (path, outside, inside, deeper) in [
        ("Connector", "one::Connector", "two::Connector", "two::Connector"),
        ("Kept", "one::Kept", "/Kept", "/Kept"),
    ] {
        assert_eq!(ty(&names, "plain", path), outside);
        assert_eq!(ty(&names, "shadowing", path), inside);
        assert_eq!(ty(&names, "deeper", path), deeper);
    }
    let run = |within: &str, path: &str| {
        let segments: Vec<Name> = path.split("::").map(Name::new).collect();
        let fns = &names.fns;
        let inside = fns.iter().find(|of| of.name.as_str() == within).map(|of| of.inside);
        match names.resolve(inside.unwrap(), &segments, false, Space::Value) {
            Resolution::Own(Def::Fn(id), _) => names.function(id).within.is_some(),
            other => panic!("{other:?}"),
        }
    };
    assert!(!run("plain", "run"));
    assert!(run("shadowing", "run") && run("deeper", "run"));
    // These start at the module of the source.
    assert!(!run("shadowing", "self::run") && !run("deeper", "crate::run"));
}

#[test]
fn globs_and_parents_of_a_body() {
    let names = library(
        "mod around {
             pub mod tools { pub fn helper() {} pub enum Kind { Small } }
             pub fn helper() {}
             fn all() { use self::tools::*; use Kind::*; }
             fn up() { use super::*; use tools::{self, Kind}; }
             fn plain() {}
         }
         fn above() {}",
    );
    let helper = |within| {
        let Resolution::Own(Def::Fn(id), _) = names.resolve(
            names.function(function(&names, within)).inside,
            &[Name::new("helper")],
            false,
            Space::Value,
        ) else {
            panic!("{within}")
        };
        names.qualified(id)
    };
    assert_eq!(helper("all"), "around::tools::helper");
    assert_eq!(helper("plain"), "around::helper");
    assert_eq!(value(&names, "all", "Small"), "other");
    assert_eq!(value(&names, "plain", "Small"), "?");
    assert_eq!(value(&names, "up", "above"), "above");
    assert_eq!(value(&names, "all", "super::above"), "above");
    assert_eq!(value(&names, "plain", "above"), "?");
    assert_eq!(ty(&names, "up", "tools::Kind"), "Kind");
}

#[test]
fn types_of_bodies_are_different_and_impls_belong_to_their_type() {
    let names = library(
        "pub struct Outer;
         fn first() {
             struct Guard;
             impl Guard { fn one(&self) {} }
             impl Outer { pub fn added(&self) {} }
         }
         fn second() {
             pub struct Guard;
             impl Guard { pub fn other(&self) {} }
         }",
    );
    let guards: Vec<_> = names.types.iter().filter(|def| def.name.as_str() == "Guard").collect();
    let methods = |number: usize| guards[number].methods.keys().map(|name| name.as_str());
    assert_eq!(methods(0).collect::<Vec<_>>(), ["one"]);
    assert_eq!(methods(1).collect::<Vec<_>>(), ["other"]);
    assert_eq!(names.qualified(function(&names, "other")), "Guard::other");
    assert_eq!(names.qualified(function(&names, "added")), "Outer::added");
    // Users can call methods of what they can name.
    assert!(names.is_offered(function(&names, "added")));
    assert!(!names.is_offered(function(&names, "other")));
}

#[test]
fn a_signature_does_not_see_the_items_of_its_body() {
    let names = library(
        "use one::Connector;
         fn outer(connector: Connector) { use two::Connector; || { fn inner() {} }; }",
    );
    let outer = names.function(function(&names, "outer"));
    let connector = [Name::new("Connector")];
    let path = |root| Resolution::Foreign(vec![Name::new(root), connector[0]]);
    assert_eq!(names.resolve(outer.module, &connector, false, Space::Type), path("one"));
    assert_eq!(names.resolve(outer.inside, &connector, false, Space::Type), path("two"));
    // Blocks and closures of one body share its scope.
    assert_eq!(names.function(function(&names, "inner")).module, outer.inside);
    assert_eq!(value(&names, "outer", "inner"), "outer/inner");
}

#[test]
fn macros_of_bodies_have_their_own_names() {
    let names = library(
        "fn first() { macro_rules! bail { () => { first_only } } }
         fn second() { macro_rules! bail { () => { second_only } } }
         fn third() {}
         macro_rules! outside { () => { anywhere } }",
    );
    let idents = |within: &str, name: &str| {
        let inside = names.function(function(&names, within)).inside;
        let path = crate::lint::ir::Path::single(Name::new(name));
        names.macro_def(inside, &path).map(|id| names.function(id).macro_idents.clone())
    };
    assert_eq!(idents("first", "bail"), Some(vec![Name::new("first_only")]));
    assert_eq!(idents("second", "bail"), Some(vec![Name::new("second_only")]));
    assert_eq!(idents("third", "bail"), None);
    assert_eq!(idents("first", "outside"), Some(vec![Name::new("anywhere")]));
}
