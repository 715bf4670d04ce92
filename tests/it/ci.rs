//! The linter in CI: a repository with history, where findings are known, moved, mended and new.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const JOBS: &str = "use std::io;
use std::process::Command;

pub fn start(quick: bool) -> io::Result<()> {
    let mut child = Command::new(\"a\").spawn()?;
    if quick {
        return Ok(());
    }
    ready()?;
    ready()?;
    Ok(())
}

pub fn notify() -> io::Result<()> {
    Command::new(\"b\").spawn()?;
    Ok(())
}

fn ready() -> io::Result<()> {
    std::fs::metadata(\"ready\")?;
    Ok(())
}
";

/// A package in a repository of its own.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// With one commit.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("poolscan-ci-").tempdir().unwrap();
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        let manifest = "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
        repository.write("crate/Cargo.toml", manifest);
        repository.write("crate/src/lib.rs", "pub mod jobs;\n");
        repository.write("crate/src/jobs.rs", JOBS);
        repository.commit();
        repository
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a text that occurs once.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        self.write(name, &text.replace(from, to));
    }

    fn git(&self, args: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(args)
            .current_dir(self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "state"]);
    }

    /// Runs the linter in a folder of the repository.
    pub(crate) fn lint(&self, folder: &str, args: &[&str]) -> Run {
        Run::of(&self.path(folder), args)
    }
}

/// What a run of the linter gave.
pub(crate) struct Run {
    output: Output,
}

