//! Who opened what survives: places ranked by how many of their handles outlived the normal ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::explain::resource_of;
use super::target::TargetWatch;
use super::timeline::Timeline;
use crate::finding::{Severity, Verdict};
use crate::live::census::GroupId;
use crate::live::facts::{Millis, Opener, TargetId};
use crate::live::outcome::{Diagnosis, OpenerOutcome, Openers as Outcome, ResourceOutcome};

/// Places kept of one target.
const MAX_PLACES: usize = 8_192;
/// Places told of a group.
const TOLD: usize = 8;
/// A place with fewer survivors past the age is no answer yet.
const LEAST: u64 = 3;
/// Survivors past the age, opened by known places, that are answer enough.
const ENOUGH: u64 = 8;

/// What was told of places that open handles.
#[derive(Debug, Default)]
pub(super) struct Openers(BTreeMap<u32, (Arc<Opener>, u64)>);

impl Openers {
    /// Takes in what is known of a place; false when there are too many.
    pub(super) fn meet(&mut self, place: u32, opener: &Arc<Opener>) -> bool {
        let fits = self.0.len() < MAX_PLACES || self.0.contains_key(&place);
        if fits {
            self.0.entry(place).or_insert_with(|| (Arc::clone(opener), 0)).0 = Arc::clone(opener);
        }
        fits
    }

    /// Takes in how many openings there were.
    pub(super) fn count(&mut self, place: u32, openings: u64) {
        if let Some((_, count)) = self.0.get_mut(&place) {
            *count = openings;
        }
    }
}

/// A group that the tracer should listen for, and how far that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of which target.
    pub target: TargetId,
    /// The finding or diagnosis that asks.
    pub id: String,
    /// Enough of its handles opened under trace have outlived the normal ones.
    pub answered: bool,
}

/// Resources whose openers are traced: file descriptors are opened, threads and children started.
const TRACED: [&str; 3] = ["fds", "threads", "children"];

/// Groups of a target that grow, or that something is wrong with, and that calls make.
pub(super) fn wanted(target: &TargetWatch) -> Vec<Wanted> {
    let suspect = target.findings().filter(|found| {
        TRACED.contains(&found.resource.as_str())
            && found.verdict >= Verdict::Suspect
            && found.kind.is_some()
    });
    let of = |found: &ResourceOutcome| Wanted {
        target: target.target,
        id: found.id.clone(),
        answered: found.openers.as_ref().is_some_and(answered),
    };
    let diagnosed = target.diagnoses().filter(|diagnosis| {
        diagnosis.severity >= Severity::Warning
            && diagnosis.kind.as_deref().is_some_and(|kind| TRACED.contains(&resource_of(kind)))
    });
    let named = |diagnosis: &Diagnosis| Wanted {
        target: target.target,
        id: diagnosis.id.clone(),
        answered: of_diagnosis(target, diagnosis).as_ref().is_some_and(answered),
    };
    suspect.map(of).chain(diagnosed.map(named)).collect()
}

/// Who opened the members of the group that a diagnosis names.
pub(super) fn of_diagnosis(target: &TargetWatch, diagnosis: &Diagnosis) -> Option<Outcome> {
    let (line, kind) = (target.own(), diagnosis.kind.as_deref()?);
    let names = || std::iter::once(kind).chain(diagnosis.group.iter().map(String::as_str));
    let last = names().last()?;
    let (id, group) = line.census.groups().find(|(id, group)| {
        &*group.name == last && line.census.path(*id).iter().map(|name| &**name).eq(names())
    })?;
    let age = target.timing.ages(&group.kind, &group.state, 0, 0).old;
    of_group(target, line, id, age)
}

/// What a person can do about a diagnosis once it is known who opened what it names.
pub(super) fn step(kind: Option<&str>, openers: &Outcome) -> Option<String> {
    let place = openers.places.iter().find(|place| place.opener.through.is_empty())?;
    let site = place.opener.site();
    let done = match kind.map(resource_of) {
        Some("threads" | "children") => "started",
        _ => "opened",
    };
    Some(format!("look at {site}, which {done} {} of them under trace", place.promoted))
}

fn answered(openers: &Outcome) -> bool {
    let known: u64 = openers.places.iter().map(|place| place.promoted).sum();
    known >= ENOUGH
}

/// Whether a place is known that opens what survives.
pub(super) fn known(found: &ResourceOutcome) -> bool {
    found.openers.as_ref().is_some_and(|openers| !openers.places.is_empty())
}

/// Who opened the members of a group; `None`: none was opened under trace.
pub(super) fn of_group(
    target: &TargetWatch,
    line: &Timeline,
    id: GroupId,
    age: Millis,
) -> Option<Outcome> {
    let horizon = line.judged - age;
    let mut by_place: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for opened in line.census.opened_by(id) {
        let (survivors, promoted) = by_place.entry(opened.place).or_default();
        *survivors += 1;
        *promoted += u64::from(opened.since <= horizon);
    }
    if by_place.is_empty() {
        return None;
    }
    let opener = |place: &u32| target.openers.0.get(place).map(|(opener, _)| opener);
    let unheard = by_place.keys().filter_map(opener).any(|opener| opener.came_unheard());
    let mut outcome = Outcome { age_s: age as f64 / 1000.0, ..Outcome::default() };
    let mut unknown: BTreeMap<&str, u64> = BTreeMap::new();
    for (place, (survivors, promoted)) in by_place {
        outcome.survivors += survivors;
        outcome.promoted += promoted;
        let Some((opener, openings)) = target.openers.0.get(&place) else {
            *unknown.entry(TOO_MANY).or_default() += promoted;
            continue;
        };
        if !opener.unknown.is_empty() {
            *unknown.entry(&opener.unknown).or_default() += promoted;
        } else if promoted >= LEAST {
            // Counted and attributed apart, they may lag behind each other.
            let share = (*openings > 0).then(|| (survivors as f64 / *openings as f64).min(1.0));
            let mut opener = Arc::clone(opener);
            if unheard && opener.certain {
                Arc::make_mut(&mut opener).certain = false;
            }
            let openings = *openings;
            outcome.places.push(OpenerOutcome {
                opener,
                openings,
                survivors,
                promoted,
                share,
                source_line: None,
                linked: Vec::new(),
            });
        }
    }
    // Of equals the first by name: the order is the same in a replay.
    outcome.places.sort_by(|a, b| {
        let share = |place: &OpenerOutcome| place.share.unwrap_or(0.0);
        b.promoted
            .cmp(&a.promoted)
            .then_with(|| share(b).total_cmp(&share(a)))
            .then_with(|| a.opener.cmp(&b.opener))
    });
    outcome.places.truncate(TOLD);
    let unknown = unknown.into_iter().filter(|(_, count)| *count > 0);
    outcome.unknown = unknown.map(|(why, count)| (why.to_owned(), count)).collect();
    Some(outcome)
}

const TOO_MANY: &str = "more places open handles than are kept";

/// The places as one line each: those that a person should look at.
pub(super) fn sites(openers: Option<&Outcome>) -> Vec<String> {
    let places = openers.into_iter().flat_map(|openers| &openers.places);
    let guilty = places.filter(|place| place.opener.through.is_empty());
    guilty.map(|place| place.opener.site()).collect()
}
