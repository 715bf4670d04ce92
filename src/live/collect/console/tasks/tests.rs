//! Updates as real consoles send them, with all that they do to mislead.

use prost::Message as _;
use tokio_console_api as api;

use super::*;
use crate::live::facts::Poll;

const BUCKET: Millis = 5_000;
/// The target's clock, seconds since 1970, when its watch is at event time 0.
const ZERO: i64 = 1_700_000_000;

fn time(ms: Millis) -> Option<Timestamp> {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap();
    Some(Timestamp { seconds: ZERO + ms.div_euclid(1000), nanos })
}

/// A console, as far as tasks are concerned.
#[derive(Default)]
struct Target {
    update: api::instrument::Update,
}

impl Target {
    fn spawned(mut self, id: u64, line: u32, born: Millis) -> Self {
        let task = api::tasks::Task {
            id: Some(id.into()),
            location: Some(api::Location {
                file: Some("src/main.rs".to_owned()),
                line: Some(line),
                ..api::Location::default()
            }),
            ..api::tasks::Task::default()
        };
        self.tasks().new_tasks.push(task);
        self.polled(id, born, born)
    }

    fn polled(mut self, id: u64, born: Millis, last: Millis) -> Self {
        let polls = api::PollStats {
            polls: 1,
            last_poll_started: time(last),
            last_poll_ended: time(last),
            ..api::PollStats::default()
        };
        let stats = Stats {
            created_at: time(born),
            poll_stats: Some(polls),
            waker_clones: 1,
            ..Stats::default()
        };
        self.tasks().stats_update.insert(id, stats);
        self
    }

    fn stats(mut self, id: u64, change: impl FnOnce(&mut Stats)) -> Self {
        change(self.tasks().stats_update.get_mut(&id).unwrap());
        self
    }

    fn ended(self, id: u64, at: Millis) -> Self {
        self.stats(id, |stats| stats.dropped_at = time(at))
    }

    fn lost(mut self, events: u64) -> Self {
        self.tasks().dropped_events = events;
        self
    }

    /// All that it knows of the code, as at the beginning of a connection.
    fn with_metadata(mut self) -> Self {
        let metadata = vec![api::register_metadata::NewMetadata::default()];
        self.update.new_metadata = Some(api::RegisterMetadata { metadata });
        self
    }

    fn tasks(&mut self) -> &mut api::tasks::TaskUpdate {
        self.update.task_update.get_or_insert_default()
    }

    fn sent(mut self, at: Millis, to: &mut Tasks) -> Batch {
        self.update.now = time(at);
        to.update(&self.update.encode_to_vec(), at).unwrap()
    }
}

/// What is told in words, with the target's numbers of tasks. Within one moment the order is open, as
/// that of the numbers in an update is.
#[derive(Default)]
struct Words(HashMap<u64, u64>);

impl Words {
    fn of(&mut self, batch: &Batch) -> Vec<String> {
        for told in &batch.told {
            if let Told::Born { task, born, .. } = told {
                self.0.insert(*task, born.id);
            }
        }
        let mut said: Vec<(Millis, String)> =
            batch.told.iter().map(|told| (told.at(), self.one(told))).collect();
        said.sort();
        said.into_iter().map(|(at, said)| format!("{at} {said}")).collect()
    }

    fn one(&self, told: &Told) -> String {
        match told {
            Told::Born { task, pre, born, .. } => {
                let pre = if *pre { "old" } else { "new" };
                let (id, site) = (self.0[task], &born.introduced.site);
                format!("{pre} {id} of {site} at {}", born.created)
            }
            Told::Changed { task, change, .. } => match change {
                Change::Activity(Activity::SilentSince(since)) => {
                    format!("silent {} since {since}", self.0[task])
                }
                Change::Activity(_) => format!("awake {}", self.0[task]),
                other => format!("{} {other:?}", self.0[task]),
            },
            Told::Ended { task, .. } => format!("ended {}", self.0[task]),
        }
    }
}

fn target() -> Target {
    Target::default()
}

#[test]
fn history_counts_as_far_back_as_deaths_are_known() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    let batch = target()
        .with_metadata()
        .spawned(1, 10, -900_000)
        .spawned(2, 20, -300_000)
        .ended(2, -200_000)
        .spawned(3, 20, -100_000)
        .spawned(4, 20, -50_000)
        .ended(4, -40_000)
        .sent(1_000, &mut tasks);
    // The first death that is still kept was at -200 s: who died before is not known.
    assert_eq!((batch.start, batch.until), (Some(-200_000), Some(-51_000)));
    assert_eq!(
        words.of(&batch),
        [
            "-200000 old 1 of src/main.rs:10 at -900000",
            "-100000 new 3 of src/main.rs:20 at -100000",
            "-95000 silent 3 since -100000",
            "-50000 new 4 of src/main.rs:20 at -50000",
            "-45000 silent 4 since -50000",
            "-40000 ended 4",
        ]
    );
    assert_eq!(batch.state.live, 2);
}

