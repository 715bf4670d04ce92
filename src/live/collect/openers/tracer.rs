//! The thread that hears of openings: pairs them with copied stacks, and says whose handle each was.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use super::copying::Copying;
use super::places::{self, Places};
use super::programs::Programs;
use super::receiving::{Receiving, Unseen};
use crate::live::collect::feed::{Closed, Outlet};
use crate::live::collect::sampler::cpu_time;
use crate::live::collect::traced::monotonic_ns;
use crate::live::facts::{HandleId, Opener};
use crate::live::trace::openings::births::{self, Births};
use crate::live::trace::openings::calls::{Call, Gives, Messages};
use crate::live::trace::openings::control::{self, Memory, Received};
use crate::live::trace::openings::events::{self, Created, Events, SHALLOW_BYTES};
use crate::live::trace::openings::ledger::{By, Held, Ledger, Look, Number, Opening};
use crate::live::trace::stack::{Copied, Sample};

/// Rings are read so often, and those of cheap events whenever one is a quarter full.
const READ_EVERY: Duration = Duration::from_millis(100);
/// An event that is older than this stands in its ring.
const SETTLED_NS: u64 = 5_000_000;
/// Two events of one call are not further apart.
const APART_NS: u64 = 1_000_000;
/// A look is told of within this time.
const TOLD_NS: u64 = 1_000_000_000;
/// CPU time spent on stacks between two readings; what is left waits until somebody asks for it.
const SPENT: Duration = Duration::from_millis(5);
/// The same when a look asks whose a handle is.
const SPENT_ON_LOOK: Duration = Duration::from_millis(100);
/// Bytes of copied stacks that wait.
const MOST_KEPT: usize = 32 << 20;
/// Threads of which the last call is kept.
const MOST_THREADS: usize = 65_536;
/// Readings after which no thread is looked for that was born while others were attached to.
const SEARCHES: usize = 3;

/// What the thread is asked.
pub(super) enum Ask {
    /// Whose are these handles?
    Look(Look),
    /// Who started these threads and children?
    Births(births::Look),
    /// These processes are the target now.
    Follow(BTreeSet<u32>),
    /// This process runs another program.
    Exec(u32),
}

/// What the thread hands over.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Places that were not known yet, in the order of their numbers.
    pub(super) places: Vec<Opener>,
    /// How many openings each of all places had.
    pub(super) counts: Vec<u64>,
    /// Handles, the numbers of their places, and when they were opened.
    pub(super) opened_by: Vec<(HandleId, u32, u64)>,
    /// Openings heard of.
    pub(super) heard: u64,
    /// Of these, those of which no stack was looked at.
    pub(super) unplaced: u64,
    /// Events that were lost.
    pub(super) lost: u64,
    /// Every process of the host is listened to.
    pub(super) whole_host: bool,
    /// What comes over sockets is not listened to: it would cost too much.
    pub(super) deaf: bool,
}

/// From where something was opened.
#[derive(Debug, Clone)]
enum From {
    /// From this place.
    Place(u32),
    /// What was copied is not looked at yet.
    Kept(Rc<Kept>),
    /// It was not kept.
    Dropped,
}

/// What was copied of a thread, within the room for all.
#[derive(Debug)]
struct Kept {
    pid: u32,
    copied: Copied,
    room: Rc<Cell<usize>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.room.set(self.room.get() + size(&self.copied));
    }
}

/// An event on its way to the ledger.
struct Heard {
    at_ns: u64,
    pid: u32,
    call: &'static Call,
    returned: u32,
    /// Those that lie in memory, where that was copied.
    numbers: Option<Vec<u32>>,
    origin: u32,
    copied: Copied,
}

struct Tracer {
    events: Events,
    programs: Programs,
    ledger: Ledger<From>,
    births: Births<From>,
    places: Places,
    room: Rc<Cell<usize>>,
    cheap: Vec<Heard>,
    deep: Vec<Heard>,
    looks: VecDeque<Look>,
    looks_at_births: VecDeque<births::Look>,
    /// When the last look at fd tables began.
    looked_ns: u64,
    answers: Vec<(HandleId, u32, u64)>,
    heard: u64,
    unplaced: u64,
    /// What was lost when handles were last asked about, and when threads and children were.
    lost_before: u64,
    lost_before_births: u64,
    /// The last call of each thread, and the thread by whose event it was told.
    last: HashMap<u32, (u64, u32, u32)>,
    copying: Copying,
    receiving: Receiving,
    unseen: Unseen,
}