impl Run {
    pub(crate) fn of(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
        command.arg("lint").args(args).current_dir(folder).stdin(Stdio::null());
        // Whose test is not about the cache has none.
        command.env("XDG_CACHE_HOME", "/dev/null");
        Self { output: command.output().unwrap() }
    }

    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.output.stdout).unwrap_or_else(|_| panic!("{}", self.stderr()))
    }

    /// Functions with findings.
    pub(crate) fn functions(&self) -> BTreeSet<String> {
        let document = self.json();
        let findings = document["findings"].as_array().unwrap();
        findings.iter().map(|f| f["function"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_baseline_knows_what_moves_and_tells_what_is_new() {
    let repository = Repository::new();
    let found = repository.lint("crate", &["--format", "json"]);
    assert_eq!(found.functions(), set(["jobs::notify", "jobs::start"]));
    assert_eq!(repository.lint("crate", &["--baseline", "known.json"]).code(), 2);
    let write = ["--baseline", "known.json", "--write-baseline"];
    assert_eq!(repository.lint("crate", &write).code(), 0);
    let file = std::fs::read_to_string(repository.path("crate/known.json")).unwrap();
    for part in ["jobs.rs", "\"line\"", "zombie"] {
        assert!(!file.contains(part), "{part} in {file}");
    }
    let lint = |folder: &str, baseline: &str, args: &[&str]| {
        let all = [&["--baseline", baseline, "--format", "json"], args].concat();
        repository.lint(folder, &all)
    };
    let known = || lint("crate", "known.json", &[]);
    assert_eq!(known().functions(), set([]));
    assert_eq!(known().json()["summary"]["in_baseline"], 2);

    // From a subfolder, from the root, only in part, and from elsewhere.
    assert_eq!(lint("crate/src", "../known.json", &[]).functions(), set([]));
    assert_eq!(lint("", "crate/known.json", &[]).functions(), set([]));
    assert_eq!(lint("crate", "known.json", &["src/jobs.rs"]).functions(), set([]));
    let (file, folder) = (repository.path("crate/known.json"), repository.path("crate"));
    let elsewhere = tempfile::tempdir().unwrap();
    let args = ["--baseline", file.to_str().unwrap(), folder.to_str().unwrap(), "--format", "json"];
    assert_eq!(Run::of(elsewhere.path(), &args).functions(), set([]));

    // Reformatted and moved down.
    let jobs = "crate/src/jobs.rs";
    let many = "Command::new(\"b\") // more\n        .spawn(\n        )?;";
    repository.edit(jobs, "Command::new(\"b\").spawn()?;", many);
    repository.edit(jobs, "pub fn notify", "fn other() {}\n\n\npub fn notify");
    assert_eq!(known().functions(), set([]));
    // In a file of another name, in another module, in another folder.
    repository.git(&["mv", jobs, "crate/src/work.rs"]);
    repository.write("crate/src/lib.rs", "#[path = \"work.rs\"]\npub mod jobs;\n");
    assert_eq!(known().functions(), set([]));
    repository.write("crate/src/lib.rs", "pub mod work;\n");
    assert_eq!(known().functions(), set([]));
    std::fs::rename(repository.path("crate"), repository.path("renamed")).unwrap();
    let known = || lint("renamed", "known.json", &[]);
    assert_eq!(known().functions(), set([]));

    // The file then has them as they are now.
    assert_eq!(lint("renamed", "known.json", &["--prune-baseline"]).code(), 0);
    let file = std::fs::read_to_string(repository.path("renamed/known.json")).unwrap();
    assert!(file.contains("work::start") && !file.contains("jobs::"), "{file}");

    // One of three exits is mended: another rule, the same finding.
    let work = "renamed/src/work.rs";
    let before = repository.lint("renamed", &["--format", "json"]).json();
    repository.edit(
        work,
        "        return Ok(());",
        "        child.wait()?;\n        return Ok(());",
    );
    let after = repository.lint("renamed", &["--format", "json"]).json();
    assert_ne!(before["findings"][0]["rule"], after["findings"][0]["rule"]);
    assert_eq!(before["findings"][0]["fingerprint"], after["findings"][0]["fingerprint"]);
    assert_eq!(known().functions(), set([]));
    // A second one of the same is new.
    let two = "notify() -> io::Result<()> {\n    Command::new(\"c\").spawn()?;\n";
    repository.edit(work, "notify() -> io::Result<()> {\n", two);
    assert_eq!(known().functions(), set(["work::notify"]));
    assert_eq!(known().code(), 1);
}

#[test]
fn a_baseline_only_shrinks_by_itself() {
    let repository = Repository::new();
    repository.lint("crate", &["--baseline", "known.json", "--write-baseline"]);
    let entries = || std::fs::read_to_string(repository.path("crate/known.json")).unwrap();
    let before = entries();
    let jobs = "crate/src/jobs.rs";
    repository.edit(jobs, "Command::new(\"b\").spawn()?;", "Command::new(\"b\").status()?;");
    let run = repository.lint("crate", &["--baseline", "known.json", "--format", "json"]);
    let issue = run.json()["issues"][0]["message"].as_str().unwrap().to_owned();
    assert!(issue.starts_with("1 finding is gone: --prune-baseline"), "{issue}");
    assert_eq!((entries(), run.code()), (before.clone(), 0));

    // What is not looked at is not taken out, and what is new is not taken in.
    let prune = ["--baseline", "known.json", "--prune-baseline"];
    for part in [&["--select", "unbounded-channel"][..], &["src/lib.rs"]] {
        assert_eq!(repository.lint("crate", &[&prune, part].concat()).code(), 0);
        assert_eq!(entries(), before);
    }
    let new = "fn ready() -> io::Result<()> {\n    Command::new(\"d\").spawn()?;\n";
    repository.edit(jobs, "fn ready() -> io::Result<()> {\n", new);
    assert_eq!(repository.lint("crate", &prune).code(), 1);
    assert_eq!(entries().lines().count(), before.lines().count() - 1);
    repository.edit(jobs, "Command::new(\"b\").status()?;", "Command::new(\"b\").spawn()?;");
    let back = repository.lint("crate", &["--baseline", "known.json", "--format", "json"]);
    assert_eq!(back.functions(), set(["jobs::notify", "jobs::ready"]));
    assert_eq!(repository.lint("crate", &["--prune-baseline"]).code(), 2);
    repository.write("crate/known.json", "{}");
    let run = repository.lint("crate", &prune);
    assert!(run.stderr().contains("no baseline"), "{}", run.stderr());
}

#[test]
fn since_a_commit_only_what_was_touched_is_told() {
    let repository = Repository::new();
    let since = |folder: &str, reference: &str| {
        repository.lint(folder, &["--since", reference, "--format", "json"])
    };
    assert_eq!(since("crate", "HEAD").functions(), set([]));
    assert_eq!(since("crate", "HEAD").json()["summary"]["unchanged"], 2);
    // Lines above move everything; then an old acquisition gets a new exit.
    let jobs = "crate/src/jobs.rs";
    repository.edit(jobs, "use std::io;\n", "use std::io;\n\n\n");
    assert_eq!(since("crate", "HEAD").functions(), set([]));
    repository.edit(
        jobs,
        "    ready()?;\n    ready()?;\n",
        "    ready()?;\n    let x = ready()?;\n",
    );
    for folder in ["", "crate", "crate/src"] {
        assert_eq!(since(folder, "HEAD").functions(), set(["jobs::start"]), "{folder}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = repository.path("crate");
    let args = ["--since", "HEAD", folder.to_str().unwrap(), "--format", "json"];
    assert_eq!(Run::of(elsewhere.path(), &args).functions(), set(["jobs::start"]));

    // Renamed and otherwise untouched; then touched; then a file that git does not know.
    repository.commit();
    repository.git(&["mv", jobs, "crate/src/work.rs"]);
    repository.write("crate/src/lib.rs", "pub mod work;\n");
    assert_eq!(since("crate", "HEAD").functions(), set([]));
    repository.edit("crate/src/work.rs", "Command::new(\"b\")", "Command::new(\"bb\")");
    assert_eq!(since("crate", "HEAD").functions(), set(["work::notify"]));
    repository.write("crate/src/fresh.rs", JOBS);
    repository.write("crate/src/lib.rs", "pub mod fresh;\npub mod work;\n");
    let all = set(["fresh::notify", "fresh::start", "work::notify"]);
    assert_eq!(since("crate", "HEAD").functions(), all);
    assert!(since("crate", "HEAD~1").functions().contains("work::start"));

    // What others did on the branch meanwhile is none of our changes.
    repository.commit();
    repository.git(&["checkout", "--quiet", "-b", "topic"]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.edit("crate/src/fresh.rs", "Command::new(\"b\")", "Command::new(\"z\")");
    repository.commit();
    repository.git(&["checkout", "--quiet", "topic"]);
    assert_eq!(since("crate", "main").functions(), set([]));
    // A release that is taken away leaves no line behind.
    let work = "crate/src/work.rs";
    let step = "    let x = ready()?;\n";
    repository.edit(work, step, &format!("{step}    child.wait()?;\n"));
    repository.commit();
    repository.edit(work, "    child.wait()?;\n", "");
    assert_eq!(since("crate", "HEAD").functions(), set(["work::start"]));
}

#[test]
fn since_says_what_is_missing() {
    let repository = Repository::new();
    let stderr = |folder: &Path, reference: &str| {
        let run = Run::of(folder, &["--since", reference]);
        assert_eq!(run.code(), 2);
        run.stderr()
    };
    let package = repository.path("crate");
    let text = stderr(&package, "no-such-branch");
    assert!(text.contains("no commit `no-such-branch`"), "{text}");
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a.rs"), "").unwrap();
    let text = stderr(outside.path(), "HEAD");
    assert!(text.contains("needs a git repository"), "{text}");

    repository.write("crate/src/lib.rs", "pub mod jobs;\n\n");
    repository.commit();
    let shallow = outside.path().join("shallow");
    let from = format!("file://{}", repository.folder.path().display());
    repository.git(&["clone", "--quiet", "--depth=1", &from, shallow.to_str().unwrap()]);
    let text = stderr(&shallow, "HEAD~1");
    assert!(text.contains("shallow") && text.contains("fetch-depth: 0"), "{text}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.args(["lint", "--since", "HEAD"]).current_dir(&package).env("PATH", "/nonexistent");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("needs git, which cannot be started"), "{text}");
}

#[test]
fn every_format_in_one_run_and_always_the_same_bytes() {
    let repository = Repository::new();
    let run = |folder: &str, threads: &str| {
        let files = ["--format", "sarif=s", "--format", "json=j", "--format", "github=g"];
        let args = [&["--threads", threads, "--format", "agent"], &files[..]].concat();
        let run = repository.lint(folder, &args);
        assert_eq!(run.code(), 1, "{}", run.stderr());
        let read = |name| std::fs::read_to_string(repository.path(folder).join(name)).unwrap();
        let mut all = vec![String::from_utf8(run.output.stdout).unwrap()];
        all.extend(["s", "j", "g"].map(read));
        all
    };
    let first = run("crate", "1");
    assert_eq!(run("crate", "4"), first);
    // Paths of SARIF and of annotations begin at the root of the repository, wherever it runs.
    let below = run("crate/src", "2");
    assert_eq!(&below[1], &first[1]);
    let sarif: Value = serde_json::from_str(&first[1]).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "crate/src/jobs.rs");
    assert!(first[3].starts_with("::warning file=crate/src/jobs.rs,line=5,"), "{}", first[3]);
    assert_eq!(repository.lint("crate", &["--format", "json", "--format", "agent"]).code(), 2);
    assert_eq!(repository.lint("crate", &["--format", "json=/no/such/folder/j"]).code(), 2);
}
