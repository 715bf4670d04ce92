//! Whose handle an opening is: what looks at fd tables found, against the calls that came before.
//!
//! A handle that a look finds at a number, and the look before did not, was created by the last call
//! that returned this number before the number was read. So no close needs to be heard of. The calls
//! between begin and end of a look cannot be ordered against the reading of one number; the next
//! look, which finds the same handle still there, settles who created it. So it does where no call is
//! known yet: a number can be read before the call that it came from has returned.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::calls::Call;
use crate::live::facts::HandleId;

/// Numbers of fd tables of which the last call is kept.
const MOST_NUMBERS: usize = 1 << 20;
/// Calls that wait for the look that they come before.
const MOST_WAITING: usize = 1 << 18;
/// Kinds of handles that keep their identity when their number does not: what reads as the same is
/// the same.
const IDENTIFIED: [&str; 2] = ["socket", "pipe"];

/// A number in the fd table of a process.
pub type Number = (u32, u32);

/// A call that created something, and from where, in whatever form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening<T> {
    /// When, by the monotonic clock.
    pub at_ns: u64,
    /// Process and number.
    pub number: Number,
    /// The call.
    pub call: &'static Call,
    /// From where.
    pub from: T,
}

/// A handle that a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The handle.
    pub id: HandleId,
    /// Where it is.
    pub number: Number,
    /// What it is.
    pub kind: Arc<str>,
}

/// A look at fd tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// When it began, by the monotonic clock.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// What the look before did not find.
    pub opened: Vec<Held>,
    /// What is gone.
    pub closed: Vec<HandleId>,
}

/// Who created a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By<T> {
    /// This call did.
    Opening {
        /// When.
        at_ns: u64,
        /// Which call.
        call: &'static Call,
        /// From where.
        from: T,
    },
    /// It is not known.
    Doubt(Doubt),
}

/// Why it is not known who created a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Nothing that was traced returned its number.
    NoCall,
    /// What returned its number last creates something else.
    OtherKind,
    /// Events were lost in between.
    Lost,
    /// No call that was heard of started it.
    NoStart,
    /// Its process had it before it was listened to.
    Joined,
}

/// Calls and handles of one target.
#[derive(Debug)]
pub struct Ledger<T> {
    waiting: VecDeque<Opening<T>>,
    last: HashMap<Number, Opening<T>>,
    /// Numbers that calls returned since the last look.
    touched: BTreeSet<Number>,
    held: HashMap<Number, Known>,
    numbers: HashMap<HandleId, Number>,
    /// Found at the last look, in doubt between calls, or before the word of one.
    unsettled: Vec<HandleId>,
    /// When the last look began.
    looked_ns: u64,
    /// Calls before this were not heard of.
    since_ns: u64,
    /// The same of processes that came later.
    joined: BTreeMap<u32, u64>,
    dropped: u64,
}

#[derive(Debug)]
struct Known {
    id: HandleId,
    kind: Arc<str>,
    /// From the begin of the look before it was found to the end of the one that found it.
    between_ns: (u64, u64),
    /// When it was created, where that was heard of.
    at_ns: Option<u64>,
}

impl<T: Clone> Ledger<T> {
    /// Begins at a time from which on calls are heard of, with what is held by then.
    pub fn new(since_ns: u64, held: Vec<Held>) -> Self {
        let mut ledger = Self {
            waiting: VecDeque::new(),
            last: HashMap::new(),
            touched: BTreeSet::new(),
            held: HashMap::new(),
            numbers: HashMap::new(),
            unsettled: Vec::new(),
            looked_ns: 0,
            since_ns,
            joined: BTreeMap::new(),
            dropped: 0,
        };
        held.into_iter().for_each(|held| ledger.hold(held, (0, since_ns)));
        ledger
    }

    /// These are the processes from now on.
    pub fn follow(&mut self, before: &BTreeSet<u32>, pids: &BTreeSet<u32>, now_ns: u64) {
        self.joined.retain(|pid, _| pids.contains(pid));
        self.joined.extend(pids.difference(before).map(|&pid| (pid, now_ns)));
    }

