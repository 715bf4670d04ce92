//! The handles of one target as a table, or as a document `poolscan.ls/1`.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;

use super::Style;
use super::json::status;
use super::number::{bytes, duration, grouped, rounded};
use super::text::{ascii, fit, sanitise};
use crate::live::facts::{Activity, HandleId, Millis, SourceStatus, TargetId};
use crate::live::inventory::{Age, Held, Holder, Inventory};

/// Columns that the last column keeps at least.
const LEAST: usize = 24;

/// What of an inventory is listed.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// What is held.
    pub inventory: &'a Inventory,
    /// Only handles whose group holds this text.
    pub group: Option<&'a str>,
    /// Who holds the other ends.
    pub other_ends: &'a BTreeMap<HandleId, Holder>,
    /// Why some of those may be missing; empty when none is.
    pub other_ends_reason: &'a str,
}

impl<'a> Listing<'a> {
    /// The handles to list, by process and number.
    pub fn handles(&self) -> Vec<(HandleId, &'a Held)> {
        let mut held: Vec<_> = self
            .inventory
            .handles
            .iter()
            .filter(|(_, held)| self.group.is_none_or(|group| held.group().contains(group)))
            .map(|(&id, held)| (id, held))
            .collect();
        held.sort_by_key(|(id, held)| {
            (held.target, held.facts.pid, held.facts.fd.is_none(), held.facts.fd, *id)
        });
        held
    }
}

/// Writes a table.
///
/// # Errors
/// What `out` returns.
pub fn listing(list: &Listing<'_>, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let now = list.inventory.now;
    let heads = ["pid", "fd", "kind", "peer", "state", "age", "idle", "queued", "other end"];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut lasts = vec!["what".to_owned()];
    let handles = list.handles();
    for (id, held) in &handles {
        let facts = &held.facts;
        let kind = if facts.role.is_empty() { &facts.kind } else { &facts.role };
        // A path is in the last column in full.
        let peer = if &*facts.kind == "socket" { &*facts.peer } else { "" };
        rows.push([
            number(facts.pid),
            number(facts.fd),
            sanitise(kind).into_owned(),
            sanitise(peer).into_owned(),
            sanitise(&facts.state).into_owned(),
            age(held.age(now)),
            idle(held, now),
            queued(held),
            list.other_ends.get(id).map_or_else(String::new, |holder| {
                format!("{} {} fd {}", holder.pid, sanitise(&holder.name), holder.fd)
            }),
        ]);
        lasts.push(sanitise(&facts.label).into_owned());
    }
    // What the other columns, with a blank on either side, leave for the last one.
    let width = |column: usize| {
        rows.iter()
            .map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str()))
            .max()
            .unwrap_or(0)
    };
    let taken: usize = (0..heads.len()).map(|column| width(column) + 3).sum();
    let room = style.width.saturating_sub(taken + 2).max(LEAST);
    let mark = if style.unicode { "…" } else { "..." };
    let mut table = Builder::default();
    for (row, last) in rows.into_iter().zip(lasts) {
        table.push_record(row.into_iter().chain([fit(&last, room, mark)]));
    }
    let text = table.build().with(TableStyle::blank()).to_string();
    for line in text.lines() {
        let line = line.trim_end();
        writeln!(out, "{}", if style.unicode { line.to_owned() } else { ascii(line) })?;
    }
    let total = list.inventory.handles.len();
    let shown = grouped(handles.len() as u64);
    if handles.len() == total {
        writeln!(out, "{shown} handles")?;
    } else {
        writeln!(out, "{shown} of {} handles", grouped(total as u64))?;
    }
    for line in gaps(list) {
        writeln!(out, "{}", sanitise(&line))?;
    }
    Ok(())
}

/// What a source that is not complete leaves unknown, and why.
pub fn gap(source: &str, status: SourceStatus, reason: &str) -> String {
    let what = if status == SourceStatus::Partial { "partly unknown" } else { "unknown" };
    let reason = if reason.is_empty() { "the source gave no reason" } else { reason };
    format!("{source}: {what} because {reason}")
}

