//! Findings as annotations of GitHub: workflow commands that its runner reads from the log.

use std::io;

use super::View;
use super::base::Base;
use super::summary::summary_line;
use crate::finding::{LintFinding, Severity};
use crate::lint::Report;
use crate::report::text::sanitise;

/// Annotations of one kind that GitHub takes from a step; it drops the others silently.
const CAP: usize = 10;

/// Writes the worst findings as annotations, ten of each kind at most, and one that sums up.
///
/// # Errors
/// What `out` returns.
pub fn github(report: &Report, view: View, base: &Base, out: &mut dyn io::Write) -> io::Result<()> {
    let kinds = [
        (Severity::Error, "error", CAP),
        (Severity::Warning, "warning", CAP),
        // One is left for the sum.
        (Severity::Note, "notice", if view.notes { CAP - 1 } else { 0 }),
    ];
    let (mut shown, mut hidden) = (0, 0);
    for (severity, kind, cap) in kinds {
        let of_kind: Vec<&LintFinding> =
            report.findings.iter().filter(|f| f.severity == severity).collect();
        for finding in of_kind.iter().take(cap) {
            annotation(kind, finding, base, out)?;
        }
        shown += of_kind.len().min(cap);
        // Notes that nobody asked for are counted by the sum already.
        hidden += if cap == 0 { 0 } else { of_kind.len().saturating_sub(cap) };
    }
    if shown == 0 {
        return writeln!(out, "{}", data(&summary_line(report, view)));
    }
    let mut sum = summary_line(report, view);
    if hidden > 0 {
        sum.push_str(&format!(
            "; {hidden} without an annotation, because GitHub takes {CAP} a kind"
        ));
    }
    writeln!(out, "::notice title=poolscan::{}", data(&sum))
}

fn annotation(
    kind: &str,
    finding: &LintFinding,
    base: &Base,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let region = &finding.region;
    let mut place = format!(
        "file={},line={},endLine={}",
        property(&base.path(&region.path)),
        region.line,
        region.end_line
    );
    // Columns over several lines are refused.
    if region.line == region.end_line {
        place.push_str(&format!(",col={},endColumn={}", region.column, region.end_column));
    }
    let title = property(&format!("poolscan: {}", finding.rule));
    let text = format!("{}\n{}", sanitise(&finding.message), sanitise(&finding.help));
    writeln!(out, "::{kind} {place},title={title}::{}", escaped(text.trim_end()))
}

/// Text that may be hostile, for behind the `::`.
fn data(text: &str) -> String {
    escaped(&sanitise(text))
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text for the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{finding, full, region, view};
    use super::*;

    fn shown(report: &Report, notes: bool) -> String {
        let mut out = Vec::new();
        let view = View { notes, elapsed: None, ..view(80) };
        github(report, view, &Base::new("/r/sub", "/r"), &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_format_is_frozen() {
        let want = "::warning file=sub/src/start.rs,line=4,endLine=4,col=17,endColumn=52,\
            title=poolscan%3A child-not-waited::the child that `Command::spawn` starts is never \
            waited for%0Acall `wait` on every path, or `kill_on_drop`\n\
            ::notice title=poolscan::1 warning (1 note not shown: --notes shows it) in 214 files, \
            51,202 lines; 3 suppressed\n";
        assert_eq!(shown(&full(), false), want);
        assert_eq!(shown(&full(), true).lines().count(), 3);
    }

    #[test]
    fn worst_first_and_ten_of_a_kind() {
        let mut report = full();
        for line in 1..=25 {
            for severity in [Severity::Note, Severity::Warning, Severity::Error] {
                report.findings.push(finding(region("a.rs", line, 1, 2), severity));
            }
        }
        let text = shown(&report, true);
        let kinds: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        let want = [("::error", 10), ("::warning", 10), ("::notice", 10)];
        let want: Vec<&str> =
            want.iter().flat_map(|&(kind, count)| std::iter::repeat_n(kind, count)).collect();
        assert_eq!(kinds, want);
        assert!(text.contains("; 48 without an annotation"), "{text}");
    }

    #[test]
    fn nothing_found_is_a_plain_line() {
        let mut report = full();
        report.findings.clear();
        assert!(shown(&report, false).starts_with("nothing found in 214 files"));
    }

    #[test]
    fn nothing_begins_a_command_of_its_own() {
        let mut report = full();
        report.findings[0].message = "a\n::error::b\r\n%0A".to_owned();
        report.findings[0].region.path = "a,line=9::\n.rs".into();
        let text = shown(&report, false);
        assert!(text.contains("a\\u{a}::error::b\\u{d}\\u{a}%250A"), "{text}");
        assert!(text.contains("file=sub/a%2Cline=9%3A%3A\\u{a}.rs,"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}
