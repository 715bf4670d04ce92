//! What the editor can do, and where it works.

use std::path::PathBuf;

use gen_lsp_types::PositionEncodingKind;
use serde_json::Value;

use super::place::Encoding;
use super::uri;

/// What the editor said of itself. What it did not say it cannot do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    pub(super) encoding: Encoding,
    /// Shows places that belong to a diagnostic.
    pub(super) related: bool,
    /// Takes actions that are edits.
    pub(super) actions: bool,
    /// Takes edits that name the version of the text that they are for.
    pub(super) versioned_edits: bool,
    /// Shows Markdown.
    pub(super) markdown: bool,
    /// Tells of changed files when it is asked to.
    pub(super) watches: bool,
}

impl Client {
    /// From the parameters of `initialize`: only what is needed is read, so that whatever else
    /// stands there does no harm.
    pub(super) fn of(params: &Value) -> Self {
        let says = |path: &str| params.pointer(&format!("/capabilities/{path}"));
        let can = |path: &str| says(path).is_some_and(|value| *value == Value::Bool(true));
        let names = |path: &str| -> Vec<&str> {
            let list = says(path).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        // The editor lists what it likes best first.
        let encodings = names("general/positionEncodings");
        let known = |name: &&str| match *name {
            "utf-8" => Some(Encoding::Utf8),
            "utf-16" => Some(Encoding::Utf16),
            "utf-32" => Some(Encoding::Utf32),
            _ => None,
        };
        Self {
            encoding: encodings.iter().find_map(known).unwrap_or(Encoding::Utf16),
            related: can("textDocument/publishDiagnostics/relatedInformation"),
            actions: says("textDocument/codeAction/codeActionLiteralSupport").is_some(),
            versioned_edits: can("workspace/workspaceEdit/documentChanges"),
            markdown: names("textDocument/hover/contentFormat").contains(&"markdown"),
            watches: can("workspace/didChangeWatchedFiles/dynamicRegistration"),
        }
    }

    pub(super) fn encoding_kind(&self) -> PositionEncodingKind {
        match self.encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }
}

/// The folders that the parameters of `initialize` name; none: any file may be looked at.
pub(super) fn folders(params: &Value) -> Vec<PathBuf> {
    let listed = params.get("workspaceFolders").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(|folder| folder.get("uri"));
    let root = params.get("rootUri");
    let named: Vec<&Value> = listed.collect();
    let named = if named.is_empty() { root.into_iter().collect() } else { named };
    named.into_iter().filter_map(Value::as_str).filter_map(uri::path).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encoding(list: &Value) -> Encoding {
        Client::of(&json!({"capabilities": {"general": {"positionEncodings": list}}})).encoding
    }

    #[test]
    fn the_first_encoding_that_is_known_is_taken() {
        assert_eq!(encoding(&json!(["utf-16", "utf-8"])), Encoding::Utf16);
        assert_eq!(encoding(&json!(["utf-7", "utf-8"])), Encoding::Utf8);
        assert_eq!(encoding(&json!([7, {}])), Encoding::Utf16);
        assert_eq!(encoding(&json!("utf-8")), Encoding::Utf16);
    }

    #[test]
    fn who_says_nothing_can_do_nothing() {
        for params in [json!(null), json!({"capabilities": 1}), json!({"capabilities": {}})] {
            let client = Client::of(&params);
            assert!(!client.related && !client.actions && !client.watches && !client.markdown);
        }
    }

    #[cfg(unix)]
    #[test]
    fn folders_count_more_than_the_root() {
        let both = json!({"rootUri": "file:///a", "workspaceFolders": [{"uri": "file:///b"}]});
        assert_eq!(folders(&both), [PathBuf::from("/b")]);
        let root = json!({"rootUri": "file:///a", "workspaceFolders": null});
        assert_eq!(folders(&root), [PathBuf::from("/a")]);
        assert_eq!(folders(&json!({"rootUri": null})), Vec::<PathBuf>::new());
        assert_eq!(folders(&json!({"workspaceFolders": [{"uri": 7}, 8]})), Vec::<PathBuf>::new());
    }
}
