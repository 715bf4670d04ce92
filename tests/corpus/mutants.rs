//! Measures the linter on mutants: takes one release or bound away and looks who notices.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::body::{File, Lines};
use crate::linter::{Finding, lint, why};
use crate::sites::{self, Site};

/// What became of one mutant.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    Reported,
    Noted,
    Missed,
    /// The original has such a finding there already.
    NotSilent,
}

/// A mutant that was tried.
pub(crate) struct Tried {
    pub(crate) package: String,
    pub(crate) site: Site,
    pub(crate) outcome: Outcome,
    /// Rules that speak in its scope now, whichever they are.
    pub(crate) said: Vec<String>,
    /// What the linter says of the lines of a miss, when asked.
    pub(crate) why: Vec<String>,
}

/// What is tried, and how.
#[derive(Clone, Copy, Default)]
pub(crate) struct How<'a> {
    /// Only this kind.
    pub(crate) kind: Option<&'a str>,
    /// Only what stands at this place, as a list of misses names it: `package/path:line`.
    pub(crate) at: Option<&'a str>,
    /// Whether the linter is asked why it misses one.
    pub(crate) ask: bool,
    /// Whether mutants that do not meet share a copy.
    pub(crate) together: bool,
}

/// Tries all mutants of the packages in these folders; what several versions of a crate share counts once.
pub(crate) fn measure(packages: &[PathBuf], how: How<'_>) -> Vec<Tried> {
    let versions: Vec<&[PathBuf]> =
        packages.chunk_by(|one, other| crate_name(one) == crate_name(other)).collect();
    let each = versions.par_iter().flat_map_iter(|folders| {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for folder in *folders {
            match measure_one(folder, how, &mut seen) {
                Ok(tried) => all.extend(tried),
                Err(error) => println!("SKIPPED: {}: {error}", folder.display()),
            }
        }
        all
    });
    let mut tried: Vec<Tried> = each.collect();
    tried.sort_by(|one, other| key(one).cmp(&key(other)));
    tried
}

/// The folder's name without the version.
fn crate_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let end = name
        .match_indices('-')
        .find(|(at, _)| name[at + 1..].starts_with(|letter: char| letter.is_ascii_digit()));
    name[..end.map_or(name.len(), |(at, _)| at)].to_owned()
}

fn key(tried: &Tried) -> (&str, Outcome, &str, &Path, usize) {
    (tried.site.kind, tried.outcome, &tried.package, &tried.site.path, tried.site.line)
}

fn measure_one(
    folder: &Path,
    how: How<'_>,
    seen: &mut HashSet<String>,
) -> Result<Vec<Tried>, String> {
    let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if how.at.is_some_and(|at| !at.starts_with(&package)) {
        return Ok(Vec::new());
    }
    let files = sites::read(folder);
    let mut wanted = sites::of(&files);
    wanted.retain(|site| how.kind.is_none_or(|kind| site.kind == kind));
    wanted.retain(|site| {
        how.at.is_none_or(|at| at == format!("{package}/{}:{}", site.path.display(), site.line))
    });
    wanted.retain(|site| {
        let file = files.iter().find(|file| file.path == site.path);
        let text =
            file.map_or("", |file| site.edits.first().map_or("", |(bytes, _)| file.at(bytes)));
        seen.insert(format!("{} {} {text}", site.kind, site.function))
    });
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let copy = tempfile::tempdir().map_err(|error| error.to_string())?;
    copy_sources(folder, copy.path()).map_err(|error| error.to_string())?;
    let original = lint(copy.path())?;
    let (loud, silent): (Vec<Site>, Vec<Site>) =
        wanted.into_iter().partition(|site| !speaking(site, &original).is_empty());
    let mut tried: Vec<Tried> = loud
        .into_iter()
        .map(|site| Tried {
            package: package.clone(),
            site,
            outcome: Outcome::NotSilent,
            said: Vec::new(),
            why: Vec::new(),
        })
        .collect();
    for round in rounds(silent, &files, how.together) {
        let changed: HashSet<&Path> = round.iter().map(|site| &*site.path).collect();
        for file in files.iter().filter(|file| changed.contains(&*file.path)) {
            let of_file = round.iter().filter(|site| site.path == file.path);
            let edits: Vec<_> = of_file.flat_map(|site| site.edits.iter().cloned()).collect();
            write(copy.path(), file, &sites::mutated(&file.text, &edits))?;
        }
        let found = lint(copy.path());
        let missed = |site: &Site| {
            let strong = |found: &Vec<Finding>| speaking(site, found).iter().any(|f| f.is_strong());
            found.as_ref().is_ok_and(|found| !strong(found))
        };
        let ask = |site: &Site| {
            let file = files.iter().find(|file| file.path == site.path)?;
            // Of an owner that lost its Drop, its fields.
            let lines = match (site.kind, site.scope.first()) {
                ("drop-impl" | "field-release", Some((_, (first, last)))) => *first..=*last,
                _ => edited(site, &file.text),
            };
            (how.ask && missed(site)).then(|| why(copy.path(), &site.path, lines))
        };
        let answers: Vec<_> = round.iter().map(|site| ask(site).unwrap_or_default()).collect();
        for file in files.iter().filter(|file| changed.contains(&*file.path)) {
            write(copy.path(), file, &file.text)?;
        }
        let found = found?;
        for (site, why) in round.into_iter().zip(answers) {
            let new = |finding: &&Finding| !original.iter().any(|old| same(old, finding));
            let mut said: Vec<_> = found
                .iter()
                .filter(|finding| in_scope(&site, finding))
                .filter(new)
                .map(|finding| format!("{} ({})", finding.rule, finding.severity))
                .collect();
            said.sort();
            said.dedup();
            let speaking = speaking(&site, &found);
            let outcome = if speaking.iter().any(|finding| finding.is_strong()) {
                Outcome::Reported
            } else if speaking.is_empty() {
                Outcome::Missed
            } else {
                Outcome::Noted
            };
            tried.push(Tried { package: package.clone(), site, outcome, said, why });
        }
    }
    Ok(tried)
}

