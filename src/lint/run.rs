//! A run: what is named on the command line to a report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rayon::prelude::*;
use semver::VersionReq;

use crate::catalog::model::MacroGrammar;
use crate::catalog::{Catalog, LintRule};

use super::answer::{Issue, Report, Seen};
use super::cache::{self, Entry, Key, Places};
use super::checks::{Candidate, Outcome};
use super::findings::{Lines, finding};
use super::interface::{Interface, Told};
use super::ir::Name;
use super::members::{Near, in_rounds};
use super::names::{FileId, Root, Side, Source, Surroundings};
use super::options::Options;
use super::package::{Analysed, Dependencies, Interest, Job, analyse};
use super::part::{Part, report};
use super::policy::{self, Policies, Policy};
use super::suppress::{self, CLIPPY, InFile, Known, Suppression};
use super::syntax::{self, MacroGrammars};
use super::workspace::{
    self, Edition, Package, Purpose, Request, Skip, SourceFile, Target, TargetKind, Text, Versions,
    Workspace,
};

/// Stack of a worker: only what is used of it is ever backed by memory.
const STACK: usize = 1 << 30;

/// What there is to analyse, before anything of it is read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Packages and files.
    pub workspace: Workspace,
    cwd: PathBuf,
    took: Duration,
}

/// Finds what the options name.
///
/// # Errors
/// There is nothing.
pub fn load(options: &Options) -> anyhow::Result<Loaded> {
    let cwd = workspace::working_directory()?;
    let started = Instant::now();
    let workspace = workspace::load(&Request { paths: options.paths.clone(), cwd: cwd.clone() })?;
    Ok(Loaded { workspace, cwd, took: started.elapsed() })
}

/// Analyses what the options name, all of it with the rules that they name.
///
/// # Errors
/// When nothing could be started; what is wrong with single files is in the report.
pub fn run(options: &Options) -> anyhow::Result<Report> {
    let loaded = load(options)?;
    let catalog = options.catalog.as_ref().unwrap_or_else(|| Catalog::embedded());
    let mut policy = Policy::new(Arc::clone(catalog));
    policy.rules.retain(|id| {
        (options.select.is_empty() || options.select.contains(id)) && !options.ignore.contains(id)
    });
    let policies = Policies::one(policy, loaded.workspace.packages.len());
    run_with(loaded, &policies, options)
}

/// Analyses what was found, each package with its policy; `select`, `ignore` and `catalog` of the
/// options do not count.
///
/// # Errors
/// When nothing could be started; what is wrong with single files is in the report.
pub fn run_with(loaded: Loaded, policies: &Policies, options: &Options) -> anyhow::Result<Report> {
    let Loaded { mut workspace, cwd, took } = loaded;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .stack_size(STACK)
        .build()
        .context("the worker threads cannot be started")?;
    let total = workspace.packages.iter().map(|package| package.files.len()).sum::<usize>()
        + workspace.loose.len();
    let common = Common {
        options,
        why: options.why.clone().map(|(path, line)| (cwd.join(path), line)),
        cwd: Arc::from(cwd),
        done: AtomicU64::new(0),
        total: total as u64,
    };
    let runs: Vec<Run<'_>> = (0..)
        .zip(&policies.all)
        .map(|(number, policy)| Run::new(number, policy, &common))
        .collect();
    let loose = std::mem::take(&mut workspace.loose);
    let packages = std::mem::take(&mut workspace.packages);
    let mut parts = pool.install(|| {
        in_rounds(packages, |number, package, near| {
            runs[policies.of_packages[number]].package(package, near)
        })
    });
    if !loose.is_empty() {
        parts.push(pool.install(|| runs[policies.of_loose].loose(loose)));
    }
    Ok(report(workspace, parts, took, options.today))
}

fn grammars(policy: &Policy) -> MacroGrammars {
    // Where two crates use a name differently the order must not decide anew in each run.
    let known: BTreeMap<&str, MacroGrammar> = policy.catalog.macros().collect();
    let transparent = policy.transparent.iter().map(|name| (name.as_str(), MacroGrammar::Value));
    known
        .into_iter()
        .chain(transparent)
        .map(|(path, grammar)| (Name::new(path.rsplit("::").next().unwrap_or(path)), grammar))
        .collect()
}

