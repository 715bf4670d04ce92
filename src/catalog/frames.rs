//! Whose code the frames of a stack are: data of `rules/frames/`.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::error::Problem;
use super::load::refused;

/// `(name, text)` of every file under `rules/frames/`, listed by build.rs.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/frames.rs"));

/// The frames of one language, library or pool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameRule {
    /// The id, the same as the file's name.
    pub id: String,
    /// What it is, in half a sentence.
    pub summary: String,
    /// What its frames are.
    pub role: FrameRole,
    /// What a person calls it.
    pub called: Arc<str>,
    /// How names of its functions begin, with what ends the name: `tokio::`, `net.`, `net/`.
    #[serde(default)]
    pub functions: Vec<String>,
    /// How names of functions begin that have a connection made by code of the program: frames of the
    /// program's own within them are a pool's, too.
    #[serde(default)]
    pub makers: Vec<String>,
    /// How names of functions begin that make the pool itself: what it opens within them is for whoever
    /// called them.
    #[serde(default)]
    pub founders: Vec<String>,
    /// How names of functions begin that call what they are given: functions of the program may have
    /// been inlined into them, which only lines tell.
    #[serde(default)]
    pub trampolines: Vec<String>,
    /// Whole names of its functions, where these have no beginning in common.
    #[serde(default)]
    pub names: Vec<String>,
    /// How names of files begin that hold its code, without folders; behind it stands a dot, a digit
    /// or nothing, behind a dash anything: `libc.so`, `python3`, `ld-linux-`.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Folders of files that hold its code.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Parts of paths of source files behind which its name stands.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Families of lint rules about what goes wrong with it.
    #[serde(default)]
    pub families: Arc<[String]>,
}

/// What frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameRole {
    /// What every program of its language runs on.
    Runtime,
    /// It runs a program whose own calls are not on this stack.
    Interpreter,
    /// A library: its caller holds what it opened.
    Library,
    /// It opens when it needs to, and keeps.
    Pool,
}

/// Where sources of libraries lie.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Part of a path.
    pub after: String,
    /// Folders between it and the name of the library.
    #[serde(default)]
    pub skip: usize,
    /// What ends the name: `@` in the module cache of Go. The last `-` of it where there is none.
    #[serde(default)]
    pub until: Option<char>,
}

impl Source {
    /// Name of the library that a source file is of, as it stands in paths of functions.
    pub fn library(&self, path: &str) -> Option<String> {
        let (_, behind) = path.split_once(self.after.as_str())?;
        if let Some(end) = self.until {
            return behind.split_once(end).map(|(name, _)| name.to_owned());
        }
        let folder = behind.split('/').nth(self.skip)?;
        // `sqlx-core-0.8.2`: a version begins with a digit.
        let versioned = folder
            .match_indices('-')
            .find(|(at, _)| folder[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
        let name = versioned.map_or(folder, |(at, _)| &folder[..at]);
        (!name.is_empty()).then(|| name.replace('-', "_"))
    }
}

/// All that is known. Parsed on first use.
pub fn known() -> &'static [FrameRule] {
    static EMBEDDED: OnceLock<Vec<FrameRule>> = OnceLock::new();
    // That there are no problems is a test.
    EMBEDDED.get_or_init(|| read(FILES).0)
}

fn read(files: &[(&str, &str)]) -> (Vec<FrameRule>, Vec<Problem>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in files {
        match toml::from_str::<FrameRule>(text) {
            Ok(rule) => rules.push(rule),
            Err(error) => problems.push(refused(name, text, &error)),
        }
    }
    (rules, problems)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalog::{Catalog, CatalogError};

    #[test]
    fn the_embedded_rules_have_no_problems() {
        let (rules, problems) = read(FILES);
        assert!(problems.is_empty(), "{}", CatalogError { problems });
        let families: BTreeSet<String> =
            Catalog::embedded().rules().iter().map(|rule| rule.family.to_string()).collect();
        for (rule, (name, _)) in rules.iter().zip(FILES) {
            assert_eq!(*name, format!("frames/{}.toml", rule.id));
            assert!(!rule.summary.is_empty() && !rule.called.is_empty(), "{name}");
            let empty = rule.functions.is_empty()
                && rule.modules.is_empty()
                && rule.sources.is_empty()
                && rule.folders.is_empty()
                && rule.names.is_empty()
                && rule.makers.is_empty();
            assert!(!empty, "{name} tells nothing by which a frame could be known");
            // `net` alone would be the beginning of any name.
            let ends = |name: &String| name.ends_with(|c: char| !c.is_alphanumeric());
            assert!(rule.functions.iter().all(ends), "{name}: a name without its end");
            let runtime = rule.role == FrameRole::Runtime;
            assert!(runtime || rule.trampolines.is_empty(), "{name}: only runtimes call back");
            assert_eq!(rule.role == FrameRole::Pool, !rule.families.is_empty(), "{name}");
            for family in rule.families.iter() {
                assert!(families.contains(family), "{name}: no family {family}");
            }
        }
    }

    #[test]
    fn names_of_libraries_are_cut_from_paths() {
        let source = |after: &str, skip, until| Source { after: after.to_owned(), skip, until };
        let cargo = source("/registry/src/", 1, None);
        let path = "/root/.cargo/registry/src/index.crates.io-6f17/sqlx-core-0.8.2/src/pool/mod.rs";
        assert_eq!(cargo.library(path).as_deref(), Some("sqlx_core"));
        assert_eq!(cargo.library("/home/me/src/main.rs"), None);
        let go = source("/pkg/mod/", 0, Some('@'));
        let path = "/root/go/pkg/mod/github.com/lib/pq@v1.10.9/conn.go";
        assert_eq!(go.library(path).as_deref(), Some("github.com/lib/pq"));
        let std = source("/rustc/", 2, None);
        assert_eq!(std.library("/rustc/90b3/library/std/src/fs.rs").as_deref(), Some("std"));
    }
}
