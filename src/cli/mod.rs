//! The command line: arguments to settings, one file a subcommand, exit codes.

#[cfg(target_os = "linux")]
mod agent;
mod args;
mod catalogue;
mod completions;
#[cfg(target_os = "linux")]
mod demo;
mod diff;
#[cfg(target_os = "linux")]
mod doctor;
mod exit;
mod explain;
mod lint;
#[cfg(target_os = "linux")]
mod ls;
mod lsp;
mod man;
#[cfg(target_os = "linux")]
mod metrics;
#[cfg(target_os = "linux")]
mod otlp;
mod output;
mod page;
mod progress;
#[cfg(target_os = "linux")]
mod recorder;
#[cfg(target_os = "linux")]
mod remotes;
mod replay;
mod rules;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod snapshot;
#[cfg(target_os = "linux")]
mod source;
#[cfg(target_os = "linux")]
mod sources;
#[cfg(target_os = "linux")]
mod stop;
#[cfg(target_os = "linux")]
mod targets;
mod terminal;
#[cfg(target_os = "linux")]
mod top;
#[cfg(target_os = "linux")]
mod trace;
#[cfg(target_os = "linux")]
mod tui;
#[cfg(target_os = "linux")]
mod watch;
mod whole;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;

use crate::config::Mistakes;

/// Runs the command line of this process and returns its exit code.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse_from(arguments(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = match cli.command {
        #[cfg(target_os = "linux")]
        Command::Watch(args) => watch::run(&args),
        #[cfg(target_os = "linux")]
        Command::Agent(args) => agent::run(&args),
        #[cfg(target_os = "linux")]
        Command::Top(args) => top::run(&args),
        #[cfg(target_os = "linux")]
        Command::Ls(args) => ls::run(&args),
        #[cfg(target_os = "linux")]
        Command::Snapshot(args) => snapshot::run(&args),
        #[cfg(target_os = "linux")]
        Command::Doctor(args) => doctor::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Replay(args) => replay::run(&args),
        #[cfg(target_os = "linux")]
        Command::Demo(args) => demo::run(&args),
        #[cfg(target_os = "linux")]
        Command::DemoService => demo::service(),
        Command::Lint(args) => lint::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => Exit::Nothing.into(),
        Err(error) => {
            match error.downcast_ref::<Mistakes>() {
                Some(wrong) => {
                    let text = crate::report::lint::mistakes(wrong, terminal::file_style());
                    let _ = io::stderr().write_all(text.as_bytes());
                }
                None => complain(&format!("{error:#}")),
            }
            exit::of_error(&error).into()
        }
    }
}

/// The arguments without the word that Cargo puts in front: `cargo poolscan lint` runs
/// `cargo-poolscan poolscan lint`.
fn arguments(all: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = all.collect();
    let by_cargo = all.first().is_some_and(|program| {
        Path::new(program).file_stem().is_some_and(|name| name == "cargo-poolscan")
    });
    if by_cargo && all.get(1).is_some_and(|word| word == "poolscan") {
        all.remove(1);
    }
    all
}

/// Help and version go to stdout with 0, wrong usage to stderr with 2.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let written = if error.use_stderr() {
        io::stderr().write_all(text.as_bytes())
    } else {
        io::stdout().write_all(text.as_bytes())
    };
    match (written, error.use_stderr()) {
        (_, true) => Exit::Usage.into(),
        (_, false) => Exit::Nothing.into(),
    }
}

/// Says something on stderr; there is nobody left to tell when that fails.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "poolscan: {}", crate::report::sanitise(message));
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_cargo_is_taken_off() {
        let left = |words: &[&str]| -> Vec<OsString> {
            arguments(words.iter().map(OsString::from)).split_off(1)
        };
        assert_eq!(left(&["/bin/cargo-poolscan", "poolscan", "lint"]), ["lint"]);
        assert_eq!(left(&["/bin/cargo-poolscan.exe", "lint"]), ["lint"]);
        assert_eq!(left(&["poolscan", "poolscan"]), ["poolscan"]);
    }
}