/// What a package adds to the report.
type Packed = (Arc<str>, Seen, Part);

/// What there is to know of a package besides its files.
struct About {
    name: Arc<str>,
    around: Surroundings,
    edition: Option<Edition>,
    /// The name that paths into it begin with, when another package is to know of it.
    lib: Option<String>,
    /// Packages of the workspace that it depends on, the nearest first.
    members: Vec<Arc<Interface>>,
    reported: bool,
    purpose: Option<Purpose>,
}

/// What all packages share.
struct Common<'a> {
    options: &'a Options,
    /// As in the options, the path absolute.
    why: Option<(PathBuf, u32)>,
    /// The folder that shown paths are relative to.
    cwd: Arc<Path>,
    done: AtomicU64,
    total: u64,
}

/// What all packages of one policy share.
struct Run<'a> {
    /// The number of the policy.
    number: usize,
    policy: &'a Policy,
    rules: Vec<&'a LintRule>,
    grammars: MacroGrammars,
    interest: Interest,
    /// What it adds to keys, when there is a cache.
    key: Option<[u8; 32]>,
    common: &'a Common<'a>,
}

/// A file as it was read.
struct Read {
    file: SourceFile,
    text: Result<Text, Skip>,
    /// Of all of the file, when there is a cache.
    hash: Option<[u8; 32]>,
}

impl<'a> Run<'a> {
    fn new(number: usize, policy: &'a Policy, common: &'a Common<'a>) -> Self {
        let all = policy.catalog.rules().iter();
        let rules: Vec<&LintRule> =
            all.filter(|known| policy.rules.contains(&known.rule.id)).collect();
        let interest = Interest::of(&policy.catalog, &rules);
        let key = common.options.cache.as_ref().map(|_| cache::policy(policy));
        Self { number, policy, rules, grammars: grammars(policy), interest, key, common }
    }

    fn package(&self, package: Package, near: Near) -> (Option<Packed>, Option<Arc<Interface>>) {
        let mut key = self.key_of(&package.files);
        if let Some(key) = &mut key {
            key.package(&package);
            key.near(&near);
        }
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
        let mut versions = near.versions;
        let mut own: BTreeMap<String, Vec<Versions>> = BTreeMap::new();
        for (name, dependency) in &package.dependencies {
            let lib = dependency.package.replace('-', "_");
            around.externs.push((name.clone(), lib));
            own.entry(dependency.package.clone()).or_default().push(dependency.versions.clone());
        }
        versions.extend(own);
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
        let reported = package.is_reported();
        let purpose = of_whom(&package);
        let about = About {
            edition: Some(package.edition),
            // Paths into it begin with the name of the package, as those into others do.
            lib: near.is_asked.then(|| package.name.replace('-', "_")),
            name: Arc::from(package.name),
            members: near.members,
            reported,
            purpose,
            around,
        };
        let dependencies = Dependencies { holds: Box::new(holds) };
        let (part, told) = self.known(&about, package.files, key, dependencies);
        let interface = told.map(|told| Arc::new(Interface::new(told, &self.common.cwd)));
        let part = reported.then(|| (Arc::clone(&about.name), self.seen(&part), part));
        (part, interface)
    }

    /// Files outside of any package: every crate with facts may be meant, in any version.
    fn loose(&self, files: Vec<SourceFile>) -> Packed {
        let libs = self.policy.catalog.apis().iter().map(|api| api.package.replace('-', "_"));
        let libs: BTreeSet<String> = libs.collect();
        let around = Surroundings {
            externs: libs.iter().map(|lib| (lib.clone(), lib.clone())).collect(),
            ..Surroundings::default()
        };
        let holds = |_: &str, facts: &[Option<&VersionReq>]| Versions::Unknown.holding(facts);
        let dependencies = Dependencies { holds: Box::new(holds) };
        let key = self.key_of(&files);
        let about = About {
            name: Arc::from(""),
            around,
            edition: None,
            lib: None,
            members: Vec::new(),
            reported: true,
            purpose: None,
        };
        let (part, _) = self.known(&about, files, key, dependencies);
        (about.name, self.seen(&part), part)
    }

