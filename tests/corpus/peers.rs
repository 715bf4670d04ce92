//! Other linters on the same real bugs: what each finds, whether it falls silent when the bug is
//! mended, what it says elsewhere, and how long it takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bugs::{self, Case, NEAR};
use crate::copy::{copy, fresh};
use crate::fetch::source;
use crate::linter;

/// A pattern pack as a team would write it.
const PACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/peers/ast-grep.yml");
/// The folder of the list of disallowed methods.
const CONF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/peers");
/// Lints of clippy that are about handles, waits and limits, so that one about style that happens to
/// be on the same line is no find.
const ABOUT: [&str; 16] = [
    "await_holding_invalid_type",
    "await_holding_lock",
    "await_holding_refcell_ref",
    "disallowed_methods",
    "forget_non_drop",
    "infinite_loop",
    "let_underscore_future",
    "let_underscore_lock",
    "let_underscore_must_use",
    "mem_forget",
    "mut_mutex_lock",
    "rc_buffer",
    "significant_drop_in_scrutinee",
    "significant_drop_tightening",
    "unused_io_amount",
    "zombie_processes",
];

/// What one linter says of one line.
struct Alarm {
    path: PathBuf,
    line: usize,
    /// Other lines it names.
    related: Vec<(PathBuf, usize)>,
    /// Ways in which the line is wrong; a fix may leave some.
    weight: usize,
}

impl Alarm {
    fn at(path: PathBuf, line: usize) -> Self {
        Self { path, line, related: Vec::new(), weight: 1 }
    }

    fn is_near(&self, case: &Case) -> bool {
        let near = |path: &Path, line: usize| path == case.file && line.abs_diff(case.line) <= NEAR;
        near(&self.path, self.line) || self.related.iter().any(|(path, line)| near(path, *line))
    }
}

type Says = Result<(Vec<Alarm>, Duration), String>;

/// A linter.
struct Peer {
    name: &'static str,
    run: fn(&Path) -> Says,
}

const PEERS: [Peer; 5] = [
    Peer { name: "poolscan", run: poolscan },
    Peer { name: "ast-grep pack", run: ast_grep },
    Peer { name: "clippy, default", run: |folder| clippy(folder, &DEFAULT) },
    Peer { name: "clippy, all groups", run: |folder| clippy(folder, &ALL_GROUPS) },
    Peer { name: "clippy, disallowed methods", run: |folder| clippy(folder, &DISALLOWED) },
];
/// Without the list of disallowed methods, which the third run is about.
const DEFAULT: [&str; 1] = ["-Aclippy::disallowed_methods"];
const ALL_GROUPS: [&str; 7] = [
    "-Wclippy::all",
    "-Wclippy::pedantic",
    "-Wclippy::nursery",
    "-Wclippy::restriction",
    "-Wclippy::cargo",
    "-Aclippy::blanket_clippy_restriction_lints",
    "-Aclippy::disallowed_methods",
];
const DISALLOWED: [&str; 2] = ["-Aclippy::all", "-Wclippy::disallowed_methods"];

/// What one linter did on one case.
struct Did {
    found: bool,
    fixed: bool,
    elsewhere: usize,
    took: Duration,
}

/// Prints a table of all linters over all cases, and one of the cases on which all of them ran.
pub(crate) fn compare() {
    let cases = bugs::cases();
    let results = PEERS.map(|peer| cases.iter().map(|case| judge(case, peer.run)).collect());
    table(&cases, &results, |_| true);
    println!("\nwhere all of them ran:");
    table(&cases, &results, |at| results.iter().all(|of_peer: &Vec<_>| of_peer[at].is_ok()));
}

fn table(cases: &[Case], results: &[Vec<Result<Did, String>>], counts: impl Fn(usize) -> bool) {
    println!(
        "| linter | cases | found | of these silent when mended | alarms elsewhere | seconds |"
    );
    println!("|---|---|---|---|---|---|");
    for (peer, results) in PEERS.iter().zip(results) {
        let counted = results.iter().enumerate().filter(|&(at, _)| counts(at));
        let (mut did, mut failed) = (Vec::new(), Vec::new());
        for (at, result) in counted {
            match result {
                Ok(one) => did.push(one),
                Err(why) => failed.push(format!("{}: {why}", cases[at].id)),
            }
        }
        println!(
            "| {} | {} | {} | {} | {} | {:.1} |",
            peer.name,
            did.len(),
            did.iter().filter(|one| one.found).count(),
            did.iter().filter(|one| one.fixed).count(),
            did.iter().map(|one| one.elsewhere).sum::<usize>(),
            did.iter().map(|one| one.took).sum::<Duration>().as_secs_f64()
        );
        for failed in failed {
            println!("  not run on {}", failed.lines().next().unwrap_or_default());
        }
    }
}

