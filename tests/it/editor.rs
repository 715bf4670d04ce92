//! An editor as a language server sees it: a client over pipes that keeps texts and diagnostics.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Long enough for the slowest machine: only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// An editor with one language server.
pub(crate) struct Editor {
    server: Child,
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    /// What the server said of its own accord and nobody asked for yet, in order.
    told: Vec<Value>,
    requests: i64,
    versions: BTreeMap<String, i64>,
}

impl Editor {
    /// Starts the server in a folder.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        let mut server = Command::new(env!("CARGO_BIN_EXE_poolscan"))
            .arg("lsp")
            .args(args)
            .current_dir(folder)
            .env("XDG_CACHE_HOME", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let (said, from) = channel();
        std::thread::spawn(move || {
            while let Some(message) = message(&mut output) {
                if said.send(message).is_err() {
                    return;
                }
            }
        });
        let to = server.stdin.take();
        Self { server, to, from, told: Vec::new(), requests: 0, versions: BTreeMap::new() }
    }

    /// The same, and what editors say first. `more` adds to the capabilities of the editor.
    pub(crate) fn in_folder(folder: &Path, args: &[&str], more: &Value) -> Self {
        let mut editor = Self::start(folder, args);
        editor.initialize(folder, more);
        editor
    }

    /// What the server says it can do.
    pub(crate) fn initialize(&mut self, folder: &Path, more: &Value) -> Value {
        let mut capabilities = json!({
            "textDocument": {
                "hover": {"contentFormat": ["markdown", "plaintext"]},
                "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}}},
                "publishDiagnostics": {"relatedInformation": true},
            },
        });
        for (key, value) in more.as_object().unwrap() {
            capabilities[key] = value.clone();
        }
        let folders = json!([{"uri": uri(folder), "name": "one"}]);
        let params = json!({"processId": null, "rootUri": null, "workspaceFolders": folders,
            "capabilities": capabilities});
        let answer = self.request("initialize", params);
        self.notify("initialized", json!({}));
        answer["result"]["capabilities"].clone()
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(bytes).unwrap();
        to.flush().unwrap();
    }

    pub(crate) fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks, and waits for the whole answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.from.recv_timeout(PATIENCE).unwrap();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.told.push(message);
        }
    }

    /// Waits for the next thing that the server says of its own accord and that is wanted; what
    /// comes before it is forgotten.
    pub(crate) fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        for message in std::mem::take(&mut self.told) {
            if wanted(&message) {
                return message;
            }
        }
        loop {
            let message = self.from.recv_timeout(PATIENCE).unwrap();
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Waits for the next diagnostics of a file.
    pub(crate) fn diagnostics(&mut self, file: &Path) -> Vec<Value> {
        let uri = uri(file);
        let published = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
        });
        published["params"]["diagnostics"].as_array().unwrap().clone()
    }

    /// Opens a file with a text that may not be saved.
    pub(crate) fn open(&mut self, file: &Path, text: &str) {
        self.versions.insert(uri(file), 1);
        let item = json!({"uri": uri(file), "languageId": "rust", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": item}));
    }

    /// Types a text, and saves nothing.
    pub(crate) fn change(&mut self, file: &Path, text: &str) {
        let version = self.versions.get_mut(&uri(file)).unwrap();
        *version += 1;
        let document = json!({"uri": uri(file), "version": *version});
        let params = json!({"textDocument": document, "contentChanges": [{"text": text}]});
        self.notify("textDocument/didChange", params);
    }

    /// Types a text and saves it.
    pub(crate) fn save(&mut self, file: &Path, text: &str) {
        self.change(file, text);
        std::fs::write(file, text).unwrap();
        self.saved(file);
    }

    pub(crate) fn saved(&mut self, file: &Path) {
        self.notify("textDocument/didSave", json!({"textDocument": {"uri": uri(file)}}));
    }

    pub(crate) fn close(&mut self, file: &Path) {
        self.notify("textDocument/didClose", json!({"textDocument": {"uri": uri(file)}}));
    }

    pub(crate) fn hover(&mut self, file: &Path, position: &Value) -> Value {
        let params = json!({"textDocument": {"uri": uri(file)}, "position": position});
        self.request("textDocument/hover", params)["result"].clone()
    }

    pub(crate) fn actions(&mut self, file: &Path, range: &Value) -> Vec<Value> {
        let params = json!({"textDocument": {"uri": uri(file)}, "range": range,
            "context": {"diagnostics": [], "only": ["quickfix"]}});
        let answer = self.request("textDocument/codeAction", params);
        answer["result"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// Says goodbye as one should.
    pub(crate) fn shut_down(mut self) -> ExitStatus {
        let answer = self.request("shutdown", Value::Null);
        assert!(answer["result"].is_null() && answer.get("error").is_none(), "{answer}");
        self.exit()
    }

    /// Says `exit` and nothing else.
    pub(crate) fn exit(mut self) -> ExitStatus {
        self.notify("exit", Value::Null);
        self.server.wait().unwrap()
    }

    /// Goes away without a word.
    pub(crate) fn vanish(mut self) -> ExitStatus {
        self.to = None;
        self.server.wait().unwrap()
    }

    /// Whatever the server says until it ends.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.server.wait().unwrap()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub(crate) fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Reads a message; anything else on the pipe fails the test.
fn message(output: &mut impl BufRead) -> Option<Value> {
    let mut header = String::new();
    if output.read_line(&mut header).unwrap() == 0 {
        return None;
    }
    let length = header.strip_prefix("Content-Length: ").unwrap_or_else(|| panic!("{header}"));
    let mut body = vec![0; length.trim().parse::<usize>().unwrap() + 2];
    output.read_exact(&mut body).unwrap();
    assert_eq!(&body[..2], b"\r\n");
    Some(serde_json::from_slice(&body[2..]).unwrap())
}

/// Applies the edits of an action; columns count UTF-16.
pub(crate) fn applied(text: &str, edits: &[Value]) -> String {
    let byte = |position: &Value| {
        let number = |name: &str| usize::try_from(position[name].as_u64().unwrap()).unwrap();
        let start = text.split_inclusive('\n').take(number("line")).map(str::len).sum::<usize>();
        let mut column = 0;
        let inside = text[start..].chars().take_while(|c| {
            column += c.len_utf16();
            column <= number("character")
        });
        start + inside.map(char::len_utf8).sum::<usize>()
    };
    let place = |edit: &Value| (byte(&edit["range"]["start"]), byte(&edit["range"]["end"]));
    let mut edits: Vec<_> =
        edits.iter().map(|edit| (place(edit), edit["newText"].as_str().unwrap())).collect();
    edits.sort();
    let mut text = text.to_owned();
    for ((from, to), new) in edits.into_iter().rev() {
        text.replace_range(from..to, new);
    }
    text
}
