//! Processes by how near they are to their limit of open files: a table, lines to redraw, or a
//! document `poolscan.top/1`.

use std::io;

use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;

use super::human::Line;
use super::number::{duration, rounded, short};
use super::text::sanitise;
use super::{Style, human};
use crate::live::overview::Pass;

/// All processes, and for how long they were watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Top {
    /// The last pass.
    pub pass: Pass,
    /// Seconds over which growth was watched; `None` after a single look.
    pub watched_seconds: Option<f64>,
}

impl Top {
    /// What is not known, and why.
    fn unknown(&self) -> Option<String> {
        let Pass { hidden, hidden_reason, .. } = &self.pass;
        (*hidden > 0)
            .then(|| format!("fds of {hidden} processes are unknown because {hidden_reason}"))
    }
}

/// All lines for a terminal of so many rows; 0 for all processes.
pub(super) fn lines(top: &Top, rows: usize, style: Style) -> Vec<Line> {
    let mut table = Builder::default();
    table.push_record(["pid", "name", "fds", "limit", "used", "per min", "limit in", "threads"]);
    // The head, the last lines, and the line on which the cursor stays.
    let room = if rows == 0 { usize::MAX } else { rows.saturating_sub(4) };
    let unknown = || "unknown".to_owned();
    for row in top.pass.rows.iter().take(room) {
        table.push_record([
            row.pid.to_string(),
            sanitise(&row.name).into_owned(),
            row.fds.map_or_else(unknown, |fds| fds.to_string()),
            match row.limit {
                None => unknown(),
                Some(None) => "unlimited".to_owned(),
                Some(Some(limit)) => limit.to_string(),
            },
            row.share().map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0)),
            match row.per_minute {
                None => "-".to_owned(),
                Some(rate) if rate > 0.0 => format!("+{}", short(rate)),
                Some(rate) => short(rate),
            },
            row.seconds_to_limit().map_or_else(|| "-".to_owned(), duration),
            row.threads.map_or_else(unknown, |threads| threads.to_string()),
        ]);
    }
    let mut page = human::Page::new(style);
    for (index, line) in table.build().with(TableStyle::blank()).to_string().lines().enumerate() {
        let share =
            index.checked_sub(1).and_then(|at| top.pass.rows.get(at)?.share()).unwrap_or(0.0);
        let tone = match share {
            _ if index == 0 => "1",
            s if s >= 0.9 => "31",
            s if s >= 0.7 => "33",
            _ => "",
        };
        page.add(tone, line);
    }
    let more = top.pass.rows.len().saturating_sub(room);
    let rest = if more > 0 { format!(", {more} more not shown") } else { String::new() };
    let growth = match top.watched_seconds {
        Some(seconds) => format!("growth over {}", duration(seconds)),
        None => "growth is not known after one look".to_owned(),
    };
    page.add("2", &format!("{} processes{rest}; {growth}", top.pass.rows.len()));
    if let Some(unknown) = top.unknown() {
        page.add("33", &unknown);
    }
    page.into_lines()
}

/// Writes a table of all processes.
///
/// # Errors
/// What `out` returns.
pub fn top(top: &Top, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    human::write_lines(&lines(top, 0, style), style, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    watched_seconds: Option<f64>,
    processes: Vec<Process<'a>>,
    /// Processes without any fd, such as threads of the kernel; they are not listed.
    without_fds: u64,
    /// How many have fds that could not be counted, and why.
    unknown: u64,
    unknown_reason: &'a str,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    name: &'a str,
    fds: Option<u64>,
    limit: Option<u64>,
    unlimited: bool,
    share: Option<f64>,
    threads: Option<u64>,
    per_minute: Option<f64>,
    seconds_to_limit: Option<f64>,
}

/// Writes one document `poolscan.top/1`.
///
/// # Errors
/// What `out` returns.
pub fn top_json(top: &Top, out: &mut dyn io::Write) -> io::Result<()> {
    let document = Document {
        schema: "poolscan.top/1",
        watched_seconds: top.watched_seconds.and_then(rounded),
        processes: top
            .pass
            .rows
            .iter()
            .map(|row| Process {
                pid: row.pid,
                name: &row.name,
                fds: row.fds,
                limit: row.limit.flatten(),
                unlimited: row.limit == Some(None),
                share: row.share().and_then(rounded),
                threads: row.threads,
                per_minute: row.per_minute.and_then(rounded),
                seconds_to_limit: row.seconds_to_limit().and_then(rounded),
            })
            .collect(),
        without_fds: top.pass.empty,
        unknown: top.pass.hidden,
        unknown_reason: &top.pass.hidden_reason,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::overview::ProcessRow;

    #[test]
    fn unknown_is_no_number_and_names_are_harmless() {
        let row = ProcessRow {
            pid: 7,
            name: "a\u{1b}[2Jb".to_owned(),
            fds: None,
            limit: None,
            threads: Some(3),
            per_minute: None,
        };
        let full = ProcessRow { fds: Some(99), limit: Some(Some(100)), ..row.clone() };
        let pass = Pass { rows: vec![full, row], ..Pass::default() };
        let shown = Top { pass, watched_seconds: None };
        let mut out = Vec::new();
        let style = Style { color: false, width: 100, unicode: true };
        top(&shown, style, &mut out).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(!text.contains('\u{1b}') && text.contains("99.0 %"), "{text}");
        assert!(text.lines().nth(2).is_some_and(|line| line.contains("unknown")), "{text}");
        // On a small terminal only the first ones, and that is said.
        let few = lines(&shown, 5, style);
        assert!(few.iter().any(|line| line.text.contains("1 more not shown")), "{few:?}");
        let mut out = Vec::new();
        top_json(&shown, &mut out).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert!(document["processes"][1]["fds"].is_null());
    }
}
