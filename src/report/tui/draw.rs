//! Draws a page on a screen of any size.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style as Look};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::Model;
use super::lists::{heading, tone};
use super::page::{Column, Detail, Page, Row, Tone};
use super::state::{State, Tab};
use crate::report::Style;
use crate::report::text::{ascii, fit};

/// Rows for what is told about the selected row, of at least three times as many.
const DETAILS: u16 = 7;

const KEYS: &str = "q quit  1-8 tabs  enter open  esc back  / filter  s sort  space freeze  ? help";
const HELP: [&str; 14] = [
    "up down pgup pgdn home end, j k g G   select a row",
    "enter                                 list the handles of its group",
    "esc, backspace                        back, or clear the filter",
    "1 to 8, tab, left, right              resources, diagnoses, groups, peers, threads,",
    "                                      tasks, workers, sources of evidence",
    "s                                     sort by the next column",
    "r                                     the other way round",
    "/                                     show only rows that hold a text",
    "t                                     the next target",
    "space                                 freeze the screen; the watch goes on",
    "e                                     write the evidence into a file (JSON)",
    "ctrl-z                                back to the shell; fg resumes",
    "q, ctrl-c                             end the watch, with its summary",
    "?                                     this page",
];

/// Draws what is known. Remembers how many rows there was room for.
pub fn draw(model: &Model, state: &mut State, style: Style, frame: &mut Frame<'_>) {
    let height = frame.area().height;
    let details = if height >= 3 * DETAILS { DETAILS } else { 0 };
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(details),
        Constraint::Length(1),
    ];
    let [top, tabs, body, below, foot] = Layout::vertical(rows).areas(frame.area());
    let pen = Pen { style };
    let Some(target) = state.target(model) else {
        frame.render_widget(Paragraph::new("no target is being watched"), body);
        return;
    };
    let head = Line::styled(pen.text(&heading(model, target)), pen.look(tone(target.verdict)));
    frame.render_widget(Paragraph::new(head), top);
    frame.render_widget(Paragraph::new(pen.tabs(state, target.diagnoses.len())), tabs);
    if state.help {
        let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::raw(*line)).collect();
        frame.render_widget(Paragraph::new(lines), body);
    } else if let Some(page) = state.page(model, style.unicode) {
        let at = state.position(&page);
        state.room = usize::from(body.height.saturating_sub(1)).max(1);
        frame.render_widget(Paragraph::new(pen.table(&page, at, state, body)), body);
        if let Some(row) = page.rows.get(at) {
            let told = Paragraph::new(pen.details(row)).wrap(Wrap { trim: false });
            frame.render_widget(told, below);
        }
    }
    frame.render_widget(Paragraph::new(pen.foot(state)), foot);
}

struct Pen {
    style: Style,
}

impl Pen {
    fn text(&self, text: &str) -> String {
        if self.style.unicode { text.to_owned() } else { ascii(text) }
    }

    /// Of the sixteen colours that every terminal has; bold where there are none.
    fn look(&self, tone: Tone) -> Look {
        let look = Look::default();
        let (color, strong) = match tone {
            Tone::Plain => return look,
            Tone::Dim => return look.add_modifier(Modifier::DIM),
            Tone::Bad => (Color::Red, true),
            Tone::Warning => (Color::Yellow, true),
            Tone::Good => (Color::Green, false),
            Tone::Info => (Color::Cyan, false),
        };
        let look = if strong { look.add_modifier(Modifier::BOLD) } else { look };
        if self.style.color { look.fg(color) } else { look }
    }

