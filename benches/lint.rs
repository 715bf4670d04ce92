//! What linting costs beside parsing: bare `syn::parse_file`, the pipeline without rules, and the
//! whole run, interleaved on the same threads; what a hundred of the rules cost; and whether four
//! times the source costs four times as much. With `--check` the ratios are gates. They are of
//! processor time: other load on the machine stretches the wall's.
//!
//! `cargo bench --bench lint -- FOLDER [--check] [--rounds N]`: FOLDER holds published crates, one
//! folder each.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a bench tells, and stops when it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use poolscan::lint::{self, Options};
use rayon::prelude::*;

/// The pipeline from walk to findings, without rules, against bare parsing.
const MOST_EMPTY: f64 = 1.3;
/// The whole run against bare parsing.
const MOST_WHOLE: f64 = 1.6;
/// The whole run against one with [`MORE`] rules fewer.
const MOST_MORE: f64 = 1.1;
/// Rules whose cost is told, spread evenly over the families.
const MORE: usize = 100;
/// A function among four times as many, against one among fewer.
const MOST_GROWTH: f64 = 1.3;
/// Functions with something to look after in the smaller of two packages.
const FUNCTIONS: usize = 4_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let check = arguments.iter().any(|argument| argument == "--check");
    let rounds = arguments
        .iter()
        .position(|argument| argument == "--rounds")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(3);
    let folder = arguments
        .iter()
        .find(|argument| !argument.starts_with('-') && argument.parse::<u32>().is_err())
        .map_or_else(|| PathBuf::from("src"), PathBuf::from);
    let texts = read(&folder);
    if texts.is_empty() {
        println!("SKIPPED: there is no Rust source in {}", folder.display());
        return ExitCode::SUCCESS;
    }
    let lines: usize = texts.iter().map(|text| text.lines().count()).sum();
    println!("{}: {} files, {lines} lines", folder.display(), texts.len());
    let pool =
        rayon::ThreadPoolBuilder::new().stack_size(1 << 30).build().expect("worker threads start");
    let all: Vec<String> = poolscan::catalog::Catalog::embedded()
        .rules()
        .iter()
        .map(|known| known.rule.id.clone())
        .collect();
    let share = |at: usize| at * MORE / all.len();
    let more = all.iter().enumerate().filter(|&(at, _)| share(at) != share(at + 1));
    let more: Vec<String> = more.map(|(_, id)| id.clone()).collect();
    let (mut empty, mut whole, mut of_more) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        // Bare parsing before and after: the machine may change its speed meanwhile.
        let before = cost(|| parse(&pool, &texts));
        let without = cost(|| run(&folder, &all));
        let wall = Instant::now();
        let with = cost(|| run(&folder, &[]));
        let wall = wall.elapsed().as_secs_f64();
        let fewer = cost(|| run(&folder, &more));
        let after = cost(|| parse(&pool, &texts));
        let bare = f64::midpoint(before, after);
        let ratio = |seconds: f64| seconds / bare;
        println!(
            "round {round}: parse {bare:.2} s, empty {:.2} ×, whole {:.2} × ({wall:.2} s on the wall)",
            ratio(without),
            ratio(with)
        );
        empty.push(ratio(without));
        whole.push(ratio(with));
        of_more.push(with / fewer);
    }
    let (empty, whole, of_more) = (median(empty), median(whole), median(of_more));
    println!("median: empty {empty:.2} × (≤ {MOST_EMPTY}), whole {whole:.2} × (≤ {MOST_WHOLE})");
    println!("{} rules more: {of_more:.2} × (≤ {MOST_MORE})", more.len());
    println!("peak memory: {:.0} MB", peak_megabytes());
    let growth = growth();
    println!(
        "a function among {} costs {growth:.2} × one among {FUNCTIONS} (≤ {MOST_GROWTH})",
        4 * FUNCTIONS
    );
    let kept = empty <= MOST_EMPTY && whole <= MOST_WHOLE && of_more <= MOST_MORE;
    if check && (!kept || growth > MOST_GROWTH) {
        println!("too slow");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What a function costs in a package of four times as many, against the smaller package.
fn growth() -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut each = [0.0, 0.0];
    for (cost_of_one, functions) in each.iter_mut().zip([FUNCTIONS, 4 * FUNCTIONS]) {
        let package = folder.path().join(functions.to_string());
        std::fs::create_dir_all(package.join("src")).expect("a folder for the package");
        let manifest = "[package]\nname = \"grown\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
            [dependencies]\nlibc = \"0.2\"\n";
        std::fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
        std::fs::write(package.join("src/lib.rs"), obligations(functions)).expect("a source");
        *cost_of_one = cost(|| run(&package, &[])) / functions as f64;
    }
    each[1] / each[0]
}

/// Functions that each start a child, open a file, and may leave early.
fn obligations(functions: usize) -> String {
    (0..functions)
        .map(|number| {
            format!(
                "pub fn f{number}(path: &str) -> std::io::Result<i32> {{\n    \
                 let mut child = std::process::Command::new(path).spawn()?;\n    \
                 let fd = unsafe {{ libc::open(path.as_ptr().cast(), 0) }};\n    \
                 if path.len() == {number} {{ return Ok(1); }}\n    \
                 let status = child.wait()?;\n    unsafe {{ libc::close(fd) }};\n    \
                 Ok(status.code().unwrap_or(0))\n}}\n"
            )
        })
        .collect()
}

/// The text of every Rust file below a folder, hidden ones and build output left out.
fn read(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                texts.extend(std::fs::read_to_string(&path));
            }
        }
    }
    texts
}

/// Processor time of all threads, in seconds.
fn cost(run: impl FnOnce()) -> f64 {
    let before = processor_seconds();
    run();
    processor_seconds() - before
}

/// Used by this process so far; clock ticks are hundredths of a second on Linux.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn parse(pool: &rayon::ThreadPool, texts: &[String]) {
    let parsed =
        pool.install(|| texts.par_iter().filter(|text| lint::syntax::parse_only(text)).count());
    assert!(parsed > 0, "nothing could be parsed");
}

fn run(folder: &Path, ignore: &[String]) {
    let options = Options {
        paths: vec![folder.to_path_buf()],
        ignore: ignore.to_vec(),
        ..Options::default()
    };
    let report = lint::run(&options).expect("the folder can be linted");
    assert!(report.stats.files > 0, "nothing was analysed");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of this process, from the kernel; 0 where it does not tell.
fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}
