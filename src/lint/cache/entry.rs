//! What is kept of a package: its part of the report, with numbers of files in the place of paths.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::finding::LintFinding;
use crate::lint::answer::{Issue, Skipped, Stats};
use crate::lint::interface::Told;
use crate::lint::part::Part;
use crate::lint::suppress::InFile;
use crate::lint::workspace::Skip;

use super::Places;

/// What is kept. Paths are those of no run: where one stands in a [`Part`], here is the number of
/// the file among those of the package.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    findings: Vec<LintFinding>,
    issues: Vec<Issue>,
    skipped: Vec<(Arc<str>, String)>,
    suppressions: Vec<(Arc<str>, InFile)>,
    /// Files whose texts are shown.
    sources: Vec<Arc<str>>,
    whole: bool,
    ignored: BTreeSet<String>,
    /// Packages, files, lines, bodies.
    counts: [u64; 4],
    /// Where another package depends on it.
    told: Option<Told>,
}

impl Entry {
    /// The bytes that keep a part and an interface; none when they are about a file that is not
    /// among `places`.
    pub(crate) fn keep(part: &Part, told: Option<&Told>, places: &Places) -> Option<Vec<u8>> {
        // Of the counts only those of documents; one run does not explain or measure another.
        let Part {
            findings,
            issues,
            sources,
            suppressions,
            skipped,
            whole,
            ignored,
            why: _,
            stats,
        } = part;
        let in_order = |(path, file): (&Arc<str>, &InFile)| (Arc::clone(path), file.clone());
        let skipped = skipped.iter().map(|s| (Arc::clone(&s.path), s.reason.to_owned()));
        let mut entry = Self {
            findings: findings.clone(),
            issues: issues.clone(),
            skipped: skipped.collect(),
            suppressions: suppressions.iter().map(in_order).collect(),
            sources: sources.keys().map(Arc::clone).collect(),
            whole: *whole,
            ignored: ignored.clone(),
            counts: [stats.packages, stats.files, stats.lines, stats.bodies],
            told: told.cloned(),
        };
        entry.rename(|path| places.kept(path))?;
        serde_json::to_vec(&entry).ok()
    }

    /// The part and the interface that these bytes keep; `text` gives the texts of the package's
    /// files by number.
    pub(crate) fn part(
        bytes: &[u8],
        places: &Places,
        text: impl Fn(usize) -> Option<Arc<str>>,
    ) -> Option<(Part, Option<Told>)> {
        let mut entry: Self = serde_json::from_slice(bytes).ok()?;
        let numbers = entry.sources.clone();
        entry.rename(|kept| places.shown(kept))?;
        let Self { findings, issues, skipped, suppressions, sources, whole, ignored, counts, told } =
            entry;
        let texts = numbers.iter().map(|number| text(number.parse().ok()?));
        let sources: Option<BTreeMap<Arc<str>, Arc<str>>> =
            sources.into_iter().zip(texts).map(|(path, text)| Some((path, text?))).collect();
        let skipped: Option<Vec<Skipped>> = skipped
            .into_iter()
            .map(|(path, reason)| Some(Skipped { path, reason: known_reason(&reason)? }))
            .collect();
        let [packages, files, lines, bodies] = counts;
        let part = Part {
            findings,
            issues,
            sources: sources?,
            suppressions: suppressions.into_iter().collect(),
            skipped: skipped?,
            whole,
            ignored,
            why: Vec::new(),
            stats: Stats { packages, files, lines, bodies, ..Stats::default() },
        };
        Some((part, told))
    }

    /// Puts other names in the place of all paths; none when one has no other name.
    fn rename(&mut self, name: impl Fn(&str) -> Option<Arc<str>>) -> Option<()> {
        let regions = self.findings.iter_mut().flat_map(|finding| {
            let related = finding.related.iter_mut().map(|related| &mut related.region);
            let edits = finding.fix.iter_mut().flat_map(|fix| &mut fix.edits);
            let regions = std::iter::once(&mut finding.region).chain(related);
            regions.chain(edits.map(|edit| &mut edit.region))
        });
        let paths = regions
            .map(|region| &mut region.path)
            .chain(self.issues.iter_mut().map(|issue| &mut issue.path))
            .chain(self.skipped.iter_mut().map(|(path, _)| path))
            .chain(self.suppressions.iter_mut().map(|(path, _)| path))
            .chain(&mut self.sources);
        for path in paths {
            *path = name(path)?;
        }
        Some(())
    }
}

/// The word of the closed list.
fn known_reason(reason: &str) -> Option<&'static str> {
    const OURS: [&str; 3] = ["generated", "too_deep", "unparsable_outside_modules"];
    let unread = [Skip::TooLarge, Skip::NotUtf8 { valid_up_to: 0 }];
    let mut all = OURS.into_iter().chain(unread.map(|skip| skip.reason()));
    all.find(|known| *known == reason)
}
