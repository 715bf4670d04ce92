//! Children of the target that are not part of it, zombies among them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::beat::Beat;
use super::started::Started;
use crate::live::facts::{Change, Fact, HandleFacts, HandleId, SourceStatus};
use crate::live::host::process_table::ProcessTable;
use crate::live::target::{Target, start_ms};

/// Most children told apart.
const MAX_CHILDREN: usize = 16_384;

/// Follows the children of one target.
#[derive(Debug, Default)]
pub struct Children {
    known: BTreeMap<(u32, u64), (HandleId, bool)>,
    /// Found first by the last look.
    pub(super) started: Vec<Started>,
}

impl Children {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports births, deaths, and who became a zombie.
    pub fn sample(
        &mut self,
        target: &Target,
        table: &ProcessTable,
        cost: Duration,
        beat: &mut Beat<'_>,
    ) {
        self.started.clear();
        let root = target.processes.iter().map(|p| (p.pid, p)).collect::<BTreeMap<_, _>>();
        let mut present = BTreeMap::new();
        let mut zombies = 0_u32;
        for entry in table.entries() {
            let Some(parent) = root.get(&entry.parent) else { continue };
            if root.contains_key(&entry.pid) || present.len() >= MAX_CHILDREN {
                continue;
            }
            let zombie = matches!(entry.state, 'Z' | 'X');
            zombies += u32::from(zombie);
            let key = (entry.pid, entry.start_ticks);
            let state = if zombie { "zombie" } else { "" };
            match self.known.get_mut(&key) {
                Some((id, was)) => {
                    if *was != zombie {
                        *was = zombie;
                        let change = Change::State(state.into());
                        beat.out.push(Fact::Change { at: beat.at, id: *id, change });
                    }
                    present.insert(key, (*id, zombie));
                }
                None => {
                    let id = beat.ids.next_id();
                    let born = start_ms(entry.start_ticks) - start_ms(parent.start_ticks);
                    beat.out.push(Fact::Open {
                        at: beat.at,
                        target: target.id,
                        id,
                        pre: beat.first,
                        start_up: born < beat.start_up_ms,
                        facts: Arc::new(HandleFacts {
                            peer: entry.comm.as_str().into(),
                            state: state.into(),
                            label: format!("{} {}", entry.pid, entry.comm).into(),
                            pid: Some(entry.parent),
                            born: Some(Box::new(parent.started_ms + born)),
                            ..HandleFacts::of_kind("child")
                        }),
                    });
                    present.insert(key, (id, zombie));
                    let (of, number, ticks) = (entry.parent, entry.pid, entry.start_ticks);
                    self.started.push(Started { id, of, number, ticks, kind: "child" });
                }
            }
        }
        for (key, (id, _)) in &self.known {
            if !present.contains_key(key) {
                beat.out.push(Fact::Close { at: beat.at, id: *id });
            }
        }
        self.known = present;
        beat.gauge(target.id, None, "zombies", f64::from(zombies));
        let incomplete = table.incomplete();
        let status = if incomplete.is_some() { SourceStatus::Partial } else { SourceStatus::Ok };
        beat.source(target.id, "children", status, &incomplete.unwrap_or_default(), cost);
    }
}
