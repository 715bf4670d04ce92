//! What the linter found as SARIF 2.1.0, which code scanning and editors read.

mod model;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

use model::{
    ArtifactChange, ArtifactLocation, CodeFlow, Configuration, Driver, Fingerprints, Fix,
    FixProperties, FlowLocation, Invocation, Location, Log, LogicalLocation, Notification, Outcome,
    OutcomeProperties, PhysicalLocation, Place, Replacement, Rule, RuleProperties, Run, Text,
    ThreadFlow, Tool,
};

use super::base::Base;
use super::explain::{Described, filled, help_uri, severity};
use super::human::label;
use crate::catalog::model::Level;
use crate::finding::{self, LintFinding, Region, Related, Role};
use crate::lint::{Issue, Report};

/// Stands for the root of the repository, as in the logs of other tools.
const ROOT: &str = "%SRCROOT%";

/// Writes the whole log, notes included; `rules` are those that findings may be of.
///
/// # Errors
/// What `out` returns.
pub fn sarif(
    report: &Report,
    rules: &[Described<'_>],
    base: &Base,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let used: BTreeSet<&str> = report.findings.iter().map(|f| f.rule.as_str()).collect();
    let rules: Vec<&Described<'_>> =
        rules.iter().filter(|known| used.contains(known.rule.id.as_str())).collect();
    let index = |id: &str| rules.iter().position(|known| known.rule.id == id);
    let run = Run {
        tool: Tool {
            driver: Driver {
                name: env!("CARGO_PKG_NAME"),
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: rules.iter().map(|known| rule(known)).collect(),
            },
        },
        column_kind: "unicodeCodePoints",
        invocations: [Invocation {
            execution_successful: true,
            tool_execution_notifications: report
                .issues
                .iter()
                .map(|issue| notification(issue, base))
                .collect(),
        }],
        results: report.findings.iter().map(|f| outcome(f, index(&f.rule), base)).collect(),
    };
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [run],
    };
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}

fn rule<'a>(known: &Described<'a>) -> Rule<'a> {
    let rule = known.rule;
    let why = rule.why.trim();
    let help = format!("{why}\n\n{}\n\n{}", filled(&rule.help), rule.limits.trim());
    let markdown = format!(
        "{why}\n\n## What to write instead\n\n{}\n\n## Found\n\n```rust\n{}\n```\n\n## Not found\n\n\
         ```rust\n{}\n```\n\n## Limits\n\n{}\n",
        filled(&rule.help),
        unmarked(&rule.bad),
        unmarked(&rule.good),
        rule.limits.trim(),
    );
    Rule {
        id: &rule.id,
        short_description: Text::plain(filled(&rule.summary)),
        full_description: Text::plain(why),
        help: Text { text: help.into(), markdown: Some(markdown) },
        help_uri: help_uri(rule),
        default_configuration: Configuration { level: severity(rule) },
        properties: RuleProperties {
            tags: [known.family],
            // A severity is what precision was measured.
            precision: match rule.severity {
                Level::Error => "very-high",
                Level::Warning => "high",
                Level::Note => "medium",
            },
        },
    }
}

/// An example without the marks that say where the tests expect a finding.
fn unmarked(code: &str) -> String {
    let lines = code.trim().lines().map(|line| line.split("//~").next().unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

fn notification<'a>(issue: &'a Issue, base: &Base) -> Notification<'a> {
    let region = (issue.line > 0).then_some(Place {
        start_line: issue.line,
        start_column: None,
        end_line: None,
        end_column: None,
    });
    Notification {
        level: "warning",
        message: Text::plain(&*issue.message),
        locations: [location(physical(&issue.path, region, base))],
    }
}

