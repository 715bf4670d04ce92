//! A run: what is named on the command line to a report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rayon::prelude::*;
use semver::VersionReq;

use crate::catalog::model::MacroGrammar;
use crate::catalog::{Catalog, LintRule};
use crate::finding::{LintFinding, assign_fingerprints};

use super::answer::{Issue, Report, Skipped, Stats};
use super::checks::{Candidate, Outcome};
use super::findings::{Lines, finding};
use super::ir::Name;
use super::names::{FileId, Root, Side, Source, Surroundings};
use super::options::Options;
use super::package::{Analysed, Dependencies, Interest, Job, analyse};
use super::suppress::{self, CLIPPY, InFile, Known, Suppression};
use super::syntax::{self, MacroGrammars};
use super::workspace::{
    self, Edition, Package, Request, Skip, SourceFile, Target, TargetKind, Text, Versions,
    Workspace,
};

/// Stack of a worker: only what is used of it is ever backed by memory.
const STACK: usize = 1 << 30;

/// What one package adds to the report.
#[derive(Default)]
struct Part {
    findings: Vec<LintFinding>,
    issues: Vec<Issue>,
    sources: BTreeMap<Arc<str>, Arc<str>>,
    suppressions: BTreeMap<Arc<str>, InFile>,
    skipped: Vec<Skipped>,
    /// Its name, and whether all of it was analysed.
    package: Option<(Arc<str>, bool)>,
    why: Vec<String>,
    stats: Stats,
}

/// Analyses what the options name.
///
/// # Errors
/// When nothing could be started; what is wrong with single files is in the report.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let cwd = std::env::current_dir().context("the working directory cannot be found")?;
    let started = Instant::now();
    let mut workspace =
        workspace::load(&Request { paths: options.paths.clone(), cwd: cwd.clone() })?;
    let loading = started.elapsed();
    let catalog = options.catalog.as_ref().unwrap_or_else(|| Catalog::embedded());
    let rules: Vec<&LintRule> = catalog
        .rules()
        .iter()
        .filter(|known| {
            let id = &known.rule.id;
            (options.select.is_empty() || options.select.contains(id))
                && !options.ignore.contains(id)
        })
        .collect();
    let grammars = grammars(catalog);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .stack_size(STACK)
        .build()
        .context("the worker threads cannot be started")?;
    let total = workspace.packages.iter().map(|package| package.files.len()).sum::<usize>()
        + workspace.loose.len();
    let run = Run {
        catalog,
        rules: &rules,
        grammars: &grammars,
        interest: Interest::of(catalog, &rules),
        options,
        why: options.why.clone().map(|(path, line)| (cwd.join(path), line)),
        done: AtomicU64::new(0),
        total: total as u64,
    };
    let loose = std::mem::take(&mut workspace.loose);
    let packages = std::mem::take(&mut workspace.packages);
    let mut parts: Vec<Part> =
        pool.install(|| packages.into_par_iter().map(|package| run.package(package)).collect());
    if !loose.is_empty() {
        parts.push(pool.install(|| run.loose(loose)));
    }
    Ok(run.report(workspace, parts, loading))
}

fn grammars(catalog: &Catalog) -> MacroGrammars {
    // Where two crates use a name differently the order must not decide anew in each run.
    let known: BTreeMap<&str, MacroGrammar> = catalog.macros().collect();
    known
        .into_iter()
        .map(|(path, grammar)| (Name::new(path.rsplit("::").next().unwrap_or(path)), grammar))
        .collect()
}

struct Run<'a> {
    catalog: &'a Arc<Catalog>,
    rules: &'a [&'a LintRule],
    grammars: &'a MacroGrammars,
    interest: Interest,
    options: &'a Options,
    /// As in the options, the path absolute.
    why: Option<(PathBuf, u32)>,
    done: AtomicU64,
    total: u64,
}

