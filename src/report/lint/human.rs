//! Findings for people, as rustc shows them: the lines, what is wrong there, what to write instead.

use std::io;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Snippet};
use unicode_width::UnicodeWidthStr;

use super::View;
use super::cut::{cut, cut_path};
use super::snippet::Window;
use super::summary::{family_table, issue_lines, stats_lines, summary_line};
use crate::finding::{
    Applicability, Confidence, Fix, LintFinding, Region, Related, Role, Severity,
};
use crate::lint::Report;
use crate::report::Style;
use crate::report::text::{ascii, sanitise};
use crate::report::wrap::wrap;

/// Fewest columns that text is wrapped to; what is then too wide is cut.
const LEAST: usize = 16;
/// Columns on either side that show where a long line was cut.
const LONG_LINE_MARKS: usize = 12;

/// Writes all findings, issues, and a line that sums up.
///
/// # Errors
/// What `out` returns.
pub fn human(report: &Report, view: View, out: &mut dyn io::Write) -> io::Result<()> {
    let shown = |f: &&LintFinding| view.notes || f.severity > Severity::Note;
    for finding in report.findings.iter().filter(shown) {
        write_cut(&rendered(finding, report, view.style), view.style, out)?;
        out.write_all(b"\n")?;
    }
    for line in &report.why {
        for part in wrap(&plain(line, view.style), view.style.width) {
            write_cut(&part, view.style, out)?;
        }
    }
    for line in issue_lines(report)
        .into_iter()
        .chain(view.stats.then(|| stats_lines(report)).into_iter().flatten())
    {
        for part in wrap(&plain(&line, view.style), view.style.width) {
            write_cut(&part, view.style, out)?;
        }
    }
    if view.stats {
        write_cut(&family_table(report), view.style, out)?;
    }
    for part in wrap(&summary_line(report, view), view.style.width) {
        write_cut(&part, view.style, out)?;
    }
    Ok(())
}

/// Writes text with no line wider than the terminal.
fn write_cut(text: &str, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    for line in text.lines() {
        writeln!(out, "{}", cut(line.trim_end(), style.width))?;
    }
    Ok(())
}

/// Untrusted text, fit for this terminal.
fn plain(text: &str, style: Style) -> String {
    let safe = sanitise(text);
    if style.unicode { safe.into_owned() } else { ascii(&safe) }
}

/// Text over several lines that begin behind `indent` columns.
fn block(text: &str, indent: usize, style: Style) -> String {
    wrap(&plain(text, style), style.width.saturating_sub(indent).max(LEAST)).join("\n")
}

/// One finding.
fn rendered(finding: &LintFinding, report: &Report, style: Style) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let name = finding.severity.as_str();
    let rule = plain(&finding.rule, style);
    let indent = name.len() + rule.len() + "[]: ".len();
    let title = level.primary_title(block(&finding.message, indent, style)).id(rule);
    let mut group = Group::with_title(title);
    // The widest number of a line decides where everything else begins.
    let places = std::iter::once(&finding.region).chain(finding.related.iter().map(|r| &r.region));
    let gutter = places.map(|r| r.end_line.max(r.line).to_string().len()).max().unwrap_or(1);
    let mut homeless = Vec::new();
    for places in by_file(finding) {
        let path = &places[0].region.path;
        let Region { line, column, .. } = places[0].region;
        let taken = gutter + "--> ".len() + format!(":{line}:{column}").len();
        let room = style.width.saturating_sub(taken);
        let shown = cut_path(&plain(path, style), room);
        match report.sources.get(path) {
            Some(source) => {
                let (lines, labels) = shown_lines(source, shown, &places, gutter, style);
                group = group.element(lines);
                homeless.extend(labels);
            }
            None => {
                let origin = Origin::path(shown).line(*line as usize);
                group = group.element(origin.char_column(*column as usize));
            }
        }
    }
    let indent = |label: &str| gutter + label.len() + " = : ".len();
    for text in homeless {
        // It was made harmless already; doing it again changes nothing.
        group = group.element(Level::NOTE.message(block(&text, indent("note"), style)));
    }
    if finding.confidence < Confidence::High {
        let text = "this is probable, not certain: not every type and name on the way is known";
        group = group.element(Level::NOTE.message(block(text, indent("note"), style)));
    }
    for seen in &finding.seen {
        let text = block(&seen.sentence(), indent("note"), style);
        group = group.element(Level::NOTE.message(text));
    }
    if !finding.help.is_empty() {
        let text = block(&finding.help, indent("help"), style);
        group = group.element(Level::HELP.message(text));
    }
    if let Some(fix) = &finding.fix {
        let text = block(&offer(fix), indent("help"), style);
        group = group.element(Level::HELP.message(text));
    }
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    renderer.hyperlink(false).term_width(style.width).render(&[group])
}

