//! The arguments of what makes poolscan at home in a shell: completions and manual pages.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan completions bash > ~/.local/share/bash-completion/completions/poolscan\n  \
    poolscan completions zsh > \"${fpath[1]}/_poolscan\"\n  \
    poolscan completions fish > ~/.config/fish/completions/poolscan.fish\n  \
    poolscan completions elvish >> ~/.config/elvish/rc.elv\n  \
    poolscan completions powershell >> $PROFILE\n\n\
    A shell that was started later completes commands, options and their values.")]
pub(in crate::cli) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan man ~/.local/share/man/man1        then `man poolscan-watch` finds them\n  \
    poolscan man | man -l -                     the one about all commands, now")]
pub(in crate::cli) struct ManArgs {
    /// Where a page for each command is written; it is made when it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) folder: Option<PathBuf>,
}
