//! What people see: frozen once, then with every hostile source that came to mind.

use std::sync::Arc;

use proptest::prelude::*;

use super::cut::columns;
use super::samples::{finding, full, region, view};
use super::{View, human};
use crate::finding::{Related, Role, Severity};
use crate::lint::Report;
use crate::report::Style;

fn shown(report: &Report, view: View) -> String {
    let mut out = Vec::new();
    human(report, view, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn a_finding_over_two_files_is_frozen() {
    let want = r#"warning[child-not-waited]: the child that `Command::spawn` starts is never waited for
 --> src/start.rs:4:17
  |
4 |     let child = Command::new("sh").arg(job).spawn().ok()?;
  |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ started here
5 |     if job.is_empty() {
6 |         return None;
  |         ----------- left here without a release
  |
 ::: src/reap.rs:2:13
  |
2 |     let _ = child.wait();
  |             ------------ waited for here
  |
  = note: this is probable, not certain: not every type and name on the way is known
  = note: seen leaking in jobs \u{1b}[31m: 9 of child opened in this function (jobs::start
          /build/src/start.rs:4)
  = help: call `wait` on every path, or `kill_on_drop`
  = help: fixable with --fix --unsafe-fixes: write `….status(…)`

issue: src/x.rs:12: could not parse: expected `;`; this function was skipped
issue: src/y.rs: could not read: permission denied
1 warning (1 note not shown: --notes shows it) in 214 files, 51,202 lines, 0.31 s; 3 suppressed
"#;
    assert_eq!(shown(&full(), view(100)), want);
}

#[test]
fn notes_are_shown_on_request() {
    let text = shown(&full(), View { notes: true, ..view(100) });
    assert!(text.contains("note[result-dropped]: "), "{text}");
    assert!(text.contains("\n1 warning, 1 note in 214 files"), "{text}");
    assert!(!text.contains("--notes"), "{text}");
}

#[test]
fn a_clean_run_is_one_line() {
    let mut report = Report::default();
    (report.stats.files, report.stats.lines) = (1, 1_000);
    assert_eq!(shown(&report, view(100)), "nothing found in 1 file, 1,000 lines, 0.31 s\n");
    assert_eq!(shown(&Report::default(), view(100)), "no Rust source was analysed\n");
}

#[test]
fn stats_come_on_request() {
    let text = shown(&full(), View { stats: true, ..view(100) });
    for line in [
        "stats: 2 packages, 3,100 functions",
        "stats: candidates released: 40",
        "stats: skipped files generated: 1",
        "stats: time parse: 120.0 ms",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
}

#[test]
fn colour_changes_nothing_else() {
    let style = Style { color: true, ..view(60).style };
    let colored = shown(&full(), View { style, ..view(60) });
    assert!(colored.contains("\x1b["));
    let mut bare = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        bare.push_str(before);
        rest = after.split_once(|c: char| c.is_ascii_alphabetic()).expect("a whole sequence").1;
    }
    bare.push_str(rest);
    let trimmed = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&bare), trimmed(&shown(&full(), view(60))));
}

/// One finding and one related place on a text.
fn report_on(source: &str, at: [u32; 4], other: [u32; 4]) -> Report {
    let place = |[line, column, end_line, end_column]: [u32; 4]| crate::finding::Region {
        end_line,
        ..region("a\x1b[2J.rs", line, column, end_column)
    };
    let mut found = finding(place(at), Severity::Error);
    found.message = "evil \x1b]0;title\x07 message \u{202e}".to_owned();
    found.help = "help\nwith\rcontrols\x1b[31m".to_owned();
    found.related =
        vec![Related { region: place(other), role: Role::Exit, label: "la\x1bbel\n".to_owned() }];
    let mut report = Report { findings: vec![found], ..Report::default() };
    report.sources.insert(Arc::from("a\x1b[2J.rs"), Arc::from(source));
    report
}

/// Nothing acts on the terminal, and nothing is wider than it.
fn is_harmless(text: &str, width: usize) -> bool {
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    !text.chars().any(hidden) && text.lines().all(|line| columns(line) <= width)
}

#[test]
fn hostile_sources_are_shown_harmless() {
    let long = "x".repeat(5_000);
    let sources = [
        "",
        "\n",
        "\r\n\r\n",
        "let a = 1;",
        "\tlet\ta = \x1b[31m\"\u{202e}\"; // \x07\x08\u{200b}\u{feff}\n\tb();\r\n",
        "日本語 = \"👩‍👩‍👧\"; e\u{301}\u{301}\n",
        "a\rb\rc\n",
        "\u{2028}\u{85}\0\n",
        &long,
    ];
    let places = [
        [1, 1, 1, 1],
        [1, 5, 1, 9],
        [1, 1, 2, 3],
        [9, 9, 9, 9],
        [2, 1, 1, 1],
        [0; 4],
        [u32::MAX; 4],
    ];
    for source in sources {
        for at in places {
            for other in places {
                for width in [20, 80] {
                    let text = shown(&report_on(source, at, other), view(width));
                    assert!(is_harmless(&text, width), "{source:?} {at:?} {other:?}: {text}");
                }
            }
        }
    }
}

#[test]
fn underlines_stand_below_what_they_mean() {
    let report = report_on("\tsay(\"日本\x1b\", leak());", [1, 13, 1, 19], [1, 2, 1, 5]);
    let text = shown(&report, view(80));
    let line = text.lines().find(|l| l.contains("leak()")).expect("the line");
    let below = text.lines().find(|l| l.contains("^^^")).expect("the underline");
    let before = |line: &str, mark: &str| columns(&line[..line.find(mark).expect("mark")]);
    assert_eq!(before(line, "leak()"), before(below, "^^^"));
    assert!(text.contains(":1:13"), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut report = full();
    report.sources.clear();
    let text = shown(&report, view(100));
    assert!(text.contains("src/start.rs:4:17"), "{text}");
}

#[test]
fn a_place_survives_a_long_path() {
    let mut report = full();
    report.findings[0].region.path = Arc::from("a/very/long/path/that/goes/on/start.rs");
    let text = shown(&report, view(30));
    assert!(text.contains("start.rs:4:17\n"), "{text}");
}

#[test]
fn labels_without_room_become_notes() {
    let mut report = full();
    report.findings[0].related[1].label = "many words about this exit ".repeat(3);
    let text = shown(&report, view(60));
    let want = "  = note: src/start.rs:6: many words about this exit many\n          words about";
    assert!(text.contains(want), "{text}");
    let long = report_on(&"call(xxx, yyy); ".repeat(20), [1, 161, 1, 165], [1, 177, 1, 181]);
    let text = shown(&long, view(80));
    assert!(text.contains("^^^^            ---- la\\u{1b}bel"), "{text}");
}

proptest! {
    #[test]
    fn nothing_panics(
        source in "[a-z\\x00-\\x1f日\u{202e}\u{301}(){}]{0,60}",
        at in prop::array::uniform4(0u32..12),
        other in prop::array::uniform4(0u32..70),
        width in 0usize..60,
    ) {
        let text = shown(&report_on(&source, at, other), view(width));
        prop_assert!(is_harmless(&text, width), "{text}");
        let style = Style { color: true, unicode: false, width };
        let text = shown(&report_on(&source, at, other), View { style, ..view(width) });
        prop_assert!(text.is_ascii());
    }
}
