//! Scores the detector on simulated handle histories: many seeds, virtual time.
//!
//! `cargo test --test sim` runs a few seeds of each family and asserts on counts;
//! `cargo test --release --test sim -- --full` runs 100 seeds and prints the tables of
//! docs/detector.md; `-- --together` only those about leaks that are one, `-- --tasks` and
//! `-- --goroutines` only those about tasks and goroutines; `-- --trace FAMILY SEED [tasks|goroutines]`
//! shows one history's findings over time.

// A test program talks to a person.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program of its own")]

mod days;
mod families;
mod history;
mod naive;
mod random;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use families::{ALL, Family, Truth};
use history::{History, WAIT, counts, facts, told_by_console, told_by_dumps};
use poolscan::finding::{Confidence, Verdict};
use poolscan::live::facts::{Fact, Millis, TargetId};
use poolscan::live::outcome::{ChangeKind, FindingChange, ResourceOutcome};
use poolscan::live::watch::{Settings, Watch};
use random::Random;

/// What became of one history.
#[derive(Clone, Debug, Default)]
struct Run {
    suspect: Option<f64>,
    growing: Option<f64>,
    leaking: Option<f64>,
    /// Until when something was `leaking`, and what still is.
    leaking_until: f64,
    leaking_now: BTreeSet<String>,
    high: Option<f64>,
    leaked_at_leaking: usize,
    wrong_group: bool,
    /// Relative error of the rate at the end, and whether its interval holds the truth.
    rate: Option<(f64, f64, bool)>,
    end: Option<Verdict>,
    naive: Vec<Option<usize>>,
}

/// Who tells a history.
#[derive(Clone, Copy, PartialEq)]
enum Teller {
    /// A sampler that looks every five seconds.
    Sampler,
    /// A console that tells the same of tasks: exactly, late, and what was before.
    Console,
    /// Dumps of goroutines, one a minute, and counts in between.
    Dumps,
}

fn run(family: &Family, seed: u64, scale: f64, teller: Teller, trace: bool) -> Run {
    let mut random = Random::new(seed.wrapping_mul(7919) ^ hash(family.name));
    run_of((family.make)(&mut random), seed, scale, teller, trace)
}

fn run_of(mut history: History, seed: u64, scale: f64, teller: Teller, trace: bool) -> Run {
    let (told, late) = match teller {
        Teller::Sampler => (facts(&history, seed, scale, false), 0.0),
        Teller::Console => {
            history.make(["task", "task"]);
            told_by_console(&history, seed)
        }
        Teller::Dumps => {
            history.make(["goroutine", WAIT]);
            (told_by_dumps(&history, seed), 0.0)
        }
    };
    // Connections count as old later than tasks do: the histories are about connections.
    let stated = scale != 1.0 || teller != Teller::Sampler;
    let lifetime_ms = stated.then_some((95_000.0 * scale) as Millis);
    let mut watch = Watch::new(Settings { lifetime_ms, ..Settings::default() });
    let mut run = Run::default();
    for tick in told {
        for change in watch.step(&tick).findings {
            if trace {
                show(&change);
            }
            note(&mut run, &change, &history, scale, late);
        }
    }
    if !run.leaking_now.is_empty() {
        run.leaking_until = history.length;
    }
    let outcome = watch.outcome();
    let resources = &outcome.targets[0].resources;
    let found = |r: &&ResourceOutcome| !r.id.ends_with("/total");
    run.end = resources.iter().filter(found).map(|r| r.verdict).max().or(Some(Verdict::Stable));
    if let Some((path, Some(rate))) = &history.leak
        && let Some(row) =
            resources.iter().filter(found).find(|r| r.verdict == Verdict::Leaking && fits(r, path))
        && let Some(per_minute) = row.per_minute
    {
        // The interval is for the process's rate; the estimate is held against what really leaked.
        let rate = rate * 60.0 / scale;
        let covered = per_minute.low <= rate && rate <= per_minute.high;
        let really = history.leaked_per_second() * 60.0 / scale;
        run.rate = Some((rate / 60.0, (per_minute.value - really).abs() / really, covered));
    }
    if scale == 1.0 {
        let counts = counts(&history);
        run.naive = naive::ALL.iter().map(|(_, rule)| rule(&counts)).collect();
    }
    run
}

