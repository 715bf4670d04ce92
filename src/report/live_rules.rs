//! Shows the rules about running processes: their table, and what one is about.

use std::io;

use serde::Serialize;

use super::Style;
use super::lint::explain::{Page, level, maturity};
use super::lint::rules::table;
use crate::catalog::live::LiveRule;

/// Where these rules stand beside the families of the linter.
const FAMILY: &str = "watch";

/// Writes one row a rule, in the order given.
///
/// # Errors
/// What `out` returns.
pub fn live_rules(list: &[LiveRule], style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let row = |rule: &LiveRule| {
        let cells = [&*rule.id, FAMILY, level(rule.severity), maturity(rule.status)];
        (cells.map(str::to_owned), rule.summary.clone())
    };
    table(&list.iter().map(row).collect::<Vec<_>>(), style, out)
}

/// Writes everything about a rule.
///
/// # Errors
/// What `out` returns.
pub fn explain_live(rule: &LiveRule, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page { style, out };
    page.text("1", "", &format!("{}: {}", rule.id, rule.summary))?;
    let facts = [FAMILY, level(rule.severity), maturity(rule.status)].join(", ");
    page.text("2", "", &format!("{facts}, since {}", rule.since))?;
    page.section("Why", &rule.why)?;
    page.section("Shown by", &rule.shown_by)?;
    page.section("Not by", &rule.not_by)?;
    page.section("What to do", &rule.remedies.join("\n\n"))?;
    page.section("Limits", &rule.limits)?;
    if !rule.lint.is_empty() {
        let select = rule.lint.join(",");
        page.section("In source", &format!("poolscan lint --select {select}"))?;
    }
    Ok(())
}

/// JSON: a rule in the list of all rules.
#[derive(Serialize)]
pub(super) struct Short<'a> {
    id: &'a str,
    family: &'static str,
    severity: &'static str,
    status: &'static str,
    since: &'a str,
    summary: &'a str,
}

impl<'a> Short<'a> {
    pub(super) fn new(rule: &'a LiveRule) -> Self {
        Self {
            id: &rule.id,
            family: FAMILY,
            severity: level(rule.severity),
            status: maturity(rule.status),
            since: &rule.since,
            summary: &rule.summary,
        }
    }
}

/// JSON: everything about a rule.
#[derive(Serialize)]
struct Long<'a> {
    #[serde(flatten)]
    short: Short<'a>,
    message: &'a str,
    why: &'a str,
    limits: &'a str,
    shown_by: &'a str,
    not_by: &'a str,
    remedies: &'a [String],
    lint_rules: &'a [String],
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    live_rule: Long<'a>,
}

/// Writes everything about a rule as one document `poolscan.explain/1`.
///
/// # Errors
/// What `out` returns.
pub fn explain_live_json(rule: &LiveRule, out: &mut dyn io::Write) -> io::Result<()> {
    let live_rule = Long {
        short: Short::new(rule),
        message: &rule.message,
        why: &rule.why,
        limits: &rule.limits,
        shown_by: &rule.shown_by,
        not_by: &rule.not_by,
        remedies: &rule.remedies,
        lint_rules: &rule.lint,
    };
    serde_json::to_writer_pretty(&mut *out, &Document { schema: "poolscan.explain/1", live_rule })?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::live::rules;

    #[test]
    fn every_rule_is_listed_and_explained() {
        let style = Style { color: false, width: 100, unicode: false };
        let mut out = Vec::new();
        live_rules(rules(), style, &mut out).expect("written");
        let table = String::from_utf8(out).expect("UTF-8");
        for rule in rules() {
            assert!(table.contains(&rule.id), "{table}");
            let mut out = Vec::new();
            explain_live(rule, style, &mut out).expect("written");
            let page = String::from_utf8(out).expect("UTF-8");
            assert!(page.contains("Shown by") && page.lines().all(|line| line.len() <= 100));
            let mut out = Vec::new();
            explain_live_json(rule, &mut out).expect("written");
            let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            assert_eq!(document["live_rule"]["id"], rule.id.as_str());
        }
    }
}
