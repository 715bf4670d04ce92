//! One package from lowered files to candidates.

use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::model::{Engine, Level, Rule};
use crate::catalog::{Catalog, LintRule};

use super::bodies::{Bodies, Site};
use super::checks::{Candidate, Checker, Outcome, gives, in_tests};
use super::facts::{Facts, Holds, is_known};
use super::findings::line_starts;
use super::fix;
use super::flow::Summaries;
use super::interface::{Interface, Told, work_out};
use super::ir::Name;
use super::names::{self, Names, Source, Surroundings};
use super::suppress::decided;
use super::types::{World, Written};
use super::why::explain;
use super::workspace::Purpose;

/// What the package depends on: by the lib name that code writes.
pub(crate) struct Dependencies {
    /// Lib names of packages, with whether facts about these versions hold.
    pub(crate) holds: Box<Holds<'static>>,
}

/// What came out of a package.
pub(crate) struct Analysed<'r> {
    pub(crate) names: Names,
    pub(crate) candidates: Vec<Candidate<'r>>,
    pub(crate) bodies: u64,
    /// What other packages of the workspace may know of it, when one of them depends on it.
    pub(crate) told: Option<Told>,
    /// About the line that was asked about.
    pub(crate) why: Vec<String>,
    pub(crate) times: Vec<(&'static str, Duration)>,
}

/// What is looked for, and how.
#[derive(Clone, Copy)]
pub(crate) struct Job<'r> {
    pub(crate) catalog: &'r Arc<Catalog>,
    pub(crate) rules: &'r [&'r LintRule],
    pub(crate) interest: &'r Interest,
    pub(crate) edition_2024: bool,
    /// The name that paths into it begin with, when another package of the workspace has such.
    pub(crate) lib: Option<&'r str>,
    /// Packages of the workspace that it depends on, the nearest first.
    pub(crate) members: &'r [Arc<Interface>],
    /// Whether anything in it is reported.
    pub(crate) reported: bool,
    /// For whom the package is there, when it is nobody's service.
    pub(crate) purpose: Option<Purpose>,
    /// A line that is to be explained.
    pub(crate) why: Option<(&'r Path, u32)>,
}

/// Looks for everything that the rules are about.
pub(crate) fn analyse<'r>(
    sources: Vec<Source>,
    around: &Surroundings,
    dependencies: Dependencies,
    job: Job<'r>,
) -> Analysed<'r> {
    let Job { catalog, rules, interest, edition_2024, lib, members, reported, purpose, why } = job;
    let started = Instant::now();
    let mut names = names::build(sources, around);
    let (known, others) = (Arc::clone(catalog), members.to_vec());
    names.set_known(Box::new(move |path| {
        let of_member = |member: &Arc<Interface>| member.catalog.knows_of(path);
        is_known(&known, path) || others.iter().any(of_member)
    }));
    mark_attributes(&mut names, catalog);
    let named = started.elapsed();

    let started = Instant::now();
    let facts = Facts::new(catalog, dependencies.holds, members);
    let (candidates, bodies, graphs, told, why) = {
        let written = Written::of(&names, &facts);
        let world = World { names: &names, facts: &facts, written };
        let bodies = Bodies::new(&world, edition_2024);
        let wanted = interest.names(&world);
        let sites = sites(&world, &bodies, &wanted);
        let graphs = started.elapsed();
        let summaries = Summaries::new(&world, &bodies);
        let count = sites.len() as u64;
        let mut checker = Checker::new(&bodies, &summaries, rules, &sites);
        if matches!(purpose, Some(Purpose::Commands | Purpose::PartsOfCommands)) {
            checker.take_for_commands();
        }
        if reported {
            checker.run();
        } else {
            checker.run_for_callers();
        }
        let told = lib.map(|lib| work_out(&checker, lib));
        let mut candidates: Vec<Candidate<'r>> = checker
            .candidates
            .into_iter()
            .map(|found| Candidate { rule: rule_in(rules, &found.rule.rule), ..found })
            .collect();
        heed_purpose(&names, purpose, &mut candidates);
        heed_decisions(&names, &mut candidates);
        fix::plan(&world, &bodies, &mut candidates);
        let why = why.and_then(|(path, line)| {
            let file = (0..).zip(&names.sources).find(|(_, source)| source.path == path)?;
            Some(explain(&world, &bodies, &candidates, names::FileId(file.0), line))
        });
        (candidates, count, graphs, told, why.unwrap_or_default())
    };
    let engines = started.elapsed().saturating_sub(graphs);
    let times = vec![("names", named), ("graphs", graphs), ("engines", engines)];
    Analysed { names, candidates, bodies, told, why, times }
}

