//! Which file of settings holds for a folder: the nearest at or above it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::settings::{NAME, Settings};
use super::{Document, Mistake, read, read_text};
use crate::lint::workspace::shown;

/// Settings by folder, each file read once.
pub struct Finder {
    cwd: PathBuf,
    folders: FxHashMap<PathBuf, InFolder>,
    mistakes: Vec<Mistake>,
}

/// What one folder has.
#[derive(Debug, Clone, Default)]
struct InFolder {
    /// It is the root of a repository.
    repository: bool,
    /// `poolscan.toml`, or the metadata of the workspace.
    all: Option<Arc<Settings>>,
    /// The metadata of the package.
    package: Option<Arc<Settings>>,
}

impl Finder {
    /// Nothing found so far; paths are shown from the absolute folder `cwd`.
    #[must_use]
    pub fn new(cwd: &Path) -> Self {
        Self { cwd: cwd.to_owned(), folders: FxHashMap::default(), mistakes: Vec::new() }
    }

    /// What holds in the absolute folder `dir`: the metadata of a package there, else the nearest
    /// settings from there up to the root of the repository; outside of one, to `workspace`, the
    /// folder of the workspace around a package; without one only its own.
    pub fn of(&mut self, dir: &Path, workspace: Option<&Path>) -> Option<Arc<Settings>> {
        let own = self.folder(dir).package.clone();
        if own.is_some() {
            return own;
        }
        let repository = dir.ancestors().find(|up| self.folder(up).repository).map(Path::to_owned);
        let last =
            repository.as_deref().or(workspace.filter(|root| dir.starts_with(root))).unwrap_or(dir);
        let inside = dir.ancestors().take_while(|up| up.starts_with(last));
        inside.into_iter().find_map(|up| self.folder(up).all.clone())
    }

    /// What is wrong with any file that was looked into.
    #[must_use]
    pub fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    fn folder(&mut self, dir: &Path) -> InFolder {
        if let Some(known) = self.folders.get(dir) {
            return known.clone();
        }
        let found = self.look(dir);
        self.folders.insert(dir.to_owned(), found.clone());
        found
    }

    fn look(&mut self, dir: &Path) -> InFolder {
        let repository = dir.join(".git").exists();
        let mut found = InFolder { repository, ..InFolder::default() };
        let file = dir.join(NAME);
        let has_file = file.symlink_metadata().is_ok();
        if has_file {
            found.all = match Document::read(file.clone(), shown(&file, &self.cwd)) {
                Ok(document) => self.settings(&Arc::new(document), &[]),
                Err(mistake) => {
                    self.mistakes.push(mistake);
                    None
                }
            };
        }
        let manifest = dir.join("Cargo.toml");
        // Nearly no manifest mentions us; what is wrong with one is told by whoever reads it whole.
        let Ok(text) = read_text(&manifest) else { return found };
        if memchr::memmem::find(text.as_bytes(), b"poolscan").is_none() {
            return found;
        }
        let shown = shown(&manifest, &self.cwd);
        let document = Arc::new(Document { path: manifest, shown, text: text.into() });
        if toml::de::DeTable::parse(&document.text).is_err() {
            return found;
        }
        found.package = self.settings(&document, &["package", "metadata", "poolscan"]);
        let of_workspace = self.settings(&document, &["workspace", "metadata", "poolscan"]);
        for settings in [&found.package, &of_workspace].into_iter().flatten().filter(|_| has_file) {
            let message = format!("{NAME} beside it sets something, too: keep one of them");
            self.mistakes.push(settings.document.mistake(settings.span.clone(), message));
        }
        found.all = found.all.or(of_workspace);
        found
    }

    fn settings(
        &mut self,
        document: &Arc<Document>,
        steps: &[&'static str],
    ) -> Option<Arc<Settings>> {
        match read(document, steps) {
            Ok(settings) => settings.map(Arc::new),
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                None
            }
        }
    }
}
