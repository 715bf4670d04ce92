//! Scores the linter on real, fixed bugs and on mutants of code that releases what it takes.
//!
//! `cargo test --test corpus` mutates the good examples of the rules;
//! `cargo test --release --test corpus -- mutants --full DIR…` mutates the crates in folders;
//! `cargo test --release --test corpus -- bugs` fetches and scores the crates of bugs.toml.

// A test program talks to a person.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program of its own")]

mod body;
mod kinds;
mod linter;
mod mutants;
mod sites;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut kind = None;
    if let Some(at) = args.iter().position(|arg| arg == "--kind") {
        kind = args.get(at + 1).cloned();
        args.drain(at..args.len().min(at + 2));
    }
    if let Some(at) = args.iter().position(|arg| arg == "--full") {
        let folders: Vec<PathBuf> = args[at + 1..].iter().map(PathBuf::from).collect();
        let tried = mutants::measure(&mutants::packages(&folders), kind.as_deref());
        mutants::list(&tried);
        mutants::table(&tried);
    }
    ExitCode::SUCCESS
}
