//! Lengths of life of connections as bars.

use serde::Serialize;

use super::axis::{Axis, Tick, Unit, tenth};
use crate::live::life_spans::Bucket;
use crate::report::number::{duration, grouped};

const LEFT: f64 = 52.0;
const RIGHT: f64 = 410.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 150.0;

/// A histogram.
#[derive(Serialize)]
pub(super) struct Bars {
    /// Whose lives. Untrusted text.
    title: String,
    summary: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    y: Vec<Tick>,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
struct Bar {
    x: f64,
    width: f64,
    y: f64,
    height: f64,
    /// The upper end of the bucket.
    label: String,
    title: String,
    /// Whether such lives can be seen at all.
    seen: bool,
}

impl Bars {
    /// Draws lives from the shortest that was counted, or cannot be seen, to the longest; `None` when
    /// nothing was counted.
    pub(super) fn draw(title: String, summary: String, buckets: &[Bucket]) -> Option<Self> {
        let counted = |bucket: &Bucket| bucket.count.is_some_and(|count| count > 0);
        let last = buckets.iter().rposition(counted)?;
        let first = buckets.iter().position(|bucket| bucket.count != Some(0))?;
        let shown = &buckets[first..=last];
        let most = shown.iter().filter_map(|bucket| bucket.count).max()?;
        let axis = Axis::of_values(0.0, most as f64, Unit::Count);
        // A single bar needs no more room than it does beside others.
        let step = (RIGHT - LEFT) / shown.len().max(6) as f64;
        let bars = shown.iter().enumerate().map(|(nth, bucket)| {
            let y = bucket.count.map_or(TOP, |count| axis.place(count as f64, BOTTOM, TOP));
            Bar {
                x: tenth(LEFT + step * nth as f64 + 1.0),
                width: tenth(step - 2.0),
                y,
                height: tenth(BOTTOM - y),
                label: bucket
                    .to_ms
                    .map_or_else(|| "more".to_owned(), |to| duration(to as f64 / 1000.0)),
                title: told(bucket),
                seen: bucket.count.is_some(),
            }
        });
        Some(Self {
            title,
            summary,
            left: LEFT,
            right: RIGHT,
            top: TOP,
            bottom: BOTTOM,
            y: axis.ticks(BOTTOM, TOP),
            bars: bars.collect(),
        })
    }
}

/// One bucket in words.
fn told(bucket: &Bucket) -> String {
    let seconds = |ms: i64| duration(ms as f64 / 1000.0);
    let span = match bucket.to_ms {
        Some(to) if bucket.from_ms == 0 => format!("below {}", seconds(to)),
        Some(to) => format!("{} to {}", seconds(bucket.from_ms), seconds(to)),
        None => format!("{} or longer", seconds(bucket.from_ms)),
    };
    let count = bucket.count.map_or_else(|| "not seen".to_owned(), grouped);
    format!("{span}: {count}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::life_spans::LifeSpans;

    #[test]
    fn bars_reach_from_the_shortest_to_the_longest_and_leave_what_is_not_seen_open() {
        let mut lives = LifeSpans::default();
        [40, 20_000].into_iter().for_each(|length| lives.add(length));
        let told = |buckets: &[Bucket]| -> Vec<(String, bool)> {
            let bars = Bars::draw(String::new(), String::new(), buckets).expect("bars");
            assert!(bars.bars.iter().all(|bar| bar.height >= 0.0 && bar.y >= TOP));
            bars.bars.into_iter().map(|bar| (bar.title, bar.seen)).collect()
        };
        let seen = told(&lives.seen_by(5_000));
        let expected = ["below 5 s: not seen", "5 s to 10 s: 0", "10 s to 30 s: 1"];
        assert_eq!(seen.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(seen.iter().map(|(_, seen)| *seen).collect::<Vec<_>>(), [false, true, true]);
        let all = told(&lives.buckets());
        assert_eq!(all.first().map(|(title, _)| title.as_str()), Some("0.02 s to 0.05 s: 1"));
        assert!(all.iter().all(|(_, seen)| *seen) && all.len() == 9, "{all:?}");
        let nothing = LifeSpans::default().seen_by(5_000);
        assert!(Bars::draw(String::new(), String::new(), &nothing).is_none());
    }
}
