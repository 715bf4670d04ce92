//! Findings for people, as rustc shows them: the lines, what is wrong there, what to write instead.

use std::io;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Snippet};

use super::View;
use super::cut::{cut, cut_path};
use super::snippet::Window;
use super::summary::{issue_lines, stats_lines, summary_line};
use crate::finding::{Confidence, LintFinding, Region, Related, Role, Severity};
use crate::lint::Report;
use crate::report::Style;
use crate::report::text::{ascii, sanitise};
use crate::report::wrap::wrap;

/// Fewest columns that text is wrapped to; what is then too wide is cut.
const LEAST: usize = 16;

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
    for line in issue_lines(report)
        .into_iter()
        .chain(view.stats.then(|| stats_lines(report)).into_iter().flatten())
    {
        for part in wrap(&plain(&line, view.style), view.style.width) {
            write_cut(&part, view.style, out)?;
        }
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
    for places in by_file(finding) {
        let path = &places[0].region.path;
        let room = style.width.saturating_sub(gutter + "--> :: ".len() + 2 * gutter.max(3));
        let shown = cut_path(&plain(path, style), room);
        match report.sources.get(path) {
            Some(source) => group = group.element(shown_lines(source, shown, &places, style)),
            None => {
                let region = places[0].region;
                let origin = Origin::path(shown).line(region.line as usize);
                group = group.element(origin.char_column(region.column as usize));
            }
        }
    }
    let indent = |label: &str| gutter + label.len() + " = : ".len();
    if finding.confidence < Confidence::High {
        let text = "this is probable, not certain: not every type and name on the way is known";
        group = group.element(Level::NOTE.message(block(text, indent("note"), style)));
    }
    if !finding.help.is_empty() {
        let text = block(&finding.help, indent("help"), style);
        group = group.element(Level::HELP.message(text));
    }
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    renderer.hyperlink(false).term_width(style.width).render(&[group])
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
fn label(related: &Related) -> &str {
    match related.role {
        _ if !related.label.is_empty() => &related.label,
        Role::Acquired => "begins here",
        Role::Configured => "configured here",
        Role::Step => "then here",
        Role::Exit => "left here without a release",
        Role::Released => "released on this path",
    }
}

/// The lines around the places of one file.
fn shown_lines(
    source: &str,
    path: String,
    places: &[Marked<'_>],
    style: Style,
) -> Snippet<'static, Annotation<'static>> {
    let first = places.iter().map(|p| p.region.line).min().unwrap_or(1);
    let last = places.iter().map(|p| p.region.end_line.max(p.region.line)).max().unwrap_or(1);
    let window = Window::new(source, first, last, style.unicode);
    let annotations: Vec<_> = places
        .iter()
        .map(|place| {
            let label = (!place.label.is_empty()).then(|| plain(&place.label, style));
            place.kind.span(window.span(place.region)).label(label)
        })
        .collect();
    Snippet::source(window.text)
        .line_start(window.first as usize)
        .path(path)
        .annotations(annotations)
}