    /// Calls that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes calls in, in any order.
    pub fn take(&mut self, openings: impl IntoIterator<Item = Opening<T>>) {
        for opening in openings {
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(opening);
            } else {
                self.dropped += 1;
            }
        }
        self.waiting.make_contiguous().sort_by_key(|opening| opening.at_ns);
    }

    /// No look that is still to come began before this.
    pub fn settle(&mut self, until_ns: u64) {
        while let Some(opening) = self.waiting.pop_front_if(|next| next.at_ns <= until_ns) {
            let number = opening.number;
            // The word of one came late, that of a later one did not.
            if self.last.get(&number).is_some_and(|last| last.at_ns > opening.at_ns) {
                continue;
            }
            if self.last.len() < MOST_NUMBERS || self.last.contains_key(&number) {
                self.touched.insert(number);
                self.last.insert(number, opening);
            } else {
                self.dropped += 1;
            }
        }
    }

    /// Says who created what a look found, and what was created anew since it was found before.
    /// All calls up to its end were taken in; `lost`: some since the look before were not.
    pub fn look(&mut self, look: Look, lost: bool) -> Vec<(HandleId, By<T>)> {
        self.settle(look.begin_ns);
        let touched = std::mem::take(&mut self.touched);
        for id in &look.closed {
            self.forget(*id);
        }
        let opened: BTreeSet<Number> = look.opened.iter().map(|held| held.number).collect();
        let mut answers = Vec::new();
        let seen_before = std::mem::take(&mut self.unsettled);
        for id in seen_before {
            // Unchanged, it was there when this look began: what came last before that made it.
            let Some((number, known)) = self.known(id) else { continue };
            let by = self.settled(number, &known.kind, known.between_ns.0, lost);
            self.tell(number, by, &mut answers);
        }
        for number in touched {
            let Some(known) = self.held.get(&number) else { continue };
            if IDENTIFIED.contains(&&*known.kind) || opened.contains(&number) {
                continue;
            }
            let Some(opening) = self.last.get(&number) else { continue };
            // It reads as before, but was closed and created again.
            let again = known.at_ns != Some(opening.at_ns) && opening.at_ns > self.looked_ns;
            if again && opening.call.may_give(&known.kind) && !lost {
                let by = by(opening);
                self.tell(number, by, &mut answers);
            }
        }
        let mut meanwhile: HashMap<Number, Vec<usize>> = HashMap::new();
        for (at, opening) in self.waiting.iter().enumerate() {
            if opening.at_ns > look.end_ns {
                break;
            }
            meanwhile.entry(opening.number).or_default().push(at);
        }
        for held in look.opened {
            let (id, number, kind) = (held.id, held.number, Arc::clone(&held.kind));
            self.hold(held, (self.looked_ns, look.end_ns));
            let before = self.last.get(&number).is_some_and(|last| last.at_ns > self.looked_ns);
            let by = match (before, meanwhile.get(&number).map(Vec::as_slice)) {
                (_, None) => self.settled(number, &kind, self.looked_ns, lost),
                (false, Some(&[only])) => match self.waiting.get(only) {
                    Some(opening) if opening.call.may_give(&kind) && !lost => by(opening),
                    Some(_) if lost => By::Doubt(Doubt::Lost),
                    _ => By::Doubt(Doubt::OtherKind),
                },
                _ => {
                    self.unsettled.push(id);
                    continue;
                }
            };
            // Of what was opened before all this began, nothing is to be told.
            let began = self.looked_ns < self.since_ns;
            match by {
                By::Doubt(_) if began => {}
                By::Doubt(doubt) if doubt.came_unheard() => self.unsettled.push(id),
                by => self.tell(number, by, &mut answers),
            }
        }
        self.looked_ns = look.begin_ns;
        answers
    }

    /// Who created what came to a number after a time, if nothing happened there since the last call.
    fn settled(&self, number: Number, kind: &str, after_ns: u64, lost: bool) -> By<T> {
        if lost {
            return By::Doubt(Doubt::Lost);
        }
        match self.last.get(&number) {
            Some(opening) if opening.at_ns > after_ns => match opening.call.may_give(kind) {
                true => by(opening),
                false => By::Doubt(Doubt::OtherKind),
            },
            // Of a process that came since the look before, not all was heard.
            _ if self.joined.get(&number.0).is_some_and(|&at| at > after_ns) => {
                By::Doubt(Doubt::Joined)
            }
            _ => By::Doubt(Doubt::NoCall),
        }
    }

    fn tell(&mut self, number: Number, by: By<T>, answers: &mut Vec<(HandleId, By<T>)>) {
        let Some(known) = self.held.get_mut(&number) else { return };
        known.at_ns = match &by {
            By::Opening { at_ns, .. } => Some(*at_ns),
            By::Doubt(_) => None,
        };
        answers.push((known.id, by));
    }

    fn hold(&mut self, held: Held, between_ns: (u64, u64)) {
        let Held { id, number, kind } = held;
        self.numbers.insert(id, number);
        self.held.insert(number, Known { id, kind, between_ns, at_ns: None });
    }

    fn forget(&mut self, id: HandleId) {
        let Some(number) = self.numbers.remove(&id) else { return };
        // Another may be there by now.
        if self.held.get(&number).is_some_and(|known| known.id == id) {
            self.held.remove(&number);
        }
    }

    /// The process that a handle came to, and between which times.
    pub fn came(&self, id: HandleId) -> Option<(u32, (u64, u64))> {
        self.known(id).map(|(number, known)| (number.0, known.between_ns))
    }

    fn known(&self, id: HandleId) -> Option<(Number, &Known)> {
        let number = *self.numbers.get(&id)?;
        self.held.get(&number).filter(|known| known.id == id).map(|known| (number, known))
    }
}

