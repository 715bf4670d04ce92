//! Text for people: the answer first, then why, what to do, and the numbers.

use std::io;

use tabled::builder::Builder;
use tabled::settings::Style as TableStyle;
use unicode_width::UnicodeWidthStr;

use super::listing::gap;
use super::number::{bytes, duration, durations, short};
use super::openers;
use super::text::{ascii, fit, sanitise};
use crate::finding::{Severity, Verdict};
use crate::live::facts::SourceStatus;
use crate::live::outcome::{
    ChangeKind, Changes, Diagnosis, DiagnosisChange, FindingChange, Level, Outcome, PoolOutcome,
    ResourceOutcome, TargetOutcome,
};

/// Findings shown, and how many of them with evidence and next steps.
const MAX_FINDINGS: usize = 12;
/// See [`MAX_FINDINGS`].
const EXPLAINED: usize = 4;
/// Diagnoses shown of each severity.
const MAX_DIAGNOSES: usize = 5;
/// Rows of the table of resources, at most.
const MAX_ROWS: usize = 24;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI colours.
    pub color: bool,
    /// Columns; longer lines are cut.
    pub width: usize,
    /// Use characters outside ASCII.
    pub unicode: bool,
}

/// A line without colours, and the colour it gets.
#[derive(Debug)]
pub(crate) struct Line {
    /// The text; cut to the width, except for next steps of a summary.
    pub(crate) text: String,
    /// SGR parameters; empty for none.
    tone: &'static str,
}

impl Line {
    /// Appends the line, coloured if wanted.
    pub(crate) fn push_to(&self, style: Style, frame: &mut String) {
        if style.color && !self.tone.is_empty() {
            frame.push_str(&format!("\x1b[{}m{}\x1b[0m", self.tone, self.text));
        } else {
            frame.push_str(&self.text);
        }
    }
}

/// Writes the final summary: few lines, made to be pasted.
///
/// # Errors
/// What `out` returns.
pub fn human_summary(outcome: &Outcome, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    write_lines(&lines(outcome, style), style, out)
}

/// Writes one line a change, for pipes and logs.
///
/// # Errors
/// What `out` returns.
pub fn human_changes(changes: &Changes, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page::new(style);
    let findings = &changes.findings;
    for change in findings.iter().filter(|change| !moved(change, findings)) {
        let at = duration(change.at as f64 / 1000.0);
        let text = match change.what {
            ChangeKind::Cleared => {
                format!("{at}: no longer {}: {}", words(change.before), place(&change.resource))
            }
            ChangeKind::Opened | ChangeKind::Changed => {
                format!("{at}: {}", headline(&change.resource))
            }
        };
        page.add(tone(change.resource.verdict), &text);
        if change.resource.openers.as_ref().is_some_and(|openers| !openers.places.is_empty()) {
            page.opened_by(&change.resource);
        }
    }
    for DiagnosisChange { at, what, diagnosis, .. } in &changes.diagnoses {
        let at = duration(*at as f64 / 1000.0);
        let Diagnosis { severity, message, rule, .. } = diagnosis;
        // Notes wait for the summary.
        if *severity == Severity::Note {
            continue;
        }
        let (tone, gone) = match what {
            ChangeKind::Cleared => ("", "no longer "),
            ChangeKind::Opened | ChangeKind::Changed => (severe(*severity), ""),
        };
        let severity = severity.as_str().to_uppercase();
        page.wrapped(tone, "", &format!("{at}: {gone}{severity}  {message} ({rule})"));
    }
    write_lines(&page.lines, style, out)
}

pub(super) fn write_lines(lines: &[Line], style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = String::new();
    for line in lines {
        line.push_to(style, &mut text);
        text.push('\n');
    }
    out.write_all(text.as_bytes())
}

/// All lines of an outcome.
fn lines(outcome: &Outcome, style: Style) -> Vec<Line> {
    let mut page = Page::new(style);
    if outcome.targets.is_empty() {
        page.add("", "no target is being watched");
    }
    let mut targets: Vec<_> = outcome.targets.iter().collect();
    targets.sort_by_key(|t| (std::cmp::Reverse(t.verdict), t.target));
    for target in targets {
        page.target(target);
    }
    let watched = duration(outcome.now as f64 / 1000.0);
    page.add(
        "2",
        // A share of next to no time says nothing.
        &if outcome.now >= 5_000 {
            let share = short(outcome.cost.cpu_share * 100.0);
            format!("watched {watched}; own cost {share}% of a core")
        } else {
            let spent = short(outcome.cost.cpu_us as f64 / 1000.0);
            format!("watched {watched}; own cost {spent} ms of CPU time")
        },
    );
    if outcome.late_facts > 0 {
        page.add("33", &format!("{} facts came too late and were not judged", outcome.late_facts));
    }
    page.lines
}

