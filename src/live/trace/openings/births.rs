//! Who started a thread or a child: what looks found, against the calls that returned its number.
//!
//! A number is given again only when its holder is gone, after all others were. So the call that
//! returned it since its holder began is the one that started it, however late that is heard of: who
//! calls vfork returns when the child runs another program, long after it was seen.

use std::collections::{BTreeMap, HashMap};

use super::ledger::{By, Doubt, Number, Opening};
use crate::live::facts::HandleId;

/// Calls that wait for a look.
const MOST_CALLS: usize = 1 << 16;
/// The kernel rounds down when something began, and our reading of two clocks lies apart.
const EARLIER_NS: u64 = 10_000_000;

/// A thread or child that a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is called here.
    pub id: HandleId,
    /// The process that started it, and its number there.
    pub number: Number,
    /// `thread` or `child`.
    pub kind: &'static str,
    /// When it began, by the monotonic clock.
    pub began_ns: u64,
}

/// A look at threads and children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// When it began, by the monotonic clock.
    pub begin_ns: u64,
    /// What the look before did not find.
    pub found: Vec<Found>,
    /// What is gone.
    pub gone: Vec<HandleId>,
}

/// Calls, and what they started, of one target.
#[derive(Debug)]
pub struct Births<T> {
    calls: HashMap<Number, Opening<T>>,
    /// Found, and its call not heard of yet.
    waiting: BTreeMap<HandleId, Waiting>,
    /// Calls before this were not heard of.
    since_ns: u64,
    dropped: u64,
}

#[derive(Debug)]
struct Waiting {
    found: Found,
    /// Events were lost since the look before it was found.
    lost: bool,
    stage: Stage,
}

/// How long something has waited for its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// This look found it.
    New,
    /// An earlier one did.
    Seen,
    /// That it is not known was told.
    Told,
}

impl<T> Births<T> {
    /// Begins at a time from which on calls are heard of.
    pub fn new(since_ns: u64) -> Self {
        Self { calls: HashMap::new(), waiting: BTreeMap::new(), since_ns, dropped: 0 }
    }

    /// Calls that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a call in.
    pub fn take(&mut self, call: Opening<T>) {
        if self.calls.len() < MOST_CALLS || self.calls.contains_key(&call.number) {
            self.calls.insert(call.number, call);
        } else {
            self.dropped += 1;
        }
    }

