//! What the editor shows: its files of source with their texts, and its folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{TextDocumentContentChangeEvent, TextDocumentItem, WorkspaceFolder};

use super::uri;
use crate::lint::workspace::MAX_BYTES;

/// A file of source that is open.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// As the editor writes it.
    pub(super) uri: String,
    pub(super) path: PathBuf,
    pub(super) version: i32,
    /// As the editor has it, saved or not.
    pub(super) text: Arc<str>,
}

/// Everything that is open.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: BTreeMap<String, Document>,
    /// Where they must be; anywhere when nobody ever spoke of folders.
    folders: Option<Vec<PathBuf>>,
}

impl Documents {
    /// Nothing is open yet; without folders files may be anywhere.
    pub(super) fn new(folders: Vec<PathBuf>) -> Self {
        let folders = (!folders.is_empty()).then_some(folders);
        Self { open: BTreeMap::new(), folders }
    }

    /// Whether it is one of ours.
    ///
    /// # Errors
    /// Why one that could be ours is not looked at.
    pub(super) fn open(&mut self, item: TextDocumentItem) -> Result<bool, String> {
        let TextDocumentItem { uri, version, text, .. } = item;
        let Some(path) = uri::path(uri.as_ref()) else { return Ok(false) };
        if path.extension().is_none_or(|extension| extension != "rs") {
            return Ok(false);
        }
        let uri = String::from(uri.as_ref());
        fits(&uri, &text)?;
        let document = Document { uri: uri.clone(), path, version, text: text.into() };
        self.open.insert(uri, document);
        Ok(true)
    }

    /// Takes the text of a file that is open; the last of several is what holds.
    ///
    /// # Errors
    /// The text is not known any more, and why; then the file is not ours any more.
    pub(super) fn change(
        &mut self,
        uri: &str,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) -> Result<(), String> {
        use TextDocumentContentChangeEvent::{
            TextDocumentContentChangePartial, TextDocumentContentChangeWholeDocument,
        };
        let Some(document) = self.open.get_mut(uri) else { return Ok(()) };
        document.version = version;
        let taken = match changes.into_iter().last() {
            None => return Ok(()),
            Some(TextDocumentContentChangeWholeDocument(whole)) => {
                fits(uri, &whole.text).map(|()| document.text = whole.text.into())
            }
            Some(TextDocumentContentChangePartial(_)) => {
                Err(format!("`{uri}` was changed in part, and whole texts were asked for"))
            }
        };
        if taken.is_err() {
            self.open.remove(uri);
        }
        taken
    }

    pub(super) fn close(&mut self, uri: &str) {
        self.open.remove(uri);
    }

    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.open.get(uri)
    }

    /// Those to be looked at: all within the folders, when there are any.
    pub(super) fn ours(&self) -> impl Iterator<Item = &Document> {
        self.open.values().filter(|document| self.is_ours(&document.path))
    }

    fn is_ours(&self, path: &Path) -> bool {
        let within = |folders: &Vec<PathBuf>| folders.iter().any(|folder| path.starts_with(folder));
        self.folders.as_ref().is_none_or(within)
    }

    pub(super) fn change_folders(
        &mut self,
        added: &[WorkspaceFolder],
        removed: &[WorkspaceFolder],
    ) {
        let path = |folder: &WorkspaceFolder| uri::path(folder.uri.as_ref());
        let removed: Vec<PathBuf> = removed.iter().filter_map(path).collect();
        let folders = self.folders.get_or_insert_default();
        folders.retain(|folder| !removed.contains(folder));
        folders.extend(added.iter().filter_map(path));
    }
}

/// Larger files are never analysed.
fn fits(uri: &str, text: &str) -> Result<(), String> {
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("`{uri}` is larger than 8 MB and not looked at"));
    }
    Ok(())
}
