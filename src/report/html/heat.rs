//! Water levels as colours, over time and groups.

use serde::Serialize;

use super::axis::{Axis, Tick, tenth};
use crate::live::facts::Millis;
use crate::live::history::Series;

/// Columns of time.
const COLUMNS: usize = 72;
/// Rows, at most.
const ROWS: usize = 32;
/// Lower ends of the steps of colour, as shares of the limit.
const STEPS: [f64; 7] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9];

/// Steps of what is shown against its own peak: the pale ones, as a peak is nothing to worry about.
const PEAK_STEPS: [f64; 3] = [0.0, 1.0 / 3.0, 2.0 / 3.0];

/// A group with its limit.
pub(super) struct Level<'a> {
    /// What is shown. Untrusted text.
    pub(super) name: String,
    /// Handles held, or bytes.
    pub(super) series: &'a Series,
    /// Its limit; without one, it is shown against its own peak.
    pub(super) limit: Option<u64>,
}

/// The map.
#[derive(Serialize)]
pub(super) struct HeatMap {
    columns: usize,
    rows: Vec<Row>,
    left_out: usize,
    x: Vec<Tick>,
    x_unit: &'static str,
    legend: Vec<Step>,
}

/// One group over time.
#[derive(Serialize)]
struct Row {
    name: String,
    /// What its colours are shares of.
    of: String,
    cells: Vec<Stretch>,
}

/// Columns of one colour.
#[derive(Serialize)]
struct Stretch {
    x: usize,
    width: usize,
    step: usize,
    label: String,
}

/// A colour and what it means.
#[derive(Serialize)]
struct Step {
    step: usize,
    label: String,
}

impl HeatMap {
    /// Colours levels from `origin` to `now`; the first rows are kept.
    pub(super) fn draw(levels: Vec<Level<'_>>, origin: Millis, now: Millis) -> Self {
        let left_out = levels.len().saturating_sub(ROWS);
        let axis = Axis::of_time(now.saturating_sub(origin) as f64 / 1000.0);
        let rows = levels.into_iter().take(ROWS).filter_map(|level| row(level, origin, now));
        Self {
            columns: COLUMNS,
            rows: rows.collect(),
            left_out,
            x: axis.ticks(0.0, 100.0),
            x_unit: axis.unit,
            legend: (0..STEPS.len()).map(|step| Step { step, label: label(step) }).collect(),
        }
    }
}

fn row(level: Level<'_>, origin: Millis, now: Millis) -> Option<Row> {
    let peak = level.series.peak()?;
    let (full, of, steps) = match level.limit {
        Some(limit) => (limit as f64, format!("of its limit {limit}"), &STEPS[..]),
        None => (peak, "of its own peak, as no limit is known".to_owned(), &PEAK_STEPS[..]),
    };
    let span = now.saturating_sub(origin).max(1) as f64;
    // The greatest value of each column; a column without a reading shows the one before.
    let mut columns: Vec<Option<f64>> = vec![None; COLUMNS];
    for (at, cell) in level.series.cells() {
        let column = |at: Millis| {
            let share = at.saturating_sub(origin) as f64 / span;
            ((share * COLUMNS as f64) as usize).min(COLUMNS - 1)
        };
        let end = at.saturating_add(level.series.width() - 1).min(now);
        for column in columns.get_mut(column(at)..=column(end).max(column(at)))? {
            *column = Some(column.map_or(cell.high, |before| before.max(cell.high)));
        }
    }
    let mut held = None;
    let mut cells: Vec<Stretch> = Vec::new();
    for (x, column) in columns.into_iter().enumerate() {
        held = column.or(held);
        let Some(value) = held else { continue };
        let share = if full > 0.0 { value / full } else { 0.0 };
        let step = steps.partition_point(|&from| from <= share).saturating_sub(1);
        match cells.last_mut() {
            Some(last) if last.step == step && last.x + last.width == x => last.width += 1,
            _ => cells.push(Stretch {
                x,
                width: 1,
                step,
                label: format!("{} % {of}", tenth(share * 100.0)),
            }),
        }
    }
    let name = match level.limit {
        Some(_) => level.name,
        None => format!("{} (no limit known)", level.name),
    };
    Some(Row { name, of, cells })
}

fn label(step: usize) -> String {
    let percent = |share: f64| format!("{}", (share * 100.0).round());
    match (STEPS.get(step), STEPS.get(step + 1)) {
        (Some(&from), Some(&to)) => format!("{} to {} %", percent(from), percent(to)),
        (Some(&from), None) => format!("from {} %", percent(from)),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_share_of_the_limit() {
        let mut series = Series::new(0);
        series.step(0, 10.0);
        series.step(50_000, 95.0);
        series.step(100_000, 95.0);
        let level = Level { name: "fds".to_owned(), series: &series, limit: Some(100) };
        let map = HeatMap::draw(vec![level], 0, 100_000);
        let steps: Vec<_> = map.rows[0].cells.iter().map(|c| (c.x, c.width, c.step)).collect();
        assert_eq!(steps, [(0, 36, 2), (36, 36, 6)]);
        assert_eq!(map.legend.last().map(|step| step.label.as_str()), Some("from 90 %"));
    }

    #[test]
    fn many_rows_are_counted() {
        let mut series = Series::new(0);
        series.step(0, 1.0);
        let level = |n: i32| Level { name: n.to_string(), series: &series, limit: None };
        let map = HeatMap::draw((0..100).map(level).collect(), 0, 0);
        assert_eq!(map.rows[0].cells[0].step, 2);
        assert_eq!((map.rows.len(), map.left_out), (ROWS, 100 - ROWS));
    }
}