    /// The beginning of the key of a package with these files, when there is a cache. What stands for
    /// a file is there once.
    fn key_of(&self, files: &[SourceFile]) -> Option<Key> {
        let overlay = &self.common.options.overlay;
        let stands =
            !overlay.is_empty() && files.iter().any(|file| overlay.contains_key(&file.path));
        self.key.as_ref().filter(|_| !stands).map(Key::new)
    }

    /// What the cache has under the key of these files, else what comes out of them.
    fn known(
        &self,
        about: &About,
        files: Vec<SourceFile>,
        key: Option<Key>,
        dependencies: Dependencies,
    ) -> (Part, Option<Told>) {
        let started = Instant::now();
        let read: Vec<Read> = files.into_par_iter().map(|file| self.read(file)).collect();
        let reading = started.elapsed();
        let options = self.common.options;
        let key = key.and_then(|key| self.whole_key(key, &read));
        let Some((cache, key)) = options.cache.as_ref().zip(key) else {
            return self.analyse(about, read, dependencies, reading);
        };
        let files: Vec<&SourceFile> = read.iter().map(|read| &read.file).collect();
        let places = Places::of(&files, &about.members, &self.common.cwd);
        let text = |number: usize| Some(Arc::from(&*read.get(number)?.text.as_ref().ok()?.text));
        let kept = cache.0.get(&key).and_then(|bytes| Entry::part(&bytes, &places, text));
        if let Some(kept) = kept {
            self.progress(read.len() as u64);
            return kept;
        }
        let (part, told) = self.analyse(about, read, dependencies, reading);
        if let Some(bytes) = Entry::keep(&part, told.as_ref(), &places) {
            cache.0.put(&key, &bytes);
        }
        (part, told)
    }

    fn read(&self, file: SourceFile) -> Read {
        let text = match self.common.options.overlay.get(&file.path) {
            Some(text) => Ok(Text::from(&**text)),
            None => workspace::read(&file),
        };
        let hash = self.key.and(text.as_ref().ok()).map(Text::hash);
        Read { file, text, hash }
    }

    /// The key of a package with these files; none where the next run may read what this one could
    /// not.
    fn whole_key(&self, mut key: Key, read: &[Read]) -> Option<[u8; 32]> {
        for Read { file, text, hash } in read {
            let text = match (text, hash) {
                (Ok(_), Some(hash)) => Ok(*hash),
                (Err(skip @ (Skip::TooLarge | Skip::NotUtf8 { .. })), _) => Err(skip.to_string()),
                _ => return None,
            };
            key.file(file, text.as_ref().map_err(String::as_str), self.policy);
        }
        Some(key.finish())
    }

    fn analyse(
        &self,
        about: &About,
        read: Vec<Read>,
        dependencies: Dependencies,
        reading: Duration,
    ) -> (Part, Option<Told>) {
        let About { name, around, edition, lib, members, reported, purpose } = about;
        let mut part = Part::default();
        let started = Instant::now();
        // Where every file is reported, a finding that is not there is gone.
        let mut whole = read.iter().all(|read| read.file.reported);
        let read: Vec<Result<Source, Unread>> =
            read.into_par_iter().map(|read| self.lower(read, around)).collect();
        part.time("reading and parsing", reading + started.elapsed());
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
        part.whole = whole;
        part.ignored = self.ignored(&sources);
        if sources.is_empty() {
            return (part, lib.as_ref().map(|_| Told::default()));
        }
        part.stats.packages = 1;
        let analysed = || sources.iter().filter(|source| source.reported && !source.file.is_lost());
        part.stats.files = analysed().count() as u64;
        part.stats.lines = analysed().map(|source| u64::from(source.file.lines)).sum();
        let job = Job {
            catalog: &self.policy.catalog,
            rules: &self.rules,
            interest: &self.interest,
            edition_2024: edition.is_some_and(|edition| edition >= Edition::Rust2024),
            lib: lib.as_deref(),
            members,
            reported: *reported,
            purpose: *purpose,
            why: self.common.why.as_ref().map(|(path, line)| (path.as_path(), *line)),
        };
        let mut analysed = analyse(sources, around, dependencies, job);
        part.stats.bodies = analysed.bodies;
        part.why.clone_from(&analysed.why);
        for &(phase, time) in &analysed.times {
            part.time(phase, time);
        }
        self.collect(&analysed, name, edition.is_some(), &mut part);
        (part, analysed.told.take())
    }

