//! Engines: each looks at every candidate of its kind, and says what it made of it.

mod again;
mod begun;
mod brought;
mod built;
mod callers;
mod calls;
mod collected;
mod context;
mod detached;
mod discarded;
mod doing;
mod done;
mod endless;
mod failure;
mod growing;
mod held;
mod late;
mod locks;
mod must_release;
mod named;
mod near;
mod on_uses;
mod own_bound;
mod owner;
mod peer_wait;
mod person;
mod raw;
mod reach;
mod read_only;
mod read_out;
mod retry;
mod startup;
mod stays;
mod track;
mod unreaped;
mod unset_bound;
mod users;
mod uses;

use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::catalog::LintRule;
use crate::catalog::model::{ApiFact, Context, Effect, Engine};
use crate::finding::{Region, Role};

use callers::Callers;
use reach::Reach;

use super::bodies::{Bodies, Site};
use super::cfg::{Call, NodeId};
use super::fix::Planned;
use super::flow::Summaries;
use super::interface::Fresh;
use super::ir::Span;
use super::names::{FileId, FnId, ModId, Module, Side};
use super::types::{Evidence, Target, World};

pub(crate) use context::in_tests;
pub(crate) use track::gives;
pub(crate) use unset_bound::built_by;

/// Something that an engine looked at for a rule.
#[derive(Debug)]
pub(crate) struct Candidate<'r> {
    pub(crate) rule: &'r LintRule,
    pub(crate) file: FileId,
    pub(crate) span: Span,
    pub(crate) function: Option<FnId>,
    pub(crate) evidence: Evidence,
    pub(crate) outcome: Outcome,
}

/// What became of a candidate.
#[derive(Debug)]
pub(crate) enum Outcome {
    Reported(Box<Reported>),
    Silent(Reason),
}

/// What a message is made of.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    /// The API, as shown.
    pub(crate) item: String,
    pub(crate) bound: String,
    pub(crate) other: String,
    pub(crate) related: Vec<(Role, Span, String)>,
    /// Steps in other packages of the workspace.
    pub(crate) outside: Vec<(Region, String)>,
    /// Calls that lead to it, from the inside out, in whichever file.
    pub(crate) callers: Vec<(FileId, Span)>,
    /// Where what the step makes is used, when that is not here.
    used: Option<Vec<(Rc<Site>, NodeId)>>,
    /// Why it is one degree lower.
    pub(crate) milder: Option<&'static str>,
    /// What mends it.
    pub(crate) fix: Option<Planned>,
}

/// Why nothing is reported: a closed list, with the place that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Every path releases it.
    Released(Span),
    /// Somebody else is responsible.
    Escapes(Span, &'static str),
    /// Another rule is about it.
    OtherRule,
    /// The bound is set.
    Bounded(Span),
    /// Where the value was made is not known.
    UnknownOrigin,
    /// Not where the rule wants it.
    Context(&'static str),
    /// The process ends with it.
    ProcessEnds,
    /// Too many paths.
    TooComplex,
}

impl Reason {
    /// One word for counting.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Released(_) => "released",
            Self::Escapes(..) => "escapes",
            Self::OtherRule => "other rule",
            Self::Bounded(_) => "bounded",
            Self::UnknownOrigin => "unknown origin",
            Self::Context(_) => "context",
            Self::ProcessEnds => "process ends",
            Self::TooComplex => "too complex",
        }
    }

    /// A sentence for people.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Released(_) => "every path releases it".to_owned(),
            Self::Escapes(_, how) => how.to_owned(),
            Self::OtherRule => "a rule of another degree is about it".to_owned(),
            Self::Bounded(_) => "the bound is set".to_owned(),
            Self::UnknownOrigin => "where the value was made is not known".to_owned(),
            Self::Context(context) => format!("not here: {context}"),
            Self::ProcessEnds => "the process ends with it".to_owned(),
            Self::TooComplex => "there are too many paths to follow".to_owned(),
        }
    }

    /// The place that decides, when there is one.
    pub(crate) fn span(self) -> Option<Span> {
        match self {
            Self::Released(span) | Self::Escapes(span, _) | Self::Bounded(span) => Some(span),
            _ => None,
        }
    }
}

