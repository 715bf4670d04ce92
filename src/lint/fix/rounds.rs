//! Fixes findings in rounds, in memory: what a fix brings to light, or overlapped with another,
//! is the next round's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::finding::{Fix, LintFinding};
use crate::lint::workspace::{MARK, absolute, working_directory};
use crate::lint::{Issue, Report};

use super::apply::apply;

/// Rounds, at most. Each but the last mended something.
const ROUNDS: u32 = 12;

/// What mending came to.
#[derive(Debug, Default)]
pub struct Mended {
    /// About the mended text.
    pub report: Report,
    /// Files with another text than before, by the path as reported.
    pub files: BTreeMap<Arc<str>, MendedFile>,
    /// How many findings were mended, by rule.
    pub rules: BTreeMap<String, u64>,
}

/// A file before and after, both without a byte order mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MendedFile {
    /// Absolute path.
    pub path: PathBuf,
    /// What is on disk.
    pub before: Arc<str>,
    /// What should be there.
    pub after: Arc<str>,
}

/// Texts that stand for files, by absolute path.
pub type Overlay = BTreeMap<PathBuf, Arc<str>>;

/// Fixes of one rule in one file.
type Batch = (Arc<str>, String);

/// Mends what is `wanted` of what `lint` finds with some texts instead of files, after `judge` has
/// taken out what is known or was not touched. `once`: in a single round, where judging needs the lines of the files on disk.
///
/// # Errors
/// Those of `lint` and of `judge`.
pub fn mend(
    lint: &dyn Fn(&Overlay) -> anyhow::Result<Report>,
    once: bool,
    wanted: &dyn Fn(&LintFinding) -> bool,
    judge: &dyn Fn(&mut Report) -> anyhow::Result<()>,
) -> anyhow::Result<Mended> {
    let cwd = working_directory()?;
    let mut overlay = Overlay::new();
    let mut mended = Mended::default();
    let mut useless: BTreeSet<Batch> = BTreeSet::new();
    let mut issues: BTreeSet<Issue> = BTreeSet::new();
    let mut report = lint(&overlay)?;
    judge(&mut report)?;
    for _ in 0..if once { 1 } else { ROUNDS } {
        let fixable = |f: &LintFinding| {
            wanted(f) && !useless.contains(&(Arc::clone(&f.region.path), f.rule.clone()))
        };
        let round = Round::of(&report, &fixable, &mut issues);
        if round.texts.is_empty() {
            break;
        }
        let kept = overlay.clone();
        for (shown, text) in &round.texts {
            let mark = if round.marked.contains(shown) { MARK } else { "" };
            let text = Arc::from(format!("{mark}{text}"));
            overlay.insert(absolute(&cwd, Path::new(&**shown)), text);
        }
        let mut next = lint(&overlay)?;
        if !once {
            judge(&mut next)?;
        }
        let failed = round.failed(&next);
        if failed.is_empty() {
            for (shown, text) in round.texts {
                mended.note(&report, &cwd, shown, text);
            }
            for ((_, rule), count) in round.applied {
                *mended.rules.entry(rule).or_default() += count;
            }
            report = next;
            continue;
        }
        // Back to where the round began, without those.
        overlay = kept;
        for (shown, rule) in failed {
            issues.insert(Issue {
                path: Arc::clone(&shown),
                line: 0,
                message: format!("the fix for {rule} does not mend it here; nothing was changed"),
            });
            useless.insert((shown, rule));
        }
    }
    report.issues.extend(issues);
    report.issues.sort();
    mended.report = report;
    Ok(mended)
}

impl Mended {
    fn note(&mut self, report: &Report, cwd: &Path, shown: Arc<str>, text: Arc<str>) {
        let before = || report.sources.get(&shown).cloned().unwrap_or_default();
        let entry = self.files.entry(Arc::clone(&shown)).or_insert_with(|| MendedFile {
            path: absolute(cwd, Path::new(&*shown)),
            before: before(),
            after: Arc::from(""),
        });
        entry.after = text;
    }
}

/// One round: new texts, and how many findings of each kind should be gone.
struct Round {
    texts: BTreeMap<Arc<str>, Arc<str>>,
    /// Those that begin with a byte order mark.
    marked: BTreeSet<Arc<str>>,
    applied: BTreeMap<Batch, u64>,
    /// How many there were of those.
    before: BTreeMap<Batch, u64>,
}

impl Round {
    fn of(
        report: &Report,
        wanted: &dyn Fn(&LintFinding) -> bool,
        issues: &mut BTreeSet<Issue>,
    ) -> Self {
        let mut round = Self {
            texts: BTreeMap::new(),
            marked: BTreeSet::new(),
            applied: BTreeMap::new(),
            before: count(report),
        };
        let mut by_file: BTreeMap<&Arc<str>, Vec<(&LintFinding, &Fix)>> = BTreeMap::new();
        for finding in report.findings.iter().filter(|f| wanted(f)) {
            if let Some(fix) = &finding.fix {
                by_file.entry(&finding.region.path).or_default().push((finding, fix));
            }
        }
        for (shown, found) in by_file {
            let Some(source) = report.sources.get(shown) else { continue };
            let fixes: Vec<&Fix> = found.iter().map(|&(_, fix)| fix).collect();
            let done = apply(source, &fixes);
            for &number in &done.broken {
                issues.insert(Issue {
                    path: Arc::clone(shown),
                    line: found[number].0.region.line,
                    message: format!(
                        "the fix for {} would leave text that does not parse; it was left out",
                        found[number].0.rule
                    ),
                });
            }
            for &number in &done.applied {
                let batch = (Arc::clone(shown), found[number].0.rule.clone());
                *round.applied.entry(batch).or_default() += 1;
            }
            if fixes.iter().flat_map(|fix| &fix.edits).any(|e| e.file_bytes != e.region.bytes) {
                round.marked.insert(Arc::clone(shown));
            }
            if !done.applied.is_empty() {
                round.texts.insert(Arc::clone(shown), Arc::from(done.text));
            }
        }
        round
    }

    /// What is as it was although it was mended.
    fn failed(&self, after: &Report) -> Vec<Batch> {
        let after = count(after);
        let of =
            |counts: &BTreeMap<Batch, u64>, batch: &Batch| counts.get(batch).copied().unwrap_or(0);
        let failed = |(batch, applied): &(&Batch, &u64)| {
            of(&after, batch) + **applied > of(&self.before, batch)
        };
        self.applied.iter().filter(failed).map(|(batch, _)| batch.clone()).collect()
    }
}

fn count(report: &Report) -> BTreeMap<Batch, u64> {
    let mut counts = BTreeMap::new();
    for finding in &report.findings {
        let batch = (Arc::clone(&finding.region.path), finding.rule.clone());
        *counts.entry(batch).or_default() += 1;
    }
    counts
}