/// What is not known, and why.
fn gaps(list: &Listing<'_>) -> Vec<String> {
    let mut lines: Vec<String> = list
        .inventory
        .sources
        .iter()
        .filter(|(_, source)| source.status != SourceStatus::Ok)
        .map(|((_, name), source)| gap(name, source.status, &source.reason))
        .collect();
    if !list.other_ends_reason.is_empty() {
        lines.push(list.other_ends_reason.to_owned());
    }
    lines
}

fn number(value: Option<u32>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn seconds(ms: Millis) -> f64 {
    ms as f64 / 1000.0
}

pub(super) fn age(age: Age) -> String {
    match age {
        Age::Exactly(ms) => duration(seconds(ms)),
        Age::AtLeast(ms) => format!(">= {}", duration(seconds(ms))),
        Age::Unknown => "unknown".to_owned(),
    }
}

pub(super) fn idle(held: &Held, now: Millis) -> String {
    match held.facts.activity {
        Activity::Awake => "in use".to_owned(),
        _ => held.idle(now).map_or_else(|| "unknown".to_owned(), |ms| duration(seconds(ms))),
    }
}

fn queued(held: &Held) -> String {
    let flow = held.facts.flow();
    if &*held.facts.state == "LISTEN" {
        return match (flow.unread, flow.unsent) {
            (Some(waiting), Some(most)) => format!("{waiting} of {most} wait"),
            (Some(waiting), None) => format!("{waiting} wait"),
            _ => String::new(),
        };
    }
    let part = |count: Option<u64>, word: &str| {
        count.filter(|&count| count > 0).map(|count| format!("{} {word}", bytes(count as f64)))
    };
    let parts = [
        part(flow.unread, "unread"),
        part(flow.unsent, "unsent"),
        part(held.facts.bytes.as_deref().copied(), "on disk"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    targets: Vec<Target<'a>>,
    handles: Vec<Handle<'a>>,
    /// Handles that are held but were not asked for.
    filtered: u64,
    sources: Vec<Source<'a>>,
    other_ends_reason: &'a str,
}

#[derive(Serialize)]
struct Target<'a> {
    id: u32,
    name: &'a str,
    pids: &'a [u32],
    command: &'a str,
    selector: &'a str,
}

#[derive(Serialize)]
struct Handle<'a> {
    target: u32,
    pid: Option<u32>,
    fd: Option<u32>,
    kind: &'a str,
    role: &'a str,
    peer: &'a str,
    state: &'a str,
    label: &'a str,
    inode: Option<u64>,
    age_seconds: Option<f64>,
    /// Whether the age is a lower bound.
    age_at_least: bool,
    idle_seconds: Option<f64>,
    sent_seconds_ago: Option<f64>,
    received_seconds_ago: Option<f64>,
    heard_seconds_ago: Option<f64>,
    unread: Option<u64>,
    unsent: Option<u64>,
    retries: Option<u32>,
    waiting_seconds: Option<f64>,
    disk_bytes: Option<u64>,
    inherited_by: Option<u32>,
    other_end: Option<OtherEnd<'a>>,
}

#[derive(Serialize)]
struct OtherEnd<'a> {
    pid: u32,
    name: &'a str,
    fd: u32,
}

#[derive(Serialize)]
struct Source<'a> {
    target: u32,
    name: &'a str,
    status: &'static str,
    reason: &'a str,
}

