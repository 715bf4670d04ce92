//! The table of all rules.

use std::io;

use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;

use super::cut::cut;
use super::explain::{Described, Short, filled, severity, status};
use crate::catalog::live::LiveRule;
use crate::report::text::{ascii, sanitise};
use crate::report::wrap::wrap;
use crate::report::{Style, live_rules};

/// Columns that a summary gets at least.
const LEAST: usize = 24;

/// Writes one row a rule, in the order given.
///
/// # Errors
/// What `out` returns.
pub fn rules(list: &[Described<'_>], style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let row = |d: &'_ Described<'_>| -> ([String; 4], String) {
        let cells = [&*d.rule.id, d.family, severity(d.rule), status(d.rule)];
        (cells.map(str::to_owned), d.rule.summary.clone())
    };
    table(&list.iter().map(row).collect::<Vec<_>>(), style, out)
}

/// Writes rows of id, family, severity and status, with a summary.
///
/// # Errors
/// What `out` returns.
pub(in crate::report) fn table(
    list: &[([String; 4], String)],
    style: Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let head = ["id", "family", "severity", "status"].map(str::to_owned);
    let rows: Vec<&[String; 4]> =
        std::iter::once(&head).chain(list.iter().map(|(cells, _)| cells)).collect();
    // What the other columns, with a blank on either side, leave for the summary.
    let taken: usize =
        (0..4).map(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or(0) + 3).sum();
    let room = style.width.saturating_sub(taken + 2).max(LEAST);
    let summaries = std::iter::once("summary").chain(list.iter().map(|(_, summary)| &**summary));
    let mut table = Builder::default();
    for (row, summary) in rows.iter().zip(summaries) {
        let safe = sanitise(summary);
        let safe = if style.unicode { safe.into_owned() } else { ascii(&safe) };
        let summary = wrap(&filled(&safe), room).join("\n");
        let cells = row.iter().map(|cell| sanitise(cell).into_owned());
        table.push_record(cells.chain([summary]));
    }
    let text = table.build().with(TableStyle::blank()).to_string();
    for line in text.lines() {
        writeln!(out, "{}", cut(line.trim_end(), style.width))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    rules: Vec<Short<'a>>,
    live_rules: Vec<live_rules::Short<'a>>,
}

/// Writes all rules as one document `poolscan.rules/1`.
///
/// # Errors
/// What `out` returns.
pub fn rules_json(
    list: &[Described<'_>],
    live: &[LiveRule],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let document = Document {
        schema: "poolscan.rules/1",
        rules: list.iter().copied().map(Short::new).collect(),
        live_rules: live.iter().map(live_rules::Short::new).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::cut::columns;
    use super::super::explain::tests::rule;
    use super::*;

    #[test]
    fn the_table_fits() {
        let mut long = rule();
        long.summary = "a summary of many words ".repeat(12);
        let list = [
            Described { family: "process", rule: &rule() },
            Described { family: "process", rule: &long },
        ];
        for width in [0, 30, 80, 200] {
            let mut out = Vec::new();
            let style = Style { color: false, width, unicode: false };
            rules(&list, style, &mut out).expect("written");
            let text = String::from_utf8(out).expect("UTF-8");
            assert!(text.lines().all(|line| columns(line) <= width), "{text}");
        }
        let mut out = Vec::new();
        rules_json(&list, &[], &mut out).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(document["rules"][0]["id"], "child-not-waited");
    }
}
