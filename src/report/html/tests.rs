//! What every page keeps: nothing hostile acts, nothing is fetched, size is bounded.

use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::live::facts::{
    Basis, ConnectionCounts, Fact, HandleFacts, HandleId, PoolReading, TargetId,
};
use crate::live::life_spans::LifeSpans;
use crate::live::outcome::PoolLevel;
use crate::live::watch::{Settings, Watch};
use crate::report::samples;

/// Names that would act in HTML, in attributes, in styles and on terminals.
const HOSTILE: [&str; 6] = [
    "</title></style><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% include 'x' %}",
    "&lt;b&gt;\u{202e}\x1b[2J\0",
    "https://evil.example/x.js",
];

fn open(id: u64, name: &str) -> Fact {
    let facts = HandleFacts {
        role: name.into(),
        peer: format!("{name} {id}").into(),
        label: name.into(),
        ..HandleFacts::of_kind("socket")
    };
    let (target, id) = (TargetId(0), HandleId(id));
    Fact::Open { at: 0, target, id, pre: false, start_up: false, facts: Arc::new(facts) }
}

/// The page of facts as they come.
fn page(facts: &[Fact]) -> String {
    let mut watch = Watch::new(Settings::default());
    let mut history = History::default();
    let changes = watch.step(facts);
    history.take(facts, &changes);
    let outcome = watch.outcome();
    history.finish(outcome.now);
    watch_page(&outcome, &history, "poolscan replay '<script>'").expect("a page")
}

/// No tag and no attribute but those of our templates: names stand in texts and in quoted values.
#[track_caller]
fn inert(page: &str) {
    for word in ["<script", "<img", "<iframe", "<a href=\"http", "url(", "@import"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(!page.contains(['\x1b', '\0', '\u{202e}']));
    // Outside of tags there is no `<` that does not begin a tag or comment of ours.
    let body = page.split_once("</style>\n</head>").expect("a style").1;
    let mut inside = false;
    let mut quoted = false;
    let mut open = vec!["html"];
    for (at, c) in body.char_indices() {
        match c {
            '"' if inside => quoted = !quoted,
            '<' => {
                let next = body[at + 1..].chars().next().unwrap_or(' ');
                assert!(!inside, "a tag within a tag: {}", &body[at..(at + 40).min(body.len())]);
                assert!(next.is_ascii_lowercase() || next == '/', "{next}");
                let end = body[at + 1..].find([' ', '>', '/', '\n']).map_or(0, |end| end + at + 1);
                let close = next == '/';
                let name = &body[at + 1..end];
                match (close, name) {
                    (true, _) => {
                        let end = body[at..].find('>').map_or(at, |end| end + at);
                        assert_eq!(open.pop(), Some(&body[at + 2..end]), "{}", &body[..end]);
                    }
                    (false, "br" | "line" | "path") => {}
                    (false, name) => open.push(name),
                }
                inside = true;
            }
            '>' if inside && !quoted => inside = false,
            _ => {}
        }
    }
    assert!(!inside && !quoted && open.is_empty(), "{open:?}");
}

#[test]
fn hostile_names_are_inert_in_watch_pages() {
    let mut facts = vec![Fact::Target {
        target: TargetId(0),
        facts: Box::new(crate::live::facts::TargetFacts {
            name: HOSTILE.concat(),
            command: HOSTILE.concat(),
            selector: HOSTILE[1].to_owned(),
            ..Default::default()
        }),
    }];
    facts.extend(HOSTILE.iter().zip(0..).map(|(name, id)| open(id, name)));
    for name in HOSTILE {
        let (target, name): (_, Arc<str>) = (TargetId(0), name.into());
        let text = Arc::clone(&name);
        facts.push(Fact::Environment { at: 0, target, name: Arc::clone(&name), text });
        let gauge =
            |at, value| Fact::Gauge { at, target, pid: None, name: Arc::clone(&name), value };
        facts.extend([gauge(0, 1.0), gauge(9_000, 2.0)]);
        let reading = PoolReading { in_use: Some(9.5), max: Some(10.0), ..Default::default() };
        let reading = Box::new(reading);
        facts.push(Fact::Pool { at: 9_000, target, name: Arc::clone(&name), reading });
        let counts = ConnectionCounts {
            basis: Basis::Traced,
            role: Arc::clone(&name),
            peer: Arc::clone(&name),
            opened: 3,
            closed: 2,
            failed: 1,
            lives: LifeSpans::of_counts(&[0, 1, 1], 5),
        };
        facts.push(Fact::Connections { at: 9_000, target, counts: Arc::new(counts) });
    }
    facts.push(Fact::Close { at: 9_000, id: HandleId(0) });
    facts.push(Fact::Source {
        at: 10_000,
        target: TargetId(0),
        name: HOSTILE[0].into(),
        status: crate::live::facts::SourceStatus::Partial,
        reason: HOSTILE[1].into(),
        watermark: Some(10_000),
        cost_us: 0,
    });
    let page = page(&facts);
    inert(&page);
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("{{ 7 * 7 }}"));
    assert!(page.contains("class=\"histogram\"") && page.matches("class=\"chart\"").count() > 6);
    assert_eq!(page.matches("class=\"fill-high\"").count(), HOSTILE.len());
    assert!(page.contains("<table class=\"connections\">") && page.contains(": traced</b>"));
}