/// Writes one document `poolscan.ls/1`.
///
/// # Errors
/// What `out` returns.
pub fn listing_json(list: &Listing<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let inventory = list.inventory;
    let handles = list.handles();
    let document = Document {
        schema: "poolscan.ls/1",
        targets: inventory
            .targets
            .iter()
            .map(|(id, facts)| Target {
                id: id.0,
                name: &facts.name,
                pids: &facts.pids,
                command: &facts.command,
                selector: &facts.selector,
            })
            .collect(),
        filtered: (inventory.handles.len() - handles.len()) as u64,
        handles: handles.iter().map(|&(id, held)| handle(list, id, held)).collect(),
        sources: inventory
            .sources
            .iter()
            .map(|((TargetId(target), name), source)| Source {
                target: *target,
                name,
                status: status(source.status),
                reason: &source.reason,
            })
            .collect(),
        other_ends_reason: list.other_ends_reason,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn handle<'a>(list: &Listing<'a>, id: HandleId, held: &'a Held) -> Handle<'a> {
    let now = list.inventory.now;
    let ago = |at: Option<Millis>| rounded(seconds((now - at?).max(0)));
    let (facts, flow) = (&held.facts, held.facts.flow());
    let (age, at_least) = match held.age(now) {
        Age::Exactly(ms) => (Some(ms), false),
        Age::AtLeast(ms) => (Some(ms), true),
        Age::Unknown => (None, false),
    };
    Handle {
        target: held.target.0,
        pid: facts.pid,
        fd: facts.fd,
        kind: &facts.kind,
        role: &facts.role,
        peer: &facts.peer,
        state: &facts.state,
        label: &facts.label,
        inode: facts.inode,
        age_seconds: age.and_then(|ms| rounded(seconds(ms))),
        age_at_least: at_least,
        idle_seconds: held.idle(now).and_then(|ms| rounded(seconds(ms))),
        sent_seconds_ago: ago(flow.sent),
        received_seconds_ago: ago(flow.received),
        heard_seconds_ago: ago(flow.heard),
        unread: flow.unread,
        unsent: flow.unsent,
        retries: flow.retries,
        waiting_seconds: ago(flow.waiting_since),
        disk_bytes: facts.bytes.as_deref().copied(),
        inherited_by: facts.inherited_by,
        other_end: list.other_ends.get(&id).map(|holder| OtherEnd {
            pid: holder.pid,
            name: &holder.name,
            fd: holder.fd,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::live::facts::{Fact, Flow, HandleFacts};

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        let mut open = |id, facts| {
            inventory.apply(Fact::Open {
                at: 0,
                target: TargetId(0),
                id: HandleId(id),
                pre: true,
                start_up: false,
                facts: Arc::new(facts),
            });
        };
        open(
            1,
            HandleFacts {
                pid: Some(7),
                fd: Some(4),
                role: "tcp client".into(),
                peer: "10.0.0.7:5432".into(),
                state: "CLOSE_WAIT".into(),
                activity: Activity::SilentSince(-90_000),
                flow: Some(Arc::new(Flow {
                    unread: Some(1536),
                    heard: Some(-60_000),
                    ..Flow::default()
                })),
                ..HandleFacts::of_kind("socket")
            },
        );
        let label = "/tmp/\u{1b}[2J\u{202e}evil\nname".into();
        open(2, HandleFacts { pid: Some(7), fd: Some(3), label, ..HandleFacts::of_kind("file") });
        inventory
    }

    fn list<'a>(inventory: &'a Inventory, group: Option<&'a str>) -> Listing<'a> {
        static NONE: BTreeMap<HandleId, Holder> = BTreeMap::new();
        Listing { inventory, group, other_ends: &NONE, other_ends_reason: "" }
    }

    #[test]
    fn hostile_names_are_harmless_and_numbers_are_right() {
        let inventory = inventory();
        let mut out = Vec::new();
        let style = Style { color: false, width: 100, unicode: false };
        listing(&list(&inventory, None), style, &mut out).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n') && text.is_ascii(), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
        let row = text.lines().nth(2).expect("by number, the file first");
        assert!(row.contains("90 s") && row.contains("1.5 KiB unread"), "{text}");
        assert!(row.contains(">= 90 s"), "{text}");
    }

    #[test]
    fn a_group_narrows_the_list_and_says_so() {
        let inventory = inventory();
        let mut out = Vec::new();
        let only = list(&inventory, Some("tcp client > 10.0.0.7:5432"));
        listing_json(&only, &mut out).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let handles = document["handles"].as_array().expect("a list");
        assert_eq!((handles.len(), &document["filtered"]), (1, &1.into()));
        assert_eq!(handles[0]["idle_seconds"], 90.0);
        assert_eq!(handles[0]["age_at_least"], true);
        assert!(handles[0]["sent_seconds_ago"].is_null());
    }
}