/// Classes of calls that only what runs on makes.
const SERVES: [&str; 2] = ["listen", "accept"];

/// How programs are called that somebody waits for.
const COMMANDS: [&str; 2] = ["cli", "ctl"];

/// What engines work on.
pub(crate) struct Checker<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) bodies: &'a Bodies<'a>,
    pub(crate) summaries: &'a Summaries<'a>,
    pub(crate) rules: &'a [&'a LintRule],
    pub(crate) sites: &'a [Rc<Site>],
    pub(crate) candidates: Vec<Candidate<'a>>,
    /// What functions give their callers to look after.
    pub(crate) fresh: Fresh,
    /// Whether the package is there for commands that somebody waits for.
    of_commands: bool,
    /// The roots of programs that are.
    commands: FxHashSet<ModId>,
    /// Looked up once for all engines.
    callers: Rc<Callers<'a>>,
}

impl<'a> Checker<'a> {
    /// Nothing looked at yet.
    pub(crate) fn new(
        bodies: &'a Bodies<'a>,
        summaries: &'a Summaries<'a>,
        rules: &'a [&'a LintRule],
        sites: &'a [Rc<Site>],
    ) -> Self {
        let world = bodies.world;
        let callers = Rc::new(Callers::new(world, bodies));
        let (candidates, fresh) = (Vec::new(), Fresh::default());
        let of_commands = false;
        let commands = commands(world, sites);
        Self {
            world,
            bodies,
            summaries,
            rules,
            sites,
            candidates,
            fresh,
            of_commands,
            commands,
            callers,
        }
    }

    /// Takes the package for one of commands that somebody waits for, unless it listens for
    /// connections or waits for what never ends.
    pub(crate) fn take_for_commands(&mut self) {
        self.of_commands = !self.sites.iter().any(|site| runs_on(self.world, site));
    }

    /// Looks only for what functions give their callers to look after.
    pub(crate) fn run_for_callers(&mut self) {
        must_release::check(self);
    }

    /// Runs every engine.
    pub(crate) fn run(&mut self) {
        // What a whole crate never does is said of it, not of one path.
        raw::check(self);
        must_release::check(self);
        begun::check(self);
        unset_bound::check(self);
        calls::check(self);
        collected::check(self);
        held::check(self);
        again::check(self);
        discarded::check(self);
        detached::check(self);
        unreaped::check(self);
        peer_wait::check(self);
        late::check(self);
        retry::check(self);
        owner::check(self);
        built::check(self);
        growing::check(self);
        own_bound::check(self);
    }

    fn of_engine(&self, engine: Engine) -> Vec<&'a LintRule> {
        self.rules.iter().copied().filter(|known| known.rule.engine == engine).collect()
    }

    /// What became of a step. Where only milder places lead to it, or to where what it makes is
    /// used, it is one degree lower.
    fn add(
        &mut self,
        rule: &'a LintRule,
        site: &Rc<Site>,
        node: NodeId,
        evidence: Evidence,
        mut outcome: Outcome,
    ) {
        if let Outcome::Reported(reported) = &mut outcome
            && reported.milder.is_none()
        {
            let here = [(Rc::clone(site), node)];
            let places = reported.used.as_deref().unwrap_or(&here);
            // What is lost there is so on other systems, too, where it may be called.
            let lost = rule.rule.engine == Engine::MustRelease;
            let dead = || !lost && site.function.is_some_and(|id| self.callers.is_dead(id));
            reported.milder = self
                .reach(rule, site, places)
                .or_else(|| self.named_as_meant(rule, site.function?))
                .or_else(|| {
                    dead().then_some("on Linux nothing calls it, and it is allowed to be dead code")
                });
        }
        let (file, function) = (site.file, site.function);
        let span = site.graph.node(node).span;
        self.candidates.push(Candidate { rule, file, span, function, evidence, outcome });
    }

    /// Why the places are all milder ones for the rule.
    fn reach(
        &self,
        rule: &LintRule,
        site: &Site,
        places: &[(Rc<Site>, NodeId)],
    ) -> Option<&'static str> {
        let milder = &rule.rule.when.milder_within;
        if milder.is_empty() {
            return None;
        }
        let by_name = site.function.is_some_and(|id| {
            let names = self.world.names;
            self.commands.contains(&names.module(names.function(id).module).root)
        });
        let reach = match by_name || self.of_commands && !places.is_empty() {
            true => Reach::Command,
            false => places.iter().map(|(site, node)| self.callers.reach(site, *node)).max()?,
        };
        // What is left over or locked is so whoever calls; a limit is for who waits.
        let aside = reach == Reach::Offered
            && rule.rule.engine == Engine::UnsetBound
            && milder.contains(&Context::Command)
            && self.world.names.has_program()
            && places.iter().all(|(site, _)| {
                site.function.is_some_and(|id| self.world.names.is_of_library(id))
            });
        aside.then_some("none of the package's programs calls it").or_else(|| reach.milder(milder))
    }

    /// Why the function is a milder place for the rule, by its name.
    fn named_as_meant(&self, rule: &LintRule, id: FnId) -> Option<&'static str> {
        let words = &rule.rule.when.milder_named;
        if words.is_empty() {
            return None;
        }
        let name = self.world.names.function(id).name.as_str();
        let named = name.split('_').any(|word| words.iter().any(|known| known == word));
        named.then_some("its name says that it is meant")
    }
}