/// Hears of the openings of some processes until nobody listens any more. `stacks`: for so long,
/// stacks are copied.
pub(super) fn trace(
    pids: BTreeSet<u32>,
    held: Vec<Held>,
    stacks: Option<Duration>,
    asks: &Receiver<Ask>,
    outlet: &Outlet<Result<Report, String>>,
) -> Result<(), Closed> {
    let begun = Events::open().and_then(|mut events| {
        events.follow(&pids)?;
        Ok(events)
    });
    match begun {
        Ok(events) => {
            let mut tracer = Tracer {
                events,
                programs: Programs::default(),
                ledger: Ledger::new(monotonic_ns(), held),
                births: Births::new(monotonic_ns()),
                places: Places::default(),
                room: Rc::new(Cell::new(MOST_KEPT)),
                cheap: Vec::new(),
                deep: Vec::new(),
                looks: VecDeque::new(),
                looks_at_births: VecDeque::new(),
                looked_ns: 0,
                answers: Vec::new(),
                heard: 0,
                unplaced: 0,
                lost_before: 0,
                lost_before_births: 0,
                last: HashMap::new(),
                copying: Copying::begun(monotonic_ns()),
                receiving: Receiving::default(),
                unseen: Unseen::default(),
            };
            tracer.run(pids, stacks, asks, outlet)
        }
        Err(error) => outlet.put(Err(error.to_string())),
    }
}

