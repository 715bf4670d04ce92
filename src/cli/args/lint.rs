//! The arguments of what is about source: lint, rules, explain.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::config::FailOn;
use crate::finding::Severity;
use crate::join::Remap;

/// Formats of documents that are written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PageFormat {
    /// Text
    Human,
    /// One document
    Json,
}

/// Formats of what lint finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LintFormat {
    /// Text with the lines of source
    Human,
    /// One document
    Json,
    /// One SARIF 2.1.0 log, for code scanning
    Sarif,
    /// Annotations in the log of a GitHub workflow
    Github,
    /// A line a finding
    Agent,
    /// Counts, for the textfile collector of Prometheus
    Prometheus,
}

/// A format and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Output {
    pub(in crate::cli) format: LintFormat,
    /// Standard output when absent.
    pub(in crate::cli) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FailOnSeverity {
    /// Exit 1 for errors only
    Error,
    /// Exit 1 for warnings, too
    Warning,
    /// Exit 1 for notes, too; shows them
    Note,
    /// Never exit 1
    Never,
}

impl From<FailOnSeverity> for FailOn {
    fn from(chosen: FailOnSeverity) -> Self {
        match chosen {
            FailOnSeverity::Error => Self::Least(Severity::Error),
            FailOnSeverity::Warning => Self::Least(Severity::Warning),
            FailOnSeverity::Note => Self::Least(Severity::Note),
            FailOnSeverity::Never => Self::Never,
        }
    }
}

/// What source is judged by, for `lint` and `lsp`.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Choosing {
    /// Show notes instead of counting them
    #[arg(long)]
    pub(in crate::cli) notes: bool,
    /// Settings for all packages, instead of the nearest poolscan.toml or metadata of Cargo.toml
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// No settings but those of this command line
    #[arg(long)]
    pub(in crate::cli) no_config: bool,
    /// Only these rules or families
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(in crate::cli) select: Vec<String>,
    /// Not these rules or families
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub(in crate::cli) ignore: Vec<String>,
    /// Rules and facts of your own, one TOML file each (format: rules/README.md)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) rules: Vec<PathBuf>,
    /// Known findings, which are only counted
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: Option<PathBuf>,
    /// Analyse everything anew: read and keep nothing of what packages were found to hold
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
    /// Where that is kept; a folder of the user's cache when absent
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,
    /// Threads; as many as there are cores when absent
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(in crate::cli) threads: Option<usize>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("mend").multiple(true)))]
#[command(after_help = "Examples:\n  \
    poolscan lint                               the package or workspace of this folder\n  \
    poolscan lint src/pool.rs --notes           one file, with what is only worth a note\n  \
    poolscan lint --select child-not-waited     one rule; `poolscan rules` lists them\n  \
    poolscan lint --format json                 one document\n  \
    poolscan lint --report findings.html        a page for people\n  \
    poolscan lint --format github --format sarif=poolscan.sarif\n                                              \
    annotations in the log, and a file for code scanning\n  \
    poolscan lint --why src/pool.rs:42          what was looked at on a line, and why it is silent\n  \
    poolscan lint --baseline known.json --write-baseline\n                                              \
    let be what there is today\n  \
    poolscan lint --baseline known.json         what is new since\n  \
    poolscan lint --since origin/main           what a change touches\n  \
    poolscan lint --stdin-filename src/a.rs < text\n                                              \
    the text that an editor holds, as that file of its package\n  \
    poolscan lint --fix                         mend what can be mended safely\n  \
    poolscan lint --diff --unsafe-fixes         show all that could be mended\n  \
    poolscan lint --no-cache                    everything anew, nothing kept\n  \
    poolscan lint --show-config                 which poolscan.toml holds for which package\n\n\
    Settings are those of the nearest poolscan.toml at or above a package, or of the metadata in its\n\
    Cargo.toml (docs/config.md); the command line counts more.\n\n\
    A comment `// poolscan: allow(RULE, reason = \"why\", until = \"2027-01-31\")` silences a rule for the\n\
    statement or item it stands at, `// poolscan: allow-file(RULE): reason` in its file.\n\
    docs/ci.md goes through all of it.\n\n\
    Exit codes: 0 nothing found, 1 findings at or above --fail-on, 2 usage or internal error, or\n\
    nothing to analyse")]
