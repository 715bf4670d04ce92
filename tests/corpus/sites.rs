//! Finds the places of a crate where a release or a bound can be taken away.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::body::{Bytes, Call, File, Function, Lines, Local};
use crate::kinds::{BLOCKING, GUARDS, LIMITS, RELEASES, Release, SETTERS, WAITS};
use crate::owners;
use crate::rules::{ACROSS, AT_ONCE, BLOCKS, DEADLINES, SPINS, UNLIMITED};

/// Larger files are not mutated.
const LARGEST: usize = 400_000;

/// Still larger ones are not even asked which modules only tests have.
const MODULES_ONLY: usize = 4_000_000;

/// One mutant: what to replace, and where which rules have to speak.
pub(crate) struct Site {
    pub(crate) kind: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) function: String,
    pub(crate) edits: Vec<(Bytes, String)>,
    pub(crate) scope: Vec<(PathBuf, Lines)>,
}

/// The mutants of one crate; `files` are its sources without tests.
pub(crate) fn of(files: &[File]) -> Vec<Site> {
    let mut sites = Vec::new();
    let own: HashSet<&str> = files
        .iter()
        .flat_map(|file| file.functions.iter().map(|function| &*function.name))
        .collect();
    for file in files {
        for function in &file.functions {
            let place = Place { file, function };
            for call in &function.calls {
                place.releases(call, &mut sites);
                // A crate that defines a setter does not use it as others do.
                if !own.contains(&*call.name) {
                    place.setters(call, &mut sites);
                }
                place.bounds(call, &mut sites);
            }
            place.guards(&mut sites);
        }
        owners::types(file, files, &mut sites);
    }
    owners::only_take_back(files, &mut sites);
    sites
}

/// A function and its file.
pub(crate) struct Place<'a> {
    pub(crate) file: &'a File,
    pub(crate) function: &'a Function,
}

