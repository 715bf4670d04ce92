//! Shows what a rule is about: why, what it finds, examples, limits.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::cut::cut;
use crate::catalog::Snippet;
use crate::catalog::model::{Example, Level, Rule, Status};
use crate::report::Style;
use crate::report::text::{ascii, sanitise};
use crate::report::wrap::wrap;

/// A rule and the folder it lies in.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// Folder under `rules/lint/`: `process`, `fd`, `timeout`, …
    pub family: &'a str,
    /// The rule.
    pub rule: &'a Rule,
}

/// The name of a severity as rule files write it.
pub(super) fn severity(rule: &Rule) -> &'static str {
    level(rule.severity)
}

/// What else silences it.
pub(super) fn allowed_by(rule: &Rule) -> String {
    let lints: Vec<String> = rule.clippy.iter().map(|lint| format!("clippy::{lint}")).collect();
    format!("silent where {} is allowed", lints.join(" or "))
}

/// The name of a severity.
pub(in crate::report) fn level(level: Level) -> &'static str {
    match level {
        Level::Note => "note",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// The name of a status as rule files write it.
pub(super) fn status(rule: &Rule) -> &'static str {
    maturity(rule.status)
}

/// The name of a status.
pub(in crate::report) fn maturity(status: Status) -> &'static str {
    match status {
        Status::Stable => "stable",
        Status::Preview => "preview",
    }
}

/// `{item}` and its like stand for what a finding is about; here they are shown as such words.
pub(super) fn filled(text: &str) -> String {
    let text = text.replace("`{item}`", "{item}").replace("{item}", "the call");
    let text = text.replace("{function}", "the function").replace("{bound}", "the bound");
    text.replace("{other}", "the other")
}

/// The page that says most about a rule, when one can be opened.
#[must_use]
pub fn help_uri(rule: &Rule) -> Option<&str> {
    let is_page = |uri: &&String| uri.starts_with("https://") && !uri.contains(char::is_whitespace);
    rule.references.iter().find(is_page).map(String::as_str)
}

/// Writes everything about a rule.
///
/// # Errors
/// What `out` returns.
pub fn explain(
    Described { family, rule }: Described<'_>,
    style: Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut page = Page { style, out };
    let head = format!("{}: {}", rule.id, filled(&rule.summary));
    page.text("1", "", &head)?;
    let (severity, status) = (severity(rule), status(rule));
    let facts = format!("{family}, {severity}, {status}, since {}", rule.since);
    page.text("2", "", &facts)?;
    if !rule.aliases.is_empty() {
        page.text("2", "", &format!("also called {}", rule.aliases.join(", ")))?;
    }
    if !rule.clippy.is_empty() {
        page.text("2", "", &allowed_by(rule))?;
    }
    page.section("Why", &rule.why)?;
    page.section("What to write instead", &rule.help)?;
    for snippet in rule.snippets() {
        page.code(&snippet)?;
    }
    page.section("Limits", &rule.limits)?;
    if !rule.references.is_empty() {
        page.section("Seen in", &rule.references.join("\n\n"))?;
    }
    let silence = format!(
        "To silence one place, write `// poolscan: allow({}, reason = \"why\")` on its line or above it.",
        rule.id
    );
    page.section("", &silence)
}

/// Writes lines of one style.
pub(in crate::report) struct Page<'a> {
    pub(in crate::report) style: Style,
    pub(in crate::report) out: &'a mut dyn io::Write,
}

impl Page<'_> {
    pub(in crate::report) fn line(&mut self, tone: &str, text: &str) -> io::Result<()> {
        let text = cut(text, self.style.width);
        if self.style.color && !tone.is_empty() {
            writeln!(self.out, "\x1b[{tone}m{text}\x1b[0m")
        } else {
            writeln!(self.out, "{text}")
        }
    }

    fn plain(&self, text: &str) -> String {
        let safe = sanitise(text);
        if self.style.unicode { safe.into_owned() } else { ascii(&safe) }
    }

    /// A paragraph behind an indent; white space in it only separates words.
    pub(in crate::report) fn text(
        &mut self,
        tone: &str,
        indent: &str,
        text: &str,
    ) -> io::Result<()> {
        let width = self.style.width.saturating_sub(indent.len());
        // Words are made harmless one by one: a whole paragraph would be cut.
        let words: Vec<_> = text.split_whitespace().map(|word| self.plain(word)).collect();
        for line in wrap(&words.join(" "), width) {
            self.line(tone, &format!("{indent}{line}"))?;
        }
        Ok(())
    }

    pub(in crate::report) fn section(&mut self, title: &str, text: &str) -> io::Result<()> {
        if text.trim().is_empty() {
            return Ok(());
        }
        self.line("", "")?;
        if !title.is_empty() {
            self.line("1", title)?;
        }
        let indent = if title.is_empty() { "" } else { "  " };
        // Empty lines separate paragraphs, as in the rule files.
        for (index, paragraph) in text.trim().split("\n\n").enumerate() {
            let is_list = title == "Seen in";
            if index > 0 && !is_list {
                self.line("", "")?;
            }
            self.text("", indent, paragraph)?;
        }
        Ok(())
    }

    fn code(&mut self, snippet: &Snippet<'_>) -> io::Result<()> {
        if snippet.source.trim().is_empty() {
            return Ok(());
        }
        self.line("", "")?;
        self.line("1", &snippet.title())?;
        for (code, marked) in snippet.lines() {
            let line = self.plain(&code.replace('\t', "    "));
            let sign = if marked { "  > " } else { "    " };
            self.line("", format!("{sign}{line}").trim_end())?;
        }
        Ok(())
    }
}

