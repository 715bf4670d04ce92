//! Outcomes that the tests of all formats render.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::finding::{Confidence, Evidence, Linked, Relation, Severity, Verdict};
use crate::live::facts::{Exhausted, FailedCall, Opener, SourceStatus, TargetFacts, TargetId};
use crate::live::life_spans::LifeSpans;
use crate::live::outcome::*;

/// No target, nothing known.
pub(crate) fn empty() -> Outcome {
    Outcome {
        now: 0,
        wall_start_ms: None,
        scale: Scale {
            lifetime_ms: None,
            bucket_ms: 5_000,
            age_ms: 95_000,
            start_up_ms: 60_000,
            shortest_ms: 215_000,
        },
        targets: Vec::new(),
        verdict: Verdict::InsufficientData,
        late_facts: 0,
        cost: Cost::default(),
    }
}

/// A leak, an unknown total, and hostile names.
pub(crate) fn full() -> Outcome {
    let mut outcome = empty();
    outcome.now = 600_000;
    outcome.wall_start_ms = Some(1_700_000_000_000);
    outcome.verdict = Verdict::Leaking;
    let mut second = target(2, Verdict::InsufficientData, vec![unknown()]);
    second.facts.name = "evil\x1b]0;x\x07\u{202e}".to_owned();
    outcome.targets = vec![target(1, Verdict::Leaking, vec![unknown(), leak()]), second];
    outcome
}

fn connection() -> ConnectionOutcome {
    let mut lives = LifeSpans::default();
    [5, 5, 7_000].into_iter().for_each(|length| lives.add(length));
    ConnectionOutcome {
        role: "tcp client".into(),
        peer: "10.0.3.7:5432".into(),
        active: 23,
        opened: 61,
        closed: 40,
        lives: lives.seen_by(5_000),
        estimate: Some(OpenedEstimate { opened: Some(59_600.0), low: 61, high: 60_700 }),
        traced: Some(TracedConnections {
            opened: 60_001,
            opened_high: 60_013,
            closed: 59_978,
            failed: 2,
            lives,
        }),
    }
}

fn target(id: u32, verdict: Verdict, resources: Vec<ResourceOutcome>) -> TargetOutcome {
    let gauges = BTreeMap::from([("fds".to_owned(), 40.0), ("rss_bytes".to_owned(), f64::NAN)]);
    TargetOutcome {
        target: TargetId(id),
        facts: TargetFacts {
            name: "api".into(),
            pids: vec![10, 11],
            uptime_ms: None,
            command: "api\n--x".into(),
            selector: "api".into(),
        },
        verdict,
        resources,
        diagnoses: vec![Diagnosis {
            kind: Some("socket".into()),
            group: vec!["tcp client".into()],
            count: Some(3),
            held_seconds: Some(61.5),
            examples: vec!["a -> b".into()],
            lint_rules: vec!["handle-forgotten".into()],
            ..Diagnosis::new(
                "fd-limit",
                Severity::Warning,
                "fds near limit".into(),
                vec!["raise it".into()],
            )
        }],
        sources: vec![SourceOutcome {
            name: "sockets".into(),
            status: SourceStatus::Unavailable,
            reason: "permission denied".into(),
            cost_us: 5,
        }],
        failed_calls: vec![failed_call()],
        pools: vec![pool()],
        limits: BTreeMap::from([(
            "nproc".to_owned(),
            LimitOutcome { value: None, used: None, per_minute: None },
        )]),
        processes: BTreeMap::from([(10, gauges.clone()), (11, BTreeMap::new())]),
        gauges,
        durations: BTreeMap::new(),
        connections: vec![connection()],
        lifecycle: vec![(0, 10, crate::live::facts::Lifecycle::Joined)],
        ended_at: None,
    }
}

/// A total of which nothing is known.
pub(crate) fn unknown() -> ResourceOutcome {
    ResourceOutcome {
        id: "1/fds".into(),
        resource: "fds".into(),
        kind: None,
        group: Vec::new(),
        now: None,
        limit: None,
        limit_name: None,
        level: Level::Unknown,
        opened: 0,
        closed: 0,
        lower_bound: true,
        per_minute: None,
        seconds_to_limit: None,
        detectable_per_minute: Some(f64::INFINITY),
        conclusive: false,
        missing: "140 s more".into(),
        verdict: Verdict::InsufficientData,
        confidence: Confidence::Low,
        evidence: Vec::new(),
        report: None,
        next_steps: Vec::new(),
        examples: Vec::new(),
        sites: Vec::new(),
        openers: None,
        history: Vec::new(),
        together: Vec::new(),
        part_of: None,
        since: 0,
    }
}