fn note(run: &mut Run, change: &FindingChange, history: &History, scale: f64, late: f64) {
    // Delays count from when the first leaked handle can be seen.
    let at = (change.at as f64 / 1000.0 / scale - history.onset() - late).max(0.0);
    let verdict = change.resource.verdict;
    if verdict >= Verdict::Suspect {
        run.suspect.get_or_insert(at);
    }
    if verdict == Verdict::GrowingInUse {
        run.growing.get_or_insert(at);
    }
    let id = &change.resource.id;
    let leaks = change.what != ChangeKind::Cleared && verdict == Verdict::Leaking;
    if leaks {
        run.leaking_now.insert(id.clone());
    } else if run.leaking_now.remove(id) {
        run.leaking_until = at;
    }
    if verdict == Verdict::Leaking {
        if run.leaking.is_none() {
            run.leaking = Some(at);
            if let Some((path, _)) = &history.leak {
                run.wrong_group = !fits(&change.resource, path);
                run.leaked_at_leaking = history
                    .handles
                    .iter()
                    .filter(|h| h.died > 1e8 && h.born > 0.0 && h.born <= at + history.onset())
                    .count();
            }
        }
        if change.resource.confidence >= Confidence::High {
            run.high.get_or_insert(at);
        }
    }
}

/// The reported group is the leaking one, above it or below it.
fn fits(resource: &ResourceOutcome, path: &[String]) -> bool {
    let reported: Vec<&String> = resource.kind.iter().chain(&resource.group).collect();
    reported.iter().zip(path).all(|(a, b)| *a == b)
}

fn show(change: &FindingChange) {
    let r = &change.resource;
    let numbers = r.report.as_ref().map(|n| {
        format!(
            "{} surv {:.1} grow {:.1} n {} gens {} span {} q {:.2}",
            n.clock, n.ln_e_surv, n.ln_e_growth, n.survivors, n.generations, n.span_s, n.later_half
        )
    });
    println!(
        "{:7.1} {:8} {:?} -> {} ({}) {:?} {}",
        change.at as f64 / 1000.0,
        change.what.as_str(),
        change.before,
        r.verdict,
        r.confidence,
        r.group,
        numbers.unwrap_or_default()
    );
}

fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3))
}

/// All runs of a family, on two threads.
fn runs(family: &Family, seeds: u64, scale: f64, teller: Teller) -> Vec<Run> {
    let half = |from: u64| {
        move || {
            (from..seeds)
                .step_by(2)
                .map(|s| run(family, s, scale, teller, false))
                .collect::<Vec<_>>()
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(half(1));
        let mut all = half(0)();
        all.extend(other.join().unwrap());
        all
    })
}

fn share(runs: &[Run], is: impl Fn(&Run) -> bool) -> f64 {
    100.0 * runs.iter().filter(|r| is(r)).count() as f64 / runs.len().max(1) as f64
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len() as f64 - 1.0) * share).round() as usize).copied().unwrap_or(f64::NAN)
}

