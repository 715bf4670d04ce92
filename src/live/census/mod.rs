//! Identity-tracked births and deaths, grouped into cohorts, in bounded memory.
//!
//! Every handle belongs to one path of groups (kind > role > peer or port > state > call site) and
//! is a member of each group on it, but is counted once in its kind. Leaving a state is a death in
//! that state's group only.

mod bank;
mod group;
mod life_times;
pub mod path;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use bank::GroupStats;
pub use group::{Group, GroupId, LATELY};

use crate::live::detect::clock::Life;
use crate::live::detect::scale::Timing;
use crate::live::facts::{Activity, Change, HandleFacts, HandleId, Millis, OTHER, OpenedBy, Poll};
use crate::live::life_spans::LifeSpans;

/// Most groups of one target; what comes later is counted in `other`.
pub const MAX_GROUPS: usize = 4096;
/// Most handles of one target; what comes later is counted as an eviction.
pub const MAX_HANDLES: usize = 2_000_000;
/// Deepest path.
pub const MAX_DEPTH: usize = 6;
/// Most roles of connections whose lengths of life are told apart.
const MAX_ROLES: usize = 32;

/// The handles of one target.
#[derive(Debug)]
pub struct Census {
    timing: Timing,
    groups: Vec<Group>,
    roots: Vec<GroupId>,
    by_name: HashMap<(Option<GroupId>, Arc<str>), GroupId>,
    slots: Vec<Option<Handle>>,
    free: Vec<u32>,
    by_id: HashMap<HandleId, u32>,
    /// How tasks fare that do not fare as most do.
    polls: HashMap<HandleId, Arc<Poll>>,
    /// Who opened those that were opened under trace.
    openers: HashMap<HandleId, OpenedBy>,
    evictions: u64,
    /// Lengths of life of closed connections, by role.
    durations: BTreeMap<Arc<str>, LifeSpans>,
}

/// The level of a path at which a peer stands: below kind and role.
const PEER_LEVEL: usize = 2;

/// One handle as the census keeps it.
#[derive(Debug)]
pub struct Handle {
    id: HandleId,
    /// What it is; shared with the fact that told it, so that a large first look is not held twice.
    pub facts: Arc<HandleFacts>,
    depth: usize,
    groups: [GroupId; MAX_DEPTH],
    /// Position among each group's members.
    positions: [u32; MAX_DEPTH],
    /// When it entered each group; `Millis::MIN` if before we came.
    entered: [Millis; MAX_DEPTH],
    awake_until: Millis,
    guarded_until: Millis,
}

/// What came and went at one peer within the last [`LATELY`] buckets.
#[derive(Debug, Clone, Copy)]
pub struct Turnover<'a> {
    /// Its kind of handles.
    pub kind: &'a Arc<str>,
    /// Their role.
    pub role: &'a Arc<str>,
    /// The peer.
    pub peer: &'a Arc<str>,
    /// Births seen.
    pub opened: u64,
    /// Deaths seen.
    pub closed: u64,
}

/// TCP connections of one direction to one peer.
#[derive(Debug, Clone, Copy)]
pub struct Connections<'a> {
    /// `tcp client` or `tcp server`.
    pub role: &'a Arc<str>,
    /// The peer.
    pub peer: &'a Arc<str>,
    /// Held now.
    pub active: u64,
    /// Of these, opened under our eyes.
    pub active_new: u64,
    /// Births seen.
    pub opened: u64,
    /// Deaths seen.
    pub closed: u64,
    /// How long those lived whose birth and death were seen.
    pub lives: Option<&'a LifeSpans>,
}

impl Handle {
    /// Its life as the group at `level` of its path sees it.
    fn life(&self, level: usize) -> Life {
        Life::new(self.entered[level], self.facts.activity, self.awake_until, self.guarded_until)
    }
}