fn write(copy: &Path, file: &File, text: &str) -> Result<(), String> {
    std::fs::write(copy.join(&file.path), text).map_err(|error| error.to_string())
}

/// One mutant at a time, or as many as do not meet: neither in what they change nor where a finding
/// would count.
fn rounds(sites: Vec<Site>, files: &[File], together: bool) -> Vec<Vec<Site>> {
    /// Lines of a file.
    type Place = (PathBuf, Lines);
    let mut rounds: Vec<(Vec<Site>, Vec<Place>)> = Vec::new();
    for site in sites {
        let mut places = site.scope.clone();
        if let Some(file) = files.iter().find(|file| file.path == site.path) {
            places.push((file.path.clone(), edited(&site, &file.text).into_inner()));
        }
        let meet = |(one, lines): &Place, (other, of): &Place| {
            one == other && of.0 <= lines.1 && lines.0 <= of.1
        };
        let meets =
            |taken: &[Place]| taken.iter().any(|of| places.iter().any(|place| meet(of, place)));
        let free = rounds.iter_mut().find(|(_, taken)| together && !meets(taken));
        match free {
            Some((round, taken)) => {
                round.push(site);
                taken.extend(places);
            }
            None => rounds.push((vec![site], places)),
        }
    }
    rounds.into_iter().map(|(round, _)| round).collect()
}

/// The lines that the mutant changes, at most ten.
fn edited(site: &Site, text: &str) -> std::ops::RangeInclusive<usize> {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let first = site.edits.iter().map(|(bytes, _)| line(bytes.start)).min().unwrap_or(site.line);
    let last = site.edits.iter().map(|(bytes, _)| line(bytes.end)).max().unwrap_or(site.line);
    first..=last.min(first + 9)
}

fn same(one: &Finding, other: &Finding) -> bool {
    one.rule == other.rule && one.path == other.path && one.line == other.line
}

fn speaking<'a>(site: &Site, findings: &'a [Finding]) -> Vec<&'a Finding> {
    findings
        .iter()
        .filter(|finding| site.rules.contains(&&*finding.rule) && in_scope(site, finding))
        .collect()
}

fn in_scope(site: &Site, finding: &Finding) -> bool {
    finding.places().any(|(path, line)| {
        site.scope.iter().any(|(of, (first, last))| of == path && (*first..=*last).contains(&line))
    })
}

/// Copies manifests and Rust files.
fn copy_sources(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in ignore::WalkBuilder::new(from).standard_filters(false).build().flatten() {
        let wanted = entry
            .path()
            .extension()
            .is_some_and(|end| ["rs", "toml", "lock"].iter().any(|kind| end == *kind));
        if let (true, Ok(path)) =
            (wanted && entry.path().is_file(), entry.path().strip_prefix(from))
        {
            let place = to.join(path);
            std::fs::create_dir_all(place.parent().unwrap_or(to))?;
            std::fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// Counts of each kind: sites, reported, noted, missed, not silent.
pub(crate) fn table(tried: &[Tried]) {
    let mut kinds: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for one in tried {
        let row = kinds.entry(one.site.kind).or_default();
        row[one.outcome as usize] += 1;
    }
    println!(
        "| kind | mutants | reported | noted | missed | share reported | originals not silent |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut sum = [0; 4];
    for (kind, row) in &kinds {
        line(kind, row);
        sum.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
    }
    line("all", &sum);
}

fn line(kind: &str, [reported, noted, missed, loud]: &[usize; 4]) {
    let all = reported + noted + missed;
    let share = (100 * reported).checked_div(all).unwrap_or_default();
    println!("| {kind} | {all} | {reported} | {noted} | {missed} | {share} % | {loud} |");
}

/// One line for each mutant that was not reported.
pub(crate) fn list(tried: &[Tried]) {
    for one in tried.iter().filter(|one| one.outcome != Outcome::Reported) {
        let (site, said) = (&one.site, one.said.join(", "));
        println!(
            "{:?} {} {}/{}:{} {} {said}",
            one.outcome,
            site.kind,
            one.package,
            site.path.display(),
            site.line,
            site.function
        );
        for line in &one.why {
            println!("{line}");
        }
    }
}

/// Folders with a Cargo.toml below these, two levels deep, the newest versions first.
pub(crate) fn packages(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| {
            ignore::WalkBuilder::new(folder).standard_filters(false).max_depth(Some(2)).build()
        })
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(ignore::DirEntry::into_path)
        .collect();
    found.sort_by(|one, other| other.file_name().cmp(&one.file_name()));
    found.dedup_by(|one, other| one.file_name() == other.file_name());
    found
}