impl Run<'_> {
    fn package(&self, package: Package) -> Part {
        let mut around = Surroundings {
            edition_2015: package.edition == Edition::Rust2015,
            ..Surroundings::default()
        };
        for target in &package.targets {
            around.roots.push(root(target));
            if matches!(target.kind, TargetKind::Lib | TargetKind::ProcMacro) {
                around.own = Some(target.name.clone());
            }
        }
        // Libraries first: a file that several targets have belongs to the library.
        around.roots.sort_by_key(|root| match root.side {
            Side::Lib => 0,
            Side::Bin => 1,
            Side::Aside | Side::Orphan => 2,
        });
        let mut versions: BTreeMap<String, Vec<Versions>> = BTreeMap::new();
        for (name, dependency) in &package.dependencies {
            let lib = dependency.package.replace('-', "_");
            around.externs.push((name.clone(), lib));
            versions
                .entry(dependency.package.clone())
                .or_default()
                .push(dependency.versions.clone());
        }
        let holds = move |package: &str, facts: &[Option<&VersionReq>]| {
            let of = |versions: &Versions| versions.holding(facts);
            match versions.get(package).map(Vec::as_slice) {
                Some([only]) => of(only),
                // Two versions of one package: what holds for either.
                Some(all) => all.iter().map(of).fold(vec![false; facts.len()], |known, more| {
                    known.iter().zip(more).map(|(known, more)| *known || more).collect()
                }),
                None => of(&Versions::Unknown),
            }
        };
        let edition = Some(package.edition);
        let name = Arc::from(package.name);
        let dependencies = Dependencies { holds: Box::new(holds) };
        self.analyse(name, package.files, &around, dependencies, edition)
    }

    /// Files outside of any package: every crate with facts may be meant, in any version.
    fn loose(&self, files: Vec<SourceFile>) -> Part {
        let libs = self.catalog.apis().iter().map(|api| api.package.replace('-', "_"));
        let libs: std::collections::BTreeSet<String> = libs.collect();
        let around = Surroundings {
            externs: libs.iter().map(|lib| (lib.clone(), lib.clone())).collect(),
            ..Surroundings::default()
        };
        let holds = |_: &str, facts: &[Option<&VersionReq>]| Versions::Unknown.holding(facts);
        let dependencies = Dependencies { holds: Box::new(holds) };
        self.analyse(Arc::from(""), files, &around, dependencies, None)
    }

    fn analyse(
        &self,
        name: Arc<str>,
        files: Vec<SourceFile>,
        around: &Surroundings,
        dependencies: Dependencies,
        edition: Option<Edition>,
    ) -> Part {
        let mut part = Part::default();
        let started = Instant::now();
        // Where every file is reported, a finding that is not there is gone.
        let mut whole = files.iter().all(|file| file.reported);
        let read: Vec<Result<Source, Unread>> =
            files.into_par_iter().map(|file| self.lower(file, around)).collect();
        part.time("reading and parsing", started.elapsed());
        let mut sources = Vec::new();
        for read in read {
            match read {
                Ok(mut source) => {
                    // Others may use what it declares; nobody edits what it does.
                    if source.reported && is_generated(&source.text) {
                        source.reported = false;
                        part.skip(&source.shown, "generated");
                    }
                    sources.push(source);
                }
                Err(unread) => {
                    whole = false;
                    part.skip(&unread.path, unread.reason);
                    part.issues.extend(unread.issue);
                }
            }
        }
        whole &= sources.iter().all(|source| source.file.broken.is_empty());
        part.package = Some((Arc::clone(&name), whole));
        if sources.is_empty() {
            return part;
        }
        part.stats.packages = 1;
        part.stats.files = sources.iter().filter(|source| source.reported).count() as u64;
        let lines = sources.iter().filter(|source| source.reported);
        part.stats.lines = lines.map(|source| u64::from(source.file.lines)).sum();
        let job = Job {
            catalog: self.catalog,
            rules: self.rules,
            interest: &self.interest,
            edition_2024: edition.is_some_and(|edition| edition >= Edition::Rust2024),
            why: self.why.as_ref().map(|(path, line)| (path.as_path(), *line)),
        };
        let analysed = analyse(sources, around, dependencies, job);
        part.stats.bodies = analysed.bodies;
        part.why.clone_from(&analysed.why);
        for &(phase, time) in &analysed.times {
            part.time(phase, time);
        }
        self.collect(&analysed, &name, edition.is_some(), &mut part);
        part
    }

    fn lower(&self, file: SourceFile, around: &Surroundings) -> Result<Source, Unread> {
        let unread = |reason, issue: Option<String>| Unread {
            path: Arc::clone(&file.shown),
            reason,
            issue: issue.map(|message| Issue { path: Arc::clone(&file.shown), line: 0, message }),
        };
        let read = match self.options.overlay.get(&file.path) {
            Some(text) => Ok(Text::from(&**text)),
            None => workspace::read(&file),
        };
        let Text { text, marked } = match read {
            Ok(read) => read,
            Err(skip @ Skip::TooLarge) => return Err(unread(skip.reason(), None)),
            Err(skip) => return Err(unread(skip.reason(), Some(skip.to_string()))),
        };
        let deep = syntax::depth(&text) > syntax::DEEPEST;
        if let Some(progress) = &self.options.progress {
            progress.tell(self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total);
        }
        if deep {
            return Err(unread("too_deep", None));
        }
        let aside = |root: &Root| root.side == Side::Aside && root.path == file.path;
        let lowered = syntax::lower(&text, self.grammars, around.roots.iter().any(aside));
        Ok(Source {
            path: file.path,
            shown: file.shown,
            reported: file.reported,
            text: text.into(),
            mark: if marked { workspace::MARK.len() as u32 } else { 0 },
            file: lowered,
        })
    }

    fn collect(
        &self,
        analysed: &Analysed<'_>,
        package: &Arc<str>,
        in_package: bool,
        part: &mut Part,
    ) {
        let names = &analysed.names;
        let mut by_file: BTreeMap<FileId, Vec<&Candidate<'_>>> = BTreeMap::new();
        for candidate in &analysed.candidates {
            let word = match &candidate.outcome {
                Outcome::Reported(_) => "reported",
                Outcome::Silent(reason) => reason.word(),
            };
            *part.stats.outcomes.entry(word).or_default() += 1;
            by_file.entry(candidate.file).or_default().push(candidate);
        }
        for (number, source) in (0..).zip(&names.sources) {
            if !source.reported {
                continue;
            }
            let id = FileId(number);
            let candidates = by_file.remove(&id).unwrap_or_default();
            if !candidates.is_empty() || !source.file.broken.is_empty() {
                let lines = Lines::of(names, id);
                let outside = in_package && names.is_outside(id);
                let found = candidates
                    .iter()
                    .filter_map(|candidate| finding(names, package, &lines, candidate, outside));
                part.findings.extend(found);
                if outside && !source.file.broken.is_empty() {
                    // Templates, expected outputs, snippets: nobody compiles them.
                    part.skip(&source.shown, "unparsable_outside_modules");
                }
                for (span, message) in source.file.broken.iter().filter(|_| !outside) {
                    let path = Arc::clone(&source.shown);
                    part.issues.push(Issue {
                        path,
                        line: lines.line(span.start),
                        message: message.clone(),
                    });
                }
                part.sources.insert(Arc::clone(&source.shown), Arc::clone(&source.text));
            }
            let suppressions = self.suppressions(source, &candidates);
            if !suppressions.is_empty() {
                part.sources.insert(Arc::clone(&source.shown), Arc::clone(&source.text));
                let in_parts = !source.file.broken.is_empty();
                let in_file = InFile { suppressions, in_parts };
                part.suppressions.insert(Arc::clone(&source.shown), in_file);
            }
        }
    }

    /// Those of a file; what was written for clippy only where a rule is about the same.
    fn suppressions(&self, source: &Source, found: &[&Candidate<'_>]) -> Vec<Suppression> {
        let reported = found.iter().filter(|found| matches!(found.outcome, Outcome::Reported(_)));
        let clippy = reported.into_iter().any(|found| !found.rule.rule.clippy.is_empty());
        let mut suppressions = suppress::suppressions(&source.text, clippy);
        for suppression in suppressions.iter_mut().filter(|written| written.of_clippy) {
            let lints = std::mem::take(&mut suppression.rules);
            let meant = |lint: &String| lints.iter().any(|name| *name == format!("{CLIPPY}{lint}"));
            let rules = self.rules.iter().filter(|known| known.rule.clippy.iter().any(meant));
            suppression.rules = rules.map(|known| known.rule.id.clone()).collect();
        }
        suppressions
    }

    fn report(&self, workspace: Workspace, parts: Vec<Part>, loading: Duration) -> Report {
        let mut report = Report { issues: workspace.issues, ..Report::default() };
        let mut suppressions = BTreeMap::new();
        report.skipped = workspace.skipped;
        report.scope.rules = self.rules.iter().map(|known| known.rule.id.clone()).collect();
        report.stats.times.insert("loading", loading);
        for part in parts {
            report.findings.extend(part.findings);
            report.issues.extend(part.issues);
            report.sources.extend(part.sources);
            report.skipped.extend(part.skipped);
            if let Some((name, whole)) = part.package {
                *report.scope.packages.entry(name).or_insert(true) &= whole;
            }
            report.why.extend(part.why);
            suppressions.extend(part.suppressions);
            add(&mut report.stats, part.stats);
        }
        let known = |_: &str, name: &str| match self
            .catalog
            .rule_named(name)
            .map(|id| self.catalog.rule(id))
        {
            None => Known::Unknown,
            Some(known) if self.rules.iter().any(|on| on.rule.id == known.rule.id) => {
                Known::Active(known.rule.id.clone())
            }
            Some(_) => Known::Off,
        };
        report.findings.sort();
        report.findings.dedup();
        // Before some are silenced: the others keep their names.
        assign_fingerprints(&mut report.findings);
        let found = std::mem::take(&mut report.findings);
        let applied = suppress::apply(found, &suppressions, known, self.options.today);
        report.findings = applied.kept;
        report.issues.extend(applied.issues);
        report.stats.suppressed = applied.suppressed;
        report.skipped.sort();
        report.skipped.dedup();
        report.issues.sort();
        report.issues.dedup();
        report
    }
}