/// JSON: a rule in the list of all rules.
#[derive(Serialize)]
pub(super) struct Short<'a> {
    id: &'a str,
    family: &'a str,
    severity: &'static str,
    status: &'static str,
    since: &'a str,
    aliases: &'a [String],
    clippy: &'a [String],
    summary: &'a str,
}

impl<'a> Short<'a> {
    pub(super) fn new(Described { family, rule }: Described<'a>) -> Self {
        Self {
            id: &rule.id,
            family,
            severity: severity(rule),
            status: status(rule),
            since: &rule.since,
            aliases: &rule.aliases,
            clippy: &rule.clippy,
            summary: &rule.summary,
        }
    }
}

/// JSON: everything about a rule.
#[derive(Serialize)]
struct Long<'a> {
    #[serde(flatten)]
    short: Short<'a>,
    help: &'a str,
    why: &'a str,
    limits: &'a str,
    references: &'a [String],
    bad: &'a str,
    good: &'a str,
    examples: Vec<LongExample<'a>>,
}

/// JSON: an example with versions of its own.
#[derive(Serialize)]
struct LongExample<'a> {
    deps: &'a BTreeMap<String, String>,
    bad: Option<&'a str>,
    good: Option<&'a str>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    rule: Long<'a>,
}

fn long_example(example: &Example) -> LongExample<'_> {
    LongExample { deps: &example.deps, bad: example.bad.as_deref(), good: example.good.as_deref() }
}

/// Writes everything about a rule as one document `poolscan.explain/1`.
///
/// # Errors
/// What `out` returns.
pub fn explain_json(described: Described<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let rule = described.rule;
    let rule = Long {
        short: Short::new(described),
        help: &rule.help,
        why: &rule.why,
        limits: &rule.limits,
        references: &rule.references,
        bad: &rule.bad,
        good: &rule.good,
        examples: rule.examples.iter().map(long_example).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &Document { schema: "poolscan.explain/1", rule })?;
    out.write_all(b"\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::cut::columns;
    use super::*;

    /// A made-up rule.
    pub(in crate::report::lint) fn rule() -> Rule {
        toml::from_str(
            r##"
            id = "child-not-waited"
            engine = "must-release"
            class = "child"
            severity = "warning"
            status = "stable"
            since = "0.2.0"
            aliases = ["zombie"]
            summary = "a child from `{item}` that is never waited for"
            message = "the child of `{item}` is never waited for"
            help = "call `wait` on every path"
            why = """
            Until its parent waits for it, an ended child stays a zombie and keeps its pid. A server that forgets
            them runs out of pids.

            A second paragraph.
            """
            limits = "Children that are stored in a field are left alone."
            references = ["https://example.org/a", "https://example.org/b"]
            bad = """
            fn f() {
            	let _ = Command::new("sh").spawn(); //~
            }
            """
            good = "fn f() {}"
            "##,
        )
        .expect("a rule")
    }

    fn shown(width: usize, color: bool) -> String {
        let mut out = Vec::new();
        let rule = rule();
        let described = Described { family: "process", rule: &rule };
        explain(described, Style { color, width, unicode: false }, &mut out).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn everything_is_shown() {
        let text = shown(80, false);
        let start = "child-not-waited: a child from the call that is never waited for\n\
                     process, warning, stable, since 0.2.0\nalso called zombie\n\nWhy\n  Until its";
        assert!(text.starts_with(start), "{text}");
        let indent = " ".repeat(12);
        for part in [
            format!("\nFound\n    {indent}fn f() {{\n  > "),
            "\nNot found\n    fn f() {}\n\nLimits\n  Children that".to_owned(),
            "\nSeen in\n  https://example.org/a\n  https://example.org/b\n".to_owned(),
            "allow(child-not-waited, reason =".to_owned(),
        ] {
            assert!(text.contains(&part), "{part} in {text}");
        }
        assert!(!text.contains("//~") && !text.contains('\t'));
    }

    #[test]
    fn width_is_kept() {
        for width in [0, 1, 20, 40, 200] {
            for color in [false, true] {
                assert!(shown(width, color).lines().all(|line| columns(line) <= width));
            }
        }
    }

    #[test]
    fn the_document_has_these_fields() {
        let rule = rule();
        let mut out = Vec::new();
        explain_json(Described { family: "process", rule: &rule }, &mut out).expect("written");
        let document: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(document["schema"], "poolscan.explain/1");
        let fields: Vec<_> = document["rule"].as_object().expect("fields").keys().collect();
        let want = "aliases bad clippy examples family good help id limits references severity since status \
                    summary why";
        let mut sorted = fields.iter().map(|f| f.as_str()).collect::<Vec<_>>();
        sorted.sort_unstable();
        assert_eq!(sorted.join(" "), want);
    }
}
