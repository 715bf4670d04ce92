//! From settings and arguments to what each package is linted with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;

use crate::cli::args::Choosing;
use crate::cli::catalogue::Catalogue;
use crate::config::{self, Document, FailOn, Finder, Mistake, Mistakes, Settings, Word};
use crate::finding::{LintFinding, Severity};
use crate::lint::workspace::{Workspace, absolute, shown, working_directory};
use crate::lint::{Override, Paths, Policies, Policy, Report};
use crate::report::lint::Described;

/// What was chosen for the packages of a run.
pub(in crate::cli) struct Chosen {
    /// For the linter.
    pub(super) policies: Policies,
    /// Of each policy, where it comes from.
    origins: Vec<Origin>,
}

/// Where a policy comes from.
struct Origin {
    settings: Option<Arc<Settings>>,
    catalogue: Catalogue,
    fail_on: FailOn,
}

impl Chosen {
    /// For the packages of `workspace`: what the arguments say, else the settings that hold there.
    /// `fail_on` counts more than settings, too.
    ///
    /// # Errors
    /// Everything that is wrong with settings, and names in arguments that stand for nothing.
    pub(super) fn of(
        workspace: &Workspace,
        args: &Choosing,
        fail_on: Option<FailOn>,
    ) -> anyhow::Result<Self> {
        let held = held(workspace, args)?;
        let mut distinct: Vec<Option<Arc<Settings>>> = Vec::new();
        let mut numbers = Vec::new();
        for settings in held {
            let same = |known: &Option<Arc<Settings>>| match (known, &settings) {
                (Some(known), Some(settings)) => Arc::ptr_eq(known, settings),
                (None, None) => true,
                _ => false,
            };
            let number = distinct.iter().position(same).unwrap_or(distinct.len());
            if number == distinct.len() {
                distinct.push(settings);
            }
            numbers.push(number);
        }
        let of_loose = numbers.pop().unwrap_or_default();
        let mut mistakes = Vec::new();
        let (mut all, mut origins) = (Vec::new(), Vec::new());
        for settings in distinct {
            let catalogue = Catalogue::with(&args.rules, settings.as_deref())?;
            all.push(policy(&catalogue, settings.as_deref(), args, &mut mistakes));
            let set = settings.as_ref().and_then(|settings| settings.fail_on);
            let fail_on = fail_on.or(set).unwrap_or(FailOn::Least(Severity::Warning));
            origins.push(Origin { settings, catalogue, fail_on });
        }
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes).into());
        }
        for name in args.select.iter().chain(&args.ignore) {
            if origins.iter().all(|origin| origin.catalogue.ids(name).is_empty()) {
                bail!("no rule is called '{name}'; {}", origins[0].catalogue.guess(name));
            }
        }
        Ok(Self { policies: Policies { all, of_packages: numbers, of_loose }, origins })
    }

    /// The baselines that settings name, each with the numbers of its policies.
    pub(super) fn baselines(&self) -> BTreeMap<PathBuf, BTreeSet<usize>> {
        let mut found: BTreeMap<PathBuf, BTreeSet<usize>> = BTreeMap::new();
        for (number, origin) in self.origins.iter().enumerate() {
            let file = origin.settings.as_ref().and_then(|settings| settings.baseline.clone());
            if let Some(file) = file {
                found.entry(file).or_default().insert(number);
            }
        }
        found
    }

    /// All rules, also those that only some packages have.
    pub(in crate::cli) fn rules(&self) -> Vec<Described<'_>> {
        let mut known = BTreeSet::new();
        let mut all: Vec<Described<'_>> =
            self.origins.iter().flat_map(|origin| origin.catalogue.all()).collect();
        all.retain(|described| known.insert(described.rule.id.as_str()));
        all
    }

    /// Whether somewhere what is of this severity makes the run fail.
    pub(in crate::cli) fn fails_from(&self, severity: Severity) -> bool {
        self.origins.iter().any(|origin| origin.fails(severity))
    }

    /// Whether a finding of the report makes the run fail.
    pub(super) fn fails(&self, report: &Report, finding: &LintFinding) -> bool {
        let seen = report.scope.packages.get(&finding.package);
        let mut policies = seen.into_iter().flat_map(|seen| &seen.policies);
        policies.any(|&number| self.origins[number].fails(finding.severity))
    }

    /// A line for each package: its folder, and which settings hold.
    pub(super) fn lines(&self, workspace: &Workspace) -> anyhow::Result<Vec<String>> {
        let cwd = working_directory()?;
        let of = |what: &str, number: usize| {
            let origin = &self.origins[number];
            let from = match &origin.settings {
                Some(settings) => &*settings.document.shown,
                None => "no settings",
            };
            let rules = self.policies.all[number].rules.len();
            let fails = match origin.fail_on {
                FailOn::Least(severity) => format!("fails from {} on", severity.as_str()),
                FailOn::Never => "never fails".to_owned(),
            };
            format!("{what}: {from}, {rules} rules, {fails}")
        };
        let packages = workspace.packages.iter().zip(&self.policies.of_packages);
        let packages = packages.filter(|(package, _)| package.is_reported());
        let mut lines: Vec<String> =
            packages.map(|(package, &number)| of(&shown(&package.dir, &cwd), number)).collect();
        if !workspace.loose.is_empty() {
            lines.push(of("files of no package", self.policies.of_loose));
        }
        Ok(lines)
    }
}

impl Origin {
    fn fails(&self, severity: Severity) -> bool {
        match self.fail_on {
            FailOn::Least(least) => severity >= least,
            FailOn::Never => false,
        }
    }
}