    /// The rules that do not count in some of these files.
    fn ignored(&self, sources: &[Source]) -> BTreeSet<String> {
        let mut ignored = BTreeSet::new();
        for source in sources.iter().filter(|source| source.reported) {
            ignored.extend(self.policy.in_file(&source.path).ignored().map(str::to_owned));
        }
        ignored
    }

    /// What the absence of a finding in a part means something for.
    fn seen(&self, part: &Part) -> Seen {
        let rules = self.policy.rules.difference(&part.ignored).cloned().collect();
        Seen { whole: part.whole, rules, policies: BTreeSet::from([self.number]) }
    }

    /// Tells that more files are done.
    fn progress(&self, more: u64) {
        let Common { options, done, total, .. } = self.common;
        if let Some(progress) = &options.progress {
            progress.tell(done.fetch_add(more, Ordering::Relaxed) + more, *total);
        }
    }

    fn lower(&self, read: Read, around: &Surroundings) -> Result<Source, Unread> {
        let Read { file, text, .. } = read;
        let unread = |reason, issue: Option<String>| Unread {
            path: Arc::clone(&file.shown),
            reason,
            issue: issue.map(|message| Issue { path: Arc::clone(&file.shown), line: 0, message }),
        };
        self.progress(1);
        let Text { text, marked } = match text {
            Ok(text) => text,
            Err(skip @ Skip::TooLarge) => return Err(unread(skip.reason(), None)),
            Err(skip) => return Err(unread(skip.reason(), Some(skip.to_string()))),
        };
        let deep = syntax::depth(&text) > syntax::DEEPEST;
        if deep {
            return Err(unread("too_deep", None));
        }
        let aside = |root: &Root| root.side == Side::Aside && root.path == file.path;
        let lowered = syntax::lower(&text, &self.grammars, around.roots.iter().any(aside));
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
            let in_file = self.policy.in_file(&source.path);
            if !candidates.is_empty() || !source.file.broken.is_empty() {
                let lines = Lines::of(names, id);
                let outside = in_package && names.is_outside(id);
                let found = candidates
                    .iter()
                    .filter(|candidate| !in_file.ignores(&candidate.rule.rule.id))
                    .filter_map(|candidate| {
                        let severity = in_file.severity(&candidate.rule.rule.id);
                        finding(names, package, &lines, candidate, outside, severity)
                    });
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
                let known = self.meanings(&suppressions, &in_file);
                let in_file = InFile { suppressions, in_parts, known };
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

    /// What the names in suppressions of a file stand for.
    fn meanings(
        &self,
        suppressions: &[Suppression],
        here: &policy::InFile<'_>,
    ) -> BTreeMap<String, Known> {
        let catalog = &self.policy.catalog;
        let meaning = |name: &str| match catalog.rule_named(name) {
            None => Known::Unknown,
            Some(id) => {
                let id = &catalog.rule(id).rule.id;
                let active = self.policy.rules.contains(id) && !here.ignores(id);
                if active { Known::Active(id.clone()) } else { Known::Off }
            }
        };
        let names = suppressions.iter().flat_map(|suppression| &suppression.rules);
        names.map(|name| (name.clone(), meaning(name))).collect()
    }
}

/// Bytes at the start of a file in which generators leave their mark.
const HEADER: usize = 1024;

/// What generators of clients and servers write over what they make.
const OF_GENERATORS: &[&str] =
    &["Generated client implementations.", "Generated server implementations."];

/// Whether a comment at the start, or one that only generators write, says that a program wrote the
/// file.
fn is_generated(text: &str) -> bool {
    if OF_GENERATORS
        .iter()
        .any(|mark| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some())
    {
        return true;
    }
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

/// The purpose that counts: what is for builds may have a program that serves, such as a cache, and
/// a library without a program is for whoever uses it, unless it is said to be part of a command.
fn of_whom(package: &Package) -> Option<Purpose> {
    let has_program = package.targets.iter().any(|target| target.kind == TargetKind::Bin);
    package.purpose.filter(|purpose| match purpose {
        Purpose::Tests | Purpose::Learning | Purpose::PartsOfCommands => true,
        Purpose::Builds => !has_program,
        Purpose::Commands => has_program,
    })
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