/// What only tests, builds and learners use is one degree lower: what is left over ends with them.
/// A guard that guards nothing is as wrong there.
fn heed_purpose(names: &Names, purpose: Option<Purpose>, candidates: &mut [Candidate<'_>]) {
    let over_with_it =
        |found: &&mut Candidate<'_>| found.rule.rule.engine != Engine::DiscardedGuard;
    for candidate in candidates.iter_mut().filter(over_with_it) {
        let Outcome::Reported(reported) = &mut candidate.outcome else { continue };
        let aside = || candidate.function.is_some_and(|id| names.is_stand_in(id));
        reported.milder = reported.milder.or_else(|| match purpose {
            Some(Purpose::Tests) => Some("the package is there for tests"),
            Some(Purpose::Builds) => Some("the package is there for builds"),
            Some(Purpose::Learning) => Some("the package is there to be learned from"),
            Some(Purpose::Commands | Purpose::PartsOfCommands) | None => {
                aside().then_some("by its name it is there for tests")
            }
        });
    }
}

/// What a comment at the place says is meant is one degree lower.
fn heed_decisions(names: &Names, candidates: &mut [Candidate<'_>]) {
    let mut by_file: FxHashMap<names::FileId, Vec<Range<usize>>> = FxHashMap::default();
    for candidate in candidates {
        let Outcome::Reported(reported) = &mut candidate.outcome else { continue };
        if candidate.rule.rule.severity == Level::Note || reported.milder.is_some() {
            continue;
        }
        let text = &names.source(candidate.file).text;
        let decided = by_file.entry(candidate.file).or_insert_with(|| decisions(text));
        let at = candidate.span.start as usize;
        if decided.iter().any(|bytes| bytes.contains(&at)) {
            reported.milder = Some("a comment says that it is meant");
        }
    }
}

/// The bytes of statements that a comment says are meant.
fn decisions(text: &str) -> Vec<Range<usize>> {
    let lines = decided(text);
    if lines.is_empty() {
        return Vec::new();
    }
    let starts = line_starts(text);
    // Line N ends where the one after it starts; lines count from 1.
    let start_of =
        |line: u32| starts.get(line as usize).map_or(text.len(), |&start| start as usize);
    lines.into_iter().map(|(first, last)| start_of(first - 1)..start_of(last)).collect()
}

fn rule_in<'r>(rules: &'r [&'r LintRule], rule: &Rule) -> &'r LintRule {
    rules.iter().find(|known| known.rule.id == rule.id).unwrap_or(&rules[0])
}

/// What attributes of other crates say about the functions under them.
fn mark_attributes(names: &mut Names, catalog: &Catalog) {
    for number in 0..names.fns.len() {
        let module = names.fns[number].module;
        let mut meanings = Vec::new();
        for path in &names.fns[number].attributes {
            let segments: Vec<Name> = path.segments.iter().map(|segment| segment.name).collect();
            let written: Vec<&str> = segments.iter().map(|name| name.as_str()).collect();
            let resolved = match names.resolve(module, &segments, path.global, names::Space::Macro)
            {
                names::Resolution::Foreign(path) => {
                    path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("::")
                }
                _ => written.join("::"),
            };
            let known = catalog
                .attribute_at(&resolved)
                .or_else(|| catalog.attribute_at(&written.join("::")));
            meanings.extend(known.map(|known| known.meaning));
        }
        names.fns[number].meanings = meanings;
    }
}

/// What makes a body worth a graph: a name that it must mention, and the package whose fact says so.
pub(crate) struct Interest {
    names: Vec<(Arc<str>, Name)>,
    /// Of the rules.
    classes: FxHashSet<String>,
    /// Of rules about values that work while they live.
    held: FxHashSet<String>,
}

impl Interest {
    /// Everything that one of the rules may be about.
    pub(crate) fn of(catalog: &Catalog, rules: &[&LintRule]) -> Self {
        let classes: FxHashSet<&str> = rules
            .iter()
            .flat_map(|known| [Some(known.rule.class.as_str()), known.rule.when.with.as_deref()])
            .flatten()
            .collect();
        let about = |class: &str| classes.contains(class);
        let guards: FxHashSet<&str> = catalog
            .types()
            .iter()
            .filter(|known| known.fact.classes.iter().any(|class| about(class)))
            .map(|known| known.fact.path.as_str())
            .collect();
        let whole = |engine| rules.iter().any(|known| known.rule.engine == engine);
        let by_type = whole(Engine::HeldAcross)
            || whole(Engine::TakenAgain)
            || whole(Engine::DiscardedGuard)
            || whole(Engine::UnreapedCollection);
        let mut wanted = FxHashSet::default();
        for api in catalog.apis() {
            let fact = &api.fact;
            let begins = fact.acquires.as_deref().is_some_and(about)
                || fact.finishes.as_deref().is_some_and(about)
                || fact.classes.iter().any(|class| about(class))
                || by_type
                    && api
                        .returns
                        .as_ref()
                        .is_some_and(|ty| ty.paths().any(|path| guards.contains(path)));
            if begins {
                let last = api.path.rsplit("::").next().unwrap_or(&api.path);
                wanted.insert((Arc::clone(&api.package), Name::new(last)));
            }
        }
        let classes = classes.into_iter().map(str::to_owned).collect();
        let by_life = [Engine::HeldAcross, Engine::TakenAgain, Engine::DiscardedGuard];
        let held = rules.iter().filter(|known| by_life.contains(&known.rule.engine));
        let held = held.map(|known| known.rule.class.clone()).collect();
        Self { names: wanted.into_iter().collect(), classes, held }
    }

    fn names(&self, world: &World<'_>) -> FxHashSet<Name> {
        let mut known: FxHashMap<&str, bool> = FxHashMap::default();
        let handing_out = world.facts.handing_out();
        let mut wanted: FxHashSet<Name> = handing_out
            .filter_map(|(class, name)| self.classes.contains(class).then_some(name))
            .collect();
        // Functions of the package that hand out what they took, under names of their own.
        let giving = world.names.fn_ids().filter(|&id| gives(world, id, &self.held));
        wanted.extend(giving.map(|id| world.names.function(id).name));
        for (package, name) in &self.names {
            let depends = *known.entry(package).or_insert_with(|| {
                matches!(&**package, "std" | "libc")
                    || world.depends(package)
                    || world.written.is_about(package)
                    || world.facts.is_passed_on(package)
            });
            if depends {
                wanted.insert(*name);
            }
        }
        wanted
    }
}

/// Bodies that some rule could be about, with everything nested in them; never those of tests.
fn sites(world: &World<'_>, bodies: &Bodies<'_>, wanted: &FxHashSet<Name>) -> Vec<Rc<Site>> {
    let names = world.names;
    let mentions = |file: names::FileId, body: super::ir::BodyId| {
        let body = &names.source(file).file.bodies[body.0 as usize];
        body.mentions.iter().any(|name| wanted.contains(name))
    };
    let mut sites = Vec::new();
    for id in names.fn_ids() {
        let function = names.function(id);
        let chosen = function.body.is_some_and(|body| mentions(function.file, body));
        if !chosen || in_tests(names, id) {
            continue;
        }
        if let Some(site) = bodies.of_function(id) {
            sites.extend(bodies.with_nested(&site));
        }
    }
    for number in 0..names.statics.len() {
        let id = names::StaticId(u32::try_from(number).unwrap_or(u32::MAX));
        let def = &names.statics[number];
        let Some(body) = def.body else { continue };
        let module = names.module(def.module);
        if module.test || module.side == names::Side::Aside {
            continue;
        }
        if mentions(def.file, body)
            && let Some(site) = bodies.of_static(id)
        {
            sites.extend(bodies.with_nested(&site));
        }
    }
    sites
}
