//! The view that redraws in place on a terminal, without flicker and without leftovers.

use std::io;

use unicode_width::UnicodeWidthStr;

use super::human::{Line, Style};
use super::top::{self, Top};

/// Remembers what stands on the screen, so that the next drawing replaces exactly that.
#[derive(Debug, Default)]
pub struct LiveView {
    /// Columns of each line that was drawn last.
    drawn: Vec<usize>,
    /// Rows of the terminal; 0: unknown.
    rows: usize,
    /// Whether the cursor is hidden.
    hidden: bool,
}

impl LiveView {
    /// A view for a terminal of `rows` rows (0: unknown); more lines than that are left out.
    pub fn new(rows: usize) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Takes over a new height of the terminal.
    pub fn resize(&mut self, rows: usize) {
        self.rows = rows;
    }

    /// Draws over the last drawing, in one write.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn draw(&mut self, top: &Top, style: Style, out: &mut dyn io::Write) -> io::Result<()> {
        self.redraw(top::lines(top, self.rows, style), style, out)
    }

    fn redraw(
        &mut self,
        mut lines: Vec<Line>,
        style: Style,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        if self.rows > 1 {
            lines.truncate(self.rows - 1);
        }
        // A terminal that became narrower has wrapped the old lines.
        let width = style.width.max(1);
        let mut up: usize = self.drawn.iter().map(|w| w.div_ceil(width).max(1)).sum();
        if self.rows > 1 {
            up = up.min(self.rows - 1);
        }
        // Synchronised update: terminals that know it show the whole drawing at once.
        let mut frame = String::from("\x1b[?2026h\x1b[?25l\r");
        if up > 0 {
            frame.push_str(&format!("\x1b[{up}A"));
        }
        self.drawn.clear();
        for line in &lines {
            self.drawn.push(line.text.width());
            line.push_to(style, &mut frame);
            frame.push_str("\x1b[K\r\n");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        self.hidden = true;
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// Shows the cursor again; the last drawing stays.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn finish(&mut self, out: &mut dyn io::Write) -> io::Result<()> {
        self.drawn.clear();
        if std::mem::take(&mut self.hidden) {
            out.write_all(b"\x1b[?25h")?;
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::overview::Pass;

    #[test]
    fn redraws_and_restores() {
        let style = Style { color: false, width: 80, unicode: true };
        let mut view = LiveView::new(10);
        let mut out = Vec::new();
        let hidden = Pass { hidden: 3, hidden_reason: "of hidepid".to_owned(), ..Pass::default() };
        let first = Top { pass: hidden, watched_seconds: None };
        view.draw(&first, style, &mut out).expect("draws");
        let lines =
            String::from_utf8(std::mem::take(&mut out)).expect("UTF-8").matches("\r\n").count();
        view.draw(&Top::default(), style, &mut out).expect("draws");
        let text = String::from_utf8(std::mem::take(&mut out)).expect("UTF-8");
        assert!(text.contains(&format!("\x1b[{lines}A")) && text.ends_with("\x1b[J\x1b[?2026l"));
        view.finish(&mut out).expect("finishes");
        assert_eq!(out, b"\x1b[?25h");
    }
}
