//! Bounds that are set on what a value is used for, instead of on the value itself:
//! `client.get(url).timeout(t)`.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::lint::bodies::Site;
use crate::lint::cfg::{Call, Graph, LocalId, NodeKind, Operand, Part, Place, Value};
use crate::lint::ir::Name;
use crate::lint::names::TypeId;
use crate::lint::types::{Target, Ty};

use super::Checker;
use super::peer_wait::Search;
use super::users::{type_name, users};

/// Values that a clone or reference is traced back through.
const DEPTH: u32 = 4;

/// What the package does with values that have bounds.
pub(super) struct OnUses {
    sets: Vec<Set>,
    /// How many it makes, by class.
    made: FxHashMap<String, usize>,
}

/// A bound that the package sets on a use of something.
struct Set {
    /// The type whose method sets it.
    owner: String,
    name: String,
    /// What the package finishes with that type, when it is a builder.
    finishes: Vec<String>,
}

/// A value whose uses are asked for.
pub(super) struct Made<'m> {
    pub(super) site: &'m Rc<Site>,
    pub(super) call: &'m Call,
    /// The path of the call that makes it.
    pub(super) path: &'m str,
    pub(super) class: &'m String,
}

impl Set {
    /// Of the same crate as the call that makes the value, but not of a builder of such values.
    fn fits(&self, made: &Made<'_>) -> bool {
        let krate = |path: &str| path.split("::").next().unwrap_or(path).to_owned();
        krate(made.path) == krate(&self.owner) && !self.finishes.contains(made.class)
    }

    fn is_on(&self, site: &Site, local: LocalId) -> bool {
        type_name(site, local).is_some_and(|path| path.as_str() == self.owner)
    }
}

impl OnUses {
    pub(super) fn of(checker: &Checker<'_>) -> Self {
        let mut sets: Vec<Set> = Vec::new();
        let mut made: FxHashMap<String, usize> = FxHashMap::default();
        let mut finishes: FxHashMap<String, Vec<String>> = FxHashMap::default();
        for site in checker.sites {
            for (_, call) in super::calls(site) {
                let Target::Api(ids, path) = &call.target else { continue };
                let Some((owner, _)) = path.as_str().rsplit_once("::") else { continue };
                let mut classes: Vec<&String> = Vec::new();
                for fact in ids.iter().map(|&id| &checker.world.facts.api(id).fact) {
                    classes.extend(&fact.finishes);
                    for name in &fact.sets {
                        if !sets.iter().any(|set| set.owner == owner && set.name == *name) {
                            let (owner, name) = (owner.to_owned(), name.clone());
                            sets.push(Set { owner, name, finishes: Vec::new() });
                        }
                    }
                }
                classes.sort();
                classes.dedup();
                for class in classes {
                    finishes.entry(owner.to_owned()).or_default().push(class.clone());
                    *made.entry(class.clone()).or_default() += 1;
                }
            }
        }
        for set in &mut sets {
            set.finishes = finishes.get(&set.owner).cloned().unwrap_or_default();
        }
        Self { sets, made }
    }

    /// Why nothing is said of a value whose uses may set one of these bounds; nothing where a use is
    /// known that does not.
    pub(super) fn silent(
        &self,
        checker: &Checker<'_>,
        search: &Search<'_>,
        made: &Made<'_>,
        names: &[&str],
    ) -> Option<&'static str> {
        let mut sets =
            self.sets.iter().filter(|set| names.contains(&set.name.as_str()) && set.fits(made));
        let first = sets.next()?;
        let all = users(checker, made.site, made.call.to).unwrap_or_default();
        let only = self.made.get(made.class) == Some(&1);
        let kept = kept_in(checker, made.site, made.call.to);
        std::iter::once(first).chain(sets).find_map(|set| {
            let (mut seen, mut sure) = (false, true);
            for (site, node) in &all {
                let Some(call) = site.graph.call_at(*node) else { continue };
                let of = of_field(checker, &site.graph, call);
                let of_another = of.is_some_and(|of| !kept.is_empty() && !kept.contains(&of));
                if of_another || !set.is_on(site, call.to) {
                    continue;
                }
                seen = true;
                match chained(checker, site, call.to, set) {
                    Chain::Sets => {}
                    Chain::Ends if search.limit(site, call, true).is_some() => {}
                    Chain::Ends if only || of.is_some_and(|of| kept.contains(&of)) => return None,
                    Chain::Ends | Chain::Leaves => sure = false,
                }
            }
            Some(match seen && sure {
                true => "the package sets it on each use that is seen",
                false => "the package sets it on uses, and not all that become of this are seen",
            })
        })
    }
}