impl Census {
    /// An empty census.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            groups: Vec::new(),
            roots: Vec::new(),
            by_name: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            polls: HashMap::new(),
            openers: HashMap::new(),
            evictions: 0,
            durations: BTreeMap::new(),
        }
    }

    /// Lengths of life of closed connections that were seen to open, by role.
    pub fn durations(&self) -> &BTreeMap<Arc<str>, LifeSpans> {
        &self.durations
    }

    /// All groups, in order of their appearance.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        self.groups.iter().enumerate().map(|(index, group)| (GroupId(index as u32), group))
    }

    /// The kinds.
    pub fn roots(&self) -> &[GroupId] {
        &self.roots
    }

    /// One group.
    pub fn group(&self, id: GroupId) -> &Group {
        &self.groups[id.index()]
    }

    /// Names from the kind down to the group.
    pub fn path(&self, id: GroupId) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        let mut at = Some(id);
        while let Some(group) = at {
            names.push(Arc::clone(&self.group(group).name));
            at = self.group(group).parent;
        }
        names.reverse();
        names
    }

    /// Members of a group with their lives in it.
    pub fn members(&self, id: GroupId) -> impl Iterator<Item = (&HandleFacts, Life)> {
        let level = self.group(id).depth;
        self.group(id)
            .members
            .iter()
            .filter_map(|&slot| self.slots[slot as usize].as_ref())
            .map(move |handle| (&*handle.facts, handle.life(level)))
    }

    /// Handles and groups that did not fit.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Everything that is held, kind by kind, with the time at which it entered its present place
    /// (`Millis::MIN` if before we came), and how it fares, if it is a task of which that was told.
    pub fn held(&self) -> impl Iterator<Item = (&HandleFacts, Millis, Option<&Poll>)> {
        let members = self.roots.iter().flat_map(|&root| &self.group(root).members);
        members.filter_map(|&slot| self.slots[slot as usize].as_ref()).map(|handle| {
            let deepest = handle.depth.saturating_sub(1);
            let poll = self.polls.get(&handle.id).map(|poll| &**poll);
            (&*handle.facts, handle.entered[deepest], poll)
        })
    }

    /// When the members of a group were opened, as whole handles; `Millis::MIN` if before we came.
    pub fn births(&self, id: GroupId) -> impl Iterator<Item = Millis> {
        let members = self.group(id).members.iter();
        members
            .filter_map(|&slot| self.slots[slot as usize].as_ref())
            .map(|handle| handle.entered[0])
    }

    /// Who opened the members of a group that were opened under trace.
    pub fn opened_by(&self, id: GroupId) -> impl Iterator<Item = OpenedBy> {
        // Nobody is asked about where nothing was traced.
        let members = if self.openers.is_empty() { &[] } else { &*self.group(id).members };
        members
            .iter()
            .filter_map(|&slot| self.slots[slot as usize].as_ref())
            .filter_map(|handle| self.openers.get(&handle.id).copied())
    }

    /// What came and went lately at each peer: of groups just below a role.
    pub fn turnovers(&self) -> impl Iterator<Item = Turnover<'_>> {
        let peers = self.groups.iter().filter(|group| group.depth == PEER_LEVEL);
        peers.filter_map(|group| {
            let (opened, closed) = group.lately()?;
            let role = &self.group(group.parent?).name;
            Some(Turnover { kind: &group.kind, role, peer: &group.name, opened, closed })
        })
    }

    /// TCP connections at each peer, in order of their appearance.
    pub fn connections(&self) -> impl Iterator<Item = Connections<'_>> {
        let peers = self.groups().filter(|(_, group)| group.depth == PEER_LEVEL);
        peers.filter_map(|(id, group)| {
            let role = &self.group(group.parent?).name;
            is_connection(&group.kind, role).then(|| Connections {
                role,
                peer: &group.name,
                active: group.now() as u64,
                active_new: self.members(id).filter(|(_, life)| life.entered != Millis::MIN).count()
                    as u64,
                opened: group.opened,
                closed: group.closed,
                lives: group.lives(),
            })
        })
    }

    /// Whether a handle is known.
    pub fn contains(&self, id: HandleId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// A handle appears. A second appearance of the same identity replaces the first.
    pub fn open(
        &mut self,
        at: Millis,
        id: HandleId,
        pre: bool,
        guarded_until: Millis,
        facts: Arc<HandleFacts>,
    ) {
        if self.by_id.contains_key(&id) {
            self.close(at, id);
        }
        if self.by_id.len() >= MAX_HANDLES {
            self.evictions += 1;
            return;
        }
        let awake_until = match facts.activity {
            Activity::Awake => Millis::MAX,
            Activity::Unseen | Activity::SilentSince(_) => Millis::MIN,
        };
        let handle = Handle {
            id,
            facts,
            depth: 0,
            groups: [GroupId(0); MAX_DEPTH],
            positions: [0; MAX_DEPTH],
            entered: [if pre { Millis::MIN } else { at }; MAX_DEPTH],
            awake_until,
            guarded_until,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(handle);
                slot
            }
            None => {
                self.slots.push(Some(handle));
                (self.slots.len() - 1) as u32
            }
        };
        self.by_id.insert(id, slot);
        self.join(slot, 0, pre);
    }

    /// A handle is gone.
    pub fn close(&mut self, at: Millis, id: HandleId) {
        let Some(slot) = self.by_id.remove(&id) else {
            return;
        };
        self.polls.remove(&id);
        self.openers.remove(&id);
        self.part(slot, 0, at);
        if let Some(handle) = self.slots[slot as usize].take() {
            self.lived(&handle, at);
        }
        self.free.push(slot);
    }

    /// Takes in how long a connection lived that was seen to open.
    fn lived(&mut self, handle: &Handle, at: Millis) {
        let born = handle.entered[0];
        if &*handle.facts.kind != "socket" || born == Millis::MIN {
            return;
        }
        let role = &handle.facts.role;
        let known = self.durations.contains_key(role) || self.durations.len() < MAX_ROLES;
        let role = if known { Arc::clone(role) } else { Arc::from(OTHER) };
        self.durations.entry(role).or_default().add(at - born);
    }

    /// A handle changed.
    pub fn change(&mut self, at: Millis, id: HandleId, change: Change) {
        let Some(&slot) = self.by_id.get(&id) else {
            return;
        };
        match change {
            Change::Activity(activity) => self.set_activity(slot, at, activity),
            Change::State(state) => {
                let Some(handle) = &self.slots[slot as usize] else { return };
                let facts = HandleFacts { state, ..(*handle.facts).clone() };
                self.set_place(slot, at, facts);
            }
            Change::Place(facts) => self.set_place(slot, at, Arc::unwrap_or_clone(facts)),
            Change::Flow(flow) => {
                if let Some(handle) = &mut self.slots[slot as usize] {
                    Arc::make_mut(&mut handle.facts).flow = Some(flow);
                }
            }
            Change::Poll(poll) => {
                if *poll == Poll::default() {
                    self.polls.remove(&id);
                } else {
                    self.polls.insert(id, poll);
                }
            }
            Change::OpenedBy(opened) => {
                self.openers.insert(id, opened);
            }
            // It tells people something, and judgement nothing.
            Change::Stack(_) => {}
            Change::InheritedBy(child) => {
                if let Some(handle) = &mut self.slots[slot as usize] {
                    Arc::make_mut(&mut handle.facts).inherited_by = child;
                }
            }
        }
    }

    fn set_activity(&mut self, slot: u32, at: Millis, activity: Activity) {
        let bucket = self.timing.bucket_ms();
        let Some(handle) = &mut self.slots[slot as usize] else { return };
        let before: [Life; MAX_DEPTH] = std::array::from_fn(|level| handle.life(level));
        Arc::make_mut(&mut handle.facts).activity = match activity {
            // Reported late, a silence begins where the engines can still place it.
            Activity::SilentSince(since) => Activity::SilentSince(since.max(at - 2 * bucket)),
            other => other,
        };
        handle.awake_until = match activity {
            Activity::Awake => Millis::MAX,
            Activity::SilentSince(_) => at,
            Activity::Unseen => handle.awake_until,
        };
        for (level, before) in before.iter().enumerate().take(handle.depth) {
            let after = handle.life(level);
            self.groups[handle.groups[level].index()].activity(before, &after, at);
        }
    }

    /// Moves a handle to another path, leaving the groups it stays in untouched.
    fn set_place(&mut self, slot: u32, at: Millis, facts: HandleFacts) {
        let Some(handle) = &self.slots[slot as usize] else { return };
        let names = path::of(&facts);
        let kept = (0..handle.depth)
            .take_while(|&level| {
                names.get(level).is_some_and(|name| {
                    let group = &self.groups[handle.groups[level].index()];
                    group.name == *name || &*group.name == OTHER
                })
            })
            .count();
        let activity_changed = handle.facts.activity != facts.activity;
        let activity = facts.activity;
        if kept < handle.depth || kept < names.len() {
            self.part(slot, kept, at);
            if let Some(handle) = &mut self.slots[slot as usize] {
                let old_activity = handle.facts.activity;
                handle.facts = Arc::new(HandleFacts { activity: old_activity, ..facts });
                handle.entered[kept..].fill(at);
            }
            self.join(slot, kept, false);
        } else if let Some(handle) = &mut self.slots[slot as usize] {
            let old_activity = handle.facts.activity;
            handle.facts = Arc::new(HandleFacts { activity: old_activity, ..facts });
        }
        if activity_changed {
            self.set_activity(slot, at, activity);
        }
    }

    /// Enters the groups of its path from `level` down.
    fn join(&mut self, slot: u32, level: usize, pre: bool) {
        let Some(handle) = &self.slots[slot as usize] else { return };
        let names = path::of(&handle.facts);
        let mut parent = level.checked_sub(1).map(|above| handle.groups[above]);
        for (depth, name) in names.into_iter().enumerate().skip(level) {
            let group_id = self.group_named(parent, name, depth, slot);
            let Some(handle) = &mut self.slots[slot as usize] else { return };
            handle.groups[depth] = group_id;
            handle.depth = depth + 1;
            let life = handle.life(depth);
            let group = &mut self.groups[group_id.index()];
            handle.positions[depth] = group.members.len() as u32;
            group.join(slot, &life, pre);
            if &*group.name == OTHER {
                break;
            }
            parent = Some(group_id);
        }
    }

    /// Leaves the groups of its path from `level` down.
    fn part(&mut self, slot: u32, level: usize, at: Millis) {
        let Some(handle) = &self.slots[slot as usize] else { return };
        let (depth, groups, positions) = (handle.depth, handle.groups, handle.positions);
        let connects = is_connection(&handle.facts.kind, &handle.facts.role);
        let lives: [Life; MAX_DEPTH] = std::array::from_fn(|level| handle.life(level));
        for below in level..depth {
            let group = &mut self.groups[groups[below].index()];
            group.part(&lives[below], at);
            if below == PEER_LEVEL && connects && lives[below].entered != Millis::MIN {
                group.lived(at - lives[below].entered);
            }
            let position = positions[below] as usize;
            group.members.swap_remove(position);
            // Another member took its place.
            if let Some(&moved) = group.members.get(position)
                && let Some(moved) = &mut self.slots[moved as usize]
            {
                moved.positions[below] = position as u32;
            }
        }
        if let Some(handle) = &mut self.slots[slot as usize] {
            handle.depth = level;
        }
    }

    fn group_named(
        &mut self,
        parent: Option<GroupId>,
        name: Arc<str>,
        depth: usize,
        slot: u32,
    ) -> GroupId {
        if let Some(&id) = self.by_name.get(&(parent, Arc::clone(&name))) {
            return id;
        }
        let full = self.groups.len() >= MAX_GROUPS;
        let name: Arc<str> = if full {
            self.evictions += 1;
            Arc::from(OTHER)
        } else {
            name
        };
        if let Some(&id) = self.by_name.get(&(parent, Arc::clone(&name))) {
            return id;
        }
        let id = GroupId(self.groups.len() as u32);
        let (kind, state) = match &self.slots[slot as usize] {
            Some(handle) => (
                Arc::clone(&handle.facts.kind),
                path::state_at(&handle.facts, depth).unwrap_or_else(|| Arc::from("")),
            ),
            None => (Arc::from(""), Arc::from("")),
        };
        self.groups.push(Group::new(Arc::clone(&name), parent, depth, kind, state));
        self.by_name.insert((parent, name), id);
        match parent {
            Some(parent) => self.groups[parent.index()].children.push(id),
            None => self.roots.push(id),
        }
        id
    }

    /// Closes the buckets that end at `now` in every group.
    ///
    /// `origin` is the time of the first sample, where the first windows start.
    pub fn step(&mut self, origin: Millis, now: Millis) {
        let mut judged = self.groups.iter().filter(|group| group.bank.engines() > 0).count();
        for index in 0..self.groups.len() {
            let id = GroupId(index as u32);
            let before = self.groups[index].bank.engines() > 0;
            if !before && judged >= self.timing.most_judged {
                self.groups[index].pass_over(&mut self.evictions);
                continue;
            }
            let due = self.groups[index].bank.due(&self.timing, origin, now);
            if due.is_empty() {
                self.groups[index].step(&self.timing, origin, now, &[]);
                continue;
            }
            let lives: Vec<Life> = self.members(id).map(|(_, life)| life).collect();
            self.groups[index].step(&self.timing, origin, now, &lives);
            let after = self.groups[index].bank.engines() > 0;
            judged = judged + usize::from(after && !before) - usize::from(before && !after);
        }
    }

    /// Adds what is held past the ages to the group's own experience of normal life times.
    pub fn handles(&self) -> usize {
        self.by_id.len()
    }
}

/// Whether handles of a kind and role are TCP connections.
fn is_connection(kind: &str, role: &str) -> bool {
    kind == "socket" && matches!(role, "tcp client" | "tcp server")
}

impl Handle {
    /// Its identity.
    pub fn id(&self) -> HandleId {
        self.id
    }
}
