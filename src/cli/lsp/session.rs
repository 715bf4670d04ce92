//! A session with an editor: what is asked is answered, what happens leads to a look.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Instant;

use anyhow::anyhow;
use gen_lsp_types::json_rpc::{Id, RequestObject};
use gen_lsp_types::{
    ChangeNotifications, CodeActionKind, CodeActionOptions, CodeActionRequest, Contents,
    Diagnostic, DidChangeTextDocumentParams, DidChangeWatchedFilesRegistrationOptions,
    DidChangeWorkspaceFoldersParams, ErrorCodes, FileSystemWatcher, GlobPattern, Hover,
    HoverRequest, InitializeRequest, InitializeResult, MarkupContent, MarkupKind, MessageType,
    Position, PublishDiagnosticsNotification, PublishDiagnosticsParams, Range, Registration,
    RegistrationParams, RegistrationRequest, Save, ServerCapabilities, ServerInfo,
    ShowMessageNotification, ShowMessageParams, ShutdownRequest, TextDocumentIdentifier,
    TextDocumentItem, TextDocumentSyncKind, TextDocumentSyncOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceOptions,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Event;
use super::actions::actions;
use super::client::{self, Client};
use super::diagnostics;
use super::documents::Documents;
use super::look::{Job, Looked, look};
use super::now::Now;
use super::schedule::Schedule;
use super::uri;
use super::wire::{Incoming, Out};
use crate::cli::args::Choosing;
use crate::cli::complain;
use crate::cli::exit::Exit;
use crate::config::{Mistakes, NAME};
use crate::lint::workspace::{absolute, working_directory};

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    ShutDown,
}

pub(super) struct Session<W: Write> {
    choosing: Arc<Choosing>,
    out: Out<W>,
    events: SyncSender<Event>,
    stage: Stage,
    client: Client,
    documents: Documents,
    schedule: Schedule,
    looked: Looked,
    /// What kept the last look from coming to anything.
    failed: Option<String>,
    /// URIs of files with settings that are shown as wrong.
    wrong: BTreeSet<String>,
}

/// What a request or notification is refused with.
type Refusal = (ErrorCodes, String);

impl<W: Write> Session<W> {
    pub(super) fn new(choosing: Arc<Choosing>, to: W, events: SyncSender<Event>) -> Self {
        Self {
            choosing,
            out: Out::new(to),
            events,
            stage: Stage::New,
            client: Client::of(&Value::Null),
            documents: Documents::default(),
            schedule: Schedule::default(),
            looked: Looked::default(),
            failed: None,
            wrong: BTreeSet::new(),
        }
    }

