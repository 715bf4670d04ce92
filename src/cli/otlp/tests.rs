//! What waits is bounded and counted, and what the environment says is read.

use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::environment::read_headers;
use super::queue::{Lost, MAX_RECORDS, Queue};
use crate::live::watch::{Settings, Watch};

fn named(nth: usize) -> LogRecord {
    LogRecord { event_name: nth.to_string(), ..Default::default() }
}

#[test]
fn the_oldest_records_and_older_numbers_give_way_and_are_counted() {
    let queue = Queue::default();
    queue.put_records((0..MAX_RECORDS + 3).map(named).collect());
    let outcome = || Watch::new(Settings::default()).outcome();
    queue.put_outcome(outcome());
    queue.put_outcome(outcome());
    let all = MAX_RECORDS as u64;
    assert_eq!(queue.left(), Lost { metrics: 1, records: all + 3 });
    let load = queue.take().expect("there is something");
    assert_eq!((load.records.len(), load.records[0].event_name.as_str()), (MAX_RECORDS, "3"));
    assert!(load.outcome.is_some());
    // What is on its way and not confirmed is not delivered.
    assert_eq!(queue.left(), Lost { metrics: 1, records: all + 3 });
    queue.put_records(vec![named(9_999)]);
    queue.put_outcome(outcome());
    queue.put_outcome(outcome());
    // Refused for now: what came meanwhile stays, the oldest goes.
    let lost = queue.done(load.records, Lost::default());
    assert_eq!(lost, Lost { metrics: 1, records: 4 });
    queue.close();
    let load = queue.take().expect("the end does not wait");
    let ends = [&load.records[0], &load.records[MAX_RECORDS - 1]].map(|r| r.event_name.as_str());
    assert_eq!(ends, ["4", "9999"]);
    // After the end nothing is tried again.
    assert_eq!(queue.done(load.records, Lost::default()), Lost { metrics: 0, records: all });
    assert!(queue.take().is_none());
    assert_eq!(queue.left(), Lost { metrics: 1, records: all + 4 });
}

#[test]
fn headers_are_read_and_never_repeated() {
    let read = read_headers("api-key=a%20b%3D, X-Scope = team ,,").expect("right");
    let read: Vec<(&str, &[u8])> = read.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    assert_eq!(read, [("api-key", b"a b=".as_slice()), ("x-scope", b"team".as_slice())]);
    assert!(read_headers("").expect("none").is_empty());
    for wrong in ["secret", "a b=secret", "a=sec%0aret", "=secret"] {
        let error = read_headers(wrong).expect_err(wrong);
        assert!(!error.contains("sec") && error.contains("entry 1"), "{error}");
    }
    let odd = read_headers("a=%zz%4").expect("as it is");
    assert_eq!(odd[0].1.as_bytes(), b"%zz%4");
}
