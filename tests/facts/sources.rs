//! Sources of crates that Cargo has unpacked here, and the names that they declare.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use semver::{Version, VersionReq};

/// Lines around a citation that may be about it.
const AROUND: usize = 12;

/// The folders of crates, by package.
pub(crate) struct Sources {
    folders: BTreeMap<String, BTreeMap<Version, PathBuf>>,
    read: RefCell<BTreeMap<PathBuf, Rc<Words>>>,
}

/// Words of a crate.
#[derive(Default)]
struct Words {
    all: BTreeSet<String>,
    /// Crates that it shows as its own, or names in type aliases.
    shown: BTreeSet<String>,
}

/// One release, and the crates whose items it may show as its own.
pub(crate) struct Declared<'s> {
    pub(crate) version: &'s Version,
    folder: &'s Path,
    package: &'s str,
    sources: &'s Sources,
}

impl Declared<'_> {
    /// Something of this name. Functions may come from macros, so `fn` is not asked for.
    pub(crate) fn item(&self, name: &str) -> bool {
        let own = self.sources.words(self.folder);
        own.all.contains(name)
            || self.sources.family(self.package, &own.shown).any(|words| words.all.contains(name))
    }
}

/// `tokio-util-0.7.1` -> `tokio-util`, `0.7.1`.
pub(crate) fn split(folder: &str) -> Option<(&str, &str)> {
    folder
        .match_indices('-')
        .map(|(at, _)| (&folder[..at], &folder[at + 1..]))
        .find(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
}

impl Sources {
    pub(crate) fn open() -> Self {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        let registries = home.map(|home| home.join("registry/src")).into_iter();
        let mut folders: BTreeMap<String, BTreeMap<Version, PathBuf>> = BTreeMap::new();
        for registry in registries.flat_map(|path| entries(&path)) {
            for folder in entries(&registry) {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let Some((package, version)) = split(&name) else { continue };
                let Ok(version) = version.parse() else { continue };
                folders.entry(package.to_owned()).or_default().insert(version, folder);
            }
        }
        Self { folders, read: RefCell::default() }
    }

    /// The releases here that fit.
    pub(crate) fn of<'s>(
        &'s self,
        package: &'s str,
        versions: Option<&VersionReq>,
    ) -> Vec<Declared<'s>> {
        let fits = |version: &Version| versions.is_none_or(|wanted| wanted.matches(version));
        let all = self.folders.get(package).into_iter().flatten();
        all.filter(|(version, _)| fits(version))
            .map(|(version, folder)| Declared { version, folder, package, sources: self })
            .collect()
    }

    /// The newest releases of `package-…`, and of crates that are shown.
    fn family<'s>(
        &'s self,
        package: &'s str,
        shown: &'s BTreeSet<String>,
    ) -> impl Iterator<Item = Rc<Words>> + 's {
        let prefix = format!("{package}-");
        let families = self.folders.iter().filter(move |(name, _)| {
            name.starts_with(&prefix) || shown.contains(&name.replace('-', "_"))
        });
        families.filter_map(|(_, versions)| versions.values().next_back()).map(|at| self.words(at))
    }

    fn words(&self, folder: &Path) -> Rc<Words> {
        if let Some(known) = self.read.borrow().get(folder) {
            return Rc::clone(known);
        }
        let mut words = Words::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(path) = folders.pop() {
            if path.is_dir() {
                folders.extend(entries(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                collect(&std::fs::read_to_string(&path).unwrap_or_default(), &mut words);
            }
        }
        let words = Rc::new(words);
        self.read.borrow_mut().insert(folder.to_owned(), Rc::clone(&words));
        words
    }

    /// The text around a line; `Some(None)` when the file has no such line, `None` when the crate
    /// is not here.
    pub(crate) fn lines(
        &self,
        package: &str,
        version: &str,
        file: &str,
        line: usize,
    ) -> Option<Option<String>> {
        let folder = self.folders.get(package)?.get(&version.parse().ok()?)?;
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        if line == 0 || line > lines.len() {
            return Some(None);
        }
        let from = line.saturating_sub(AROUND);
        Some(Some(lines[from..(line + AROUND).min(lines.len())].join("\n")))
    }
}

fn entries(path: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(path).into_iter().flatten();
    let mut found: Vec<PathBuf> = found.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    found
}

/// Adds the identifiers of a text, comments left out.
fn collect(text: &str, words: &mut Words) {
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or(line);
        let shows = code.trim_start();
        let shows = shows.starts_with("pub use ") || shows.starts_with("pub type ");
        for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
            if shows && !word.is_empty() && !words.shown.contains(word) {
                words.shown.insert(word.to_owned());
            }
            if !word.is_empty() && !words.all.contains(word) {
                words.all.insert(word.to_owned());
            }
        }
    }
}