#[test]
fn without_a_death_nothing_is_known_of_the_time_before() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    let batch =
        target().with_metadata().spawned(1, 1, -9_000).spawned(2, 1, 0).sent(500, &mut tasks);
    assert_eq!((batch.start, batch.until), (Some(-1_000), Some(-1_000)));
    assert_eq!(
        words.of(&batch),
        ["-1000 old 1 of src/main.rs:1 at -9000", "0 new 2 of src/main.rs:1 at 0"]
    );
}

#[test]
fn the_second_update_tells_the_same_again() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    let all =
        || (0..2_000).fold(target().with_metadata(), |all, id| all.spawned(id + 1, 5, -60_000));
    let dead = |all: Target| all.spawned(9_000, 6, -59_900).ended(9_000, -59_500);
    assert_eq!(dead(all()).sent(1_000, &mut tasks).state.live, 2_000);
    let again = dead(all()).sent(2_000, &mut tasks);
    assert_eq!(words.of(&again), [] as [&str; 0]);
    assert_eq!((again.state.live, again.until), (2_000, Some(1_000)));
}

#[test]
fn tasks_that_become_visible_late_keep_their_birth_and_nothing_is_complete_until_then() {
    let mut tasks = Tasks::new(BUCKET);
    target().with_metadata().spawned(1, 1, -30_000).sent(0, &mut tasks);
    let mut id = 1;
    let mut until = Vec::new();
    // 2,000 tasks of one moment become visible 127 at a time.
    for second in 1..=16 {
        let mut update = target();
        for _ in 0..127.min(2_001 - id) {
            id += 1;
            update = update.spawned(id, 2, -20_000);
        }
        let batch = update.sent(second * 1_000, &mut tasks);
        let births = batch.told.iter().filter(|told| matches!(told, Told::Born { .. }));
        let wrong = births.filter(|told| told.at() != -20_000).count();
        assert_eq!(wrong, 0);
        until.push(batch.until.unwrap());
    }
    assert_eq!(until[..15], [-21_000; 15]);
    assert_eq!(until[15], 15_000);
}

#[test]
fn activity_follows_the_polls() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    words.of(&target().with_metadata().spawned(1, 1, -1_000).sent(0, &mut tasks));
    target().sent(1_000, &mut tasks);
    assert_eq!(words.of(&target().sent(6_000, &mut tasks)), ["4000 silent 1 since -5000"]);
    let woken = target().polled(1, -1_000, 7_500).sent(8_000, &mut tasks);
    assert_eq!(words.of(&woken), ["7500 awake 1"]);
    let ended = target().polled(1, -1_000, 7_500).ended(1, 20_000).sent(20_500, &mut tasks);
    assert_eq!(words.of(&ended), ["12500 silent 1 since 5000", "20000 ended 1"]);
}

#[test]
fn a_number_that_is_used_again_is_another_task() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    words.of(&target().with_metadata().spawned(7, 1, -1_000).sent(0, &mut tasks));
    target().sent(1_000, &mut tasks);
    let again = target().spawned(7, 2, 1_500).sent(2_000, &mut tasks);
    assert_eq!(words.of(&again), ["1500 ended 7", "1500 new 7 of src/main.rs:2 at 1500"]);
}

#[test]
fn the_consoles_own_tasks_and_strangers_are_left_out() {
    let mut tasks = Tasks::new(BUCKET);
    let mut update = target().with_metadata().spawned(1, 1, -1_000).spawned(2, 1, -500);
    let own = api::Field {
        name: Some(api::field::Name::StrName("task.name".to_owned())),
        value: Some(api::field::Value::DebugVal("console::serve".to_owned())),
        ..api::Field::default()
    };
    update.tasks().new_tasks[0].fields.push(own);
    let batch = update.polled(99, -5_000, -10).sent(0, &mut tasks);
    assert_eq!(batch.state, State { live: 1, strangers: 1, hole: true, ..batch.state });
    assert_eq!(target().polled(1, -1_000, 500).sent(1_000, &mut tasks).state.strangers, 1);
}

#[test]
fn whoever_is_not_told_what_is_there_knows_that() {
    let whole = || target().with_metadata().spawned(1, 1, -9_000);
    let mut tasks = Tasks::new(BUCKET);
    assert!(!whole().sent(0, &mut tasks).state.hole);
    // A waker that outlives its task makes the target tell of it again.
    target().polled(1, -9_000, 500).ended(1, 600).sent(1_000, &mut tasks);
    assert!(!target().polled(1, -9_000, 500).ended(1, 600).sent(8_000, &mut tasks).state.hole);
    assert!(target().polled(7, -9_000, 8_500).sent(9_000, &mut tasks).state.hole);
    // Only what changes is told, with or without code that ran for the first time.
    assert!(target().spawned(1, 1, -9_000).sent(0, &mut Tasks::new(BUCKET)).state.hole);
    assert!(whole().polled(7, -9_000, -10).sent(0, &mut Tasks::new(BUCKET)).state.hole);
}