/// Collects lines for one style.
pub(super) struct Page {
    style: Style,
    lines: Vec<Line>,
}

impl Page {
    /// An empty one.
    pub(super) fn new(style: Style) -> Self {
        Self { style, lines: Vec::new() }
    }

    /// What was added.
    pub(super) fn into_lines(self) -> Vec<Line> {
        self.lines
    }

    /// Adds a line; every text, trusted or not, is made harmless here.
    pub(super) fn add(&mut self, tone: &'static str, text: &str) {
        self.push(tone, text, self.style.width);
    }

    fn push(&mut self, tone: &'static str, text: &str, width: usize) {
        let safe = sanitise(text);
        let (text, mark) =
            if self.style.unicode { (safe.into_owned(), "…") } else { (ascii(&safe), "...") };
        self.lines.push(Line { text: fit(&text, width, mark).trim_end().to_owned(), tone });
    }

    /// Adds a next step. It is left to the terminal to fold: a command with a line break in it
    /// cannot be pasted.
    fn step(&mut self, text: &str) {
        self.push("1", &format!("  next: {text}"), usize::MAX);
    }

    fn target(&mut self, target: &TargetOutcome) {
        let mut ranked: Vec<_> = target.resources.iter().collect();
        ranked.sort_by_key(|r| std::cmp::Reverse((r.verdict, r.confidence)));
        // Totals repeat what their groups say; findings are what carries evidence.
        let findings: Vec<&ResourceOutcome> = ranked
            .iter()
            .copied()
            .filter(|r| r.verdict.is_finding() && !r.evidence.is_empty())
            // The one that leads tells of the others.
            .filter(|r| r.part_of.is_none())
            .collect();
        // What is broken now comes before what will be.
        self.diagnoses(target, Severity::Error);
        for (index, finding) in findings.iter().take(MAX_FINDINGS).enumerate() {
            self.finding(finding, index < EXPLAINED);
        }
        if findings.len() > MAX_FINDINGS {
            self.add("2", &format!("and {} more findings", findings.len() - MAX_FINDINGS));
        }
        if findings.is_empty() {
            self.add(tone(target.verdict), &format!("{}  {}", shout(target.verdict), name(target)));
        }
        self.diagnoses(target, Severity::Warning);
        self.diagnoses(target, Severity::Note);
        self.add("2", &format!("  {}, pids {}", name(target), pids(&target.facts.pids)));
        if let Some(at) = target.ended_at {
            self.add(
                "33",
                &format!("  the target ended {} into the watch", duration(at as f64 / 1000.0)),
            );
        }
        self.table(&ranked);
        self.pools(target);
        self.limits(target);
        for resource in ranked
            .iter()
            .filter(|r| !r.conclusive && !r.missing.is_empty() && r.group.is_empty())
            .filter(|r| r.kind.is_none())
        {
            let text = format!("{}: no verdict yet: {}", resource.resource, resource.missing);
            self.wrapped("36", "  ", &text);
        }
        for source in target.sources.iter().filter(|s| s.status != SourceStatus::Ok) {
            self.wrapped("33", "  ", &gap(&source.name, source.status, &source.reason));
        }
        // What a complete source has to say, such as how long the program stood still for it.
        let complete = target.sources.iter().filter(|s| s.status == SourceStatus::Ok);
        for source in complete.filter(|source| !source.reason.is_empty()) {
            self.wrapped("2", "  ", &format!("{}: {}", source.name, source.reason));
        }
    }

    /// The diagnoses of one severity.
    fn diagnoses(&mut self, target: &TargetOutcome, severity: Severity) {
        let fitting = target.diagnoses.iter().filter(|d| d.severity == severity);
        for diagnosis in fitting.take(MAX_DIAGNOSES) {
            if severity == Severity::Note {
                let Diagnosis { message, rule, .. } = diagnosis;
                self.wrapped("2", "  ", &format!("note: {message} ({rule})"));
            } else {
                self.diagnosis(diagnosis);
            }
        }
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis) {
        let tone = severe(diagnosis.severity);
        let severity = diagnosis.severity.as_str().to_uppercase();
        self.wrapped(tone, "", &format!("{severity}  {} ({})", diagnosis.message, diagnosis.rule));
        if !diagnosis.examples.is_empty() {
            self.wrapped("", "  ", &format!("such as {}", diagnosis.examples.join(", ")));
        }
        for step in diagnosis.next_steps.iter().take(4) {
            self.step(step);
        }
    }

