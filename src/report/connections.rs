//! Connections by direction and peer for people, on demand: a fact is told from an estimate.

use std::io;

use super::Style;
use super::human::{Page, write_lines};
use super::number::{duration, durations, grouped};
use crate::live::life_spans::Bucket;
use crate::live::outcome::{ConnectionOutcome, Outcome};

/// Peers shown of each target.
const MAX_ROWS: usize = 24;

/// Writes what is known of each target's connections.
///
/// # Errors
/// What `out` returns.
pub fn connections(outcome: &Outcome, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page::new(style);
    for target in &outcome.targets {
        page.add("1", &format!("connections of {}", target.facts.name));
        if target.connections.is_empty() {
            page.add("2", "  no TCP connection was seen");
        }
        for connection in target.connections.iter().take(MAX_ROWS) {
            page.add("", &format!("  {} > {}", connection.role, connection.peer));
            for line in told(connection) {
                page.wrapped("", "    ", &line);
            }
        }
        let hidden = target.connections.len().saturating_sub(MAX_ROWS);
        if hidden > 0 {
            page.add("2", &format!("  and {hidden} more"));
        }
    }
    write_lines(&page.into_lines(), style, out)
}

fn told(connection: &ConnectionOutcome) -> Vec<String> {
    let ConnectionOutcome { active, opened, closed, .. } = connection;
    let mut lines = vec![format!(
        "{} active; seen: at least {} opened, at least {} closed",
        grouped(*active),
        grouped(*opened),
        grouped(*closed),
    )];
    lines.push(format!("lived, as far as seen: {}", lives(&connection.lives)));
    if let Some(estimate) = &connection.estimate {
        let between = format!("{} to {}", grouped(estimate.low), grouped(estimate.high));
        let opened = match estimate.opened {
            Some(opened) => format!("about {} opened ({between})", grouped(opened as u64)),
            None => format!("{between} opened, and nothing tells where between"),
        };
        lines.push(format!(
            "estimate: {opened}, by the kernel's counts of opened and ended connections of the \
             whole network namespace, whoever made them"
        ));
    }
    if let Some(traced) = &connection.traced {
        let opened = if traced.opened_high > traced.opened {
            format!("{} to {}", grouped(traced.opened), grouped(traced.opened_high))
        } else {
            grouped(traced.opened)
        };
        lines.push(format!(
            "traced: {opened} opened, {} closed, {} failed to connect",
            grouped(traced.closed),
            grouped(traced.failed),
        ));
        lines.push(format!("lived: {}", lives(&traced.lives.buckets())));
    }
    lines
}

/// Buckets that hold something, and the one that nobody can see.
fn lives(buckets: &[Bucket]) -> String {
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let words: Vec<String> = buckets
        .iter()
        .filter(|bucket| bucket.count != Some(0))
        .map(|bucket| {
            let (from, count) = (seconds(bucket.from_ms), bucket.count.map(grouped));
            let span = match bucket.to_ms.map(seconds) {
                Some(to) if bucket.from_ms == 0 => format!("below {}", duration(to)),
                Some(to) => durations(from, to),
                None => format!("{} or longer", duration(from)),
            };
            format!("{span}: {}", count.unwrap_or_else(|| "not seen".to_owned()))
        })
        .collect();
    if words.is_empty() { "none has ended".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn facts_estimates_and_what_is_not_seen_are_told_apart() {
        let style = Style { color: false, width: 200, unicode: false };
        let mut out = Vec::new();
        connections(&samples::full(), style, &mut out).expect("a vector takes all");
        let text = String::from_utf8(out).expect("UTF-8");
        for part in [
            "tcp client > 10.0.3.7:5432",
            "23 active; seen: at least 61 opened",
            "below 5 s: not seen, 5-10 s: 1",
            "estimate: about 59,600 opened (61 to 60,700)",
            "whole network namespace, whoever made them",
            "traced: 60,001 to 60,013 opened",
            "0.005-0.01 s: 2",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\x1b'));
    }
}
