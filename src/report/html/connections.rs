//! Connections by direction and peer: what is seen, estimated and traced, beside each other and never
//! mixed.

use serde::Serialize;

use super::bars::Bars;
use super::watch::closed;
use crate::live::life_spans::Bucket;
use crate::live::outcome::{ConnectionOutcome, OpenedEstimate, TracedConnections};
use crate::report::number::grouped;

/// Peers with a row, and of these with pictures of how long their connections lived.
const ROWS: usize = 64;
const PICTURED: usize = 6;

/// The connections of a target.
#[derive(Serialize)]
pub(super) struct Connections {
    rows: Vec<Row>,
    /// Whether the kernel was asked of each.
    traced: bool,
    histograms: Vec<Bars>,
    left_out: String,
}

/// One direction and peer.
#[derive(Serialize)]
struct Row {
    role: String,
    /// Untrusted text.
    peer: String,
    active: String,
    seen_opened: String,
    seen_closed: String,
    estimate: String,
    traced: Option<Traced>,
}

/// What the kernel told of each.
#[derive(Serialize)]
struct Traced {
    opened: String,
    closed: String,
    failed: String,
}

impl Connections {
    /// In the order of the answer: by direction, the busiest first.
    pub(super) fn of(connections: &[ConnectionOutcome]) -> Self {
        let left_out = match connections.len().saturating_sub(ROWS) {
            0 => String::new(),
            more => format!("{} more peers are left out.", grouped(more as u64)),
        };
        // Of each direction in turn, so that one with many peers does not hide the other.
        let mut pictured: Vec<(usize, &ConnectionOutcome)> = Vec::new();
        for connection in connections {
            let before = pictured.iter().filter(|(_, other)| other.role == connection.role).count();
            pictured.push((before, connection));
        }
        pictured.sort_by_key(|(nth, _)| *nth);
        Self {
            rows: connections.iter().take(ROWS).map(row).collect(),
            traced: connections.iter().any(|connection| connection.traced.is_some()),
            histograms: pictured
                .into_iter()
                .take(PICTURED)
                .flat_map(|(_, c)| pictures(c))
                .collect(),
            left_out,
        }
    }
}

fn row(connection: &ConnectionOutcome) -> Row {
    Row {
        role: connection.role.clone(),
        peer: connection.peer.clone(),
        active: grouped(connection.active),
        seen_opened: format!("≥ {}", grouped(connection.opened)),
        seen_closed: format!("≥ {}", grouped(connection.closed)),
        estimate: connection.estimate.as_ref().map_or_else(|| "unknown".to_owned(), estimate),
        traced: connection.traced.as_ref().map(traced),
    }
}

fn estimate(estimate: &OpenedEstimate) -> String {
    let between = format!("{} to {}", grouped(estimate.low), grouped(estimate.high));
    match estimate.opened {
        Some(opened) => format!("about {} ({between})", grouped(opened as u64)),
        None => between,
    }
}

fn traced(traced: &TracedConnections) -> Traced {
    let opened = if traced.opened_high > traced.opened {
        format!("{} to {}", grouped(traced.opened), grouped(traced.opened_high))
    } else {
        grouped(traced.opened)
    };
    Traced { opened, closed: grouped(traced.closed), failed: grouped(traced.failed) }
}

/// How long those of one peer lived: as seen, and as traced.
fn pictures(connection: &ConnectionOutcome) -> Vec<Bars> {
    let place = format!("{} > {}", connection.role, connection.peer);
    let known = |buckets: &[Bucket]| -> u64 { buckets.iter().filter_map(|b| b.count).sum() };
    let seen = Bars::draw(
        format!("{place}: seen"),
        format!("{} seen to open and to close", grouped(known(&connection.lives))),
        &connection.lives,
    );
    let traced = connection.traced.as_ref().and_then(|traced| {
        Bars::draw(format!("{place}: traced"), closed(&traced.lives), &traced.lives.buckets())
    });
    seen.into_iter().chain(traced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn every_direction_gets_its_pictures_and_what_was_not_asked_is_not_zero() {
        let one = samples::full().targets[0].connections[0].clone();
        let of = |role: &str, peer: usize| ConnectionOutcome {
            role: role.to_owned(),
            peer: peer.to_string(),
            traced: None,
            ..one.clone()
        };
        let clients = (0..70).map(|peer| of("tcp client", peer));
        let told = Connections::of(&clients.chain([of("tcp server", 80)]).collect::<Vec<_>>());
        assert!(!told.traced && told.rows.iter().all(|row| row.traced.is_none()));
        assert_eq!((told.rows.len(), told.histograms.len()), (ROWS, PICTURED));
        assert!(told.left_out.starts_with("7 more"));
        let titles = serde_json::to_string(&told.histograms).expect("text");
        assert!(titles.contains("tcp server > 80: seen"), "{titles}");

        let told = Connections::of(&[one]);
        let row = &told.rows[0];
        assert_eq!(row.estimate, "about 59,600 (61 to 60,700)");
        let traced = row.traced.as_ref().map(|t| (t.opened.as_str(), t.failed.as_str()));
        assert_eq!(traced, Some(("60,001 to 60,013", "2")));
        assert_eq!(told.histograms.len(), 2);
        let open = OpenedEstimate { opened: None, low: 1, high: 2 };
        assert_eq!(estimate(&open), "1 to 2");
    }
}