#[test]
fn every_outcome_makes_a_page() {
    for outcome in [samples::empty(), samples::full()] {
        let page = watch_page(&outcome, &History::default(), "").expect("a page");
        inert(&page);
        assert!(page.ends_with("</html>"));
    }
}

#[test]
fn pools_are_red_only_with_waiters_and_kinds_of_counts_stand_apart() {
    let outcome = samples::full();
    let page = watch_page(&outcome, &History::default(), "").expect("a page");
    assert!(page.contains("class=\"fill-exhausted\"") && page.contains("7, for 45 s"));
    for part in [
        "<td class=\"n\">≥ 61</td>",
        "<td class=\"n\">about 59,600 (61 to 60,700)</td>",
        "<td class=\"n\">60,001 to 60,013</td>",
        "<title>below 5 s: not seen</title>",
        "<title>0.005 s to 0.01 s: 2</title>",
        "3 closed, 2.3 s on average",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let mut calm = samples::full();
    for target in &mut calm.targets {
        target.pools.iter_mut().for_each(|pool| pool.level = PoolLevel::High);
        target.connections.iter_mut().for_each(|connection| connection.traced = None);
    }
    let page = watch_page(&calm, &History::default(), "").expect("a page");
    assert!(!page.contains("class=\"fill-exhausted\"") && page.contains("class=\"fill-high\""));
    assert!(!page.contains(", traced</th>") && page.contains("Not traced"));
}

#[test]
fn huge_inputs_make_a_page_of_bounded_size_that_says_what_it_leaves_out() {
    let mut facts = Vec::new();
    for target in 0..400 {
        for id in 0..60 {
            let mut fact = open(target * 100 + id, &"x".repeat(600));
            if let Fact::Open { target: of, .. } = &mut fact {
                *of = TargetId(target as u32);
            }
            facts.push(fact);
        }
    }
    let page = page(&facts);
    assert!(page.len() < 12_000_000, "{}", page.len());
    assert!(page.contains("376 targets have no section of their own"));
    assert!(page.contains("series or verdicts were not kept"));
}

#[test]
fn lint_pages_show_lines_and_are_inert() {
    let mut report = crate::report::lint::samples::full();
    let mut source = String::new();
    for name in HOSTILE {
        let _ = writeln!(source, "    let x = {name:?};");
    }
    for finding in &mut report.findings {
        finding.message = HOSTILE.concat();
        finding.function = HOSTILE[1].to_owned();
        finding.region.path = "src/<b>.rs".into();
    }
    report.sources.insert("src/<b>.rs".into(), source.into());
    let page = lint_page(&report, true, "poolscan lint --report 'a<b'").expect("a page");
    inert(&page);
    assert!(page.contains("let x = ") && page.contains("src&#x2f;reap.rs"));
    assert!(page.contains("By rule") && page.contains("By file"));
    assert!(lint_page(&Report::default(), false, "").expect("a page").contains("0 errors"));
}