fn outcome<'a>(f: &'a LintFinding, rule_index: Option<usize>, base: &Base) -> Outcome<'a> {
    let own = Location {
        logical_locations: logical(f),
        ..location(physical(&f.region.path, Some(place(&f.region)), base))
    };
    let on_the_way =
        |r: &&Related| matches!(r.role, Role::Configured | Role::Released | Role::Step);
    let related = f.related.iter().filter(on_the_way).enumerate();
    // The place itself, with what was seen there.
    let seen = f.seen.iter().map(|seen| Location {
        message: Some(Text::plain(seen.sentence())),
        ..location(physical(&f.region.path, Some(place(&f.region)), base))
    });
    let text: Cow<'a, str> = if f.help.is_empty() {
        Cow::Borrowed(&f.message)
    } else {
        Cow::Owned(format!("{}. Help: {}", f.message, f.help))
    };
    Outcome {
        rule_id: &f.rule,
        rule_index,
        level: f.severity.as_str(),
        message: Text::plain(text),
        locations: [own],
        related_locations: related
            .map(|(id, related)| Location { id: Some(id), ..step(related, base) })
            .chain(seen)
            .collect(),
        code_flows: code_flows(f, base),
        fixes: f.fix.iter().map(|mends| fix(mends, f, base)).collect(),
        fingerprints: Fingerprints { own: &f.fingerprint },
        properties: OutcomeProperties {
            confidence: f.confidence.as_str(),
            help: &f.help,
            package: &f.package,
            evidence: f.seen.iter().map(finding::Seen::sentence).collect(),
        },
    }
}

fn fix<'a>(fix: &'a finding::Fix, f: &LintFinding, base: &Base) -> Fix<'a> {
    let replacement = |edit: &'a finding::Edit| Replacement {
        deleted_region: place(&edit.region),
        inserted_content: Text::plain(&*edit.text),
    };
    Fix {
        description: Text::plain(&*fix.title),
        artifact_changes: [ArtifactChange {
            artifact_location: physical(&f.region.path, None, base).artifact_location,
            replacements: fix.edits.iter().map(replacement).collect(),
        }],
        properties: FixProperties { applicability: fix.applicability.as_str() },
    }
}

/// One for every exit: from where it was acquired to where it is lost.
fn code_flows<'a>(f: &'a LintFinding, base: &Base) -> Vec<CodeFlow<'a>> {
    let start = || f.related.iter().filter(|r| r.role == Role::Acquired);
    let exits = f.related.iter().filter(|r| r.role == Role::Exit);
    exits
        .map(|exit| {
            let places = start().chain([exit]);
            let locations =
                places.map(|related| FlowLocation { location: step(related, base) }).collect();
            CodeFlow { thread_flows: [ThreadFlow { locations }] }
        })
        .collect()
}

fn step<'a>(related: &'a Related, base: &Base) -> Location<'a> {
    let region = &related.region;
    Location {
        message: Some(Text::plain(label(related))),
        ..location(physical(&region.path, Some(place(region)), base))
    }
}

fn location<'a>(physical_location: PhysicalLocation) -> Location<'a> {
    Location { id: None, physical_location, logical_locations: Vec::new(), message: None }
}

fn logical(f: &LintFinding) -> Vec<LogicalLocation<'_>> {
    let (name, kind) = match (f.function.as_str(), f.module.as_str()) {
        ("", "") => return Vec::new(),
        ("", module) => (module, "module"),
        (function, _) => (function, "function"),
    };
    vec![LogicalLocation { fully_qualified_name: name, kind }]
}

fn physical(path: &str, region: Option<Place>, base: &Base) -> PhysicalLocation {
    let (uri, relative) = base.uri(path);
    let artifact_location = ArtifactLocation { uri, uri_base_id: relative.then_some(ROOT) };
    PhysicalLocation { artifact_location, region }
}

fn place(region: &Region) -> Place {
    Place {
        start_line: region.line.max(1),
        start_column: Some(region.column.max(1)),
        end_line: Some(region.end_line.max(1)),
        end_column: Some(region.end_column.max(1)),
    }
}
