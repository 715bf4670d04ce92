//! `poolscan completions`: what shells complete commands, options and values by.

use std::io::{self, Write as _};

use clap::{Command, CommandFactory as _};

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    // Generating panics when a reader goes away, writing here does not.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut offered(), "poolscan", &mut script);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Exit::Nothing)
}

/// The command line without commands that help does not show: generators do not ask.
fn offered() -> Command {
    let all = Cli::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("poolscan").version(env!("CARGO_PKG_VERSION")).subcommands(shown)
}