    /// Says who started what looks have found so far. All calls up to its begin were taken in;
    /// `lost`: some since the look before were not.
    pub fn look(&mut self, look: &Look, lost: bool) -> Vec<(HandleId, By<T>)> {
        for id in &look.gone {
            self.waiting.remove(id);
        }
        for found in look.found.iter().filter(|found| found.began_ns >= self.since_ns) {
            let waiting = Waiting { found: *found, lost: false, stage: Stage::New };
            self.waiting.insert(found.id, waiting);
        }
        let Self { calls, waiting, .. } = self;
        let mut answers = Vec::new();
        waiting.retain(|&id, waiting| {
            let Waiting { found, .. } = waiting;
            waiting.lost |= lost;
            let started = calls.get(&found.number).is_some_and(|call| {
                call.at_ns + EARLIER_NS >= found.began_ns && call.call.may_give(found.kind)
            });
            if started && let Some(call) = calls.remove(&found.number) {
                let Opening { at_ns, call, from, .. } = call;
                answers.push((id, By::Opening { at_ns, call, from }));
                return false;
            }
            waiting.stage = match waiting.stage {
                Stage::New => Stage::Seen,
                Stage::Seen => {
                    let doubt = if waiting.lost { Doubt::Lost } else { Doubt::NoStart };
                    answers.push((id, By::Doubt(doubt)));
                    Stage::Told
                }
                Stage::Told => Stage::Told,
            };
            true
        });
        // Of those before the look, whoever they started would have been found.
        self.calls.retain(|_, call| call.at_ns > look.begin_ns);
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::trace::openings::calls;

    const PID: u32 = 7;
    const S: u64 = 1_000_000_000;

    fn call(at_ns: u64, number: u32, name: &str, from: &'static str) -> Opening<&'static str> {
        let call = (0..600).filter_map(calls::by_id).find(|call| call.name == name).unwrap();
        Opening { at_ns, number: (PID, number), call, from }
    }

    fn look(begin_ns: u64, found: &[(u64, u32, &'static str, u64)], gone: &[u64]) -> Look {
        let found = found.iter().map(|&(id, number, kind, began_ns)| Found {
            id: HandleId(id),
            number: (PID, number),
            kind,
            began_ns,
        });
        let gone = gone.iter().map(|&id| HandleId(id)).collect();
        Look { begin_ns, found: found.collect(), gone }
    }

    fn told(answers: Vec<(HandleId, By<&'static str>)>) -> Vec<(u64, String)> {
        let each = answers.into_iter().map(|(id, by)| match by {
            By::Opening { from, .. } => (id.0, from.to_owned()),
            By::Doubt(doubt) => (id.0, format!("{doubt:?}")),
        });
        each.collect()
    }

    fn answers(of: &[(u64, &str)]) -> Vec<(u64, String)> {
        of.iter().map(|&(id, from)| (id, from.to_owned())).collect()
    }

    #[test]
    fn the_call_that_returned_its_number_started_it() {
        let mut births = Births::new(S);
        births.take(call(2 * S, 10, "clone3", "pool"));
        births.take(call(2 * S, 11, "vfork", "runs"));
        let found = [(1, 10, "thread", 2 * S), (2, 11, "child", 2 * S)];
        let first = births.look(&look(3 * S, &found, &[]), false);
        assert_eq!(told(first), answers(&[(1, "pool"), (2, "runs")]));
        assert_eq!(told(births.look(&look(4 * S, &[], &[]), false)), []);
    }

    #[test]
    fn a_parent_may_return_late() {
        let mut births = Births::new(S);
        let found = [(1, 10, "child", 2 * S)];
        assert_eq!(told(births.look(&look(3 * S, &found, &[]), false)), []);
        births.take(call(3 * S + 1, 10, "vfork", "runs"));
        let later = births.look(&look(4 * S, &[], &[]), false);
        assert_eq!(told(later), answers(&[(1, "runs")]));
        // So late that it was told that nobody knows.
        let found = [(2, 11, "child", 4 * S)];
        births.look(&look(5 * S, &found, &[]), false);
        let unknown = births.look(&look(6 * S, &[], &[]), false);
        assert_eq!(told(unknown), answers(&[(2, "NoStart")]));
        assert_eq!(told(births.look(&look(7 * S, &[], &[]), false)), []);
        births.take(call(7 * S + 1, 11, "vfork", "runs"));
        let last = births.look(&look(8 * S, &[], &[]), false);
        assert_eq!(told(last), answers(&[(2, "runs")]));
    }

    #[test]
    fn a_number_may_be_given_again() {
        let mut births = Births::new(S);
        // Of one that was gone before a look found it.
        births.take(call(2 * S, 10, "clone", "short"));
        births.look(&look(3 * S, &[], &[]), false);
        let found = [(1, 10, "child", 3 * S)];
        births.look(&look(4 * S, &found, &[]), false);
        let unknown = births.look(&look(5 * S, &[], &[]), false);
        assert_eq!(told(unknown), answers(&[(1, "NoStart")]));
        // It began after the call.
        births.take(call(6 * S, 11, "clone", "short"));
        let found = [(2, 11, "thread", 6 * S + 2 * EARLIER_NS)];
        assert_eq!(told(births.look(&look(6 * S - 1, &found, &[]), false)), []);
    }

    #[test]
    fn doubts_have_reasons_and_what_was_there_has_none() {
        let mut births: Births<&str> = Births::new(2 * S);
        let found = [(1, 10, "thread", S), (2, 11, "thread", 2 * S), (3, 12, "child", 2 * S)];
        births.look(&look(3 * S, &found, &[]), true);
        let unknown = births.look(&look(4 * S, &[], &[3]), false);
        assert_eq!(told(unknown), answers(&[(2, "Lost")]));
    }

    #[test]
    fn room_is_bounded() {
        let mut births = Births::new(0);
        for number in 0..u32::try_from(MOST_CALLS).unwrap() + 3 {
            births.take(call(1, number, "fork", "bomb"));
        }
        assert_eq!(births.dropped(), 3);
        births.look(&look(2, &[], &[]), false);
        births.take(call(3, 1, "fork", "bomb"));
        assert_eq!(births.dropped(), 3);
    }
}