    fn finding(&mut self, finding: &ResourceOutcome, explained: bool) {
        self.add(tone(finding.verdict), &headline(finding));
        if !explained {
            return;
        }
        for evidence in finding.evidence.iter().take(2 + finding.together.len()) {
            self.wrapped("", "  ", &evidence.0);
        }
        if !finding.examples.is_empty() {
            self.wrapped("", "  ", &format!("such as {}", finding.examples.join(", ")));
        }
        for step in finding.next_steps.iter().take(3) {
            self.step(step);
        }
        self.opened_by(finding);
    }

    /// Who opened what survives: as traced, else as a source tells it.
    fn opened_by(&mut self, finding: &ResourceOutcome) {
        match &finding.openers {
            Some(_) => {
                for line in openers::lines(finding) {
                    self.wrapped("", "  ", &line);
                }
            }
            None => {
                for site in finding.sites.iter().take(3) {
                    self.add("", &format!("  opened at {site}"));
                }
            }
        }
    }

    /// Adds a text over as many lines as it needs.
    pub(super) fn wrapped(&mut self, tone: &'static str, indent: &str, text: &str) {
        let width = self.style.width.max(indent.len() + 20);
        let mut line = indent.to_owned();
        let mut empty = true;
        for word in sanitise(text).split(' ') {
            if !empty && line.width() + 1 + word.width() > width {
                self.add(tone, &line);
                line = " ".repeat(indent.len() + 2);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.add(tone, &line);
    }

    fn table(&mut self, ranked: &[&ResourceOutcome]) {
        if ranked.is_empty() {
            return;
        }
        let mut table = Builder::default();
        table.push_record(["resource", "now", "limit", "per min", "time to limit", "verdict"]);
        // Totals and kinds; the findings above are its details.
        let mut rows: Vec<&ResourceOutcome> =
            ranked.iter().copied().filter(|r| r.group.is_empty()).collect();
        rows.sort_by_key(|r| (r.resource.as_str(), r.kind.is_some(), std::cmp::Reverse(r.verdict)));
        let hidden = rows.len().saturating_sub(MAX_ROWS);
        for r in rows.into_iter().take(MAX_ROWS) {
            table.push_record([
                sanitise(&table_name(r)).into_owned(),
                r.now
                    .filter(|v| v.is_finite())
                    .map_or_else(|| "unknown".to_owned(), |v| amount(r, v)),
                r.limit.map_or_else(|| "-".to_owned(), |v| amount(r, v as f64)),
                r.per_minute.map_or_else(|| "-".to_owned(), |p| signed(r, p.value)),
                r.seconds_to_limit.map_or_else(|| "-".to_owned(), |t| duration(t.value)),
                words(r.verdict),
            ]);
        }
        self.tabled(table);
        if hidden > 0 {
            self.add("2", &format!("  and {hidden} more"));
        }
    }

    fn limits(&mut self, target: &TargetOutcome) {
        for r in
            target.resources.iter().filter(|r| r.level >= Level::High && r.level != Level::Unknown)
        {
            let limit = r.limit_name.as_deref().unwrap_or("its limit");
            self.add("31", &format!("  {} is {} against {limit}", place(r), r.level.as_str()));
        }
        for (name, limit) in &target.limits {
            if let (Some(value), Some(used)) = (limit.value, limit.used)
                && used as f64 >= value as f64 * 0.8
            {
                self.add("33", &format!("  {name}: {used} of {value} used"));
            }
        }
    }

    fn pools(&mut self, target: &TargetOutcome) {
        if target.pools.is_empty() {
            return;
        }
        // The fullest tell most.
        let mut pools: Vec<&PoolOutcome> = target.pools.iter().collect();
        pools.sort_by(|a, b| {
            let share = |pool: &PoolOutcome| pool.share.unwrap_or(-1.0);
            b.level.cmp(&a.level).then(share(b).total_cmp(&share(a)))
        });
        let mut table = Builder::default();
        table.push_record(["pool", "in use", "idle", "max", "waiting", "level"]);
        let hidden = pools.len().saturating_sub(MAX_ROWS);
        for pool in pools.into_iter().take(MAX_ROWS) {
            let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
            table.push_record([
                fit(&sanitise(&pool.name), 40, "..."),
                cell(pool.in_use),
                cell(pool.idle),
                cell(pool.max),
                cell(pool.waiting),
                pool.level.as_str().to_owned(),
            ]);
        }
        self.tabled(table);
        if hidden > 0 {
            self.add("2", &format!("  and {hidden} more"));
        }
    }

    fn tabled(&mut self, table: Builder) {
        let text = table.build().with(TableStyle::blank()).to_string();
        for line in text.lines() {
            self.add("", &format!(" {line}"));
        }
    }
}

/// The answer in one line.
pub(super) fn headline(r: &ResourceOutcome) -> String {
    let mut line = format!("{}  {}", shout(r.verdict), place(r));
    match r.now.filter(|v| v.is_finite()) {
        Some(now) => line.push_str(&format!(": {} held", amount(r, now))),
        None => line.push_str(": count unknown"),
    }
    if let Some(p) = r.per_minute {
        let ends = format!("{}-{}", amount(r, p.low), amount(r, p.high));
        line.push_str(&format!(", {}/min ({ends})", signed(r, p.value)));
    }
    if let Some(t) = r.seconds_to_limit {
        match t.latest {
            Some(latest) => line.push_str(&format!(", limit in {}", durations(t.earliest, latest))),
            None => line.push_str(&format!(", limit in {} at the earliest", duration(t.earliest))),
        }
    }
    line
}

/// The colour of a diagnosis.
fn severe(severity: Severity) -> &'static str {
    if severity == Severity::Error { "1;31" } else { "1;33" }
}

/// Whether a finding only moved to the group above or below: then it has not ended.
fn moved(change: &FindingChange, changes: &[FindingChange]) -> bool {
    let path = |c: &FindingChange| c.resource.group.clone();
    change.what == ChangeKind::Cleared
        && changes.iter().any(|other| {
            other.what == ChangeKind::Opened
                && (other.target, &other.resource.kind) == (change.target, &change.resource.kind)
                && path(other).iter().zip(path(change)).all(|(a, b)| *a == b)
        })
}

pub(super) fn words(verdict: Verdict) -> String {
    verdict.as_str().replace('_', " ")
}

pub(super) fn shout(verdict: Verdict) -> String {
    match verdict {
        Verdict::InsufficientData => "NO VERDICT YET".to_owned(),
        other => words(other).to_uppercase(),
    }
}

fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Leaking => "1;31",
        Verdict::Suspect | Verdict::GrowingInUse => "1;33",
        Verdict::Stable | Verdict::Cleared => "1;32",
        _ => "1;36",
    }
}

