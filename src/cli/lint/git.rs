//! Asks git what changed since a commit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail};

use super::root::repository;
use crate::lint::since::Changes;
use crate::lint::workspace::working_directory;

/// What changed in Rust files since the common ancestor of `reference` and HEAD, whether committed or
/// not, with files that git does not know yet; in the repository around all of `paths`.
///
/// # Errors
/// No git, no repository or more than one, or no such commit: a sentence that says what to do.
pub(super) fn changes(reference: &str, paths: &[PathBuf]) -> anyhow::Result<Changes> {
    let cwd = working_directory()?;
    let mut roots = Vec::new();
    let here = [PathBuf::from(".")];
    for path in if paths.is_empty() { &here } else { paths } {
        let Some(root) = repository(&cwd, path) else {
            let path = cwd.join(path);
            bail!("--since needs a git repository, and `{}` is in none", path.display());
        };
        roots.push(root);
    }
    roots.dedup();
    let [root] = roots.as_slice() else {
        bail!("--since looks at one git repository, and several are named");
    };
    let base = base(root, reference)?;
    let patch = checked(git(
        root,
        &[
            // Whatever the user has configured: this is read by a program.
            "diff",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "--find-renames",
            "--unified=0",
            "--inter-hunk-context=0",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            &base,
            "--",
            "*.rs",
        ],
    )?)?;
    let mut changes = Changes::parse(&patch);
    let unknown =
        checked(git(root, &["ls-files", "--others", "--exclude-standard", "-z", "--", "*.rs"])?)?;
    for path in unknown.split(|&byte| byte == 0).filter(|path| !path.is_empty()) {
        changes.add_whole(String::from_utf8_lossy(path));
    }
    Ok(changes)
}

/// The commit to compare with.
fn base(root: &Path, reference: &str) -> anyhow::Result<String> {
    let commit = format!("{reference}^{{commit}}");
    let found = git(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    if !found.status.success() {
        missing(root, &format!("there is no commit `{reference}` in this repository"))?;
    }
    let commit = line(&found.stdout);
    let found = git(root, &["merge-base", &commit, "HEAD"])?;
    if !found.status.success() {
        missing(root, &format!("`{reference}` and HEAD have no common ancestor"))?;
    }
    Ok(line(&found.stdout))
}

/// Fails because a commit is not there, and says what helps.
fn missing(root: &Path, what: &str) -> anyhow::Result<()> {
    let shallow = git(root, &["rev-parse", "--is-shallow-repository"])?;
    if line(&shallow.stdout) == "true" {
        bail!(
            "{what}; this clone is shallow and has only the newest commits: fetch the others with \
             `git fetch --unshallow`, or in a GitHub workflow give actions/checkout `fetch-depth: 0`"
        );
    }
    bail!("{what}; `git fetch` may bring it")
}

fn git(root: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        // An index that a hook is about to commit counts, but it need not be refreshed on disk.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env_remove("GIT_DIFF_OPTS")
        .output()
        .context("--since needs git, which cannot be started")
}

fn checked(output: Output) -> anyhow::Result<Vec<u8>> {
    if !output.status.success() {
        bail!("git failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
