//! Real children that leak at known rates, watched by the real binary.
//!
//! `cargo test --test live` takes about 5 minutes at `--lifetime 1s`; `-- --full` watches in real
//! time (16 minutes; recordings go to the directory named by `POOLSCAN_RECORDINGS`). A word
//! selects scenarios by name.

// A test program talks to a person.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program of its own")]

mod check;
mod child;
mod compile;
mod connections;
mod console;
mod crowded;
mod diagnosed;
mod exhausted;
mod healthy;
mod joined;
mod leaks;
mod observe;
mod openers;
mod peer;
mod place;
mod pooled;
mod recordings;
mod scenarios;
mod service;
mod sick;
mod stacks;
mod traced;
mod truth;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use observe::Outcome;

/// Children watched at a time in the short run: more would measure the machine.
const AT_A_TIME: usize = 8;

fn main() -> ExitCode {
    if let Ok(plan) = std::env::var(child::PLAN) {
        child::run(&plan);
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let full = arguments.iter().any(|argument| argument == "--full");
    let list = arguments.iter().any(|argument| argument == "--list");
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut scenarios = scenarios::all(full);
    let all = scenarios.len();
    scenarios.retain(|s| wanted.is_none_or(|word| s.name.contains(word.as_str())));
    if list {
        for scenario in &scenarios {
            println!("{}: test", scenario.name);
        }
        return ExitCode::SUCCESS;
    }
    let start = Instant::now();
    let filtered = all - scenarios.len();
    scenarios.sort_by_key(|scenario| std::cmp::Reverse(scenario.seconds));
    let workers = if full { scenarios.len() } else { AT_A_TIME.min(scenarios.len()) };
    let (next, (tell, told)) = (AtomicUsize::new(0), mpsc::channel());
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (tell, next, scenarios) = (tell.clone(), &next, &scenarios);
            scope.spawn(move || {
                // A child dies with the thread that started it: this one lives until it is done.
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let _ = tell.send((scenario.name.clone(), observe::observe(scenario)));
                }
            });
        }
        drop(tell);
        for (name, outcome) in told {
            tally.note(&name, outcome);
        }
    });
    if !full {
        let fits = |name: &str| wanted.is_none_or(|word| name.contains(word.as_str()));
        diagnoses(&fits, &mut tally);
        for (name, outcome) in joined::all(&fits) {
            tally.note(name, outcome);
        }
        for (name, outcome) in stacks::all(&fits) {
            tally.note(name, outcome);
        }
        for (name, outcome) in console::all(&fits) {
            tally.note(name, outcome);
        }
    }
    if !full {
        let fits = |name: &str| wanted.is_none_or(|word| name.contains(word.as_str()));
        for (name, outcome) in openers::all(&fits) {
            tally.note(name, outcome);
        }
        for (name, outcome) in pooled::all(&fits) {
            tally.note(name, outcome);
        }
        for (name, outcome) in traced::all(&fits) {
            tally.note(name, outcome);
        }
        for (name, outcome) in exhausted::all(&fits) {
            tally.note(name, outcome);
        }
        for (name, outcome) in truth::all(&fits) {
            tally.note(name, outcome);
        }
    }
    if !full && wanted.is_none_or(|word| "connections".contains(word.as_str())) {
        for (name, outcome) in connections::all() {
            tally.note(&name, outcome);
        }
    }
    if !full && wanted.is_none_or(|word| "replay".contains(word.as_str())) {
        for (name, outcome) in recordings::replay_all() {
            tally.note(&name, outcome);
        }
    }
    tally.end(filtered, start)
}

/// One look at each child of `sick` whose name fits, a few at a time.
fn diagnoses(fits: &dyn Fn(&str) -> bool, tally: &mut Tally) {
    let named = |case: &diagnosed::Case| format!("diagnosis-{}", case.role);
    let cases: Vec<_> = diagnosed::CASES.iter().filter(|case| fits(&named(case))).collect();
    for some in cases.chunks(AT_A_TIME) {
        let looks: Vec<_> = std::thread::scope(|scope| {
            let looks: Vec<_> =
                some.iter().map(|case| scope.spawn(|| diagnosed::diagnose(case))).collect();
            looks.into_iter().map(|look| look.join().unwrap()).collect()
        });
        for (case, outcome) in some.iter().zip(looks) {
            tally.note(&named(case), outcome);
        }
    }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    fn note(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Outcome::Passed(remark) => {
                self.passed += 1;
                println!("test {name} ... ok ({remark})");
            }
            Outcome::Failed(error) => {
                self.failed += 1;
                println!("test {name} ... FAILED\n  {error}");
            }
            Outcome::Skipped(reason) => {
                self.skipped += 1;
                println!("test {name} ... SKIPPED: {reason}");
            }
        }
    }

    fn end(&self, filtered: usize, start: Instant) -> ExitCode {
        let Self { passed, failed, skipped } = self;
        let word = if *failed == 0 { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; \
             0 measured; {filtered} filtered out; finished in {:.0}s",
            start.elapsed().as_secs_f64()
        );
        if *failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
