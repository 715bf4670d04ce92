//! Semaphores, locks and channels: how many there are, and for which of them tasks wait that nobody
//! moves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost_types::Timestamp;
use tokio_console_api::resources::resource::kind::{Kind, Known};
use tokio_console_api::{async_ops, resources};

use super::texts::{NOWHERE, Texts};
use super::wire::{self, Malformed};
use crate::live::facts::Millis;

/// Resources and operations followed at once; of what is more it is not told who waits for it.
const MAX_FOLLOWED: usize = 100_000;
/// A resource for which nothing has happened for so long stands still.
const STANDS_STILL: Millis = 10_000;
/// So many tasks wait for the same thing: one alone may well wait.
const SEVERAL: usize = 2;
/// Resources inside of each other: a lock is made of a semaphore.
const MAX_DEPTH: usize = 8;

/// Operations that tasks wait for.
#[derive(Debug, Default)]
pub(super) struct Waits {
    resources: HashMap<u64, Resource>,
    operations: BTreeMap<u64, Operation>,
}

#[derive(Debug)]
struct Resource {
    name: Arc<str>,
    parent: Option<u64>,
    /// When an operation on it last came to an end.
    moved: Millis,
}

#[derive(Debug)]
struct Operation {
    resource: u64,
    /// Who waits for it, and since when it exists.
    waiting: Option<(u64, Millis)>,
}

/// A task that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stuck {
    /// Which one.
    pub(super) task: u64,
    /// Since then neither it nor anybody else got what it waits for.
    pub(super) since: Millis,
    /// What that is: `Semaphore src/main.rs:12`.
    pub(super) name: Arc<str>,
}

impl Waits {
    /// What is known was of an earlier connection.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in the parts of an update about resources and about operations; gives how many events
    /// they stand for, and the youngest birth among them.
    ///
    /// # Errors
    /// When they are none.
    pub(super) fn update(
        &mut self,
        resource_part: &[u8],
        operation_part: &[u8],
        texts: &mut Texts,
        event: impl Fn(&Timestamp) -> Millis,
    ) -> Result<(u64, Option<Millis>), Malformed> {
        let mut youngest = None;
        let mut born = |time: Option<&Timestamp>| {
            let at = time.map(&event);
            youngest = youngest.max(at);
            at
        };
        // Operations by which something was tried are events, too.
        let mut events = wire::each(resource_part, 3, |_| {})?;
        events += wire::each(resource_part, 1, |part| self.resource(part, texts))?;
        wire::each(resource_part, 2, |part| {
            let Some((id, stats)) = wire::entry::<resources::Stats>(part) else { return };
            born(stats.created_at.as_ref());
            if stats.dropped_at.is_some() {
                self.resources.remove(&id);
            }
        })?;
        events += wire::each(operation_part, 1, |part| self.operation(part))?;
        wire::each(operation_part, 2, |part| {
            let Some((id, stats)) = wire::entry::<async_ops::Stats>(part) else { return };
            let created = born(stats.created_at.as_ref());
            if let Some(dropped) = &stats.dropped_at {
                if let Some(operation) = self.operations.remove(&id) {
                    self.moved(operation.resource, event(dropped));
                }
            } else if let Some(operation) = self.operations.get_mut(&id) {
                let polled = stats.poll_stats.is_some_and(|polls| polls.last_poll_ended.is_some());
                let task = stats.task_id.filter(|_| polled);
                operation.waiting = task.map(|task| task.id).zip(created);
            }
        })?;
        Ok((events, youngest))
    }

    fn resource(&mut self, part: &[u8], texts: &mut Texts) {
        let Some(told) = wire::decoded::<resources::Resource>(part) else { return };
        let timer = Kind::Known(Known::Timer as i32);
        let is_timer = told.kind.and_then(|kind| kind.kind) == Some(timer);
        // Whoever sleeps waits for nobody.
        let Some(id) = told.id.filter(|_| !is_timer && self.resources.len() < MAX_FOLLOWED) else {
            return;
        };
        let place = texts.place(told.location.as_ref());
        let name = match &*place {
            NOWHERE => texts.share(&told.concrete_type),
            place => texts.share(&format!("{} {place}", told.concrete_type)),
        };
        let parent = told.parent_resource_id.map(|parent| parent.id);
        self.resources.entry(id.id).or_insert(Resource { name, parent, moved: Millis::MIN });
    }

    fn operation(&mut self, part: &[u8]) {
        let Some(told) = wire::decoded::<async_ops::AsyncOp>(part) else { return };
        let Some((id, resource)) = told.id.zip(told.resource_id) else { return };
        if self.operations.len() < MAX_FOLLOWED && self.resources.contains_key(&resource.id) {
            let operation = Operation { resource: resource.id, waiting: None };
            self.operations.entry(id.id).or_insert(operation);
        }
    }

    /// Something happened to a resource and what it is a part of.
    fn moved(&mut self, resource: u64, at: Millis) {
        let mut next = Some(resource);
        for _ in 0..MAX_DEPTH {
            let Some(resource) = next.and_then(|id| self.resources.get_mut(&id)) else { return };
            resource.moved = resource.moved.max(at);
            next = resource.parent;
        }
    }

    /// What a resource is a part of, at the top.
    fn whole(&self, resource: u64) -> Option<(u64, &Resource)> {
        let mut at = (resource, self.resources.get(&resource)?);
        for _ in 0..MAX_DEPTH {
            let parent = at.1.parent;
            let Some(above) = parent.and_then(|id| Some((id, self.resources.get(&id)?))) else {
                break;
            };
            at = above;
        }
        Some(at)
    }

    /// How many there are, by kind and the place where they were made; what others are made of does not
    /// count.
    pub(super) fn counts(&self) -> BTreeMap<Arc<str>, u64> {
        let mut counts = BTreeMap::new();
        let whole = |resource: &&Resource| {
            resource.parent.is_none_or(|parent| !self.resources.contains_key(&parent))
        };
        for resource in self.resources.values().filter(whole) {
            *counts.entry(Arc::clone(&resource.name)).or_default() += 1;
        }
        counts
    }

    /// The tasks that wait, several for the same resource, for which nothing has happened for long.
    pub(super) fn stuck(&self, now: Millis) -> Vec<Stuck> {
        // A task that waits for a lock waits for the semaphore in it, too.
        let mut waiting: BTreeMap<u64, BTreeMap<u64, Millis>> = BTreeMap::new();
        for operation in self.operations.values() {
            let Some((task, since)) = operation.waiting else { continue };
            let Some((id, whole)) = self.whole(operation.resource) else { continue };
            if whole.moved <= now - STANDS_STILL {
                let first = waiting.entry(id).or_default().entry(task).or_insert(since);
                *first = since.min(*first);
            }
        }
        waiting.retain(|_, tasks| tasks.len() >= SEVERAL);
        let mut stuck = Vec::new();
        for (id, tasks) in waiting {
            let Some(resource) = self.resources.get(&id) else { continue };
            stuck.extend(tasks.into_iter().filter_map(|(task, since)| {
                let since = since.max(resource.moved);
                let stuck = Stuck { task, since, name: Arc::clone(&resource.name) };
                (now - since >= STANDS_STILL).then_some(stuck)
            }));
        }
        stuck
    }
}

#[cfg(test)]
mod tests;