/// The settings of each package, and at the end those of files of no package.
fn held(workspace: &Workspace, args: &Choosing) -> anyhow::Result<Vec<Option<Arc<Settings>>>> {
    let cwd = working_directory()?;
    let count = workspace.packages.len() + 1;
    if args.no_config {
        return Ok(vec![None; count]);
    }
    if let Some(file) = &args.config {
        let path = absolute(&cwd, file);
        let shown = shown(&path, &cwd);
        let document = Document::read(path, shown).map_err(|mistake| Mistakes(vec![mistake]))?;
        let settings = config::read(&Arc::new(document), &[]).map_err(Mistakes)?;
        return Ok(vec![settings.map(Arc::new); count]);
    }
    let mut finder = Finder::new(&cwd);
    let mut held = Vec::with_capacity(count);
    for package in &workspace.packages {
        held.push(finder.of(&package.dir, package.workspace.as_deref()));
    }
    // What they have in common may be nearer than the folder of the run, or farther.
    let folder = common(workspace.loose.iter().filter_map(|file| file.path.parent()));
    held.push(folder.and_then(|folder| finder.of(folder, None)));
    let mistakes = finder.into_mistakes();
    if mistakes.is_empty() { Ok(held) } else { Err(Mistakes(mistakes).into()) }
}

/// The deepest folder that holds all of these.
fn common<'p>(folders: impl Iterator<Item = &'p Path>) -> Option<&'p Path> {
    folders.reduce(|one, other| one.ancestors().find(|up| other.starts_with(up)).unwrap_or(one))
}

/// What settings and arguments make of a catalogue; names that stand for nothing are mistakes.
fn policy(
    catalogue: &Catalogue,
    settings: Option<&Settings>,
    args: &Choosing,
    mistakes: &mut Vec<Mistake>,
) -> Policy {
    let mut policy = Policy::new(catalogue.catalog());
    let named = |names: &[String]| -> BTreeSet<String> {
        names.iter().flat_map(|name| catalogue.ids(name)).collect()
    };
    if let Some(settings) = settings {
        let mut names = Names { catalogue, document: &settings.document, mistakes };
        let select = settings.select.as_ref().map(|words| names.ids(words));
        let ignore = names.ids(&settings.ignore);
        // What is selected by hand runs, whatever the settings say of it.
        if args.select.is_empty() {
            policy.rules.retain(|id| select.as_ref().is_none_or(|select| select.contains(id)));
            policy.rules.retain(|id| !ignore.contains(id));
        }
        policy.severities = names.severities(&settings.severity);
        policy.transparent.extend(settings.transparent_macros.iter().cloned());
        for different in &settings.overrides {
            let ignore = names.ids(&different.ignore);
            let severities = names.severities(&different.severity);
            if let Some(paths) = names.paths(&different.paths) {
                policy.overrides.push(Override { paths, ignore, severities });
            }
        }
    }
    if !args.select.is_empty() {
        let select = named(&args.select);
        policy.rules.retain(|id| select.contains(id));
    }
    let ignore = named(&args.ignore);
    policy.rules.retain(|id| !ignore.contains(id));
    policy
}

/// Gives the names in a document their meaning.
struct Names<'a> {
    catalogue: &'a Catalogue,
    document: &'a Document,
    mistakes: &'a mut Vec<Mistake>,
}

impl Names<'_> {
    fn ids(&mut self, words: &[Word]) -> BTreeSet<String> {
        words.iter().flat_map(|word| self.meant(word)).collect()
    }

    fn meant(&mut self, word: &Word) -> BTreeSet<String> {
        let name = word.get_ref();
        let ids = self.catalogue.ids(name);
        if ids.is_empty() {
            let message = format!("no rule or family is called `{name}`");
            let mistake = self.document.mistake(word.span(), message);
            self.mistakes.push(mistake.with_help(Some(self.catalogue.guess(name))));
        }
        ids
    }

    fn severities(&mut self, words: &[(Word, Severity)]) -> BTreeMap<String, Severity> {
        // What means more is read first, so that a rule counts more than its family.
        let mut meant: Vec<(BTreeSet<String>, Severity)> =
            words.iter().map(|(word, severity)| (self.meant(word), *severity)).collect();
        meant.sort_by_key(|(ids, _)| std::cmp::Reverse(ids.len()));
        let all = meant.into_iter();
        all.flat_map(|(ids, severity)| ids.into_iter().map(move |id| (id, severity))).collect()
    }

    fn paths(&mut self, patterns: &[Word]) -> Option<Paths> {
        let texts: Vec<&str> = patterns.iter().map(|pattern| pattern.get_ref().as_str()).collect();
        match Paths::new(self.document.folder(), &texts) {
            Ok(paths) => Some(paths),
            Err((number, message)) => {
                let span = patterns.get(number).map(Word::span).unwrap_or_default();
                self.mistakes.push(self.document.mistake(span, message));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_folders_have_in_common() {
        let common = |folders: &[&str]| {
            common(folders.iter().map(Path::new)).map(|path| path.display().to_string())
        };
        assert_eq!(common(&["/a/b/c", "/a/b/d/e", "/a/b"]).as_deref(), Some("/a/b"));
        assert_eq!(common(&["/a/bc", "/a/b"]).as_deref(), Some("/a"));
        assert_eq!(common(&["/a"]).as_deref(), Some("/a"));
        assert_eq!(common(&[]), None);
    }
}
