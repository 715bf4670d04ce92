//! One package from lowered files to candidates.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use crate::catalog::model::{Engine, Rule};
use crate::catalog::{Api, Catalog, LintRule};

use super::bodies::{Bodies, Site};
use super::checks::{Candidate, Checker, in_tests};
use super::facts::{Facts, Holds};
use super::flow::Summaries;
use super::ir::Name;
use super::names::{self, Names, Source, Surroundings};
use super::types::World;

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
    pub(crate) times: Vec<(&'static str, Duration)>,
}

/// Looks for everything that the rules are about. `why` asks for graphs of bodies that no rule
/// needs, too.
pub(crate) fn analyse<'r>(
    sources: Vec<Source>,
    around: &Surroundings,
    dependencies: Dependencies,
    catalog: &'static Catalog,
    rules: &'r [&'r LintRule],
    edition_2024: bool,
) -> Analysed<'r> {
    let started = Instant::now();
    let mut names = names::build(sources, around);
    names.set_known(|path| Catalog::embedded().knows(path));
    mark_attributes(&mut names, catalog);
    let named = started.elapsed();

    let started = Instant::now();
    let facts = Facts::new(catalog, dependencies.holds);
    let (candidates, bodies, graphs) = {
        let world = World { names: &names, facts: &facts };
        let bodies = Bodies::new(&world, edition_2024);
        let wanted = wanted(catalog, rules, &world);
        let sites = sites(&world, &bodies, &wanted);
        let graphs = started.elapsed();
        let summaries = Summaries::new(&world, &bodies);
        let count = sites.len() as u64;
        let mut checker = Checker {
            world: &world,
            bodies: &bodies,
            summaries: &summaries,
            rules,
            sites: &sites,
            candidates: Vec::new(),
        };
        checker.run();
        let candidates = checker
            .candidates
            .into_iter()
            .map(|found| Candidate { rule: rule_in(rules, &found.rule.rule), ..found })
            .collect();
        (candidates, count, graphs)
    };
    let engines = started.elapsed().saturating_sub(graphs);
    let times = vec![("names", named), ("graphs", graphs), ("engines", engines)];
    Analysed { names, candidates, bodies, times }
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

/// Names that a body must mention for some rule to be about it.
fn wanted(catalog: &Catalog, rules: &[&LintRule], world: &World<'_>) -> FxHashSet<Name> {
    let classes: FxHashSet<&str> = rules
        .iter()
        .flat_map(|known| [Some(known.rule.class.as_str()), known.rule.when.with.as_deref()])
        .flatten()
        .collect();
    let about = |class: &str| classes.contains(class);
    let mut wanted = FxHashSet::default();
    for api in catalog.apis() {
        let fact = &api.fact;
        let begins = fact.acquires.as_deref().is_some_and(about)
            || fact.finishes.as_deref().is_some_and(about)
            || fact.classes.iter().any(|class| about(class));
        if begins && depends(world, api) {
            wanted.insert(Name::new(api.path.rsplit("::").next().unwrap_or(&api.path)));
        }
    }
    let whole = |engine| rules.iter().any(|known| known.rule.engine == engine);
    if whole(Engine::HeldAcross)
        || whole(Engine::DiscardedGuard)
        || whole(Engine::UnreapedCollection)
    {
        for known in catalog.types() {
            if known.fact.classes.iter().any(|class| about(class)) {
                for api in catalog.apis() {
                    let returns = api.returns.as_ref().map(ToString::to_string);
                    if returns.is_some_and(|text| text.contains(&known.fact.path))
                        && depends(world, api)
                    {
                        let last = api.path.rsplit("::").next().unwrap_or(&api.path);
                        wanted.insert(Name::new(last));
                    }
                }
            }
        }
    }
    wanted
}

fn depends(world: &World<'_>, api: &Api) -> bool {
    matches!(&*api.package, "std" | "libc") || world.depends(&api.package)
}

/// Bodies that some rule could be about, with everything nested in them; never those of tests.
fn sites(world: &World<'_>, bodies: &Bodies<'_>, wanted: &FxHashSet<Name>) -> Vec<Rc<Site>> {
    let names = world.names;
    // Functions of the package that a wanted body is reached through: their callers count, too.
    let mentions = |file: names::FileId, body: super::ir::BodyId, wanted: &FxHashSet<Name>| {
        let body = &names.source(file).file.bodies[body.0 as usize];
        body.mentions.iter().any(|name| wanted.contains(name))
    };
    let mut wanted = wanted.clone();
    let mut chosen: Vec<bool> = vec![false; names.fns.len()];
    // Callers of functions that may return what they acquire, two steps up.
    for _ in 0..2 {
        let mut more = Vec::new();
        for id in names.fn_ids() {
            let function = names.function(id);
            let Some(body) = function.body else { continue };
            if chosen[id.0 as usize] || !mentions(function.file, body, &wanted) {
                continue;
            }
            chosen[id.0 as usize] = true;
            let returns = world.ty(&function.sig.returns, world.scope(id));
            if !returns.is_unknown() && returns != super::types::Ty::unit() {
                more.push(function.name);
            }
        }
        if wanted.len() > 20_000 {
            break;
        }
        wanted.extend(more);
    }
    let mut sites = Vec::new();
    for id in names.fn_ids() {
        if !chosen[id.0 as usize] || in_tests(names, id) {
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
        if mentions(def.file, body, &wanted)
            && let Some(site) = bodies.of_static(id)
        {
            sites.extend(bodies.with_nested(&site));
        }
    }
    sites
}