/// What becomes of a use of a value.
enum Chain {
    /// The bound is set on it.
    Sets,
    /// Somebody else gets it, and may set the bound.
    Leaves,
    Ends,
}

/// Follows a use by its methods, as long as they give what the bound is set on.
fn chained(checker: &Checker<'_>, site: &Site, first: LocalId, set: &Set) -> Chain {
    let graph = &site.graph;
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([first]);
    let mut leaves = false;
    // Steps stand in the order of the text: one pass follows what is bound and chained.
    for node in &graph.nodes {
        let is = |operand: &Operand| operand.place().is_some_and(|at| same.contains(&at.local));
        match &node.kind {
            NodeKind::Assign { to, value: Value::Use(from) } if is(from) => {
                leaves |= to.local == graph.result || !to.path.is_empty();
                same.insert(to.local);
            }
            NodeKind::Assign { value, .. } => {
                leaves |= same.iter().any(|&local| value.uses(local));
            }
            NodeKind::Await { to, what } if is(what) => {
                same.insert(to.local);
            }
            NodeKind::Call(call) if call.args.iter().any(is) => leaves = true,
            NodeKind::Call(call) if call.receiver.as_ref().is_some_and(is) => {
                match &call.target {
                    Target::Api(ids, _) => {
                        let mut facts = ids.iter().map(|&id| &checker.world.facts.api(id).fact);
                        if facts.any(|fact| fact.sets.contains(&set.name)) {
                            return Chain::Sets;
                        }
                    }
                    Target::Own(_) => leaves = true,
                    _ => leaves |= graph.local(call.to).ty.is_unknown(),
                }
                if set.is_on(site, call.to) {
                    same.insert(call.to);
                }
            }
            _ => {}
        }
    }
    if leaves { Chain::Leaves } else { Chain::Ends }
}

/// A field of a type of the package.
type Field = (TypeId, Name);

/// The fields that a made value is put in.
fn kept_in(checker: &Checker<'_>, site: &Site, made: LocalId) -> Vec<Field> {
    let graph = &site.graph;
    let mut same: FxHashSet<LocalId> = FxHashSet::from_iter([made]);
    let mut kept = Vec::new();
    for node in &graph.nodes {
        let NodeKind::Assign { to, value } = &node.kind else { continue };
        match value {
            Value::Parts { parts, written: true, .. } => {
                if let Ty::Own(id, _) = graph.local(to.local).ty.bare() {
                    kept.extend(parts.iter().filter_map(|(part, operand)| match part {
                        Part::Field(name)
                            if operand.place().is_some_and(|at| same.contains(&at.local)) =>
                        {
                            Some((*id, *name))
                        }
                        _ => None,
                    }));
                }
            }
            value if same.iter().any(|&local| value.uses(local)) => match field(checker, graph, to)
            {
                Some(field) => kept.push(field),
                None => {
                    same.insert(to.local);
                }
            },
            _ => {}
        }
    }
    kept
}

/// The field that the receiver of a call is, or a clone of.
fn of_field(checker: &Checker<'_>, graph: &Graph, call: &Call) -> Option<Field> {
    let mut place = call.receiver.as_ref()?.place()?;
    for _ in 0..DEPTH {
        if let Some(field) = field(checker, graph, place) {
            return Some(field);
        }
        place = match &graph.node(graph.local(place.local).def?).kind {
            NodeKind::Assign { value: Value::Use(from), .. } => from.place()?,
            NodeKind::Call(call) if call.name.as_str() == "clone" => {
                call.receiver.as_ref().or(call.args.first())?.place()?
            }
            _ => return None,
        };
    }
    None
}

/// The field of a type of the package that a place is, or is in.
fn field(checker: &Checker<'_>, graph: &Graph, place: &Place) -> Option<Field> {
    let mut ty = graph.local(place.local).ty.clone();
    let mut found = None;
    for part in &place.path {
        ty = match part {
            Part::Field(name) => {
                let owner = checker.world.reach(&ty).into_iter().find_map(|ty| match ty {
                    Ty::Own(id, _) => Some(id),
                    _ => None,
                });
                found = owner.map(|id| (id, *name)).or(found);
                checker.world.field(&ty, *name)
            }
            Part::Payload => ty.payload(),
            Part::Element => Ty::Unknown,
        };
    }
    found
}
