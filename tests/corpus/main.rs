//! Scores the linter on real, fixed bugs and on mutants of code that releases what it takes.
//!
//! `cargo test --test corpus` mutates the good examples of the rules;
//! `cargo test --release --test corpus -- mutants --full DIR…` mutates the crates in folders;
//! `cargo test --release --test corpus -- mutants --listed dev` those of mutants.txt (or `second`, `third`, `held-out`: of mutants-second.txt and so on);
//! `cargo test --release --test corpus -- bugs` fetches and scores the crates of bugs.toml, with `--listed second` (or `third`, `fourth`) those of bugs-second.toml;
//! `cargo test --release --test corpus -- fixes` mends those of fixes.txt and compiles them;
//! `cargo test --release --test corpus -- peers` runs other linters on the crates of bugs.toml.

// A test program talks to a person.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program of its own")]

mod body;
mod bugs;
mod cfg;
mod copy;
mod fetch;
mod fixes;
mod kinds;
mod linter;
mod listed;
mod mutants;
mod owners;
mod peers;
mod rules;
mod sample;
mod sites;
mod walk;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        println!("corpus: test");
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|arg| arg == "bugs") {
        if let [.., flag, name] = &*args
            && flag == "--listed"
        {
            return bugs::score_listed(name).map_or_else(
                || {
                    println!("bugs --listed takes second, third or fourth");
                    ExitCode::FAILURE
                },
                |()| ExitCode::SUCCESS,
            );
        }
        return if bugs::score() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if args.iter().any(|arg| arg == "fixes") {
        return if fixes::score() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if args.iter().any(|arg| arg == "peers") {
        peers::compare();
        return ExitCode::SUCCESS;
    }
    let after = |flag: &str| args.iter().position(|arg| arg == flag).map(|at| &args[at + 1..]);
    let says = |flag: &str| args.iter().any(|arg| arg == flag);
    let kind = after("--kind").and_then(|rest| rest.first()).map(String::as_str);
    let at = after("--at").and_then(|rest| rest.first()).map(String::as_str);
    let how = mutants::How { kind, at, ask: says("--why"), together: says("--together") };
    if let Some(folders) = after("--full") {
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        let tried = mutants::measure(&mutants::packages(&folders), how);
        mutants::list(&tried);
        mutants::table(&tried);
        return ExitCode::SUCCESS;
    }
    if let Some(rest) = after("--listed") {
        let Some(list) = rest.first().and_then(|name| listed::List::named(name)) else {
            println!("--listed takes dev, second, third or held-out");
            return ExitCode::FAILURE;
        };
        let read = list != listed::List::HeldOut;
        let tried =
            mutants::measure(&listed::sources(list), mutants::How { ask: how.ask && read, ..how });
        if read {
            mutants::list(&tried);
        }
        mutants::table(&tried);
        return ExitCode::SUCCESS;
    }
    let tried = match sample::measure(how) {
        Ok(tried) => tried,
        Err(error) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
    };
    mutants::list(&tried);
    mutants::table(&tried);
    if sample::good_enough(&tried) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