    /// When to look next, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.schedule.due().filter(|_| self.stage == Stage::Running)
    }

    /// Handles what happened; gives what the session ends with when that was its end.
    ///
    /// # Errors
    /// The editor takes nothing any more.
    pub(super) fn handle(&mut self, event: Event) -> io::Result<Option<Exit>> {
        match event {
            // After `shutdown` nothing is to be said.
            Event::Looked(_) if self.stage != Stage::Running => Ok(None),
            Event::Looked(looked) => self.show(looked).map(|()| None),
            Event::Came(Incoming::Message(message)) => self.message(message),
            Event::Came(Incoming::Unreadable(code, why)) => {
                self.out.log(MessageType::Warning, why.clone())?;
                self.out.refuse(Id::Null, code, why).map(|()| None)
            }
            Event::Came(Incoming::End(error)) => {
                if let Some(error) = error {
                    complain(&format!("what the editor says cannot be read: {error}"));
                }
                Ok(Some(Exit::NotShutDown))
            }
        }
    }

    fn message(&mut self, message: RequestObject) -> io::Result<Option<Exit>> {
        let (method, id, params) = message.into_parts();
        let params = params.unwrap_or_default();
        match id {
            // Answers to what we asked for change nothing.
            _ if method.is_empty() => {}
            Some(id) => {
                if let Err((code, why)) = self.request(id.clone(), &method, params)? {
                    self.out.refuse(id, code, why)?;
                }
            }
            None if method == "exit" => {
                let shut_down = self.stage == Stage::ShutDown;
                return Ok(Some(if shut_down { Exit::Nothing } else { Exit::NotShutDown }));
            }
            None if self.stage == Stage::Running => {
                if let Err((_, why)) = self.notification(&method, params)? {
                    self.out.log(MessageType::Warning, why)?;
                }
            }
            None => {}
        }
        Ok(None)
    }

    /// Answers a request at once, so that there is never one to cancel.
    fn request(&mut self, id: Id, method: &str, params: Value) -> io::Result<Result<(), Refusal>> {
        let refused = |code, why: &str| Ok(Err((code, why.to_owned())));
        match (self.stage, method) {
            (Stage::New, "initialize") => self.initialize(id, &params)?,
            (Stage::New, _) => {
                return refused(ErrorCodes::ServerNotInitialized, "`initialize` comes first");
            }
            (Stage::Running, "initialize") => {
                return refused(ErrorCodes::InvalidRequest, "`initialize` came already");
            }
            (Stage::ShutDown, _) => {
                return refused(ErrorCodes::InvalidRequest, "only `exit` comes after `shutdown`");
            }
            (Stage::Running, "shutdown") => {
                self.stage = Stage::ShutDown;
                self.out.answer::<ShutdownRequest>(id, ())?;
            }
            (Stage::Running, "textDocument/hover") => match self.hover(&params) {
                Ok(hover) => self.out.answer::<HoverRequest>(id, hover)?,
                Err(refusal) => return Ok(Err(refusal)),
            },
            (Stage::Running, "textDocument/codeAction") => match self.actions(&params) {
                Ok(actions) => self.out.answer::<CodeActionRequest>(id, Some(actions))?,
                Err(refusal) => return Ok(Err(refusal)),
            },
            (Stage::Running, _) => {
                let why = format!("`{method}` is not known here");
                return Ok(Err((ErrorCodes::MethodNotFound, why)));
            }
        }
        Ok(Ok(()))
    }

    fn initialize(&mut self, id: Id, params: &Value) -> io::Result<()> {
        self.client = Client::of(params);
        self.documents = Documents::new(client::folders(params));
        self.stage = Stage::Running;
        let result = InitializeResult {
            capabilities: capabilities(&self.client),
            server_info: Some(ServerInfo {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            }),
        };
        self.out.answer::<InitializeRequest>(id, result)
    }

    fn notification(&mut self, method: &str, params: Value) -> io::Result<Result<(), Refusal>> {
        let taken = match method {
            "initialized" => return self.watch().map(Ok),
            "textDocument/didOpen" => part(&params, "/textDocument").and_then(|item| {
                let item: TextDocumentItem = item;
                if self.documents.open(item).map_err(invalid)? {
                    self.schedule.ask(Instant::now());
                }
                Ok(())
            }),
            "textDocument/didChange" => return self.change(params),
            "textDocument/didClose" => match part(&params, "/textDocument") {
                Ok(TextDocumentIdentifier { uri }) => {
                    return self.close(uri.as_ref()).map(Ok);
                }
                Err(refusal) => Err(refusal),
            },
            "workspace/didChangeWorkspaceFolders" => part(&params, "").map(|changed| {
                let DidChangeWorkspaceFoldersParams { event } = changed;
                self.documents.change_folders(&event.added, &event.removed);
                self.schedule.ask(Instant::now());
            }),
            "textDocument/didSave"
            | "workspace/didChangeWatchedFiles"
            | "workspace/didChangeConfiguration" => {
                self.schedule.ask(Instant::now());
                Ok(())
            }
            _ => Ok(()),
        };
        Ok(taken)
    }

    /// Asks to be told of changed files.
    fn watch(&mut self) -> io::Result<()> {
        if !self.client.watches {
            return Ok(());
        }
        // Source, too: it is not only written by editors.
        let names = [NAME, "Cargo.toml", "Cargo.lock", "*.rs"];
        let watcher = |name| FileSystemWatcher {
            glob_pattern: GlobPattern::Pattern(format!("**/{name}")),
            kind: None,
        };
        let watchers = names.into_iter().map(watcher).collect();
        let options = DidChangeWatchedFilesRegistrationOptions { watchers };
        let registration = Registration {
            id: "changed-files".to_owned(),
            method: "workspace/didChangeWatchedFiles".to_owned(),
            register_options: serde_json::to_value(options).ok(),
        };
        let params = RegistrationParams { registrations: vec![registration] };
        self.out.request::<RegistrationRequest>(params)
    }

    fn change(&mut self, params: Value) -> io::Result<Result<(), Refusal>> {
        let changed: DidChangeTextDocumentParams = match part(&params, "") {
            Ok(changed) => changed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let document = changed.text_document;
        let uri = document.text_document_identifier.uri;
        let taken = self.documents.change(uri.as_ref(), document.version, changed.content_changes);
        match taken {
            Ok(()) => Ok(Ok(())),
            Err(why) => self.close(uri.as_ref()).map(|()| Err(invalid(why))),
        }
    }

    /// Shows nothing more of a document; for the others what is saved of it counts.
    fn close(&mut self, uri: &str) -> io::Result<()> {
        self.documents.close(uri);
        self.schedule.ask(Instant::now());
        match self.looked.found.remove(uri) {
            Some(_) => self.publish(uri.to_owned(), None, Vec::new()),
            None => Ok(()),
        }
    }

    fn hover(&self, params: &Value) -> Result<Option<Hover>, Refusal> {
        let document: TextDocumentIdentifier = part(params, "/textDocument")?;
        let position: Position = part(params, "/position")?;
        let Some(now) = self.now(document.uri.as_ref()) else { return Ok(None) };
        let found: Vec<_> = now.at(Range { start: position, end: position }).collect();
        let Some((_, first)) = found.first() else { return Ok(None) };
        let mut pages: Vec<&str> = found.iter().map(|(shown, _)| &*shown.page).collect();
        pages.dedup();
        let kind = if self.client.markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
        let contents = MarkupContent { kind, value: pages.join("\n\n---\n\n") };
        Ok(Some(Hover { contents: Contents::MarkupContent(contents), range: Some(first.range) }))
    }

    fn actions(&self, params: &Value) -> Result<Vec<gen_lsp_types::CodeActionResponse>, Refusal> {
        let document: TextDocumentIdentifier = part(params, "/textDocument")?;
        let range: Range = part(params, "/range")?;
        let only: Option<Vec<CodeActionKind>> = match params.pointer("/context/only") {
            Some(_) => part(params, "/context/only")?,
            None => None,
        };
        let ours = |kind: &CodeActionKind| {
            matches!(kind, CodeActionKind::Empty | CodeActionKind::QuickFix)
        };
        let wanted = self.client.actions && only.is_none_or(|only| only.iter().any(ours));
        let now = self.now(document.uri.as_ref()).filter(|_| wanted);
        Ok(now.map(|now| actions(&now, range, &self.client)).unwrap_or_default())
    }

    /// A document with what was found in it.
    fn now(&self, uri: &str) -> Option<Now<'_>> {
        let (document, found) = (self.documents.get(uri)?, self.looked.found.get(uri)?);
        Some(Now::new(document, found, &self.client))
    }

    /// Begins to look, on a thread of its own, if it is time to.
    ///
    /// # Errors
    /// The editor takes nothing any more.
    pub(super) fn look(&mut self, now: Instant) -> io::Result<()> {
        if !self.schedule.begin(now) {
            return Ok(());
        }
        let job = Job {
            choosing: Arc::clone(&self.choosing),
            documents: self.documents.ours().cloned().collect(),
            encoding: self.client.encoding,
            related: self.client.related,
        };
        let events = self.events.clone();
        let looking = move || {
            // A defect of ours must not end the session.
            let looked = catch_unwind(AssertUnwindSafe(|| look(&job)));
            let looked = looked.unwrap_or_else(|_| Err(anyhow!("poolscan has failed: a defect")));
            // Whoever does not listen has ended.
            let _ = events.send(Event::Looked(looked));
        };
        match thread::Builder::new().name("look".to_owned()).spawn(looking) {
            Ok(_) => Ok(()),
            Err(error) => self.show(Err(error.into())),
        }
    }

    /// Shows what a look came to; what could not be found out stays as it was.
    fn show(&mut self, looked: anyhow::Result<Looked>) -> io::Result<()> {
        self.schedule.end();
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => return self.fail(&error),
        };
        self.failed = None;
        self.show_mistakes(BTreeMap::new())?;
        if looked.issues != self.looked.issues {
            for issue in &looked.issues {
                self.out.log(MessageType::Warning, issue.clone())?;
            }
        }
        let before = std::mem::replace(&mut self.looked, looked);
        self.looked.found.retain(|uri, _| self.documents.get(uri).is_some());
        for uri in before.found.into_keys() {
            if !self.looked.found.contains_key(&uri) {
                self.publish(uri, None, Vec::new())?;
            }
        }
        let shown = self.looked.found.keys().filter_map(|uri| {
            let now = self.now(uri)?;
            Some((uri.clone(), now.document.version, now.diagnostics()))
        });
        for (uri, version, diagnostics) in shown.collect::<Vec<_>>() {
            self.publish(uri, Some(version), diagnostics)?;
        }
        Ok(())
    }

    /// Tells once why nothing comes any more; where settings are wrong, at their places, too.
    fn fail(&mut self, error: &anyhow::Error) -> io::Result<()> {
        let message = format!("poolscan: {error:#}");
        if self.failed.as_ref() != Some(&message) {
            complain(&format!("{error:#}"));
            let params = ShowMessageParams { kind: MessageType::Error, message: message.clone() };
            self.out.notify::<ShowMessageNotification>(params)?;
            self.failed = Some(message);
        }
        let mut by_file: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
        let mistakes = error.downcast_ref::<Mistakes>().into_iter().flat_map(|all| &all.0);
        let cwd = working_directory().unwrap_or_default();
        for mistake in mistakes {
            let path = absolute(&cwd, Path::new(&*mistake.file));
            // Rules that are built in are in no file.
            if path.is_file() {
                let diagnostic = diagnostics::of_mistake(mistake, self.client.encoding);
                by_file.entry(uri::of_path(&path)).or_default().push(diagnostic);
            }
        }
        self.show_mistakes(by_file)
    }

    fn show_mistakes(&mut self, by_file: BTreeMap<String, Vec<Diagnostic>>) -> io::Result<()> {
        let wrong = by_file.keys().cloned().collect();
        let before = std::mem::replace(&mut self.wrong, wrong);
        for uri in before.difference(&self.wrong).cloned().collect::<Vec<_>>() {
            self.publish(uri, None, Vec::new())?;
        }
        for (uri, diagnostics) in by_file {
            self.publish(uri, None, diagnostics)?;
        }
        Ok(())
    }

    fn publish(
        &mut self,
        uri: String,
        version: Option<i32>,
        diagnostics: Vec<Diagnostic>,
    ) -> io::Result<()> {
        let params = PublishDiagnosticsParams { uri: uri.into(), version, diagnostics };
        self.out.notify::<PublishDiagnosticsNotification>(params)
    }
}