/// Bytes at the start of a file in which generators leave their mark.
const HEADER: usize = 1024;

/// Whether a comment at the start says that a program wrote the file.
fn is_generated(text: &str) -> bool {
    let comments = text.get(..text.floor_char_boundary(HEADER)).unwrap_or(text).lines();
    comments.map(str::trim).take_while(|line| line.is_empty() || line.starts_with("//")).any(
        |line| {
            let line = line.to_ascii_lowercase();
            line.contains("@generated")
                || line.contains("automatically generated")
                || line.contains("code generated by")
                || line.contains("do not edit")
        },
    )
}

/// A file that is not analysed.
struct Unread {
    path: Arc<str>,
    reason: &'static str,
    /// Where that is no decision of ours.
    issue: Option<Issue>,
}

impl Part {
    fn skip(&mut self, path: &Arc<str>, reason: &'static str) {
        self.skipped.push(Skipped { path: Arc::clone(path), reason });
    }

    fn time(&mut self, phase: &'static str, time: Duration) {
        *self.stats.times.entry(phase).or_default() += time;
    }
}

fn add(stats: &mut Stats, more: Stats) {
    stats.packages += more.packages;
    stats.files += more.files;
    stats.lines += more.lines;
    stats.bodies += more.bodies;
    for (word, count) in more.outcomes {
        *stats.outcomes.entry(word).or_default() += count;
    }
    for (phase, time) in more.times {
        *stats.times.entry(phase).or_default() += time;
    }
}

fn root(target: &Target) -> Root {
    let side = match target.kind {
        TargetKind::Lib | TargetKind::ProcMacro => Side::Lib,
        TargetKind::Bin => Side::Bin,
        TargetKind::Example | TargetKind::Test | TargetKind::Bench | TargetKind::BuildScript => {
            Side::Aside
        }
    };
    Root { path: Path::new(&target.root).to_path_buf(), side, name: target.name.clone() }
}