impl Place<'_> {
    fn at(&self, bytes: &Bytes) -> &str {
        self.file.at(bytes)
    }

    pub(crate) fn site(
        &self,
        kind: &'static str,
        rules: &'static [&'static str],
        line: usize,
        edits: Vec<(Bytes, String)>,
    ) -> Site {
        Site {
            kind,
            rules,
            path: self.file.path.clone(),
            line,
            function: self.function.name.clone(),
            edits,
            scope: vec![(self.file.path.clone(), self.function.lines)],
        }
    }

    /// Whether the last that was written before came from a copy, which flushes at its end.
    fn is_flushed_before(&self, call: &Call) -> bool {
        let Some(name) = call.receiver.as_ref().map(|receiver| root(self.at(receiver))) else {
            return false;
        };
        let writes = self.function.calls.iter().filter(|other| {
            let receives = other.receiver.as_ref().is_some_and(|at| root(self.at(at)) == name);
            other.bytes.start < call.bytes.start
                && (receives && other.name.starts_with("write")
                    || other.arguments.iter().any(|at| root(self.at(at)) == name))
        });
        let last = writes.max_by_key(|other| other.bytes.start);
        last.is_some_and(|last| last.name.starts_with("copy"))
    }

    /// The local a call is about: its receiver, or its first argument.
    fn subject(&self, call: &Call) -> Option<&Local> {
        let text = self.at(call.receiver.as_ref().or(call.arguments.first())?);
        let name = root(text);
        let bound = self.function.locals.iter().rev();
        bound.into_iter().find(|local| {
            local.pattern.start < call.bytes.start && local.names.iter().any(|bound| bound == name)
        })
    }

    fn releases(&self, call: &Call, sites: &mut Vec<Site>) {
        for release in RELEASES.iter().filter(|release| release.names.contains(&&*call.name)) {
            if release.never.iter().any(|word| self.file.text.contains(word))
                || release.awaited && call.awaited.is_none()
                || release.kind == "fd-close" && call.receiver.is_some()
                || release.kind == "task-set-collect" && !self.collects_in_turn(call)
                || release.kind == "child-wait"
                    && (call.awaited.is_some() || self.is_given_away(call))
                || release.kind == "writer-flush" && self.is_flushed_before(call)
            {
                continue;
            }
            let Some(subject) = self.subject(call).or(self.function.locals.first()) else {
                continue;
            };
            let begun = if release.anywhere {
                self.at(&self.function.bytes)
            } else if self.subject(call).is_some() {
                self.at(&subject.value)
            } else {
                continue;
            };
            let begins = release.begun.iter().any(|word| begun.contains(word));
            // What ends by itself needs nobody to stop it.
            let endless = || {
                begun.contains("loop")
                    && !["break", "return"].iter().any(|word| begun.contains(word))
            };
            let idle = match release.kind {
                "transaction-end" => self.only_reads(subject),
                "child-wait" => self.is_done_beside(release, call),
                _ => false,
            };
            if begins && !idle && (release.kind != "task-stop" || endless()) {
                sites.push(self.site(
                    release.kind,
                    release.rules,
                    call.line,
                    vec![self.without(call)],
                ));
            }
        }
    }

    /// Whether it takes out of a set in the loop that fills the set: one that is filled up to a
    /// known end goes with its function.
    fn collects_in_turn(&self, call: &Call) -> bool {
        let (Some(round), Some(set)) = (&call.repeated, &call.receiver) else { return false };
        let filled = |word| format!("{}.{word}(", root(self.at(set)));
        let round = self.at(round);
        ["spawn", "push", "push_back"].iter().any(|word| round.contains(&filled(word)))
    }

    /// Whether what follows a transaction's begin asks questions alone: there is nothing to keep.
    fn only_reads(&self, begun: &Local) -> bool {
        const WRITES: [&str; 8] =
            ["insert", "update", "delete", "replace", "create", "drop table", "alter", "execute"];
        let behind = self.at(&(begun.value.end..self.function.bytes.end)).to_lowercase();
        let lent = |name: &String| behind.contains(&format!("&mut {}", name.to_lowercase()));
        behind.contains("select ")
            && !begun.names.iter().any(lent)
            && !WRITES.iter().any(|word| behind.contains(word))
    }

    /// Whether another call in the same block does the same for the same value: without this one it is
    /// done all the same.
    fn is_done_beside(&self, release: &Release, call: &Call) -> bool {
        let Some(receiver) = &call.receiver else { return false };
        let name = self.at(receiver);
        self.function.calls.iter().any(|other| {
            other.bytes != call.bytes
                && other.block == call.block
                && release.names.contains(&&*other.name)
                && other.receiver.as_ref().is_some_and(|of| self.at(of) == name)
        })
    }

    /// Whether another call takes the value by its name, and may do the same for it.
    fn is_given_away(&self, call: &Call) -> bool {
        let Some(receiver) = &call.receiver else { return false };
        let name = self.at(receiver);
        let mut others = self.function.calls.iter();
        others.any(|other| other.arguments.iter().any(|argument| self.at(argument) == name))
    }

    /// Takes a call away: its statement, or its value.
    pub(crate) fn without(&self, call: &Call) -> (Bytes, String) {
        if let Some(statement) = &call.statement {
            return (statement.clone(), String::new());
        }
        let all = call.awaited.as_ref().unwrap_or(&call.bytes).clone();
        let value = if call.name.starts_with("from_raw") {
            "Default::default()"
        } else {
            "Ok(Default::default())"
        };
        (all, value.to_owned())
    }

    fn setters(&self, call: &Call, sites: &mut Vec<Site>) {
        let Some(receiver) = &call.receiver else { return };
        for setter in SETTERS.iter().filter(|setter| setter.names.contains(&&*call.name)) {
            let mut chain = self.at(receiver).to_owned();
            if let Some(local) = self.subject(call) {
                chain.push_str(self.at(&local.value));
            }
            // What is left of a kind still bounds: all of a chain goes at once.
            let of_kind =
                |other: &&Call| setter.names.contains(&&*other.name) && !other.arguments.is_empty();
            let whole =
                |other: &Call| other.receiver.as_ref().map(|of| of.start) == Some(receiver.start);
            let mut chained =
                self.function.calls.iter().filter(of_kind).filter(|other| whole(other));
            let last = chained.clone().all(|other| other.bytes.end <= call.bytes.end);
            // A client that blocks its thread has a limit of its own, if nobody sets one.
            let limited = setter.kind == "http-timeout" && chain.contains("blocking::");
            let begins = setter.roots.iter().any(|word| chain.contains(word)) && !limited;
            if begins && of_kind(&call) && last {
                let edit = |other: &Call| {
                    let start = other.receiver.as_ref().map_or(other.bytes.start, |of| of.end);
                    (start..other.bytes.end, String::new())
                };
                let edits = chained.by_ref().map(edit).collect();
                sites.push(self.site(setter.kind, setter.rules, call.line, edits));
            }
        }
    }

    fn bounds(&self, call: &Call, sites: &mut Vec<Site>) {
        match (&*call.name, &call.arguments[..]) {
            ("timeout", [_, inner]) if call.receiver.is_none() => {
                let wait = self.at(inner);
                if let Some(all) = &call.awaited
                    && self.waits_for_peer(inner)
                {
                    let edit = (all.clone(), format!("Ok::<_, ()>({wait}.await)"));
                    sites.push(self.site("timeout-wrapper", DEADLINES, call.line, vec![edit]));
                }
            }
            ("spawn_blocking", [work]) => {
                let work = self.at(work).trim_start_matches("move").trim_start();
                if let (Some(all), Some(body)) = (&call.awaited, work.strip_prefix("||"))
                    && BLOCKING.iter().any(|word| body.contains(word))
                {
                    let edit = (all.clone(), format!("Ok::<_, ()>({body})"));
                    sites.push(self.site("blocking-wrapper", BLOCKS, call.line, vec![edit]));
                }
            }
            ("sleep", [_]) if call.receiver.is_none() => {
                if let (Some(statement), Some(_), Some(failed)) =
                    (&call.statement, &call.repeated, &call.failed)
                {
                    let failed = self.at(failed);
                    if ["accept(", "connect(", ".poll()"].iter().any(|word| failed.contains(word)) {
                        let edit = (statement.clone(), String::new());
                        sites.push(self.site("back-off", SPINS, call.line, vec![edit]));
                    }
                }
            }
            _ => {}
        }
        for (name, at) in LIMITS {
            let of_body = call.path.contains("to_bytes") && self.file.text.contains("body");
            let body =
                call.path.contains("body") || of_body || call.path.contains("DefaultBodyLimit");
            if call.name == name
                && body
                && let Some(limit) = call.arguments.get(at)
            {
                let edit = if name == "max" {
                    (call.bytes.clone(), "DefaultBodyLimit::disable()".to_owned())
                } else {
                    (limit.clone(), "usize::MAX".to_owned())
                };
                sites.push(self.site("body-limit", UNLIMITED, call.line, vec![edit]));
            }
        }
    }

    /// Whether something in there is a call that waits for the other side. A server may wait for
    /// its next client as long as it likes, and threads of the process are no peers.
    fn waits_for_peer(&self, inner: &Bytes) -> bool {
        let mut calls = self
            .function
            .calls
            .iter()
            .filter(|call| inner.start <= call.bytes.start && call.bytes.end <= inner.end);
        // A socket of this machine answers at once.
        let local = |call: &Call| {
            call.path.contains("Unix")
                || call.name.starts_with("wait_for")
                || self.is_datagram(call)
        };
        calls.clone().all(|call| call.name != "spawn_blocking" && !local(call))
            && calls.any(|call| {
                let name = &*call.name;
                match call.arguments.is_empty() {
                    true => {
                        matches!(name, "send" | "get")
                            || WAITS.iter().any(|word| name.contains(word))
                    }
                    false => name == "accept" || WAITS.iter().any(|word| name.contains(word)),
                }
            })
    }

    /// Whether it names the peer of a datagram socket, which sends nothing.
    fn is_datagram(&self, call: &Call) -> bool {
        let says = |word| self.file.text.contains(word);
        call.name == "connect" && call.receiver.is_some() && says("UdpSocket") && !says("Tcp")
    }

    fn guards(&self, sites: &mut Vec<Site>) {
        for local in &self.function.locals {
            let name = self.at(&local.pattern);
            let guard = |call: &&Call| {
                call.bytes.start >= local.value.start
                    && call.bytes.end <= local.value.end
                    && GUARDS.contains(&&*call.name)
                    && (!call.name.starts_with("enter") || self.file.text.contains("span"))
                    && thin(&self.file.text[call.bytes.end..local.value.end])
                    && (call.arguments.is_empty()
                        || !["read", "write", "lock"].contains(&&*call.name))
            };
            let Some(call) = self.function.calls.iter().find(guard) else { continue };
            let waits = |after: usize, until: usize| {
                let mut awaits = self.function.awaits.iter();
                awaits.any(|&(end, body)| body == local.body && end > after && end <= until)
            };
            if name.starts_with('_')
                && name.len() > 1
                && !self.at(&local.block).contains(&format!("drop({name})"))
            {
                let edit = (local.pattern.clone(), "_".to_owned());
                sites.push(self.site("guard-name", AT_ONCE, local.line, vec![edit]));
            }
            if call.awaited.is_some() || !call.arguments.is_empty() || !local.whole_block {
                continue;
            }
            for ended in self.function.calls.iter().filter(|ended| {
                ended.name == "drop"
                    && ended.bytes.start > local.value.end
                    && ended.bytes.end <= local.block.end
                    && ended
                        .arguments
                        .first()
                        .is_some_and(|bytes| self.at(bytes) == name.trim_start_matches("mut "))
            }) {
                if let Some(statement) = &ended.statement
                    && waits(ended.bytes.end, local.block.end)
                {
                    let edit = (statement.clone(), String::new());
                    sites.push(self.site("guard-drop", ACROSS, ended.line, vec![edit]));
                }
            }
            let scope = self.function.scopes.iter().find(|scope| {
                scope.inside.start <= local.block.start + 1
                    && local.block.end <= scope.inside.end + 1
                    && scope.inside.contains(&local.pattern.start)
                    && scope.inside.end + 1 == local.block.end
            });
            if let Some(scope) = scope
                && waits(scope.tail.end, scope.around.end)
                && !waits(local.value.end, scope.inside.end)
            {
                let head = self.at(&scope.head);
                let opened = (scope.head.clone(), String::new());
                let mut edits = vec![opened, (scope.tail.clone(), String::new())];
                if let Some(value) = &scope.value {
                    let binding = head.trim_end_matches('{');
                    edits[1].1 = ";".to_owned();
                    edits.push((value.start..value.start, binding.to_owned()));
                }
                sites.push(self.site("guard-scope", ACROSS, scope.line, edits));
            }
        }
    }
}