fn judge(case: &Case, run: fn(&Path) -> Says) -> Result<Did, String> {
    let alarms = |version| run(&unpacked(&case.package, version)?);
    let (before, took) = alarms(&case.bad)?;
    let (after, _) = alarms(&case.good)?;
    let found = before.iter().any(|alarm| alarm.is_near(case));
    let count = |alarms: &[Alarm], file: &Path| -> usize {
        alarms.iter().filter(|alarm| alarm.path == file).map(|alarm| alarm.weight).sum()
    };
    let good_file = case.good_file.as_deref().unwrap_or(&case.file);
    // Lines move between versions: there are fewer alarms in the file.
    let fixed = found && count(&after, good_file) < count(&before, &case.file);
    let elsewhere = before.iter().filter(|alarm| !alarm.is_near(case)).count();
    Ok(Did { found, fixed, elsewhere, took })
}

/// A copy that cargo may write into, made once.
fn unpacked(package: &str, version: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peers/{package}-{version}"));
    if !folder.exists() {
        fresh(&folder).map_err(|error| error.to_string())?;
        copy(&source(package, version)?, &folder).map_err(|error| error.to_string())?;
    }
    Ok(folder)
}

fn poolscan(folder: &Path) -> Says {
    // As many as ast-grep and cargo take.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let started = Instant::now();
    let findings = linter::lint_on(folder, &threads)?;
    let took = started.elapsed();
    let strong = findings.into_iter().filter(linter::Finding::is_strong).map(|found| Alarm {
        related: found.places().skip(1).map(|(path, line)| (path.to_owned(), line)).collect(),
        weight: found.exits(),
        path: found.path,
        line: found.line,
    });
    Ok((strong.collect(), took))
}

fn ast_grep(folder: &Path) -> Says {
    let program = std::env::var_os("AST_GREP").unwrap_or("ast-grep".into());
    let started = Instant::now();
    let output = Command::new(program)
        .args(["scan", "--json=compact", "--rule", PACK, "."])
        .current_dir(folder)
        .output()
        .map_err(|error| format!("cannot start ast-grep (AST_GREP names it): {error}"))?;
    let took = started.elapsed();
    let said: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let alarms = said.as_array().into_iter().flatten().filter_map(|alarm| {
        let path = Path::new(alarm["file"].as_str()?).strip_prefix(".").ok();
        let path = path.unwrap_or(Path::new(alarm["file"].as_str()?)).to_owned();
        let line = usize::try_from(alarm["range"]["start"]["line"].as_u64()?).ok()? + 1;
        // Both leave tests and examples out.
        ["src", "build.rs"].iter().any(|top| path.starts_with(top)).then(|| Alarm::at(path, line))
    });
    Ok((alarms.collect(), took))
}

/// The time is that of the crate alone: what it depends on is there already.
fn clippy(folder: &Path, flags: &[&str]) -> Says {
    let run = || {
        let started = Instant::now();
        let output = Command::new(env!("CARGO"))
            .args(["clippy", "-q", "--lib", "--message-format=json", "--"])
            .args(flags)
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers-target"))
            .env("CLIPPY_CONF_DIR", CONF)
            .output();
        (output, started.elapsed())
    };
    let (first, _) = run();
    let first = first.map_err(|error| format!("cannot start cargo: {error}"))?;
    if !first.status.success() {
        let said = String::from_utf8_lossy(&first.stderr);
        let why = said.lines().find(|line| line.starts_with("error")).unwrap_or("error");
        return Err(format!("clippy: {why}"));
    }
    let root = folder.join("src/lib.rs");
    std::fs::File::options()
        .append(true)
        .open(&root)
        .and_then(|file| file.set_modified(std::time::SystemTime::now()))
        .map_err(|error| format!("{}: {error}", root.display()))?;
    let (second, took) = run();
    let second = second.map_err(|error| format!("cannot start cargo: {error}"))?;
    let said = String::from_utf8_lossy(&second.stdout);
    Ok((said.lines().filter_map(clippy_alarm).collect(), took))
}

fn clippy_alarm(line: &str) -> Option<Alarm> {
    let message: Value = serde_json::from_str(line).ok()?;
    let lint = message["message"]["code"]["code"].as_str()?.strip_prefix("clippy::")?.to_owned();
    let spans = message["message"]["spans"].as_array()?;
    let primary = spans.iter().find(|span| span["is_primary"] == true)?;
    let line = usize::try_from(primary["line_start"].as_u64()?).ok()?;
    let path = PathBuf::from(primary["file_name"].as_str()?);
    ABOUT.contains(&lint.as_str()).then(|| Alarm::at(path, line))
}
