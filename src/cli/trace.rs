//! When it is traced who opens handles: begun when something is suspected, ended when that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::args::{Trace, TraceArgs};
use super::watch::millis;
use crate::live::collect::sampler::Sampler;
use crate::live::facts::{Millis, TargetId};
use crate::live::watch::Wanted;

/// A group is asked about once within this time.
const AGAIN: Millis = 30 * 60_000;

/// Which traces run, and why.
pub(super) struct Tracing {
    when: Trace,
    stacks: Option<Duration>,
    longest: Millis,
    /// Since when.
    running: BTreeMap<TargetId, Millis>,
    /// When a trace last began for a group.
    asked: BTreeMap<(TargetId, String), Millis>,
    failed: BTreeSet<TargetId>,
}

impl Tracing {
    /// As the arguments say; nothing runs yet.
    pub(super) fn new(args: &TraceArgs) -> Self {
        Self {
            when: args.trace,
            stacks: args.trace_for,
            longest: millis(args.trace_max),
            running: BTreeMap::new(),
            asked: BTreeMap::new(),
            failed: BTreeSet::new(),
        }
    }

    /// Has the sampler keep what traces need, and begins those that are wanted from the beginning.
    pub(super) fn start(&mut self, sampler: &mut Sampler) {
        if self.when == Trace::Off {
            return;
        }
        sampler.with_openers();
        if self.when == Trace::On {
            let targets: Vec<TargetId> = sampler.targets().map(|target| target.id).collect();
            for target in targets {
                self.begin(target, 0, sampler);
            }
        }
    }

    /// Begins and ends traces after a look; gives what a person should hear of it.
    pub(super) fn steer(
        &mut self,
        at: Millis,
        wanted: &[Wanted],
        sampler: &mut Sampler,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        self.tell_failures(sampler, &mut notes);
        let over: Vec<TargetId> = self
            .running
            .iter()
            .filter(|&(&target, &since)| self.is_over(target, since, at, wanted))
            .map(|(&target, _)| target)
            .collect();
        for target in over {
            self.running.remove(&target);
            sampler.end_openers(target);
            notes.push("no longer tracing who opens handles".to_owned());
        }
        if self.when != Trace::Auto {
            return notes;
        }
        for group in wanted.iter().filter(|group| !group.answered) {
            let key = (group.target, group.id.clone());
            if self.asked.get(&key).is_some_and(|&asked| at - asked < AGAIN) {
                continue;
            }
            self.asked.insert(key, at);
            if !self.running.contains_key(&group.target) {
                self.begin(group.target, at, sampler);
                notes.push(format!(
                    "tracing who opens handles, for at most {} s, because of {}; --trace off \
                     prevents it",
                    self.longest / 1000,
                    group.id
                ));
            }
        }
        notes
    }

    fn begin(&mut self, target: TargetId, at: Millis, sampler: &mut Sampler) {
        sampler.trace_openers(target, self.stacks);
        self.running.insert(target, at);
    }

    /// Its time is up, or everybody who asks has an answer.
    fn is_over(&self, target: TargetId, since: Millis, at: Millis, wanted: &[Wanted]) -> bool {
        let mut of_target = wanted.iter().filter(|group| group.target == target).peekable();
        // A group that nobody suspects for the moment may be suspected again.
        let answered = of_target.peek().is_some() && of_target.all(|group| group.answered);
        at - since >= self.longest || (self.when == Trace::Auto && answered)
    }

    fn tell_failures(&mut self, sampler: &Sampler, notes: &mut Vec<String>) {
        for &target in self.running.keys() {
            let failed = sampler.openers_failed(target);
            if !failed.is_empty() && self.failed.insert(target) {
                notes.push(format!("it cannot be traced who opens handles: {failed}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracing(trace: Trace) -> Tracing {
        Tracing::new(&TraceArgs {
            trace,
            trace_for: None,
            trace_max: Duration::from_secs(60),
            trace_out: None,
            on_emfile: false,
            source: None,
            source_map: Vec::new(),
        })
    }

    fn wanted(id: &str, answered: bool) -> Wanted {
        Wanted { target: TargetId(1), id: id.to_owned(), answered }
    }

    /// How many notes each of these looks brings, by when it is and who asks.
    fn notes(tracing: &mut Tracing, looks: &[(Millis, &[Wanted])]) -> Vec<usize> {
        let mut sampler = Sampler::new(Vec::new(), 1_000, 0);
        tracing.start(&mut sampler);
        looks.iter().map(|(at, wanted)| tracing.steer(*at, wanted, &mut sampler).len()).collect()
    }

    #[test]
    fn a_trace_begins_when_somebody_asks_and_ends_with_the_answer() {
        let (asks, knows) = ([wanted("a", false)], [wanted("a", true)]);
        let looks =
            [(0, &[][..]), (1_000, &asks), (2_000, &asks), (3_000, &knows), (4_000, &knows)];
        assert_eq!(notes(&mut tracing(Trace::Auto), &looks), [0, 1, 0, 1, 0]);
    }

    #[test]
    fn time_is_bounded_and_nobody_asks_again_too_soon() {
        let asks = [wanted("a", false)];
        let both = [wanted("a", false), wanted("b", false)];
        let looks = [
            (0, &asks[..]),
            // The group may be suspected again: the trace goes on.
            (30_000, &[]),
            (61_000, &asks),
            (62_000, &asks),
            (63_000, &both),
            (AGAIN + 200_000, &asks),
        ];
        // Of the last, an old trace ends and a new one begins.
        assert_eq!(notes(&mut tracing(Trace::Auto), &looks), [1, 0, 1, 0, 1, 2]);
    }

    #[test]
    fn who_wants_no_trace_gets_none() {
        let asks = [wanted("a", false)];
        assert_eq!(notes(&mut tracing(Trace::Off), &[(0, &asks), (1_000, &asks)]), [0, 0]);
        assert_eq!(notes(&mut tracing(Trace::On), &[(0, &asks)]), [0]);
    }
}
