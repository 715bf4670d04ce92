//! Which sources of evidence work, as a page or as a document `poolscan.doctor/1`.

use std::io;

use serde::Serialize;

use super::Style;
use super::lint::explain::Page;
use crate::live::checkup::{Check, Works};

/// Columns of the first two words of a line.
const INDENT: &str = "                          ";

/// Writes what was tried, a paragraph each.
///
/// # Errors
/// What `out` returns.
pub fn doctor(checks: &[Check], style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page { style, out };
    for check in checks {
        let tone = match check.works {
            Works::Yes => "32",
            Works::Partly => "33",
            Works::No => "31",
        };
        page.line(tone, &format!("{:<18}{}", check.name, check.works.as_str()))?;
        page.text("", INDENT, &check.detail)?;
        if check.works == Works::Yes {
            continue;
        }
        page.text("", INDENT, &format!("would add: {}", check.adds))?;
        if let Some(fix) = &check.fix {
            page.text("1", INDENT, &format!("fix: {fix}"))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    checks: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    works: &'static str,
    detail: &'a str,
    fix: Option<&'a str>,
    adds: &'a str,
}

/// Writes one document `poolscan.doctor/1`.
///
/// # Errors
/// What `out` returns.
pub fn doctor_json(checks: &[Check], out: &mut dyn io::Write) -> io::Result<()> {
    let checks = checks
        .iter()
        .map(|check| Entry {
            name: check.name,
            works: check.works.as_str(),
            detail: &check.detail,
            fix: check.fix.as_deref(),
            adds: check.adds,
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &Document { schema: "poolscan.doctor/1", checks })?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_work_comes_with_its_fix() {
        let check = Check {
            name: "handles",
            works: Works::No,
            detail: "refused\u{1b}[2J".to_owned(),
            fix: Some("run as root".to_owned()),
            adds: "everything",
        };
        let mut out = Vec::new();
        let style = Style { color: false, width: 80, unicode: false };
        doctor(std::slice::from_ref(&check), style, &mut out).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("fix: run as root") && !text.contains('\u{1b}'), "{text}");
        let mut out = Vec::new();
        doctor_json(&[check], &mut out).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(document["checks"][0]["works"], "no");
    }
}