    fn tabs(&self, state: &State, diagnoses: usize) -> Line<'static> {
        let mut spans = Vec::new();
        for (index, tab) in Tab::ALL.into_iter().enumerate() {
            let count = match tab {
                Tab::Diagnoses if diagnoses > 0 => format!(" ({diagnoses})"),
                _ => String::new(),
            };
            let text = format!("{} {}{count}", index + 1, tab.name());
            let here = tab == state.tab;
            let look = if here {
                Look::default().add_modifier(Modifier::REVERSED)
            } else {
                Look::default()
            };
            spans.push(Span::styled(text, look));
            spans.push(Span::raw(" "));
        }
        Line::from(spans)
    }

    fn table(&self, page: &Page, at: usize, state: &State, area: Rect) -> Vec<Line<'static>> {
        let room = usize::from(area.height.saturating_sub(1));
        let titles = page.columns.iter().enumerate().map(|(index, column)| {
            let mark = match state.sort {
                Some((by, down)) if by == index => {
                    if down {
                        " v"
                    } else {
                        " ^"
                    }
                }
                _ => "",
            };
            format!("{}{mark}", column.title)
        });
        let titles: Vec<String> = titles.collect();
        let widths = widths(page, &titles, usize::from(area.width));
        let title = self.joined(titles.iter().map(String::as_str), &page.columns, &widths);
        let mut lines = vec![Line::styled(title, Look::default().add_modifier(Modifier::BOLD))];
        if page.rows.is_empty() {
            let why = if state.filter.is_empty() { page.empty } else { "no row fits the filter" };
            lines.push(Line::styled(why.to_owned(), self.look(Tone::Dim)));
        }
        // The selected row stays in the middle while there are rows beyond it.
        let start = at.saturating_sub(room / 2).min(page.rows.len().saturating_sub(room));
        for (index, row) in page.rows.iter().enumerate().skip(start).take(room) {
            let cells = row.cells.iter().map(|cell| cell.text.as_str());
            let text = self.joined(cells, &page.columns, &widths);
            let look = self.look(row.tone);
            let look = if index == at { look.add_modifier(Modifier::REVERSED) } else { look };
            lines.push(Line::styled(text, look));
        }
        if let Some(left_out) = &page.left_out
            && lines.len() <= room
        {
            lines.push(Line::styled(left_out.clone(), self.look(Tone::Dim)));
        }
        lines
    }

    fn joined<'c>(
        &self,
        cells: impl Iterator<Item = &'c str>,
        columns: &[Column],
        widths: &[usize],
    ) -> String {
        let mark = if self.style.unicode { "…" } else { "..." };
        let mut line = String::new();
        for ((cell, column), &width) in cells.zip(columns).zip(widths) {
            let text = fit(cell, width, mark);
            let gap = " ".repeat(width.saturating_sub(text.width()));
            if column.right {
                line.push_str(&gap);
                line.push_str(&text);
            } else {
                line.push_str(&text);
                line.push_str(&gap);
            }
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }

    fn details(&self, row: &Row) -> Vec<Line<'static>> {
        let line = |detail: &Detail| match detail {
            Detail::Text(text) => Line::raw(text.clone()),
            Detail::Step(text) => {
                let strong = Look::default().add_modifier(Modifier::BOLD);
                Line::styled(format!("next: {text}"), strong)
            }
        };
        std::iter::once(Line::raw("")).chain(row.details.iter().map(line)).collect()
    }

    fn foot(&self, state: &State) -> Line<'static> {
        let text = if state.typing {
            format!("filter: {}_", state.filter)
        } else if !state.message.is_empty() {
            self.text(&state.message)
        } else {
            let mut parts = Vec::new();
            if state.frozen {
                parts.push("FROZEN (space goes on)".to_owned());
            }
            if let Some(path) = &state.open {
                parts.push(self.text(&crate::report::sanitise(&path.join(" > "))));
            }
            if !state.filter.is_empty() {
                parts.push(format!("filter: {} (esc clears)", state.filter));
            }
            if parts.is_empty() { KEYS.to_owned() } else { parts.join("  ") }
        };
        Line::styled(text, self.look(Tone::Dim))
    }
}

/// As wide as their widest cell. What does not fit is taken from spare columns, then from the widest
/// ones: numbers are short.
fn widths(page: &Page, titles: &[String], room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(index, title)| {
            let cells = page.rows.iter().filter_map(|row| row.cells.get(index));
            cells.map(|cell| cell.text.width()).max().unwrap_or(0).max(title.width())
        })
        .collect();
    let gaps = 2 * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
    for (width, column) in widths.iter_mut().zip(&page.columns) {
        let given = if column.spare { excess.min(*width) } else { 0 };
        *width -= given;
        excess -= given;
    }
    while excess > 0 {
        let widest = widths.iter_mut().max().filter(|width| **width > 1);
        let Some(widest) = widest else { break };
        *widest -= 1;
        excess -= 1;
    }
    widths
}