#[test]
fn losses_add_up() {
    let mut tasks = Tasks::new(BUCKET);
    assert_eq!(target().lost(3).sent(0, &mut tasks).state.lost, 3);
    assert_eq!(target().lost(4).sent(1_000, &mut tasks).state.lost, 7);
}

#[test]
fn after_a_reconnect_what_is_missing_has_ended() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    let both = || target().with_metadata().spawned(1, 1, -2_000).spawned(2, 1, -1_000);
    words.of(&both().sent(0, &mut tasks));
    target().sent(1_000, &mut tasks);
    tasks.reconnected();
    // The second one is gone, the third is new, the fourth came and went meanwhile.
    let batch = target()
        .with_metadata()
        .spawned(1, 1, -2_000)
        .spawned(3, 1, 3_000)
        .spawned(4, 1, 3_000)
        .ended(4, 4_000)
        .sent(9_000, &mut tasks);
    assert_eq!(
        words.of(&batch),
        [
            "3000 new 3 of src/main.rs:1 at 3000",
            "3000 new 4 of src/main.rs:1 at 3000",
            "3000 silent 1 since -5000",
            "4000 ended 4",
            "4000 silent 2 since -5000",
            "8000 silent 3 since 0",
            "9000 ended 2",
        ]
    );
    assert!(!batch.state.hole);
    // Too much for one message: nothing but news comes. What is known is kept.
    tasks.reconnected();
    let hole = target().polled(1, -2_000, 9_500).sent(10_000, &mut tasks);
    assert_eq!((hole.state.hole, hole.state.live), (true, 2));
}

#[test]
fn how_a_task_fares_is_told_when_it_is_news() {
    let (mut tasks, mut words) = (Tasks::new(BUCKET), Words::default());
    let polls = |batch: &Batch| -> Vec<Poll> {
        let poll = |told: &Told| match told {
            Told::Changed { change: Change::Poll(poll), .. } => Some((**poll).clone()),
            _ => None,
        };
        batch.told.iter().filter_map(poll).collect()
    };
    // Nobody keeps its waker.
    let first = target()
        .with_metadata()
        .spawned(1, 1, -1_000)
        .stats(1, |s| s.waker_drops = 1)
        .sent(0, &mut tasks);
    words.of(&first);
    let lost = target().sent(6_000, &mut tasks);
    assert_eq!(polls(&lost), [Poll { lost_since: Some(-1_000), ..Poll::default() }]);
    // In one poll for ever.
    let begins = |s: &mut Stats| {
        s.poll_stats.as_mut().unwrap().last_poll_started = time(6_500);
    };
    let runs = target().polled(1, -1_000, 6_000).stats(1, begins).sent(7_000, &mut tasks);
    assert_eq!(polls(&runs), [Poll::default()]);
    let runs = target().sent(9_000, &mut tasks);
    assert_eq!(polls(&runs), [Poll { running_since: Some(6_500), ..Poll::default() }]);
    assert_eq!(
        words.of(&target().sent(60_000, &mut tasks)),
        [] as [&str; 0],
        "it does not fall silent"
    );
    // It wakes itself a thousand times a second.
    let mut told = Vec::new();
    for second in 61..80 {
        let wakes = |s: &mut Stats| {
            (s.wakes, s.self_wakes) = (
                u64::try_from(second).unwrap() * 1_000,
                60_000 + 999 * (u64::try_from(second).unwrap() - 60),
            );
        };
        let batch = target().polled(1, -1_000, second * 1_000).stats(1, wakes);
        told.extend(polls(&batch.sent(second * 1_000, &mut tasks)));
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].spinning_since.is_some() && told[0].running_since.is_none(), "{told:?}");
}

#[test]
fn what_lies_is_bounded() {
    let mut tasks = Tasks::new(BUCKET);
    assert!(tasks.update(b"nonsense", 0).is_err());
    assert!(tasks.update(&[], 0).is_err(), "without a time");
    let mut update = target().spawned(1, 1, 1 << 50).ended(1, -(1 << 40));
    update.tasks().stats_update.insert(2, Stats::default());
    let batch = update.sent(1_000, &mut tasks);
    assert!(batch.told.iter().all(|told| told.at() <= 1_000), "{:?}", batch.told);
    // Times that jump back and forth.
    for at in [9_000, 2_000, 500_000, 3_000] {
        let batch = target().spawned(3, 1, at * 7).sent(at, &mut tasks);
        let times: Vec<Millis> = batch.told.iter().map(Told::at).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}