impl Tracer {
    fn run(
        &mut self,
        mut pids: BTreeSet<u32>,
        stacks: Option<Duration>,
        asks: &Receiver<Ask>,
        outlet: &Outlet<Result<Report, String>>,
    ) -> Result<(), Closed> {
        let stacks_until = stacks.map_or(u64::MAX, |time| {
            monotonic_ns().saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        });
        let (mut searches, mut next_deep, mut received) = (0, 0, 0);
        loop {
            if let Err(error) = self.events.wait(READ_EVERY) {
                return outlet.put(Err(error.to_string()));
            }
            let now = monotonic_ns();
            // A fixed pace: when calls come fast, only as many stacks are copied as fit.
            let with_stacks = now >= next_deep;
            if with_stacks {
                next_deep = now + u64::try_from(READ_EVERY.as_nanos()).unwrap_or(0);
            }
            let (copied, in_vain) = self.read(with_stacks);
            received += in_vain;
            let settled = now.saturating_sub(SETTLED_NS);
            self.enter(settled);
            loop {
                match asks.try_recv() {
                    Ok(Ask::Look(look)) => self.looks.push_back(look),
                    Ok(Ask::Births(look)) => self.looks_at_births.push_back(look),
                    Ok(Ask::Follow(now)) => {
                        self.programs.keep(&now);
                        self.ledger.follow(&pids, &now, monotonic_ns());
                        (pids, searches) = (now, 0);
                    }
                    // Where the kernel's own word of it was lost.
                    Ok(Ask::Exec(pid)) => self.programs.forget(pid),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            while let Some(look) = self.looks.pop_front_if(|look| look.end_ns < settled) {
                self.look(look);
            }
            let heard_all = |look: &mut births::Look| look.begin_ns < settled;
            while let Some(look) = self.looks_at_births.pop_front_if(heard_all) {
                self.look_at_births(&look);
            }
            let next_look = self.looks.front().map_or(u64::MAX, |look| look.begin_ns);
            self.ledger.settle(next_look.min(now.saturating_sub(TOLD_NS)));
            if with_stacks {
                let copies = self.copying.wanted(now, copied) && now <= stacks_until;
                if let Err(error) = self.events.copy(copies) {
                    return outlet.put(Err(error.to_string()));
                }
                let receives = self.receiving.wanted(now, std::mem::take(&mut received));
                if !self.events.receives() && receives {
                    self.unseen.begin(now);
                }
                if self.events.receive(receives).is_err() {
                    // What is heard anyway is worth more.
                    self.receiving.given_up = true;
                }
                if searches < SEARCHES {
                    searches += 1;
                    if let Err(error) = self.events.follow(&pids) {
                        return outlet.put(Err(error.to_string()));
                    }
                }
                outlet.put(Ok(self.report()))?;
            }
        }
    }

    /// Takes in what the rings hold; gives how many stacks that were, and how many calls that received
    /// messages, and nothing else.
    fn read(&mut self, with_stacks: bool) -> (usize, usize) {
        let Self { events, cheap, deep, programs, .. } = self;
        let (before, mut in_vain) = (deep.len(), 0);
        events.drain(with_stacks, &mut |told| match told {
            events::Heard::Created(created) => {
                let Some(heard) = heard(created) else {
                    in_vain += usize::from(created.call.receives());
                    return;
                };
                if created.deep { deep.push(heard) } else { cheap.push(heard) }
            }
            &events::Heard::Exec { pid, at_ns } => programs.exec(pid, at_ns),
        });
        (deep.len() - before, in_vain)
    }

    /// Hands settled events over to the ledger, each with the most that was copied of it.
    fn enter(&mut self, settled: u64) {
        let mut ready: Vec<Heard> =
            self.cheap.extract_if(.., |heard| heard.at_ns < settled).collect();
        ready.sort_by_key(|heard| heard.at_ns);
        let mut by_call: HashMap<(u32, u32, u32), Vec<usize>> = HashMap::new();
        for (at, heard) in ready.iter().enumerate() {
            by_call.entry(key(heard)).or_default().push(at);
        }
        let reach = settled.saturating_add(APART_NS);
        for stack in self.deep.extract_if(.., |heard| heard.at_ns < reach) {
            let alike = by_call.get(&key(&stack)).into_iter().flatten();
            let apart = |at: &usize| ready[*at].at_ns.abs_diff(stack.at_ns);
            let nearest = alike.copied().min_by_key(apart).filter(|at| apart(at) < APART_NS);
            if let Some(heard) = nearest.and_then(|at| ready.get_mut(at)) {
                heard.numbers = heard.numbers.take().or(stack.numbers);
                let chain = std::mem::take(&mut heard.copied.chain);
                heard.copied = Copied { chain, ..stack.copied };
            }
        }
        let begin = cpu_time();
        let mut openings = Vec::with_capacity(ready.len());
        for heard in ready {
            if self.told_before(&heard) {
                continue;
            }
            if heard.call.receives() && heard.numbers.is_none() {
                self.take_unseen(&heard, cpu_time().saturating_sub(begin) < SPENT);
                continue;
            }
            self.heard += u64::from(!heard.call.starts());
            let Heard { at_ns, pid, call, returned, numbers, copied, .. } = heard;
            let from = if cpu_time().saturating_sub(begin) < SPENT {
                let place = self.place(pid, call, &copied, at_ns);
                self.places.count(place);
                From::Place(place)
            } else {
                self.unplaced += u64::from(!call.starts());
                self.keep(pid, copied)
            };
            if call.starts() {
                self.births.take(Opening { at_ns, number: (pid, returned), call, from });
                continue;
            }
            let fds = match call.gives {
                Gives::Pair(..) | Gives::Received(_) => numbers.unwrap_or_default(),
                _ => vec![returned],
            };
            if call.receives() {
                self.receiving.used(at_ns);
            }
            for fd in fds {
                let number: Number = (pid, fd);
                openings.push(Opening { at_ns, number, call, from: from.clone() });
            }
        }
        self.ledger.take(openings);
    }

    /// What came with the message is not in what was copied.
    fn take_unseen(&mut self, heard: &Heard, affordable: bool) {
        let Heard { at_ns, pid, call, ref copied, .. } = *heard;
        let place = affordable.then(|| {
            let opener = self.opener(pid, call, copied, at_ns);
            let known = opener.unknown.is_empty();
            known.then(|| self.places.number(Opener { certain: false, ..opener }))
        });
        self.unseen.take(at_ns, pid, place.flatten());
    }

    /// A thread that inherited an event and has one of its own is told of twice: the second time
    /// by an event of another origin.
    fn told_before(&mut self, heard: &Heard) -> bool {
        let Heard { at_ns, returned, origin, .. } = *heard;
        let tid = heard.copied.tid;
        let same = self.last.get(&tid).is_some_and(|&(last_ns, last, by)| {
            by != origin && last == returned && at_ns.saturating_sub(last_ns) < APART_NS
        });
        if !same {
            if self.last.len() >= MOST_THREADS {
                self.last.clear();
            }
            self.last.insert(tid, (at_ns, returned, origin));
        }
        same
    }

    fn keep(&self, pid: u32, copied: Copied) -> From {
        let Some(left) = self.room.get().checked_sub(size(&copied)) else { return From::Dropped };
        self.room.set(left);
        From::Kept(Rc::new(Kept { pid, copied, room: Rc::clone(&self.room) }))
    }

    /// The place that a stack leads to: by its end if that shows it, else by all that was copied.
    fn place(&mut self, pid: u32, call: &Call, copied: &Copied, at_ns: u64) -> u32 {
        let opener = self.opener(pid, call, copied, at_ns);
        self.places.number(opener)
    }

    fn opener(&mut self, pid: u32, call: &Call, copied: &Copied, at_ns: u64) -> Opener {
        let code = match self.programs.code(pid, at_ns) {
            Ok(code) => code,
            Err(why) => return places::unknown(call.name, why),
        };
        let end = copied.stack.get(..SHALLOW_BYTES as usize).filter(|end| *end != &*copied.stack);
        let short = end.map(|end| Copied { stack: end.into(), ..copied.clone() });
        let mut place =
            places::of_frames(&code.frames(short.as_ref().unwrap_or(copied)), call.name);
        if !places::is_settled(&place) {
            if short.is_some() {
                let more = places::of_frames(&code.frames(copied), call.name);
                // Of what receives, no more is ever copied.
                if !call.receives() {
                    self.copying.used(at_ns, more != place);
                }
                place = more;
            } else if !call.receives() {
                self.copying.missed(at_ns);
            }
        }
        place
    }

    fn look(&mut self, look: Look) {
        let (at_ns, lost) = (look.begin_ns, self.lost());
        let any_lost = lost != self.lost_before || self.events.maybe_lost();
        self.lost_before = lost;
        let before_ns = std::mem::replace(&mut self.looked_ns, at_ns);
        let answers = self.ledger.look(look, any_lost);
        let (unheard, answers): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(_, by)| came_unheard(by));
        self.receiving.missed(at_ns, unheard.len() as u64);
        self.answer(answers, at_ns);
        for (id, by) in unheard {
            let came = self.ledger.came(id);
            match came.and_then(|(pid, between)| self.unseen.only_place(pid, between)) {
                Some(place) => {
                    self.places.count(place);
                    self.answers.push((id, place, at_ns));
                }
                None => self.answer(vec![(id, by)], at_ns),
            }
        }
        self.unseen.forget(before_ns);
    }

    fn look_at_births(&mut self, look: &births::Look) {
        let lost = self.lost();
        let any_lost = lost != self.lost_before_births || self.events.maybe_lost();
        self.lost_before_births = lost;
        let answers = self.births.look(look, any_lost);
        self.answer(answers, look.begin_ns);
    }

    /// Puts places to answers; what is in doubt is as old as the look.
    fn answer(&mut self, answers: Vec<(HandleId, By<From>)>, look_ns: u64) {
        let begin = cpu_time();
        for (id, by) in answers {
            let (place, at_ns) = match by {
                By::Doubt(doubt) => (self.places.number(places::of_doubt(doubt)), look_ns),
                By::Opening { at_ns, from: From::Place(place), .. } => (place, at_ns),
                By::Opening { at_ns, call, from: From::Kept(kept) }
                    if cpu_time().saturating_sub(begin) < SPENT_ON_LOOK =>
                {
                    (self.place(kept.pid, call, &kept.copied, at_ns), at_ns)
                }
                By::Opening { at_ns, call, .. } => {
                    let why = "more was opened at once than is looked at";
                    (self.places.number(places::unknown(call.name, why)), at_ns)
                }
            };
            self.answers.push((id, place, at_ns));
        }
    }

    fn lost(&self) -> u64 {
        self.events.lost() + self.ledger.dropped() + self.births.dropped()
    }

    fn report(&mut self) -> Report {
        Report {
            places: std::mem::take(&mut self.places.new),
            counts: self.places.counts.clone(),
            opened_by: std::mem::take(&mut self.answers),
            heard: self.heard,
            unplaced: self.unplaced,
            lost: self.lost(),
            whole_host: self.events.whole_host(),
            deaf: self.receiving.given_up,
        }
    }
}

fn key(heard: &Heard) -> (u32, u32, u32) {
    (heard.copied.tid, heard.call.id, heard.returned)
}

fn size(copied: &Copied) -> usize {
    copied.stack.len() + copied.chain.len() * size_of::<u64>()
}

/// Whether a handle came in a way that was not heard of.
fn came_unheard(by: &By<From>) -> bool {
    matches!(by, By::Doubt(doubt) if doubt.came_unheard())
}

/// An event, if its call created something.
fn heard(created: &Created<'_>) -> Option<Heard> {
    let Created { sample, call, returned, origin, .. } = *created;
    let second = sample.regs().and_then(|regs| regs.arguments[1]);
    let numbers = match numbers(&sample, call, returned) {
        // Messages without handles.
        Some(none) if none.is_empty() => return None,
        numbers => numbers,
    };
    call.creates(second, returned).then(|| Heard {
        at_ns: sample.time_ns,
        pid: sample.pid,
        call,
        returned,
        numbers,
        origin,
        copied: sample.copied(),
    })
}

/// The numbers of a pair, or of what came with messages, where they lie in what was copied of the stack.
fn numbers(sample: &Sample<'_>, call: &Call, returned: u32) -> Option<Vec<u32>> {
    let regs = sample.regs()?;
    let stack = Memory { at: regs.sp, bytes: sample.stack() };
    match call.gives {
        Gives::Pair(_, position) => {
            let pointer = regs.arguments.get(position).copied().flatten()?;
            let words = stack.from(pointer, 8)?.as_chunks().0;
            Some(words.iter().map(|word| u32::from_ne_bytes(*word)).collect())
        }
        Gives::Received(messages) => {
            let count = if messages == Messages::One { 1 } else { returned };
            match control::received(stack, regs.arguments[1]?, count) {
                Received::Fds(fds) => Some(fds),
                Received::Unseen => None,
            }
        }
        _ => None,
    }
}
