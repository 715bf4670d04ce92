//! Recordings of real, healthy servers: silent as they are, and found when a leak is put into them.
//!
//! A silence that could not be broken proves nothing, so each recording is judged twice.

use std::path::{Path, PathBuf};

use poolscan::finding::{Severity, Verdict};
use poolscan::live::facts::{Activity, Change, Fact, HandleFacts, HandleId, Millis, TargetId};
use poolscan::live::outcome::FindingChange;
use poolscan::live::record::{Item, Reader};
use poolscan::live::watch::{Settings, Watch};

/// Leaked handles a second.
const RATE: f64 = 0.05;

fn recordings() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recordings");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "gz"))
        .collect();
    found.sort();
    found
}

fn facts(path: &Path) -> Vec<Fact> {
    let mut facts = Vec::new();
    for item in Reader::open(path).unwrap() {
        if let Item::Fact(fact) = item.unwrap() {
            facts.push(fact);
        }
    }
    facts
}

fn judge(facts: &[Fact]) -> (Vec<FindingChange>, Verdict) {
    let mut watch = Watch::new(Settings::default());
    let changes = watch.step(facts).findings;
    (changes, watch.outcome().verdict)
}

/// Puts client connections into a recording that are opened, used once, and kept.
fn with_leak(facts: Vec<Fact>) -> Vec<Fact> {
    let mut mixed = Vec::new();
    let mut leaked: u64 = 0;
    let mut fresh: Vec<HandleId> = Vec::new();
    let mut last_beat = Millis::MIN;
    for fact in facts {
        // Before the first report of a beat, where the sampler would tell of new handles.
        if let Fact::Source { at, watermark: Some(_), .. } = fact
            && at > last_beat
        {
            last_beat = at;
            for id in fresh.drain(..) {
                let change = Change::Activity(Activity::SilentSince(at - 5_000));
                mixed.push(Fact::Change { at, id, change });
            }
            while (leaked as f64) < at as f64 / 1000.0 * RATE {
                leaked += 1;
                let id = HandleId((1 << 40) + leaked);
                fresh.push(id);
                mixed.push(Fact::Open {
                    at,
                    target: TargetId(0),
                    id,
                    pre: false,
                    start_up: false,
                    facts: std::sync::Arc::new(HandleFacts {
                        role: "tcp client".into(),
                        peer: "10.9.9.9:443".into(),
                        state: "ESTABLISHED".into(),
                        activity: Activity::Awake,
                        ..HandleFacts::of_kind("socket")
                    }),
                });
            }
        }
        mixed.push(fact);
    }
    mixed
}

#[test]
fn healthy_servers_stay_healthy() {
    let recordings = recordings();
    assert!(recordings.len() >= 4, "the recordings are missing");
    for path in recordings {
        let (changes, verdict) = judge(&facts(&path));
        let alarms: Vec<_> =
            changes.iter().filter(|c| c.resource.verdict == Verdict::Leaking).collect();
        assert!(alarms.is_empty(), "{}: {alarms:?}", path.display());
        assert!(verdict < Verdict::Suspect, "{}: {verdict}", path.display());
    }
}

#[test]
fn a_leak_put_into_them_is_found() {
    for path in recordings() {
        let (changes, verdict) = judge(&with_leak(facts(&path)));
        assert_eq!(verdict, Verdict::Leaking, "{}", path.display());
        let first = changes.iter().find(|c| c.resource.verdict == Verdict::Leaking).unwrap();
        // As for targets past their start-up: p90 at this rate is 351 s; these start inside it.
        assert!(first.at <= 700_000, "{}: {} ms", path.display(), first.at);
        let place = first.resource.group.join(" > ");
        assert!(place.contains("10.9.9.9"), "{}: {place}", path.display());
    }
}

#[test]
fn leaking_goroutines_of_a_real_program_are_named_by_their_lines() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recordings/goroutines/leaking.jsonl.gz");
    let mut watch = Watch::new(Settings::default());
    let changes = watch.step(&facts(Path::new(path))).findings;
    let mut sites: Vec<String> = Vec::new();
    for change in changes.iter().filter(|c| c.resource.verdict == Verdict::Leaking) {
        assert_eq!(change.resource.resource, "goroutines");
        // One dump a minute: not before the eighth.
        let fresh = !change.resource.sites.iter().all(|site| sites.contains(site));
        assert!(!fresh || change.at <= 600_000, "{} ms", change.at);
        sites.extend(change.resource.sites.iter().cloned());
    }
    sites.sort();
    sites.dedup();
    // Fifty workers that wait for work are there, too.
    assert_eq!(sites, ["main.ask (/src/main.go:21)", "main.follow (/src/main.go:32)"]);
    let outcome = watch.outcome();
    let rules: Vec<&str> =
        outcome.targets[0].diagnoses.iter().map(|found| found.rule.as_str()).collect();
    assert!(rules.contains(&"goroutines-blocked-sending"), "{rules:?}");
}

/// One look each at a program that shows something, named after the rule, or at a healthy one.
#[test]
fn one_look_names_what_is_wrong() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recordings/diagnoses");
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut settings = Settings::default();
        let mut facts = Vec::new();
        for item in Reader::open(&path).unwrap() {
            match item.unwrap() {
                Item::Header(header) => settings.lifetime_ms = header.lifetime_ms,
                Item::Fact(fact) => facts.push(fact),
            }
        }
        let mut watch = Watch::new(settings);
        watch.step(&facts);
        let outcome = watch.outcome();
        let found = &outcome.targets[0].diagnoses;
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".jsonl.gz");
        if name.starts_with("healthy") {
            assert!(found.iter().all(|d| d.severity == Severity::Note), "{name}: {found:?}");
        } else {
            assert!(found.iter().any(|d| d.rule == name), "{name}: {found:?}");
        }
        // A condition that holds is no verdict about growth.
        assert!(outcome.verdict < Verdict::Suspect, "{name}: {}", outcome.verdict);
        looked += 1;
    }
    assert!(looked >= 8, "the recordings are missing");
}

/// What a minute or more of healthy servers holds gives no diagnosis that counts.
#[test]
fn healthy_servers_have_no_diagnosis() {
    for path in recordings() {
        let mut watch = Watch::new(Settings::default());
        let mut grave = Vec::new();
        for some in facts(&path).chunks(512) {
            watch.step(some);
            let found = watch.outcome().targets.into_iter().flat_map(|t| t.diagnoses);
            grave.extend(found.filter(|d| d.severity >= Severity::Warning));
        }
        assert!(grave.is_empty(), "{}: {grave:?}", path.display());
    }
}