/// Where in the groups a resource stands.
pub(super) fn place(r: &ResourceOutcome) -> String {
    let kind = r.kind.as_ref().unwrap_or(&r.resource);
    // A socket's role says that it is one.
    let kind = (kind != "socket" || r.group.is_empty()).then_some(kind);
    kind.into_iter().chain(&r.group).cloned().collect::<Vec<_>>().join(" > ")
}

/// Name in the table, where kinds stand indented below their resource.
pub(super) fn table_name(r: &ResourceOutcome) -> String {
    match &r.kind {
        Some(kind) if *kind != r.resource => format!("  {kind}"),
        _ => r.resource.clone(),
    }
}

pub(super) fn amount(r: &ResourceOutcome, value: f64) -> String {
    if r.resource == "rss" { bytes(value) } else { short(value) }
}

pub(super) fn signed(r: &ResourceOutcome, value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", amount(r, value))
}

pub(super) fn name(target: &TargetOutcome) -> &str {
    if target.facts.name.is_empty() { "unnamed target" } else { &target.facts.name }
}

pub(super) fn pids(pids: &[u32]) -> String {
    let mut text: Vec<_> = pids.iter().take(8).map(u32::to_string).collect();
    if pids.is_empty() {
        text.push("unknown".to_owned());
    } else if pids.len() > 8 {
        text.push(format!("and {} more", pids.len() - 8));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn shown(outcome: &Outcome, style: Style) -> String {
        let mut out = Vec::new();
        human_summary(outcome, style, &mut out).expect("a vector takes all");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn answer_comes_first() {
        let text = shown(&samples::full(), Style { color: false, width: 120, unicode: false });
        let want = "LEAKING  tcp client > 10.0.3.7:5432 > CLOSE_WAIT: 23 held, +5.4/min (3.6-7.2), limit in 2.1-4.3 h";
        assert_eq!(text.lines().next(), Some(want));
        assert!(text.contains("unknown because") && text.contains("no verdict yet: 140 s more"));
        assert!(text.is_ascii() && !text.contains('\x1b'));
    }

    #[test]
    fn width_is_kept_and_nothing_panics_without_data() {
        for width in [0, 1, 20, 80] {
            let style = Style { color: false, width, unicode: true };
            // What can be pasted is left to the terminal to fold.
            let fits = |line: &str| line.width() <= width || line.starts_with("  next: ");
            assert!(shown(&samples::full(), style).lines().all(fits));
            assert!(shown(&samples::empty(), style).lines().all(fits));
        }
    }
}
