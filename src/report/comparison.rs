//! What differs between two moments, as a table or as a document `poolscan.diff/1`.

use std::io;

use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;

use super::Style;
use super::number::{bytes, duration, rounded, short};
use super::text::{ascii, fit, sanitise};
use crate::live::compare::{Comparison, GroupChange};

/// Columns that a group gets at least.
const LEAST: usize = 30;
/// Columns of the numbers beside it.
const NUMBERS: usize = 54;

/// Writes a table of what changed; groups that did not are counted.
///
/// # Errors
/// What `out` returns.
pub fn comparison(found: &Comparison, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let room = style.width.saturating_sub(NUMBERS).max(LEAST);
    let mark = if style.unicode { "…" } else { "..." };
    let changed = |group: &&GroupChange| {
        group.before != group.after || group.moved.is_some_and(|m| m.opened + m.gone > 0)
    };
    let mut table = Builder::default();
    table.push_record(["group", "before", "after", "change", "opened", "gone", "stayed"]);
    let mut rows = 0;
    for group in found.groups.iter().filter(changed) {
        let moved = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let name = sanitise(&group.group);
        let name = if style.unicode { name.into_owned() } else { ascii(&name) };
        table.push_record([
            fit(&name, room, mark),
            group.before.to_string(),
            group.after.to_string(),
            format!("{:+}", i128::from(group.after) - i128::from(group.before)),
            moved(group.moved.map(|m| m.opened)),
            moved(group.moved.map(|m| m.gone)),
            moved(group.moved.map(|m| m.stayed)),
        ]);
        rows += 1;
    }
    if rows > 0 {
        for line in table.build().with(TableStyle::blank()).to_string().lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    let same = found.groups.len() - rows;
    writeln!(out, "{rows} groups changed, {same} did not")?;
    for (name, before, after) in &found.numbers {
        if before == after {
            continue;
        }
        let value = |value: &Option<f64>| match value {
            None => "unknown".to_owned(),
            Some(value) if name.ends_with("_bytes") => bytes(*value),
            Some(value) => short(*value),
        };
        writeln!(out, "{}: {} before, {} after", sanitise(name), value(before), value(after))?;
    }
    for (name, before, after) in &found.environment {
        if before != after {
            let text =
                |text: &Option<String>| sanitise(text.as_deref().unwrap_or("unknown")).into_owned();
            writeln!(out, "{}: {} before, {} after", sanitise(name), text(before), text(after))?;
        }
    }
    if let Some(ms) = found.apart_ms {
        writeln!(out, "{} apart", duration(ms as f64 / 1000.0))?;
    }
    if !found.same {
        writeln!(out, "not of one process: only numbers are compared, not single handles")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    same_process: bool,
    apart_seconds: Option<f64>,
    groups: Vec<Group<'a>>,
    numbers: Vec<Number<'a>>,
    environment: Vec<Text<'a>>,
}

#[derive(Serialize)]
struct Text<'a> {
    name: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct Group<'a> {
    group: &'a str,
    before: u64,
    after: u64,
    opened: Option<u64>,
    gone: Option<u64>,
    stayed: Option<u64>,
}

#[derive(Serialize)]
struct Number<'a> {
    name: &'a str,
    before: Option<f64>,
    after: Option<f64>,
}

/// Writes one document `poolscan.diff/1`, with the groups that did not change.
///
/// # Errors
/// What `out` returns.
pub fn comparison_json(found: &Comparison, out: &mut dyn io::Write) -> io::Result<()> {
    let document = Document {
        schema: "poolscan.diff/1",
        same_process: found.same,
        apart_seconds: found.apart_ms.and_then(|ms| rounded(ms as f64 / 1000.0)),
        groups: found
            .groups
            .iter()
            .map(|group| Group {
                group: &group.group,
                before: group.before,
                after: group.after,
                opened: group.moved.map(|m| m.opened),
                gone: group.moved.map(|m| m.gone),
                stayed: group.moved.map(|m| m.stayed),
            })
            .collect(),
        numbers: found
            .numbers
            .iter()
            .map(|(name, before, after)| Number {
                name,
                before: before.and_then(rounded),
                after: after.and_then(rounded),
            })
            .collect(),
        environment: found
            .environment
            .iter()
            .map(|(name, before, after)| Text {
                name,
                before: before.as_deref(),
                after: after.as_deref(),
            })
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::compare::Moved;

    #[test]
    fn hostile_groups_are_harmless_and_unknown_is_no_number() {
        let group =
            |name: &str, moved| GroupChange { group: name.to_owned(), before: 1, after: 3, moved };
        let found = Comparison {
            same: false,
            apart_ms: Some(60_000),
            groups: vec![
                group("file > a\u{1b}[2J\nb", None),
                group("socket", Some(Moved { opened: 2, gone: 0, stayed: 1 })),
            ],
            numbers: vec![("fds".to_owned(), None, Some(3.0))],
            environment: vec![("kernel".to_owned(), Some("6.1\u{1b}[2J".to_owned()), None)],
        };
        let mut out = Vec::new();
        let style = Style { color: false, width: 100, unicode: false };
        comparison(&found, style, &mut out).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(!text.contains('\u{1b}') && text.contains("+2"), "{text}");
        assert!(text.contains("fds: unknown before, 3 after"), "{text}");
        assert!(text.contains("kernel: 6.1") && text.contains("before, unknown after"), "{text}");
        let mut out = Vec::new();
        comparison_json(&found, &mut out).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert!(document["groups"][0]["opened"].is_null());
        assert_eq!(document["groups"][1]["opened"], 2);
    }
}