impl Doubt {
    /// Whether it came in a way that is not heard of.
    pub fn came_unheard(self) -> bool {
        matches!(self, Self::NoCall | Self::OtherKind)
    }
}

fn by<T: Clone>(opening: &Opening<T>) -> By<T> {
    let Opening { at_ns, call, from, .. } = opening;
    By::Opening { at_ns: *at_ns, call, from: from.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::trace::openings::calls;

    const PID: u32 = 7;

    fn call(name: &str) -> &'static Call {
        (0..600).filter_map(calls::by_id).find(|call| call.name == name).unwrap()
    }

    fn opening(at_ns: u64, fd: u32, name: &str, from: &'static str) -> Opening<&'static str> {
        Opening { at_ns, number: (PID, fd), call: call(name), from }
    }

    fn held(id: u64, fd: u32, kind: &str) -> Held {
        Held { id: HandleId(id), number: (PID, fd), kind: kind.into() }
    }

    fn look(begin_ns: u64, opened: &[Held], closed: &[u64]) -> Look {
        let closed = closed.iter().map(|&id| HandleId(id)).collect();
        Look { begin_ns, end_ns: begin_ns + 10, opened: opened.to_vec(), closed }
    }

    /// Handles and from where they are, or why that is not known.
    fn told(answers: &[(HandleId, By<&'static str>)]) -> Vec<(u64, String)> {
        let each = answers.iter().map(|(id, by)| match by {
            By::Opening { from, .. } => (id.0, (*from).to_owned()),
            By::Doubt(doubt) => (id.0, format!("{doubt:?}")),
        });
        each.collect()
    }

    fn answers(of: &[(u64, &str)]) -> Vec<(u64, String)> {
        of.iter().map(|&(id, from)| (id, from.to_owned())).collect()
    }

    #[test]
    fn the_last_call_before_a_look_made_it() {
        let mut ledger = Ledger::new(50, Vec::new());
        ledger.look(look(100, &[], &[]), false);
        // Busy at the same number, in the order of several rings.
        ledger.take([opening(180, 5, "socket", "leaks"), opening(150, 5, "socket", "closes")]);
        ledger.take([opening(170, 6, "socket", "other")]);
        let found = ledger.look(look(200, &[held(1, 5, "socket")], &[]), false);
        assert_eq!(told(&found), answers(&[(1, "leaks")]));
        // What comes later at this number is not its.
        ledger.take([opening(250, 5, "socket", "later")]);
        assert_eq!(told(&ledger.look(look(300, &[], &[]), false)), []);
    }

    #[test]
    fn what_comes_during_a_look_is_settled_by_the_next() {
        let mut ledger = Ledger::new(50, Vec::new());
        ledger.look(look(100, &[], &[]), false);
        ledger.take([opening(150, 5, "socket", "first"), opening(205, 5, "socket", "second")]);
        let (open, close) = ([held(1, 5, "socket")], []);
        assert_eq!(told(&ledger.look(look(200, &open, &close), false)), []);
        // Still there: so it was read after the second call.
        let found = ledger.look(look(300, &[], &[]), false);
        assert_eq!(told(&found), answers(&[(1, "second")]));
        // Only one call, though during the look.
        ledger.take([opening(405, 6, "socket", "only")]);
        let found = ledger.look(look(400, &[held(2, 6, "socket")], &[]), false);
        assert_eq!(told(&found), answers(&[(2, "only")]));
    }

    #[test]
    fn of_two_calls_around_a_read_the_handle_that_changed_was_the_firsts() {
        let mut ledger = Ledger::new(50, Vec::new());
        ledger.look(look(100, &[], &[]), false);
        ledger.take([opening(150, 5, "socket", "first"), opening(205, 5, "socket", "second")]);
        ledger.look(look(200, &[held(1, 5, "socket")], &[]), false);
        // It is another one by now: the second call made that, and who made the first is over.
        let found = ledger.look(look(300, &[held(2, 5, "socket")], &[1]), false);
        assert_eq!(told(&found), answers(&[(2, "second")]));
    }

    #[test]
    fn doubts_have_reasons() {
        let mut ledger = Ledger::new(50, Vec::new());
        // Before the first look nobody knows what came before.
        assert_eq!(told(&ledger.look(look(100, &[held(1, 3, "file")], &[]), false)), []);
        ledger.take([opening(150, 5, "openat", "file"), opening(160, 6, "socket", "lost")]);
        let opened = [held(2, 5, "socket"), held(3, 7, "socket")];
        assert_eq!(told(&ledger.look(look(200, &opened, &[]), false)), []);
        let found = ledger.look(look(300, &[], &[]), false);
        assert_eq!(told(&found), answers(&[(2, "OtherKind"), (3, "NoCall")]));
        assert_eq!(ledger.came(HandleId(3)), Some((PID, (100, 210))));
        let found = ledger.look(look(400, &[held(4, 6, "socket")], &[]), true);
        assert_eq!(told(&found), answers(&[(4, "Lost")]));
    }

    #[test]
    fn a_process_that_comes_later_brings_handles_with_it() {
        let mut ledger = Ledger::new(50, Vec::new());
        ledger.look(look(100, &[], &[]), false);
        ledger.take([opening(190, 6, "socket", "heard")]);
        let opened = [held(1, 5, "socket"), held(2, 6, "socket")];
        ledger.follow(&BTreeSet::new(), &BTreeSet::from([PID]), 220);
        let found = ledger.look(look(200, &opened, &[]), false);
        assert_eq!(told(&found), answers(&[(1, "Joined"), (2, "heard")]));
        // Opened before anybody listened, found by the look behind that.
        let found = ledger.look(look(300, &[held(3, 7, "socket")], &[]), false);
        assert_eq!(told(&found), answers(&[(3, "Joined")]));
        assert_eq!(told(&ledger.look(look(400, &[held(4, 8, "socket")], &[]), false)), []);
        let found = ledger.look(look(500, &[], &[]), false);
        assert_eq!(told(&found), answers(&[(4, "NoCall")]));
    }

    #[test]
    fn a_handle_may_be_found_before_the_word_of_its_call() {
        let mut ledger = Ledger::new(50, Vec::new());
        ledger.look(look(100, &[], &[]), false);
        let opened = [held(1, 5, "socket"), held(2, 6, "socket"), held(3, 7, "socket")];
        assert_eq!(told(&ledger.look(look(200, &opened, &[]), false)), []);
        // One call returned behind the look, the word of another came late, of the third none did.
        ledger.take([opening(211, 5, "socket", "returned"), opening(190, 6, "socket", "late")]);
        let found = ledger.look(look(300, &[], &[]), false);
        let (returned, late) = ((1, "returned"), (2, "late"));
        assert_eq!(told(&found), answers(&[returned, late, (3, "NoCall")]));
        // Each is told once.
        assert_eq!(told(&ledger.look(look(400, &[], &[]), false)), []);
    }

    #[test]
    fn what_was_there_is_not_made_by_a_call_before_the_last_look() {
        let mut ledger = Ledger::new(50, Vec::new());
        ledger.look(look(100, &[], &[]), false);
        ledger.take([opening(150, 5, "socket", "old")]);
        ledger.look(look(200, &[held(1, 5, "socket")], &[]), false);
        // Closed, and something came to its number that no call returned.
        assert_eq!(told(&ledger.look(look(300, &[held(2, 5, "socket")], &[1]), false)), []);
        let found = ledger.look(look(400, &[], &[]), false);
        assert_eq!(told(&found), answers(&[(2, "NoCall")]));
    }

    #[test]
    fn a_file_that_reads_the_same_may_be_another() {
        let mut ledger = Ledger::new(50, vec![held(1, 3, "file"), held(2, 4, "socket")]);
        ledger.look(look(100, &[], &[]), false);
        ledger.take([opening(150, 3, "openat", "again"), opening(150, 4, "dup2", "same")]);
        let found = ledger.look(look(200, &[], &[]), false);
        assert_eq!(told(&found), answers(&[(1, "again")]));
        assert_eq!(told(&ledger.look(look(300, &[], &[]), false)), []);
    }

    #[test]
    fn room_is_bounded() {
        let mut ledger = Ledger::new(0, Vec::new());
        let many = (0..MOST_WAITING as u64 + 3).map(|at| opening(at, 5, "socket", "busy"));
        ledger.take(many);
        assert_eq!(ledger.dropped(), 3);
    }
}
