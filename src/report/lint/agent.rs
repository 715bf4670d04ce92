//! Findings for programs that read text and pay by the word: one line each.

use std::io;

use super::View;
use super::summary::{issue_lines, summary_line};
use crate::finding::{LintFinding, Role, Severity};
use crate::lint::Report;
use crate::report::text::sanitise;

/// Writes a line a finding, a line an issue, and a line that sums up.
///
/// # Errors
/// What `out` returns.
pub fn agent(report: &Report, view: View, out: &mut dyn io::Write) -> io::Result<()> {
    let shown = |f: &&LintFinding| view.notes || f.severity > Severity::Note;
    for finding in report.findings.iter().filter(shown) {
        writeln!(out, "{}", line(finding))?;
    }
    for line in report.why.iter().cloned().chain(issue_lines(report)) {
        writeln!(out, "{}", sanitise(&line))?;
    }
    writeln!(out, "{}", summary_line(report, view))
}

fn line(finding: &LintFinding) -> String {
    let region = &finding.region;
    let mut line = format!(
        "{}:{}:{}: {}[{}]: {}",
        sanitise(&region.path),
        region.line,
        region.column,
        finding.severity.as_str(),
        finding.rule,
        sanitise(&finding.message),
    );
    for (role, word) in [
        (Role::Configured, "configured at"),
        (Role::Step, "then at"),
        (Role::Exit, "lost at"),
        (Role::Released, "released at"),
    ] {
        let places = finding.related.iter().filter(|related| related.role == role);
        let places: Vec<String> = places
            .map(|related| match &related.region {
                // The path is said once.
                at if at.path == region.path => at.line.to_string(),
                at => format!("{}:{}", sanitise(&at.path), at.line),
            })
            .collect();
        if !places.is_empty() {
            line.push_str(&format!("; {word} {}", places.join(", ")));
        }
    }
    if !finding.function.is_empty() {
        line.push_str(&format!("; in {}", sanitise(&finding.function)));
    }
    if !finding.help.is_empty() {
        line.push_str(&format!("; fix: {}", sanitise(&finding.help)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::samples::{full, view};
    use super::*;

    fn shown(report: &Report, notes: bool) -> String {
        let mut out = Vec::new();
        agent(report, View { notes, elapsed: None, ..view(80) }, &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_format_is_frozen() {
        let want = "src/start.rs:4:17: warning[child-not-waited]: the child that `Command::spawn` \
            starts is never waited for; lost at 6; released at src/reap.rs:2; in jobs::start; \
            fix: call `wait` on every path, or `kill_on_drop`\n\
            issue: src/x.rs:12: could not parse: expected `;`; this function was skipped\n\
            issue: src/y.rs: could not read: permission denied\n\
            1 warning (1 note not shown: --notes shows it) in 214 files, 51,202 lines; \
            3 suppressed\n";
        assert_eq!(shown(&full(), false), want);
        assert_eq!(shown(&full(), true).lines().count(), 5);
    }

    #[test]
    fn a_finding_stays_on_its_line() {
        let mut report = full();
        report.findings[0].message = "a\nb\x1b[2J".to_owned();
        report.findings[0].region.path = "x\ny.rs".into();
        let text = shown(&report, false);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(!text.contains('\x1b'));
    }
}
