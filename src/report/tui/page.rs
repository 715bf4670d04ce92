//! A page: columns, rows, and what is told about the row that is selected.

use std::cmp::Ordering;

use crate::report::text::{ascii, sanitise};

/// One table that fills the screen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// What is said in the place of no rows.
    pub(super) empty: &'static str,
    /// Key of the row that is selected at first; `None`: the first one.
    pub(super) first: Option<String>,
    /// Rows that are not there, and why.
    pub(super) left_out: Option<String>,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Numbers stand to the right.
    pub(super) right: bool,
    /// Gives way where there is too little room.
    pub(super) spare: bool,
}

pub(super) const fn left(title: &'static str) -> Column {
    Column { title, right: false, spare: false }
}

pub(super) const fn right(title: &'static str) -> Column {
    Column { title, right: true, spare: false }
}

pub(super) const fn spare(title: &'static str) -> Column {
    Column { title, right: false, spare: true }
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The same from one moment to the next: what is selected stays selected.
    pub(super) key: String,
    pub(super) cells: Vec<Cell>,
    pub(super) tone: Tone,
    /// What is told when it is selected, the most useful first.
    pub(super) details: Vec<Detail>,
    /// The group that it opens: its path from the kind down.
    pub(super) opens: Option<Vec<String>>,
}

/// A line of the details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    /// Something to know.
    Text(String),
    /// Something to do; shown in one piece, so that it can be pasted.
    Step(String),
}

/// How urgent a row looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Bad,
    Warning,
    Good,
    Info,
    Dim,
}

/// A text and what it is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) value: Option<f64>,
}

impl Cell {
    /// Sorted by its text. Untrusted text is made harmless here.
    pub(super) fn text(text: &str) -> Self {
        Self { text: sanitise(text).into_owned(), value: None }
    }

    /// Sorted by a number; what is unknown comes last.
    pub(super) fn number(text: String, value: Option<f64>) -> Self {
        Self { text, value: Some(value.unwrap_or(f64::NEG_INFINITY)) }
    }
}

impl Page {
    /// Keeps the rows that show `filter` in any cell, whatever its case, and sorts them by a column;
    /// equal ones keep their order.
    pub(super) fn arranged(mut self, filter: &str, sort: Option<(usize, bool)>) -> Self {
        let filter = filter.to_lowercase();
        let fits = |cell: &Cell| cell.text.to_lowercase().contains(&filter);
        self.rows.retain(|row| filter.is_empty() || row.cells.iter().any(fits));
        if let Some((column, descending)) = sort {
            self.rows.sort_by(|a, b| {
                let order = compare(a.cells.get(column), b.cells.get(column));
                if descending { order.reverse() } else { order }
            });
        }
        self
    }

    /// Everything in ASCII, for terminals that know no more.
    pub(super) fn plain(mut self) -> Self {
        let plain = |text: &mut String| *text = ascii(text);
        for row in &mut self.rows {
            row.cells.iter_mut().for_each(|cell| plain(&mut cell.text));
            for Detail::Text(text) | Detail::Step(text) in &mut row.details {
                plain(text);
            }
        }
        self
    }
}

fn compare(a: Option<&Cell>, b: Option<&Cell>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return Ordering::Equal };
    match (a.value, b.value) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.text.cmp(&b.text),
    }
}
