//! A line over time as a picture: axes, limit, and what was said of it when.

use std::fmt::Write as _;

use minijinja::Value;
use serde::Serialize;

use super::axis::{Axis, Tick, Unit};
use crate::finding::Verdict;
use crate::live::facts::Millis;
use crate::live::history::Series;
use crate::report::number::{bytes, duration, grouped, short};

/// Where the plot stands in its picture.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 410.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 164.0;
/// A limit that is more times the greatest value is told in words.
const FAR: f64 = 4.0;
/// A silence longer than this, and than this many cells, is a gap in the line.
const GAP_MS: Millis = 120_000;
const GAP_CELLS: Millis = 3;

/// What a chart is of.
pub(super) struct Subject<'a> {
    /// What is shown. Untrusted text.
    pub(super) title: String,
    /// What its numbers are.
    pub(super) unit: Unit,
    /// The numbers.
    pub(super) series: &'a Series,
    /// The limit and its name.
    pub(super) limit: Option<(u64, String)>,
    /// From when to when which verdict stood.
    pub(super) verdicts: Vec<(Millis, Millis, Verdict)>,
    /// The verdict in the end.
    pub(super) verdict: Option<Verdict>,
}

/// A chart with everything placed.
#[derive(Serialize)]
pub(super) struct Chart {
    title: String,
    verdict: Option<&'static str>,
    /// In words: the last value, the peak, the limit.
    summary: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Vec<Tick>,
    x_label: String,
    y: Vec<Tick>,
    y_label: String,
    /// Path data made of numbers only.
    line: Value,
    range: Value,
    limit: Option<Tick>,
    bands: Vec<Band>,
    cut_axis: bool,
}

/// A stretch of time in which a verdict stood.
#[derive(Serialize)]
struct Band {
    x: f64,
    width: f64,
    verdict: &'static str,
    label: String,
}

impl Chart {
    /// Draws a subject from `origin` to `now`; `None` when nothing was read.
    pub(super) fn draw(subject: Subject<'_>, origin: Millis, now: Millis) -> Option<Self> {
        let Subject { title, unit, series, limit, verdicts, verdict } = subject;
        let (peak, last) = (series.peak()?, series.last()?);
        let low = series.cells().map(|(_, cell)| cell.low).fold(peak, f64::min);
        let near = limit.as_ref().filter(|(limit, _)| *limit as f64 <= peak.max(1.0) * FAR);
        let top = near.map_or(peak, |(limit, _)| peak.max(*limit as f64));
        let y = Axis::of_values(low, top, unit);
        let seconds = |at: Millis| at.saturating_sub(origin) as f64 / 1000.0;
        let x = Axis::of_time(seconds(now));
        let at_x = |at: Millis| x.place(seconds(at), LEFT, RIGHT);
        let at_y = |value: f64| y.place(value, BOTTOM, TOP);
        let amount = |value: f64| match unit {
            Unit::Bytes => bytes(value),
            Unit::Count => short(value),
        };
        let mut summary = format!("now {}, peak {}", amount(last), amount(peak));
        if let Some((limit, name)) = &limit {
            let shown = match unit {
                Unit::Bytes => bytes(*limit as f64),
                Unit::Count => grouped(*limit),
            };
            summary.push_str(&format!(", limit {shown} ({name})"));
            if near.is_none() {
                summary.push_str(", far above this picture");
            }
        }
        let bands = verdicts.into_iter().map(|(from, to, verdict)| Band {
            x: at_x(from),
            width: (at_x(to) - at_x(from)).max(1.0),
            verdict: verdict.as_str(),
            label: format!(
                "{} from {} to {}",
                verdict.as_str().replace('_', " "),
                duration(seconds(from)),
                duration(seconds(to)),
            ),
        });
        let what = if unit == Unit::Bytes { y.unit } else { "count" };
        Some(Self {
            title,
            verdict: verdict.map(Verdict::as_str),
            summary,
            left: LEFT,
            right: RIGHT,
            top: TOP,
            bottom: BOTTOM,
            x: x.ticks(LEFT, RIGHT),
            x_label: format!("time since the watch began ({})", x.unit),
            y: y.ticks(BOTTOM, TOP),
            y_label: what.to_owned(),
            line: Value::from_safe_string(line(series, &at_x, &at_y)),
            range: Value::from_safe_string(range(series, &at_x, &at_y)),
            limit: near.map(|(limit, name)| Tick {
                at: at_y(*limit as f64),
                label: format!("limit {name}"),
            }),
            bands: bands.collect(),
            cut_axis: y.low > 0.0,
        })
    }
}

/// The last value of each cell as a line, open where nothing was read for long.
fn line(series: &Series, x: &dyn Fn(Millis) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let gap = (series.width().saturating_mul(GAP_CELLS)).max(GAP_MS);
    let mut before: Option<Millis> = None;
    for (at, cell) in series.cells() {
        let open = before.is_none_or(|before| at.saturating_sub(before) > gap);
        let command = if open { 'M' } else { 'L' };
        // Writing to a text does not fail.
        let _ = write!(path, "{command}{} {}", x(at), y(cell.last));
        if open {
            // A single reading is a dot: a stroke with round ends and no length.
            path.push_str("h0");
        }
        before = Some(at);
    }
    path
}

/// From the least to the greatest value of each cell.
fn range(series: &Series, x: &dyn Fn(Millis) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for (at, cell) in series.cells().filter(|(_, cell)| cell.low < cell.high) {
        let _ = write!(path, "M{} {}V{}", x(at), y(cell.low), y(cell.high));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_stays_open_and_a_far_limit_is_told_in_words() {
        let mut series = Series::new(0);
        for at in [0, 5_000, 10_000, 600_000, 605_000] {
            series.push(at, 7.0);
        }
        let subject = |limit| Subject {
            title: String::new(),
            unit: Unit::Count,
            series: &series,
            limit: Some((limit, "nofile_soft".to_owned())),
            verdicts: Vec::new(),
            verdict: None,
        };
        let far = Chart::draw(subject(1024), 0, 605_000).expect("a chart");
        assert_eq!(far.line.to_string().matches('M').count(), 2);
        assert!(far.limit.is_none() && far.summary.contains("limit 1,024 (nofile_soft), far"));
        let near = Chart::draw(subject(10), 0, 605_000).expect("a chart");
        assert!(near.limit.is_some_and(|limit| limit.at < 60.0));
        assert_eq!(far.x_label, "time since the watch began (min)");
    }

    #[test]
    fn nothing_read_is_no_chart() {
        let series = Series::new(0);
        let subject = Subject {
            title: String::new(),
            unit: Unit::Bytes,
            series: &series,
            limit: None,
            verdicts: Vec::new(),
            verdict: None,
        };
        assert!(Chart::draw(subject, 0, 0).is_none());
    }
}
