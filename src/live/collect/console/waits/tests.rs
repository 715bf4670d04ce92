//! Operations and resources as a console tells of them.

use prost::Message as _;
use tokio_console_api as api;
use tokio_console_api::resources::resource;

use super::*;

fn time(ms: Millis) -> Option<Timestamp> {
    let nanos = i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap();
    Some(Timestamp { seconds: ms.div_euclid(1000), nanos })
}

fn event(time: &Timestamp) -> Millis {
    time.seconds * 1000 + Millis::from(time.nanos) / 1_000_000
}

/// A semaphore on line 7, and the one that it is made of.
fn semaphore() -> resources::ResourceUpdate {
    let outer = resources::Resource {
        id: Some(1.into()),
        concrete_type: "Semaphore".to_owned(),
        location: Some(api::Location {
            file: Some("src/main.rs".to_owned()),
            line: Some(7),
            ..api::Location::default()
        }),
        ..resources::Resource::default()
    };
    let inner = resources::Resource {
        id: Some(2.into()),
        parent_resource_id: Some(1.into()),
        is_internal: true,
        location: None,
        ..outer.clone()
    };
    let timer = resources::Resource {
        id: Some(3.into()),
        kind: Some(resource::Kind { kind: Some(Kind::Known(Known::Timer as i32)) }),
        ..outer.clone()
    };
    resources::ResourceUpdate {
        new_resources: vec![outer, inner, timer],
        ..resources::ResourceUpdate::default()
    }
}

/// One operation of a task on a resource, begun at a time, and perhaps ended.
fn operation(id: u64, resource: u64, task: u64, from: Millis, to: Option<Millis>) -> Vec<u8> {
    let stats = async_ops::Stats {
        created_at: time(from),
        dropped_at: to.and_then(time),
        task_id: Some(task.into()),
        poll_stats: Some(api::PollStats { last_poll_ended: time(from), ..Default::default() }),
        attributes: Vec::new(),
    };
    let new = async_ops::AsyncOp {
        id: Some(id.into()),
        resource_id: Some(resource.into()),
        ..async_ops::AsyncOp::default()
    };
    let update = async_ops::AsyncOpUpdate {
        new_async_ops: vec![new],
        stats_update: [(id, stats)].into(),
        dropped_events: 0,
    };
    update.encode_to_vec()
}

#[test]
fn several_tasks_wait_for_what_stands_still() {
    let (mut waits, mut texts) = (Waits::default(), Texts::default());
    let first = waits.update(&semaphore().encode_to_vec(), &[], &mut texts, event);
    assert_eq!(first, Ok((3, None)));
    let mut add = |bytes: Vec<u8>| waits.update(&[], &bytes, &mut texts, event).unwrap();
    // The first one waits for the semaphore and for the one in it: it is one task.
    assert_eq!(add(operation(10, 1, 100, 5_000, None)), (1, Some(5_000)));
    add(operation(11, 2, 100, 5_000, None));
    add(operation(12, 3, 101, 5_000, None));
    assert_eq!(waits.stuck(60_000), [], "one alone may wait, and a sleeper waits for nobody");
    let mut add = |bytes: Vec<u8>| waits.update(&[], &bytes, &mut texts, event).unwrap();
    add(operation(13, 2, 102, 20_000, None));
    let stuck = waits.stuck(60_000);
    let told: Vec<_> = stuck.iter().map(|s| (s.task, s.since, &*s.name)).collect();
    let name = "Semaphore src/main.rs:7";
    assert_eq!(told, [(100, 5_000, name), (102, 20_000, name)]);
    // Somebody got what he wanted: the others wait since then only.
    let mut add = |bytes: Vec<u8>| waits.update(&[], &bytes, &mut texts, event).unwrap();
    add(operation(14, 2, 103, 20_000, Some(55_000)));
    assert_eq!(waits.stuck(60_000), []);
    assert_eq!(waits.stuck(70_000).iter().map(|s| s.since).collect::<Vec<_>>(), [55_000, 55_000]);
}

#[test]
fn resources_are_counted_by_place_while_they_live() {
    let (mut waits, mut texts) = (Waits::default(), Texts::default());
    let mut update = semaphore();
    for id in 4..9 {
        let again = resources::Resource { id: Some(id.into()), ..update.new_resources[0].clone() };
        update.new_resources.push(again);
    }
    waits.update(&update.encode_to_vec(), &[], &mut texts, event).unwrap();
    // What it is made of is a part of it, and timers are none.
    let name: Arc<str> = "Semaphore src/main.rs:7".into();
    assert_eq!(waits.counts(), BTreeMap::from([(Arc::clone(&name), 6)]));
    let dropped = resources::Stats { dropped_at: time(9_000), ..resources::Stats::default() };
    let update = resources::ResourceUpdate {
        stats_update: [(1, dropped.clone()), (2, dropped)].into(),
        ..resources::ResourceUpdate::default()
    };
    waits.update(&update.encode_to_vec(), &[], &mut texts, event).unwrap();
    assert_eq!(waits.counts(), BTreeMap::from([(name, 5)]));
}

#[test]
fn what_makes_no_sense_is_passed_over() {
    let (mut waits, mut texts) = (Waits::default(), Texts::default());
    // Two resources that are each other's parent.
    let mut update = semaphore();
    update.new_resources[0].parent_resource_id = Some(2.into());
    waits.update(&update.encode_to_vec(), &[], &mut texts, event).unwrap();
    let of = |id| operation(id, 2, id, 0, None);
    for id in [10, 11] {
        waits.update(&[], &of(id), &mut texts, event).unwrap();
    }
    assert!(waits.stuck(60_000).len() <= 2);
    assert!(waits.update(&[0xff], &[], &mut texts, event).is_err());
    waits.update(&[], &operation(12, 99, 1, 0, None), &mut texts, event).unwrap();
    assert_eq!(waits.operations.len(), 2, "nobody knows what the third is about");
}
