//! Lengths of life of connections as bars.

use serde::Serialize;

use super::axis::{Axis, Tick, Unit};
use crate::live::durations::{BOUNDS_S, Durations};
use crate::report::number::{duration, grouped};

const LEFT: f64 = 52.0;
const RIGHT: f64 = 410.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 150.0;

/// One role's connections.
#[derive(Serialize)]
pub(super) struct Bars {
    /// The role. Untrusted text.
    role: String,
    total: String,
    mean: String,
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
}

impl Bars {
    /// Draws the lives of one role; `None` without any.
    pub(super) fn draw(role: &str, durations: &Durations) -> Option<Self> {
        let most = *durations.counts.iter().max().filter(|&&most| most > 0)?;
        let axis = Axis::of_values(0.0, most as f64, Unit::Count);
        let step = (RIGHT - LEFT) / durations.counts.len() as f64;
        let bars = durations.counts.iter().enumerate().map(|(nth, &count)| {
            let y = axis.place(count as f64, BOTTOM, TOP);
            let bound = BOUNDS_S.get(nth).map(|&bound| duration(bound));
            let last = BOUNDS_S.last().map_or_else(String::new, |&bound| duration(bound));
            Bar {
                x: super::axis::tenth(LEFT + step * nth as f64 + 1.0),
                width: super::axis::tenth(step - 2.0),
                y,
                height: super::axis::tenth(BOTTOM - y),
                label: bound.clone().unwrap_or_else(|| "more".to_owned()),
                title: match bound {
                    Some(bound) => format!("{} of up to {bound}", grouped(count)),
                    None => format!("{} of more than {last}", grouped(count)),
                },
            }
        });
        Some(Self {
            role: if role.is_empty() { "sockets".to_owned() } else { role.to_owned() },
            total: grouped(durations.total()),
            mean: duration(durations.sum_s / durations.total() as f64),
            left: LEFT,
            right: RIGHT,
            top: TOP,
            bottom: BOTTOM,
            y: axis.ticks(BOTTOM, TOP),
            bars: bars.collect(),
        })
    }
}
