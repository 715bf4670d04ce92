//! `lint --fix` and `lint --diff`: mended text shown, or written back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use similar::TextDiff;

use super::policies::Chosen;
use crate::cli::args::LintArgs;
use crate::cli::complain;
use crate::finding::{Applicability, LintFinding, Severity};
use crate::lint::fix::{Mended, MendedFile, Overlay, mend};
use crate::lint::workspace::{self, MARK, SourceFile, Text, absolute};
use crate::lint::{self, Issue, Loaded, Options, Report};
use crate::report::sanitise;

/// Lines around a change that a diff shows.
const CONTEXT: usize = 3;
/// Files that are not mended, named beside a diff.
const MOST_REFUSED: usize = 5;

/// Mends in memory what would be shown: findings, or notes, too, when they are asked for.
///
/// # Errors
/// Those of a run, and of `judge`.
pub(super) fn mended(
    args: &LintArgs,
    loaded: &Loaded,
    chosen: &Chosen,
    options: &Options,
    judge: &dyn Fn(&mut Report) -> anyhow::Result<()>,
) -> anyhow::Result<Mended> {
    let cwd = workspace::working_directory()?;
    let refused: RefCell<BTreeMap<Arc<str>, Option<&'static str>>> = RefCell::default();
    let notes = args.choosing.notes || chosen.fails_from(Severity::Note);
    let wanted = |finding: &LintFinding| {
        let Some(fix) = &finding.fix else { return false };
        let shown = &finding.region.path;
        (notes || finding.severity > Severity::Note)
            && (args.unsafe_fixes || fix.applicability == Applicability::Safe)
            && refused
                .borrow_mut()
                .entry(Arc::clone(shown))
                .or_insert_with(|| refusal(&absolute(&cwd, Path::new(&**shown))))
                .is_none()
    };
    // What there is and what holds there is the same in each round.
    let lint = |overlay: &Overlay| {
        let options = Options { overlay: overlay.clone(), ..options.clone() };
        lint::run_with(loaded.clone(), &chosen.policies, &options)
    };
    let mut mended = mend(&lint, args.since.is_some(), &wanted, judge)?;
    let refused = refused.into_inner().into_iter();
    let refused: Vec<_> = refused.filter_map(|(path, why)| Some((path, why?))).collect();
    if args.diff {
        tell_refused(&refused);
    }
    for (path, why) in refused {
        let message = format!("not mended: {why}");
        mended.report.issues.push(Issue { path, line: 0, message });
    }
    mended.report.issues.sort();
    Ok(mended)
}

/// Says beside a diff, which has no report, what it leaves out.
fn tell_refused(refused: &[(Arc<str>, &'static str)]) {
    for (path, why) in refused.iter().take(MOST_REFUSED) {
        complain(&format!("`{path}` is not mended: {why}"));
    }
    let more = refused.len().saturating_sub(MOST_REFUSED);
    if more > 0 {
        complain(&format!("{more} more files are not mended"));
    }
}

/// Why a file is not ours to write.
fn refusal(path: &Path) -> Option<&'static str> {
    let Ok(about) = path.symlink_metadata() else { return Some("it cannot be looked at") };
    if about.is_symlink() {
        return Some("it is a symbolic link");
    }
    if about.permissions().readonly() {
        return Some("it is read-only");
    }
    // What Cargo has unpacked, or vendored, is checked against its sum.
    let of_cargo = |folder: &Path| {
        folder.join(".cargo-ok").exists() || folder.join(".cargo-checksum.json").exists()
    };
    path.ancestors().skip(1).any(of_cargo).then_some("it is the source of a dependency")
}

/// Prints what would change as a unified diff; true when something would.
///
/// # Errors
/// What standard output returns.
pub(super) fn print_diff(mended: &Mended) -> io::Result<bool> {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let mut out = io::BufWriter::new(stdout.lock());
    for (shown, file) in &mended.files {
        let diff = TextDiff::from_lines(&*file.before, &*file.after);
        let (old, new) = (format!("a/{shown}"), format!("b/{shown}"));
        let text = diff.unified_diff().context_radius(CONTEXT).header(&old, &new).to_string();
        if terminal {
            for line in text.lines() {
                writeln!(out, "{}", sanitise(line))?;
            }
        } else {
            out.write_all(text.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(!mended.files.is_empty())
}

/// Writes every mended file, all or nothing each, with the permissions that it had.
///
/// # Errors
/// The first file that cannot be written, or was changed meanwhile; those before it are written.
pub(super) fn write(mended: &Mended) -> anyhow::Result<()> {
    for (shown, file) in &mended.files {
        replace(shown, file).with_context(|| format!("`{shown}` cannot be mended"))?;
    }
    Ok(())
}

fn replace(shown: &Arc<str>, file: &MendedFile) -> anyhow::Result<()> {
    let source = SourceFile { path: file.path.clone(), shown: Arc::clone(shown), reported: true };
    let Text { text, marked } = workspace::read(&source)?;
    if text != *file.before {
        bail!("it was changed meanwhile");
    }
    let folder = file.path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".poolscan-").tempfile_in(folder)?;
    if marked {
        beside.write_all(MARK.as_bytes())?;
    }
    beside.write_all(file.after.as_bytes())?;
    beside.as_file().set_permissions(std::fs::metadata(&file.path)?.permissions())?;
    beside.as_file().sync_all()?;
    beside.persist(&file.path)?;
    Ok(())
}

/// `mended 3 findings in 2 files: guard-dropped-at-once 2, …`
pub(super) fn summary(mended: &Mended) -> String {
    let count: u64 = mended.rules.values().sum();
    let (files, rules) = (mended.files.len(), &mended.rules);
    let plural = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    if count == 0 {
        return "nothing was mended".to_owned();
    }
    let each: Vec<String> = rules.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
    let (count, files) = (plural(count, "finding"), plural(files as u64, "file"));
    format!("mended {count} in {files}: {}", each.join(", "))
}
