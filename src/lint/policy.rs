//! What a package is linted with: rules, facts, severities, and where they are different.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::catalog::Catalog;
use crate::finding::Severity;

/// What a package is linted with.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Rules and facts.
    pub catalog: Arc<Catalog>,
    /// Ids of the rules that run.
    pub rules: BTreeSet<String>,
    /// Severities of rules by id, instead of their own.
    pub severities: BTreeMap<String, Severity>,
    /// Macros by name whose arguments are expressions.
    pub transparent: BTreeSet<String>,
    /// What is different in some files; what comes later counts more.
    pub overrides: Vec<Override>,
}

/// What is different in some files.
#[derive(Debug, Clone)]
pub struct Override {
    /// Which files.
    pub paths: Paths,
    /// Ids of rules that do not count there.
    pub ignore: BTreeSet<String>,
    /// Severities of rules by id.
    pub severities: BTreeMap<String, Severity>,
}

/// Patterns of paths below a folder, as in `.gitignore`.
#[derive(Debug, Clone)]
pub struct Paths {
    folder: PathBuf,
    patterns: Gitignore,
}

impl Paths {
    /// The patterns of a folder.
    ///
    /// # Errors
    /// The number of the first that is none, and why.
    pub fn new(folder: &Path, patterns: &[&str]) -> Result<Self, (usize, String)> {
        let mut builder = GitignoreBuilder::new(folder);
        for (index, pattern) in patterns.iter().enumerate() {
            if pattern.trim().is_empty() || pattern.starts_with('#') {
                return Err((index, "this matches nothing".to_owned()));
            }
            builder.add_line(None, pattern).map_err(|error| (index, plain(&error)))?;
        }
        let patterns = builder.build().map_err(|error| (0, plain(&error)))?;
        Ok(Self { folder: folder.to_owned(), patterns })
    }

    /// Whether they mean the file of this absolute path.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        path.strip_prefix(&self.folder).is_ok_and(|inside| {
            self.patterns.matched_path_or_any_parents(inside, false).is_ignore()
        })
    }
}

fn plain(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}

/// What holds in one file.
#[derive(Debug, Default)]
pub(crate) struct InFile<'p> {
    ignored: BTreeSet<&'p str>,
    severities: BTreeMap<&'p str, Severity>,
}

impl Policy {
    /// All rules of a catalogue, as they are.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let rules = catalog.rules().iter().map(|known| known.rule.id.clone()).collect();
        Self {
            catalog,
            rules,
            severities: BTreeMap::new(),
            transparent: BTreeSet::new(),
            overrides: Vec::new(),
        }
    }

    /// What holds in the file of this absolute path.
    pub(crate) fn in_file(&self, path: &Path) -> InFile<'_> {
        let mut found = InFile::default();
        let all = self.severities.iter();
        found.severities.extend(all.map(|(rule, severity)| (rule.as_str(), *severity)));
        for different in self.overrides.iter().filter(|different| different.paths.matches(path)) {
            found.ignored.extend(different.ignore.iter().map(String::as_str));
            let all = different.severities.iter();
            found.severities.extend(all.map(|(rule, severity)| (rule.as_str(), *severity)));
        }
        found
    }
}

impl InFile<'_> {
    /// Whether findings of a rule do not count.
    pub(crate) fn ignores(&self, rule: &str) -> bool {
        self.ignored.contains(rule)
    }

    /// The severity of a rule, where it is not the rule's own.
    pub(crate) fn severity(&self, rule: &str) -> Option<Severity> {
        self.severities.get(rule).copied()
    }

    /// Severities by rule, where they are not the rule's own.
    pub(crate) fn severities(&self) -> &BTreeMap<&str, Severity> {
        &self.severities
    }

    /// The rules that do not count.
    pub(crate) fn ignored(&self) -> impl Iterator<Item = &str> {
        self.ignored.iter().copied()
    }
}

/// Which package is linted with what.
#[derive(Debug, Clone)]
pub struct Policies {
    /// At least one.
    pub all: Vec<Policy>,
    /// For each package of the workspace, by number, the number of its policy.
    pub of_packages: Vec<usize>,
    /// The number of the policy for files of no package.
    pub of_loose: usize,
}

impl Policies {
    /// One for all of `packages`.
    #[must_use]
    pub fn one(policy: Policy, packages: usize) -> Self {
        Self { all: vec![policy], of_packages: vec![0; packages], of_loose: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        let matches = |patterns: &[&str], path: &str| {
            Paths::new(Path::new("/a"), patterns).unwrap().matches(Path::new(path))
        };
        for path in ["/a/src/gen/x.rs", "/a/src/gen/deep/x.rs"] {
            assert!(matches(&["src/gen/"], path), "{path}");
            assert!(matches(&["gen"], path) && matches(&["src/**/*.rs"], path), "{path}");
            assert!(!matches(&["/gen"], path) && !matches(&["*.toml"], path), "{path}");
        }
        assert!(!matches(&["*.rs", "!x.rs"], "/a/x.rs") && matches(&["*.rs", "!x.rs"], "/a/y.rs"));
        // What lies elsewhere is not meant.
        assert!(!matches(&["*.rs"], "/b/x.rs"));
        for wrong in ["", " ", "#a", "a[z-a]"] {
            let error = Paths::new(Path::new("/a"), &["ok", wrong]).map(|_| ()).unwrap_err();
            assert_eq!(error.0, 1, "{wrong}");
        }
    }
}
