//! Statements, items and entries of lists, told by their brackets: what a suppression stands at.

/// The pieces of code of a file, taken in order.
#[derive(Debug)]
pub(super) struct Units {
    /// First and last line of each.
    lines: Vec<(u32, u32)>,
    /// Brackets that are open, the file itself first.
    open: Vec<Bracket>,
    last: Option<Last>,
}

/// What is known inside of a bracket.
#[derive(Debug, Default)]
struct Bracket {
    /// The unit that goes on.
    unit: Option<usize>,
    /// Statements follow each other without a separator.
    block: bool,
    /// The last piece closed a block.
    closed: bool,
    /// The last piece was a comma on this line.
    comma: Option<u32>,
}

/// The last piece.
#[derive(Debug, Clone, Copy)]
struct Last {
    line: u32,
    unit: usize,
    /// It closes a bracket, and nothing stands before it on its line.
    lone_close: bool,
}

/// Where a suppression holds, in units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole file.
    File,
    /// On one line.
    Line(u32),
    /// In a unit, and on a line that may lie beside it.
    Unit(usize, u32),
}

impl Units {
    pub(super) fn new() -> Self {
        let file = Bracket { block: true, ..Bracket::default() };
        Self { lines: Vec::new(), open: vec![file], last: None }
    }

    /// Takes the next piece; tells what something directly before it belongs to.
    pub(super) fn code(&mut self, line: u32, end_line: u32, text: &str) -> Place {
        let closes = matches!(text, ")" | "]" | "}");
        let lone_close = closes && self.last.is_none_or(|last| last.line < line);
        if closes && self.open.len() > 1 {
            self.open.pop();
        }
        let unit = self.unit(line, text, closes);
        self.lines[unit].1 = end_line;
        let top = self.top();
        top.closed = text == "}";
        top.comma = (text == ",").then_some(end_line);
        match text {
            // Inside of brackets it only separates the length of an array.
            ";" if top.block => top.unit = None,
            "(" | "[" => self.open.push(Bracket::default()),
            "{" => self.open.push(Bracket { block: true, ..Bracket::default() }),
            _ => {}
        }
        self.last = Some(Last { line: end_line, unit, lone_close });
        // What stands at the end of a block is about the end, not about all of the block.
        if closes { Place::Line(line) } else { Place::Unit(unit, line) }
    }

    /// The unit that a piece belongs to.
    fn unit(&mut self, line: u32, text: &str, closes: bool) -> usize {
        let next = self.lines.len();
        let top = self.top();
        let ended = !closes
            && (top.block && top.closed && !goes_on(text)
                || top.comma.is_some_and(|comma| comma < line));
        match top.unit {
            Some(unit) if !ended => unit,
            _ => {
                top.unit = Some(next);
                self.lines.push((line, line));
                next
            }
        }
    }

    fn top(&mut self) -> &mut Bracket {
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    /// What something behind the code of this line belongs to; none: there is no code on it.
    pub(super) fn behind(&self, line: u32) -> Option<Place> {
        let last = self.last.filter(|last| last.line == line)?;
        Some(if last.lone_close { Place::Line(line) } else { Place::Unit(last.unit, line) })
    }

    /// What encloses this place.
    pub(super) fn around(&self, line: u32) -> Place {
        let outer = self.open.len().checked_sub(2).and_then(|at| self.open[at].unit);
        outer.map_or(Place::File, |unit| Place::Unit(unit, line))
    }

    /// First and last line of a place, once all code was taken; none: the whole file.
    pub(super) fn lines(&self, place: Place) -> Option<(u32, u32)> {
        match place {
            Place::File => None,
            Place::Line(line) => Some((line, line)),
            Place::Unit(unit, line) => {
                let (first, last) = self.lines[unit];
                Some((first.min(line), last.max(line)))
            }
        }
    }
}

/// Whether a piece behind a closed block belongs to what came before: `else`, a method call, an
/// operator that cannot begin a statement.
fn goes_on(text: &str) -> bool {
    matches!(
        text,
        "else" | "as" | "." | "?" | "," | ";" | "=" | ">" | "|" | "&" | "+" | "/" | "%" | "^" | ":"
    )
}