/// What we can do.
fn capabilities(client: &Client) -> ServerCapabilities {
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::Full),
        save: Some(Save::Bool(true)),
        ..TextDocumentSyncOptions::default()
    };
    let actions = CodeActionOptions {
        code_action_kinds: Some(vec![CodeActionKind::QuickFix]),
        ..CodeActionOptions::default()
    };
    let folders = WorkspaceFoldersServerCapabilities {
        supported: Some(true),
        change_notifications: Some(ChangeNotifications::Bool(true)),
    };
    let workspace =
        WorkspaceOptions { workspace_folders: Some(folders), ..WorkspaceOptions::default() };
    ServerCapabilities {
        position_encoding: Some(client.encoding_kind()),
        text_document_sync: Some(sync.into()),
        hover_provider: Some(true.into()),
        code_action_provider: Some(actions.into()),
        workspace: Some(workspace),
        ..ServerCapabilities::default()
    }
}

/// A part of the parameters of a message; all of them at the empty pointer.
fn part<T: DeserializeOwned>(params: &Value, pointer: &str) -> Result<T, Refusal> {
    let value = params.pointer(pointer).unwrap_or(&Value::Null);
    T::deserialize(value).map_err(|error| invalid(format!("wrong parameters: {error}")))
}

fn invalid(why: String) -> Refusal {
    (ErrorCodes::InvalidParams, why)
}