pub(in crate::cli) struct LintArgs {
    /// Files and folders; the working directory when absent
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// How to show the answer: human, json, sarif, github, agent or prometheus. FORMAT=FILE writes it to a file
    /// and may be repeated; the terminal then still gets `human`, unless another one is named
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = output)]
    pub(in crate::cli) format: Vec<Output>,
    /// Write a page with all findings and their lines to this file, too (HTML, docs/report.md)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["diff", "show_config"])]
    pub(in crate::cli) report: Option<PathBuf>,
    /// Least severity that makes the exit code 1; warning when nobody says
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(in crate::cli) fail_on: Option<FailOnSeverity>,
    #[command(flatten)]
    pub(in crate::cli) choosing: Choosing,
    /// Say which settings hold for which packages, and analyse nothing
    #[arg(long)]
    pub(in crate::cli) show_config: bool,
    /// Make all findings of today known: writes them to the baseline
    #[arg(long, conflicts_with_all = ["prune_baseline", "since"])]
    pub(in crate::cli) write_baseline: bool,
    /// Take findings that are gone out of the baseline; adds none
    #[arg(long)]
    pub(in crate::cli) prune_baseline: bool,
    /// Only findings of which a place was changed since this commit (its common ancestor with HEAD)
    #[arg(long, value_name = "REF")]
    pub(in crate::cli) since: Option<String>,
    /// What `watch --format json` told: findings seen leaking become one step worse (docs/openers.md)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["write_baseline", "prune_baseline"])]
    pub(in crate::cli) evidence: Vec<PathBuf>,
    /// With --evidence: paths of source where the program was built, and here
    #[arg(long, value_name = "FROM=TO", requires = "evidence")]
    pub(in crate::cli) source_map: Vec<Remap>,
    /// Mend what can be mended without changing what the program does, and show the rest
    #[arg(long, group = "mend", conflicts_with_all = ["write_baseline", "prune_baseline"])]
    pub(in crate::cli) fix: bool,
    /// With --fix or --diff: mend, too, where the program may wait, end or fail in another way
    #[arg(long, requires = "mend")]
    pub(in crate::cli) unsafe_fixes: bool,
    /// Print what --fix would change, and change nothing; exit 1 when it would change something
    #[arg(long, group = "mend",
        conflicts_with_all = ["write_baseline", "prune_baseline", "format"])]
    pub(in crate::cli) diff: bool,
    /// The text of this file comes from standard input: what an editor holds
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mend", "since", "why"])]
    pub(in crate::cli) stdin_filename: Option<PathBuf>,
    /// Show what was looked at, what became of it, and what it cost
    #[arg(long)]
    pub(in crate::cli) stats: bool,
    /// Explain what was looked at on this line
    #[arg(long, value_name = "FILE:LINE", value_parser = place)]
    pub(in crate::cli) why: Option<(PathBuf, u32)>,
    /// When to use colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(in crate::cli) color: Color,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan lsp                                what an editor starts: it speaks over standard input\n                                              \
    and output until it is told to exit\n  \
    poolscan lsp --notes                        with what is only worth a note\n\n\
    docs/editors.md says how editors are told of it.\n\n\
    Exit codes: 0 when it was shut down before, else 1; 2 usage or internal error")]
pub(in crate::cli) struct LspArgs {
    #[command(flatten)]
    pub(in crate::cli) choosing: Choosing,
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
        poolscan rules\n  \
        poolscan rules --format json\n  \
        poolscan rules --markdown docs/rules        their pages, by family\n  \
        poolscan rules test my-pool.toml            whether the examples of my rules hold"
)]
pub(in crate::cli) struct RulesArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<RulesCommand>,
    /// Rules and facts of your own, one TOML file each
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) rules: Vec<PathBuf>,
    /// Write a page for each family and an index into this folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) markdown: Option<PathBuf>,
    /// How to show them
    #[arg(long, value_enum, default_value = "human")]
    pub(in crate::cli) format: PageFormat,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RulesCommand {
    /// Lint the examples of rules and say where they differ from their marks
    Test(RulesTestArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    poolscan rules test                         every rule that is built in\n  \
    poolscan rules test my-pool.toml            my own\n\n\
    Exit codes: 0 all examples are as they say, 1 some are not, 2 a file is wrong")]
pub(in crate::cli) struct RulesTestArgs {
    /// Rules and facts of your own; all that are built in when absent
    #[arg(value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  poolscan explain child-not-waited")]
pub(in crate::cli) struct ExplainArgs {
    /// Id of a rule, or another name of it
    #[arg(value_name = "RULE")]
    pub(in crate::cli) rule: String,
    /// Rules and facts of your own, one TOML file each
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) rules: Vec<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value = "human")]
    pub(in crate::cli) format: PageFormat,
    /// When to use colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(in crate::cli) color: Color,
}

/// Reads `src/pool.rs:42`.
fn place(text: &str) -> Result<(PathBuf, u32), String> {
    let wrong = || format!("'{text}' is no place such as src/pool.rs:42");
    let (file, line) = text.rsplit_once(':').ok_or_else(wrong)?;
    match line.parse() {
        Ok(line) if line > 0 && !file.is_empty() => Ok((PathBuf::from(file), line)),
        _ => Err(wrong()),
    }
}

/// Reads `json` or `sarif=poolscan.sarif`.
fn output(text: &str) -> Result<Output, String> {
    let (name, file) = match text.split_once('=') {
        Some((_, "")) => return Err("no file is named behind `=`".to_owned()),
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let all = || {
        let names = LintFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        names.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(", ")
    };
    let format = LintFormat::from_str(name, false)
        .map_err(|_| format!("'{name}' is no format; there are {}", all()))?;
    Ok(Output { format, file })
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err("must lie between 1 and 1024".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        assert_eq!(place("src/a.rs:42"), Ok((PathBuf::from("src/a.rs"), 42)));
        assert_eq!(place("C:\\a.rs:1"), Ok((PathBuf::from("C:\\a.rs"), 1)));
        for wrong in ["src/a.rs", ":1", "a:0", "a:b", "a:1:"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
        let sarif = Output { format: LintFormat::Sarif, file: Some("a=b.sarif".into()) };
        assert_eq!(output("sarif=a=b.sarif"), Ok(sarif));
        assert_eq!(output("human"), Ok(Output { format: LintFormat::Human, file: None }));
        assert!(output("json=").is_err() && output("xml").is_err());
        assert_eq!(threads("2"), Ok(2));
        assert!(threads("0").is_err());
    }
}