/// Whether it listens for connections or waits for what never ends.
fn runs_on(world: &World<'_>, site: &Rc<Site>) -> bool {
    calls(site).any(|(_, call)| {
        call.effects.contains(&Effect::Endless)
            || classes_of(world, call).iter().any(|class| SERVES.contains(class))
    })
}

/// The roots of programs that are called like commands, and do nothing that runs on.
fn commands(world: &World<'_>, sites: &[Rc<Site>]) -> FxHashSet<ModId> {
    let names = world.names;
    let is_command = |module: &Module| {
        let name = module.name.as_str();
        module.parent.is_none()
            && module.side == Side::Bin
            && COMMANDS.iter().any(|end| name.ends_with(end))
    };
    let roots = (0..).map(ModId).zip(&names.modules).filter(|(_, module)| is_command(module));
    let mut roots: FxHashSet<ModId> = roots.map(|(id, _)| id).collect();
    if !roots.is_empty() {
        let serving = sites.iter().filter(|site| runs_on(world, site));
        for id in serving.filter_map(|site| site.function) {
            roots.remove(&names.module(names.function(id).module).root);
        }
    }
    roots
}

/// `Command::spawn`, as shown.
pub(crate) fn item(world: &World<'_>, call: &Call) -> String {
    let shown = match &call.target {
        Target::Api(_, path) | Target::Foreign(path) => short(path.as_str()),
        Target::Own(id) => world.names.qualified(*id),
        _ => call.name.to_string(),
    };
    format!("`{shown}`")
}

/// What is known of what a call leads to.
fn facts_of<'a>(world: &World<'a>, call: &Call) -> Vec<&'a ApiFact> {
    let Target::Api(ids, _) = &call.target else { return Vec::new() };
    ids.iter().map(|&id| &*world.facts.api(id).fact).collect()
}

/// The classes of what a call leads to.
fn classes_of<'a>(world: &World<'a>, call: &Call) -> Vec<&'a str> {
    let facts = facts_of(world, call).into_iter();
    facts.flat_map(|fact| fact.classes.iter().map(String::as_str)).collect()
}

/// Whether a body makes a call of this class.
fn makes(checker: &Checker<'_>, site: &Site, class: &str) -> bool {
    calls(site).any(|(_, call)| classes_of(checker.world, call).contains(&class))
}

/// The last two segments of a path.
pub(crate) fn short(path: &str) -> String {
    let parts: Vec<&str> = path.rsplit("::").take(2).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("::")
}

/// Calls of a body that can be reached.
pub(crate) fn calls(site: &Site) -> impl Iterator<Item = (NodeId, &Call)> {
    site.graph.calls()
}
