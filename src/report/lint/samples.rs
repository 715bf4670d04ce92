//! Made-up reports for tests of the renderers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::View;
use crate::finding::{
    Applicability, Confidence, Edit, Fix, LintFinding, Region, Related, Relation, Role, Seen,
    Severity,
};
use crate::lint::{Issue, Report, Scope, Skipped, Stats};
use crate::report::Style;

/// The file in which the child is started.
pub(super) const START: &str = "use std::process::Command;\n\nfn start(job: &str) -> Option<u32> \
    {\n    let child = Command::new(\"sh\").arg(job).spawn().ok()?;\n    if job.is_empty() {\n        \
    return None;\n    }\n    reap(child);\n    Some(1)\n}\n";

/// The file in which it is waited for.
pub(super) const REAP: &str = "pub fn reap(mut child: Child) {\n    let _ = child.wait();\n}\n";

/// Without colours, with a time.
pub(super) fn view(width: usize) -> View {
    View {
        style: Style { color: false, width, unicode: true },
        notes: false,
        stats: false,
        elapsed: Some(Duration::from_millis(310)),
    }
}

/// A place on one line.
pub(super) fn region(path: &str, line: u32, column: u32, end_column: u32) -> Region {
    Region { path: Arc::from(path), line, column, end_line: line, end_column, bytes: (0, 0) }
}

/// A finding at a place.
pub(super) fn finding(region: Region, severity: Severity) -> LintFinding {
    LintFinding {
        region,
        rule: "child-not-waited".to_owned(),
        defect: String::new(),
        family: "process".to_owned(),
        severity,
        confidence: Confidence::High,
        package: Arc::from("jobs"),
        module: "jobs".to_owned(),
        function: "jobs::start".to_owned(),
        subject: "spawn()".to_owned(),
        message: "the child that `Command::spawn` starts is never waited for".to_owned(),
        help: "call `wait` on every path, or `kill_on_drop`".to_owned(),
        related: Vec::new(),
        fix: None,
        fingerprint: "72f12db904d70f6c".to_owned(),
        seen: Vec::new(),
    }
}

/// A finding over two files, a note, two issues.
pub(in crate::report) fn full() -> Report {
    let related = |region, role, label: &str| Related { region, role, label: label.to_owned() };
    let own = region("src/start.rs", 4, 17, 52);
    let mut leak = finding(own.clone(), Severity::Warning);
    leak.confidence = Confidence::Medium;
    leak.seen = vec![Seen {
        relation: Relation::Function,
        target: "jobs \x1b[31m".to_owned(),
        group: "child".to_owned(),
        place: "jobs::start /build/src/start.rs:4".to_owned(),
        survivors: 9,
    }];
    leak.fix = Some(Fix {
        applicability: Applicability::Unsafe,
        title: "write `….status(…)`".to_owned(),
        edits: vec![Edit {
            region: region("src/start.rs", 4, 42, 47),
            file_bytes: (107, 112),
            text: "status".to_owned(),
        }],
    });
    leak.related = vec![
        related(own, Role::Acquired, "started here"),
        related(region("src/start.rs", 6, 9, 20), Role::Exit, ""),
        related(region("src/reap.rs", 2, 13, 25), Role::Released, "waited for here"),
    ];
    let mut note = finding(region("src/reap.rs", 2, 5, 8), Severity::Note);
    note.rule = "result-dropped".to_owned();
    note.help = String::new();
    let issue = |path: &str, line, message: &str| Issue {
        path: Arc::from(path),
        line,
        message: message.to_owned(),
    };
    Report {
        findings: vec![leak, note],
        issues: vec![
            issue("src/x.rs", 12, "could not parse: expected `;`; this function was skipped"),
            issue("src/y.rs", 0, "could not read: permission denied"),
        ],
        sources: BTreeMap::from([
            (Arc::from("src/start.rs"), Arc::from(START)),
            (Arc::from("src/reap.rs"), Arc::from(REAP)),
        ]),
        skipped: vec![Skipped { path: Arc::from("src/bindings.rs"), reason: "generated" }],
        scope: Scope::default(),
        why: Vec::new(),
        stats: Stats {
            packages: 2,
            files: 214,
            lines: 51_202,
            bodies: 3_100,
            outcomes: BTreeMap::from([("reported", 2), ("released", 40)]),
            suppressed: 3,
            in_baseline: 0,
            unchanged: 0,
            times: BTreeMap::from([("parse", Duration::from_millis(120))]),
        },
    }
}
