//! One number over time in bounded memory: cells that grow wider as time goes on.

use crate::live::facts::Millis;

/// Most cells of a series.
pub(super) const CELLS: usize = 240;
/// Width of a cell at first.
const FIRST_WIDTH: Millis = 500;

/// What was read within one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
    /// The last one.
    pub last: f64,
}

impl Cell {
    fn of(value: f64) -> Self {
        Self { low: value, high: value, last: value }
    }

    /// This cell, then another one.
    fn then(self, next: Self) -> Self {
        Self { low: self.low.min(next.low), high: self.high.max(next.high), last: next.last }
    }
}

/// A number over time. Extremes are kept however wide the cells become.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    origin: Millis,
    width: Millis,
    cells: Vec<Option<Cell>>,
}

impl Series {
    /// Nothing yet; time counts from `origin`.
    pub fn new(origin: Millis) -> Self {
        Self { origin, width: FIRST_WIDTH, cells: Vec::new() }
    }

    /// Takes one reading; what is not finite is no reading.
    pub fn push(&mut self, at: Millis, value: f64) {
        if !value.is_finite() {
            return;
        }
        let index = self.cell(at);
        if self.cells.len() <= index {
            self.cells.resize(index + 1, None);
        }
        let new = Cell::of(value);
        let cell = &mut self.cells[index];
        *cell = Some(cell.map_or(new, |before| before.then(new)));
    }

    /// Takes the value of a level that held its last value until now.
    pub fn step(&mut self, at: Millis, value: f64) {
        let index = self.cell(at);
        if let Some(held) = self.last() {
            let from = self.cells.len();
            if index >= from {
                self.cells.resize(index + 1, Some(Cell::of(held)));
            }
        }
        self.push(at, value);
    }

    /// The last value.
    pub fn last(&self) -> Option<f64> {
        self.cells.iter().rev().find_map(|cell| cell.map(|cell| cell.last))
    }

    /// The greatest value.
    pub fn peak(&self) -> Option<f64> {
        self.cells.iter().flatten().map(|cell| cell.high).reduce(f64::max)
    }

    /// Width of a cell, milliseconds.
    pub fn width(&self) -> Millis {
        self.width
    }

    /// The cells that were read, with the time at which each begins, oldest first.
    pub fn cells(&self) -> impl Iterator<Item = (Millis, Cell)> {
        let at =
            |index: usize| self.origin.saturating_add(self.width.saturating_mul(index as Millis));
        self.cells.iter().enumerate().filter_map(move |(index, cell)| Some((at(index), (*cell)?)))
    }

    /// The cell of a time; makes all of them wider until there is one.
    fn cell(&mut self, at: Millis) -> usize {
        let after = at.saturating_sub(self.origin).max(0);
        while after / self.width >= CELLS as Millis {
            self.width = self.width.saturating_mul(2);
            let pairs = self.cells.chunks(2).map(|pair| {
                let mut known = pair.iter().flatten().copied();
                let first = known.next()?;
                Some(known.fold(first, Cell::then))
            });
            self.cells = pairs.collect();
        }
        usize::try_from(after / self.width).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_extremes_are_kept() {
        let mut series = Series::new(0);
        for second in 0..200_000 {
            series.push(second * 1000, if second == 777 { 9_000.0 } else { 5.0 });
        }
        assert!(series.cells.len() <= CELLS && series.cells.len() > CELLS / 3);
        assert_eq!((series.peak(), series.last()), (Some(9_000.0), Some(5.0)));
        let last = series.cells().last().map(|(at, _)| at).expect("cells");
        assert!((199_000_000 - series.width()..=199_999_000).contains(&last));
    }

    #[test]
    fn a_level_holds_until_it_changes() {
        let mut series = Series::new(0);
        series.step(0, 1.0);
        series.step(5_000, 2.0);
        let values: Vec<f64> = series.cells().map(|(_, cell)| cell.last).collect();
        assert_eq!(values, [[1.0; 10].as_slice(), &[2.0]].concat());
        assert_eq!(series.cells().last().map(|(_, cell)| cell.low), Some(1.0));
    }

    #[test]
    fn hostile_times_and_values_do_no_harm() {
        let mut series = Series::new(-5);
        for (at, value) in [
            (Millis::MIN, 1.0),
            (Millis::MAX, f64::NAN),
            (Millis::MAX, 2.0),
            (3, f64::INFINITY),
            (3, -1.0),
        ] {
            series.push(at, value);
            series.step(at, value);
        }
        assert!(series.cells.len() <= CELLS);
        assert!(series.cells().all(|(_, cell)| cell.low.is_finite() && cell.high.is_finite()));
    }
}