/// How a fix is had.
pub(in crate::report) fn offer(fix: &Fix) -> String {
    let options = match fix.applicability {
        Applicability::Safe => "--fix",
        Applicability::Unsafe => "--fix --unsafe-fixes",
    };
    format!("fixable with {options}: {}", fix.title)
}

/// A place that is underlined.
struct Marked<'a> {
    region: &'a Region,
    kind: AnnotationKind,
    label: String,
}

/// The places of a finding, one list a file, the finding's own first.
fn by_file(finding: &LintFinding) -> Vec<Vec<Marked<'_>>> {
    let mut own =
        Marked { region: &finding.region, kind: AnnotationKind::Primary, label: String::new() };
    let mut others = Vec::new();
    for related in &finding.related {
        if related.region == finding.region && own.label.is_empty() {
            // Two underlines on one place would only hide each other.
            own.label = label(related).to_owned();
        } else {
            let label = label(related).to_owned();
            others.push(Marked { region: &related.region, kind: AnnotationKind::Context, label });
        }
    }
    let mut files: Vec<Vec<Marked<'_>>> = vec![vec![own]];
    for place in others {
        match files.iter_mut().find(|file| file[0].region.path == place.region.path) {
            Some(file) => file.push(place),
            None => files.push(vec![place]),
        }
    }
    files
}

/// What stands at a place: its own words, or those of its role.
pub(in crate::report) fn label(related: &Related) -> &str {
    match related.role {
        _ if !related.label.is_empty() => &related.label,
        Role::Acquired => "begins here",
        Role::Configured => "configured here",
        Role::Step => "then here",
        Role::Exit => "left here without a release",
        Role::Released => "released on this path",
    }
}

/// The lines around the places of one file, and the labels for which they leave no room.
fn shown_lines(
    source: &str,
    path: String,
    places: &[Marked<'_>],
    gutter: usize,
    style: Style,
) -> (Snippet<'static, Annotation<'static>>, Vec<String>) {
    let first = places.iter().map(|p| p.region.line).min().unwrap_or(1);
    let last = places.iter().map(|p| p.region.end_line.max(p.region.line)).max().unwrap_or(1);
    let window = Window::new(source, first, last, style.unicode);
    let spans: Vec<_> = places.iter().map(|place| window.span(place.region)).collect();
    // Each place over several lines moves the code by two columns.
    let several = places.iter().filter(|p| p.region.line < p.region.end_line).count();
    let room = style.width.saturating_sub(gutter + " | ".len() + 2 * several);
    let left = if window.widest() > room {
        // Long lines are cut on the left, but not where something is underlined.
        let left = spans.iter().map(|span| window.columns_before(span.start)).min().unwrap_or(0);
        left.saturating_sub(LONG_LINE_MARKS)
    } else {
        0
    };
    let mut homeless = Vec::new();
    let mut annotations = Vec::new();
    for (place, span) in places.iter().zip(spans) {
        let label = plain(&place.label, style);
        let end = window.columns_before(span.end).max(window.columns_before(span.start) + 1);
        let fits = (end - left.min(end)) + 1 + label.width() <= room;
        let annotation = place.kind.span(span);
        if label.is_empty() || fits {
            annotations.push(annotation.label((!label.is_empty()).then_some(label)));
        } else {
            homeless.push(format!("{path}:{}: {label}", place.region.line));
            annotations.push(annotation);
        }
    }
    let snippet = Snippet::source(window.text).line_start(window.first as usize).path(path);
    (snippet.annotations(annotations), homeless)
}