/// Only what every guard is reached through.
fn thin(after: &str) -> bool {
    let rest = ["unwrap()", "expect", "await", "unwrap_or_else", "ok()"]
        .iter()
        .fold(after.replace(['?', '.', ' ', '\n'], ""), |text, word| text.replace(word, ""));
    rest.is_empty() || rest.starts_with('(')
}

/// The first name of an expression.
fn root(text: &str) -> &str {
    let text = text.trim_start_matches(['&', '*', '(', ' ']).trim_start_matches("mut ");
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The text with the edits; lines stay where they are.
pub(crate) fn mutated(text: &str, edits: &[(Bytes, String)]) -> String {
    let mut edits: Vec<_> = edits.iter().collect();
    edits.sort_by_key(|(bytes, _)| (bytes.start, bytes.end));
    let (mut result, mut at) = (String::new(), 0);
    for (bytes, new) in edits {
        if bytes.start < at {
            continue;
        }
        result.push_str(&text[at..bytes.start]);
        result.push_str(new);
        let lines = text[bytes.clone()].matches('\n').count();
        result.push_str(&"\n".repeat(lines.saturating_sub(new.matches('\n').count())));
        at = bytes.end;
    }
    result + &text[at..]
}

/// Reads the sources of a crate that are no tests.
pub(crate) fn read(folder: &Path) -> Vec<File> {
    let mut files: Vec<File> = ignore::WalkBuilder::new(folder)
        .standard_filters(false)
        .build()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "rs"))
        .filter_map(|entry| {
            let path = entry.path().strip_prefix(folder).ok()?.to_owned();
            let test = path.iter().any(|part| {
                ["tests", "test", "benches", "examples", "fuzz", "tests.rs", "test.rs", "target"]
                    .iter()
                    .any(|word| part == *word)
            });
            // What a build script leaves behind is gone with it.
            let test = test || path == Path::new("build.rs");
            let text = std::fs::read_to_string(entry.path()).ok()?;
            (!test && text.len() < MODULES_ONLY).then(|| File::read(path, text))?
        })
        .collect();
    let out: Vec<bool> =
        files.iter().map(|file| files.iter().any(|other| other.leaves_out(&file.path))).collect();
    let mut out = out.into_iter();
    files.retain(|file| {
        let left_out = out.next().unwrap_or_default();
        !left_out && file.text.len() < LARGEST && worth(&file.text)
    });
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// Cheap: the file has a call that some kind is about.
fn worth(text: &str) -> bool {
    let names = RELEASES.iter().flat_map(|release| release.names);
    let names = names.chain(SETTERS.iter().flat_map(|setter| setter.names));
    names
        .chain(&GUARDS)
        .chain(&["timeout", "sleep", "to_bytes", "into_raw", "kill", "spawn_blocking"])
        .any(|name| text.contains(&format!("{name}(")))
}