#[derive(Default)]
struct Score {
    healthy: Vec<Run>,
    stationary: Vec<Run>,
    leaks: Vec<Run>,
    worst_healthy: (f64, &'static str),
    worst_leak: (f64, &'static str),
}

fn score(seeds: u64, scale: f64, teller: Teller) -> Score {
    println!(
        "| family | truth | suspect | growing | leaking | high | at the end | delay p50/p90 s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut score = Score { worst_leak: (100.0, ""), ..Score::default() };
    // Tasks and goroutines are told apart, whatever numbers they have.
    let fits = |family: &&Family| teller == Teller::Sampler || family.name != "aliased_files";
    for family in ALL.iter().filter(fits) {
        let runs = runs(family, seeds, scale, teller);
        let leaking = share(&runs, |r| r.leaking.is_some());
        let delays: Vec<f64> = runs.iter().filter_map(|r| r.leaking).collect();
        println!(
            "| {} | {:?} | {:.0} % | {:.0} % | {:.0} % | {:.0} % | {:.0} % leaking, {:.0} % suspect | {:.0}/{:.0} |",
            family.name,
            family.truth,
            share(&runs, |r| r.suspect.is_some()),
            share(&runs, |r| r.growing.is_some()),
            leaking,
            share(&runs, |r| r.high.is_some()),
            share(&runs, |r| r.end == Some(Verdict::Leaking)),
            share(&runs, |r| r.end == Some(Verdict::Suspect)),
            quantile(delays.clone(), 0.5),
            quantile(delays, 0.9),
        );
        match family.truth {
            Truth::Healthy | Truth::Stationary => {
                if leaking > score.worst_healthy.0 {
                    score.worst_healthy = (leaking, family.name);
                }
                if family.truth == Truth::Stationary {
                    score.stationary.extend(runs.clone());
                }
                score.healthy.extend(runs);
            }
            Truth::Leak => {
                if leaking < score.worst_leak.0 {
                    score.worst_leak = (leaking, family.name);
                }
                score.leaks.extend(runs);
            }
            Truth::Ambiguous | Truth::Pinged => {}
        }
    }
    score
}

fn summary(score: &Score) {
    let leaking = |runs: &[Run]| share(runs, |r| r.leaking.is_some());
    let delays =
        |of: fn(&Run) -> Option<f64>| score.leaks.iter().filter_map(of).collect::<Vec<_>>();
    let rates: Vec<(f64, f64, bool)> = score.leaks.iter().filter_map(|r| r.rate).collect();
    let good = rates.iter().filter(|r| r.1 <= 0.25).count() as f64 / rates.len().max(1) as f64;
    let covered = rates.iter().filter(|r| r.2).count() as f64 / rates.len().max(1) as f64;
    println!("\n| quantity | target | measured |\n|---|---|---|");
    for (name, target, value) in [
        (
            "`leaking` false alarms, healthy",
            "<= 1.0 %",
            format!("{:.2} % of {}", leaking(&score.healthy), score.healthy.len()),
        ),
        (
            "worst healthy family",
            "<= 3 %",
            format!("{:.1} % ({})", score.worst_healthy.0, score.worst_healthy.1),
        ),
        (
            "`leaking` high false alarms",
            "<= 0.2 %",
            format!("{:.2} %", share(&score.healthy, |r| r.high.is_some())),
        ),
        (
            "`suspect` false alarms",
            "<= 5 %",
            format!("{:.1} %", share(&score.healthy, |r| r.suspect.is_some())),
        ),
        (
            "stationary families, `leaking`",
            "0",
            format!(
                "{} of {}",
                score.stationary.iter().filter(|r| r.leaking.is_some()).count(),
                score.stationary.len()
            ),
        ),
        (
            "recall `leaking`",
            ">= 93 %",
            format!("{:.1} % of {}", leaking(&score.leaks), score.leaks.len()),
        ),
        (
            "worst leak family",
            ">= 70 %",
            format!("{:.0} % ({})", score.worst_leak.0, score.worst_leak.1),
        ),
        (
            "recall `suspect` or `growing`",
            ">= 97 %",
            format!("{:.1} %", share(&score.leaks, |r| r.suspect.is_some() || r.growing.is_some())),
        ),
        (
            "wrong group",
            "<= 0.1 %",
            format!(
                "{} of {}",
                score.leaks.iter().filter(|r| r.wrong_group).count(),
                delays(|r| r.leaking).len()
            ),
        ),
        (
            "delay `suspect`, median",
            "<= 90 s",
            format!("{:.0} s", quantile(delays(|r| r.suspect), 0.5)),
        ),
        (
            "delay `leaking`, median / p90",
            "<= 230 / 410 s",
            format!(
                "{:.0} / {:.0} s",
                quantile(delays(|r| r.leaking), 0.5),
                quantile(delays(|r| r.leaking), 0.9)
            ),
        ),
        ("rate within 25 %", ">= 95 %", format!("{:.1} % of {}", 100.0 * good, rates.len())),
        ("rate interval covers", ">= 93 %", format!("{:.1} %", 100.0 * covered)),
        (
            "healthy at the end: `leaking` / `suspect`",
            "<= 0.2 / 0.5 %",
            format!(
                "{:.2} / {:.2} %",
                share(&score.healthy, |r| r.end == Some(Verdict::Leaking)),
                share(&score.healthy, |r| r.end == Some(Verdict::Suspect))
            ),
        ),
    ] {
        println!("| {name} | {target} | {value} |");
    }
    if score.healthy.first().is_some_and(|r| !r.naive.is_empty()) {
        println!("\n| rule on counts | false alarms | recall |\n|---|---|---|");
        for (index, (name, _)) in naive::ALL.iter().enumerate() {
            let fires = |r: &Run| r.naive[index].is_some();
            println!(
                "| {name} | {:.0} % | {:.0} % |",
                share(&score.healthy, fires),
                share(&score.leaks, fires)
            );
        }
        println!(
            "| poolscan `leaking` | {:.2} % | {:.1} % |",
            leaking(&score.healthy),
            leaking(&score.leaks)
        );
    }
}

/// Whole days: how many of the healthy ones leak after two hours, and how a slow leak is found.
fn whole_days(seeds: u64, teller: Teller) -> (usize, f64) {
    let of = |leaks: bool| -> Vec<(&'static str, Run)> {
        let jobs: Vec<(&str, days::Make, u64)> = (0..seeds)
            .flat_map(|seed| days::HEALTHY.map(|(name, make)| (name, make, seed)))
            .collect();
        let part = |jobs: &[(&'static str, days::Make, u64)]| -> Vec<(&'static str, Run)> {
            jobs.iter()
                .map(|&(name, make, seed)| {
                    let day = days::day(make, leaks, seed);
                    (name, run_of(day, seed, 1.0, teller, false))
                })
                .collect()
        };
        let (one, other) = jobs.split_at(jobs.len() / 2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| part(other));
            let mut all = part(one);
            all.extend(other.join().unwrap());
            all
        })
    };
    let healthy = of(false);
    let wrong: Vec<&str> = healthy
        .iter()
        .filter(|(_, run)| run.leaking_until > 7_200.0)
        .map(|(name, _)| *name)
        .collect();
    let mut ever: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in healthy.iter().filter(|(_, run)| run.leaking.is_some()) {
        *ever.entry(name).or_default() += 1;
    }
    let slow = of(true);
    let found: Vec<f64> = slow.iter().filter_map(|(_, run)| run.leaking).collect();
    let leaked: Vec<f64> = slow
        .iter()
        .filter(|(_, run)| run.leaking.is_some())
        .map(|(_, run)| run.leaked_at_leaking as f64)
        .collect();
    println!(
        "Days: {} of {} healthy ones leak after 2 h {wrong:?}, ever {ever:?}; a leak of 0.001/s is found \
         in {} of {}, after {:.1} h and {:.0} handles (medians)",
        wrong.len(),
        healthy.len(),
        found.len(),
        slow.len(),
        quantile(found.clone(), 0.5) / 3600.0,
        quantile(leaked, 0.5),
    );
    (wrong.len(), 100.0 * found.len() as f64 / slow.len().max(1) as f64)
}

/// The rule for one sample: share of histories of which the first look says `suspect`.
fn first_sample(seeds: u64) -> (f64, usize) {
    let verdict = |history: &History, seed: u64| {
        let mut watch = Watch::new(Settings::default());
        for tick in facts(history, seed, 1.0, true) {
            watch.step(&tick);
        }
        watch.outcome().verdict
    };
    let old = |random: &mut Random, make: fn(&mut Random, f64) -> Vec<history::Handle>| {
        let uptime = random.log_between(3_700.0, 800_000.0);
        History { handles: make(random, uptime), uptime, length: 600.0, leak: None }
    };
    let healthy: [fn(&mut Random, f64) -> Vec<history::Handle>; 3] = [
        // Fixed pool: opened at start-up, each connection last used a short while ago.
        |r, uptime| {
            let gap = r.log_between(1.0, 300.0);
            (0..r.count(5, 100))
                .map(|_| {
                    history::connection(
                        -uptime + r.between(0.0, 60.0),
                        1e9,
                        "10.0.0.1:80",
                        history::Use::Every(gap),
                    )
                })
                .collect()
        },
        // Keep-alive: idle for up to 90 s.
        |r, _| {
            (0..r.count(5, 300))
                .map(|_| {
                    history::connection(
                        -r.between(0.0, 90.0),
                        1e9,
                        "10.0.0.1:80",
                        history::Use::Once,
                    )
                })
                .collect()
        },
        // Opened at start-up and never used again.
        |r, uptime| {
            (0..r.count(5, 100))
                .map(|_| {
                    history::connection(
                        -uptime + r.between(0.0, 300.0),
                        1e9,
                        "10.0.0.1:80",
                        history::Use::Once,
                    )
                })
                .collect()
        },
    ];
    let mut random = Random::new(4711);
    let found =
        (0..seeds).filter(|&s| verdict(&old(&mut random, leak_of), s) == Verdict::Suspect).count();
    let mut wrong = 0;
    for make in healthy {
        wrong +=
            (0..seeds).filter(|&s| verdict(&old(&mut random, make), s) >= Verdict::Suspect).count();
    }
    (100.0 * found as f64 / seeds as f64, wrong)
}

/// Counts alone, as an unprivileged watch has them: share of healthy and of leaking histories
/// that are ever `suspect`, and how many are `leaking`, which a count must never say.
fn counts_only(seeds: u64) -> (f64, f64, usize) {
    let (mut alarms, mut healthy, mut found, mut leaks, mut leaking) = (0, 0, 0, 0, 0);
    for family in ALL {
        for seed in 0..seeds {
            let mut random = Random::new(seed.wrapping_mul(7919) ^ hash(family.name));
            let history = (family.make)(&mut random);
            let mut watch = Watch::new(Settings::default());
            let mut worst = Verdict::Stable;
            for (second, value) in counts(&history).into_iter().enumerate() {
                let fact = Fact::Gauge {
                    at: second as Millis * 1000,
                    target: TargetId(0),
                    pid: None,
                    name: "fds".into(),
                    value,
                };
                watch.step(&[fact]);
                if second % 20 == 0 {
                    worst = worst.max(watch.outcome().verdict);
                }
            }
            leaking += usize::from(worst == Verdict::Leaking);
            let suspect = u32::from(worst >= Verdict::Suspect);
            match family.truth {
                Truth::Healthy | Truth::Stationary => {
                    healthy += 1;
                    alarms += suspect;
                }
                Truth::Leak | Truth::Pinged => {
                    leaks += 1;
                    found += suspect;
                }
                Truth::Ambiguous => {}
            }
        }
    }
    let share = |n: u32, of: u32| 100.0 * f64::from(n) / f64::from(of.max(1));
    (share(alarms, healthy), share(found, leaks), leaking)
}

/// Connections forgotten one by one over the uptime, beside a busy pool.
fn leak_of(random: &mut Random, uptime: f64) -> Vec<history::Handle> {
    let mut handles: Vec<_> = (0..random.count(20, 300))
        .map(|_| {
            history::connection(
                -random.between(1.0, uptime),
                1e9,
                "10.0.0.1:80",
                history::Use::Once,
            )
        })
        .collect();
    handles.extend((0..random.count(0, 30)).map(|_| {
        history::connection(
            -random.between(1.0, uptime),
            1e9,
            "10.0.0.2:80",
            history::Use::Every(3.0),
        )
    }));
    handles
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, family, seed, teller @ ..] = &args[..]
        && flag == "--trace"
    {
        let family = ALL.iter().find(|f| f.name == family).expect("a family of that name");
        let teller = match teller.first().map(String::as_str) {
            Some("tasks") => Teller::Console,
            Some("goroutines") => Teller::Dumps,
            _ => Teller::Sampler,
        };
        println!("{:?}", run(family, seed.parse().unwrap(), 1.0, teller, true));
        return ExitCode::SUCCESS;
    }
    let full = args.iter().any(|a| a == "--full");
    let pairs = if full { 5_000 } else { 300 };
    if args.iter().any(|a| a == "--together") {
        let wrong = [together::score(pairs), together::watches(20)].concat();
        wrong.iter().for_each(|wrong| println!("FAILED: {wrong}"));
        return if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let task_seeds = if full { 100 } else { 2 };
    if args.iter().any(|a| a == "--tasks") {
        summary(&score(task_seeds, 1.0, Teller::Console));
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|a| a == "--goroutines") {
        summary(&score(task_seeds, 1.0, Teller::Dumps));
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|a| a == "--days") {
        for teller in [Teller::Sampler, Teller::Console, Teller::Dumps] {
            whole_days(if full { 30 } else { 1 }, teller);
        }
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|a| a == "--list") {
        println!("sim: test");
        return ExitCode::SUCCESS;
    }
    let seeds = if full { 100 } else { 4 };
    let now = score(seeds, 1.0, Teller::Sampler);
    summary(&now);
    println!("\nWith `--lifetime 5s` (all times scaled by 5/95):\n");
    let scaled = score(if full { 30 } else { 2 }, 5.0 / 95.0, Teller::Sampler);
    summary(&scaled);
    println!("\nThe same of tasks, told by a console:\n");
    let tasks = score(task_seeds, 1.0, Teller::Console);
    summary(&tasks);
    println!("\nThe same of goroutines, told by dumps:\n");
    let goroutines = score(task_seeds, 1.0, Teller::Dumps);
    summary(&goroutines);
    let (found, wrong) = first_sample(if full { 100 } else { 20 });
    println!("\nOne sample: `suspect` for {found:.0} % of leaks, {wrong} healthy ones wrongly");
    let (alarms, recall, leaking) = counts_only(if full { 60 } else { 3 });
    println!(
        "Counts alone: `suspect` for {alarms:.1} % of healthy histories (target <= 4 %) and \
         {recall:.0} % of leaks (target >= 58 %); `leaking` for {leaking}"
    );
    let joined = [together::score(pairs), together::watches(if full { 100 } else { 10 })].concat();
    joined.iter().for_each(|wrong| println!("{wrong}"));
    let mut failed = 0;
    let mut check = |name: &str, holds: bool| {
        println!("test {name} ... {}", if holds { "ok" } else { "FAILED" });
        failed += u32::from(!holds);
    };
    let scores =
        [("default", &now), ("lifetime", &scaled), ("tasks", &tasks), ("goroutines", &goroutines)];
    for (name, score) in scores {
        let alarms = score.healthy.iter().filter(|r| r.leaking.is_some()).count();
        let found = share(&score.leaks, |r| r.leaking.is_some());
        check(
            &format!("{name}: false alarms at most 1 %"),
            alarms as f64 <= (score.healthy.len() as f64 * 0.01).max(1.0),
        );
        check(
            &format!("{name}: no alarm on stationary histories"),
            score.stationary.iter().all(|r| r.leaking.is_none()),
        );
        check(&format!("{name}: recall at least 90 %"), found >= 90.0);
        check(
            &format!("{name}: no wrong group"),
            score.leaks.iter().filter(|r| r.wrong_group).count() as f64
                <= score.leaks.len() as f64 * 0.005,
        );
        check(
            &format!("{name}: nothing healthy leaks at the end"),
            share(&score.healthy, |r| r.end == Some(Verdict::Leaking)) <= 0.5,
        );
    }
    check("one sample: leaks found", found >= 90.0);
    check("one sample: no false alarm", wrong == 0);
    check("counts alone: never leaking", leaking == 0);
    check("counts alone: few false alarms", alarms <= 8.0);
    check("leaks with one cause are one, others are not", joined.is_empty());
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out",
        if failed == 0 { "ok" } else { "FAILED" },
        25 - failed
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