/// Survivors of a known line, of a pool, and of nobody known.
pub(crate) fn openers() -> Openers {
    let place = |opener: Opener, survivors| OpenerOutcome {
        opener: Arc::new(opener),
        openings: 12,
        survivors,
        promoted: survivors - 1,
        share: Some(survivors as f64 / 12.0),
        source_line: None,
        linked: Vec::new(),
    };
    let line = Opener {
        function: "db::connect".into(),
        file: "src/db.rs".into(),
        line: Some(12),
        module: "billing".into(),
        call: "socket".into(),
        certain: true,
        stack: ["db::con;ne\x1bct".into(), "main".into()].into(),
        ..Opener::default()
    };
    let pool = Opener {
        through: "some-pool".into(),
        families: ["pool".into()].into(),
        call: "connect".into(),
        certain: true,
        ..Opener::default()
    };
    Openers {
        age_s: 60.0,
        survivors: 15,
        promoted: 13,
        unknown: vec![("events were lost when it was opened".into(), 2)],
        places: vec![
            OpenerOutcome {
                source_line: Some("let stream = TcpStream::connect(\x1b[31m)?;".to_owned()),
                linked: vec![linked()],
                ..place(line, 9)
            },
            place(pool, 4),
        ],
    }
}

/// A call that failed at the limit of its process.
fn failed_call() -> FailedCallOutcome {
    let place = openers().places.swap_remove(0);
    FailedCallOutcome {
        failed: Arc::new(FailedCall {
            failed_at: 3_500,
            pid: 10,
            exhausted: Exhausted::Process,
            opener: place.opener,
            held: Some(64),
            limit: Some(64),
        }),
        held: vec![HeldGroup {
            path: vec!["socket".into(), "tcp client".into()],
            count: 60,
            sites: vec!["db::connect src/db.rs:12".into()],
        }],
    }
}

/// A finding in the function that opens what leaks.
fn linked() -> Linked {
    Linked {
        relation: Relation::Function,
        rule: "raw-fd-not-closed".to_owned(),
        family: "fd".to_owned(),
        severity: Severity::Warning,
        confidence: Confidence::High,
        path: "src/db.rs".into(),
        line: 14,
        function: "db::connect".to_owned(),
        message: "this descriptor is never closed \x1b[31m".to_owned(),
        fingerprint: "72f12db904d70f6c".to_owned(),
    }
}

/// A pool that is exhausted, with everything known but what the load needs.
pub(crate) fn pool() -> PoolOutcome {
    PoolOutcome {
        name: "HikariCP \x1b[31mmain".into(),
        in_use: Some(10.0),
        idle: Some(0.0),
        max: Some(10.0),
        waiting: Some(7.0),
        level: PoolLevel::Exhausted,
        share: Some(1.0),
        peak: Some(10.0),
        watched_ms: 120_000,
        waiting_ms: Some(45_000),
        waits: None,
        wait_seconds: Some(812.5),
        timeouts: Some(3.0),
        waiters_per_minute: Some(f64::NAN),
        per_second: Some(18.25),
        hold_seconds: Some(0.125),
        need: Some(PoolNeed { low: 4.0, high: 6.0 }),
    }
}

/// A leak of connections with everything known.
pub(crate) fn leak() -> ResourceOutcome {
    ResourceOutcome {
        id: "1/fds/socket".into(),
        kind: Some("socket".into()),
        group: vec!["tcp client".into(), "10.0.3.7:5432".into(), "CLOSE_WAIT".into()],
        now: Some(23.0),
        limit: Some(1024),
        limit_name: Some("nofile_soft".into()),
        level: Level::Mid,
        opened: 30,
        closed: 7,
        per_minute: Some(Rate { value: 5.4, low: 3.6, high: 7.2 }),
        seconds_to_limit: Some(TimeToLimit {
            value: 11_000.0,
            earliest: 7_560.0,
            latest: Some(15_480.0),
        }),
        detectable_per_minute: Some(1.0),
        conclusive: true,
        missing: String::new(),
        verdict: Verdict::Leaking,
        confidence: Confidence::High,
        evidence: vec![Evidence::new("23 handles were not touched and none was closed")],
        report: Some(ConfidenceReport {
            clock: "stale",
            age_s: 95.0,
            ln_e_surv: 12.0,
            ln_e_growth: 9.0,
            p_anytime: 0.000_123_456,
            survivors: 23,
            generations: 9,
            span_s: 300.0,
            oldest_s: 480.0,
            closed_after_age: 0.0,
            alpha_hat: None,
            later_half: 0.5,
            stock_s: None,
            never_closed_share: 1.0,
            pre_alive: 2,
        }),
        next_steps: vec!["close the connection after EOF".into()],
        examples: vec!["10.0.0.1:4 -> \x1b[31m10.0.3.7:5432".into()],
        sites: vec!["db::connect src/db.rs:12".into()],
        openers: Some(openers()),
        history: vec![1.0, 8.0, 23.0],
        together: vec![Together {
            id: "1/threads/thread > worker/cohort".into(),
            births: 21,
            apart: 0.04,
            chance: 3e-6,
        }],
        ..unknown()
    }
}
