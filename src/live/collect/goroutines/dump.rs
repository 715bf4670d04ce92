//! All goroutines with their stacks (`debug=2`): identity, creator, what each waits for, since when.
//!
//! The form is that of a Go panic (`runtime/traceback.go`). How long one has waited is told in whole
//! minutes, from the first garbage collection on that found it waiting: never too long.

use std::io::{self, BufRead};
use std::sync::Arc;

use super::frames::{self, Place, Texts};
use crate::live::collect::endpoint::Lines;

/// Goroutines kept of one dump; it is asked for below fewer.
const MAX_GOROUTINES: usize = 40_000;

/// One goroutine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goroutine {
    /// Its number; never used again in the same process.
    pub id: u64,
    /// `chan send`, `select`, `IO wait`, `running` …
    pub state: Arc<str>,
    /// For at least so many minutes; 0: less, or not known.
    pub minutes: u32,
    /// Who created it, and in which line; empty for the first one.
    pub site: Arc<str>,
    /// The innermost function of the program, and its line.
    pub place: Arc<str>,
}

/// A dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// Those of the program; without those that serve the question itself.
    pub goroutines: Vec<Goroutine>,
    /// There were more than are kept: then absence is no end.
    pub cut: bool,
}

/// Reads a dump.
///
/// # Errors
/// What the input returns; [`io::ErrorKind::InvalidData`] when it is no dump.
pub fn parse<R: BufRead>(lines: &mut Lines<R>) -> io::Result<Dump> {
    let mut reader = Reader::default();
    while let Some((line, _)) = lines.next_line()? {
        reader.line(&line);
    }
    reader.end();
    if !reader.any {
        let text = "it is no dump of goroutines";
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(reader.without_asking())
}

/// A goroutine whose lines are being read.
struct Open {
    id: u64,
    state: Arc<str>,
    minutes: u32,
    place: Place,
    /// The line before, if it named a function.
    function: Option<String>,
    creator: Option<(String, Option<u64>)>,
    site: Option<String>,
}

#[derive(Default)]
struct Reader {
    texts: Texts,
    goroutines: Vec<Goroutine>,
    open: Option<Open>,
    any: bool,
    cut: bool,
    /// Numbers of those that serve who asks.
    asking: Vec<u64>,
    /// Those that read in the background of a connection: place in the list, and their creator.
    reading: Vec<(usize, Option<u64>)>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some((id, state, minutes)) = head(line) {
            self.end();
            self.any = true;
            self.open = Some(Open {
                id,
                state: self.texts.share(state),
                minutes,
                place: Place::default(),
                function: None,
                creator: None,
                site: None,
            });
        } else if line.is_empty() {
            self.end();
        } else if let Some(open) = &mut self.open {
            open.line(line);
        }
    }

    fn end(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        open.finish_function("");
        if open.place.asks() {
            return self.asking.push(open.id);
        }
        if self.goroutines.len() >= MAX_GOROUTINES {
            self.cut = true;
            return;
        }
        if open.place.reads() {
            let creator = open.creator.as_ref().and_then(|(_, id)| *id);
            self.reading.push((self.goroutines.len(), creator));
        }
        let site = match (&open.site, &open.creator) {
            (Some(site), _) => self.texts.share(site),
            (None, Some((creator, _))) => self.texts.share(creator),
            (None, None) => Arc::from(""),
        };
        self.goroutines.push(Goroutine {
            id: open.id,
            state: open.state,
            minutes: open.minutes,
            site,
            place: self.texts.share(open.place.shown()),
        });
    }

    /// Each who asks has a connection, and a goroutine that reads from it in the background: the
    /// one that it created, or, of Go before 1.21, which does not tell, the youngest.
    fn without_asking(mut self) -> Dump {
        let mut gone: Vec<usize> = Vec::new();
        for id in &self.asking {
            let by = self.reading.iter().position(|(_, creator)| *creator == Some(*id));
            let youngest = || {
                let unknown = self.reading.iter().enumerate().filter(|(_, (_, by))| by.is_none());
                unknown.max_by_key(|(_, (nth, _))| self.goroutines.get(*nth).map(|g| g.id))
            };
            if let Some(found) = by.or_else(|| youngest().map(|(nth, _)| nth)) {
                gone.push(self.reading.swap_remove(found).0);
            }
        }
        gone.sort_unstable();
        for nth in gone.into_iter().rev() {
            self.goroutines.remove(nth);
        }
        Dump { goroutines: self.goroutines, cut: self.cut }
    }
}

impl Open {
    fn line(&mut self, line: &str) {
        if let Some(at) = line.strip_prefix('\t') {
            // `/src/main.go:12 +0x1c`
            let at = at.rsplit_once(" +0x").map_or(at, |(at, _)| at);
            match &self.creator {
                Some((creator, _)) if self.site.is_none() => {
                    self.site = Some(frames::at(creator, at));
                }
                _ => self.finish_function(at),
            }
        } else if let Some(creator) = line.strip_prefix("created by ") {
            self.finish_function("");
            let (name, id) = match creator.rsplit_once(" in goroutine ") {
                Some((name, id)) => (name, id.parse().ok()),
                None => (creator, None),
            };
            self.creator = Some((name.to_owned(), id));
        } else {
            self.finish_function("");
            // `main.(*Pool).get(0xc000010030, {0x0, 0x0})`
            if let Some((name, _)) = line.rsplit_once('(').filter(|_| line.ends_with(')')) {
                self.function = Some(name.to_owned());
            }
        }
    }

    fn finish_function(&mut self, at: &str) {
        if let Some(function) = self.function.take() {
            self.place.take(&function, at);
        }
    }
}

/// `goroutine 34 [chan receive, 12 minutes, locked to thread]:`
fn head(line: &str) -> Option<(u64, &str, u32)> {
    let rest = line.strip_prefix("goroutine ")?.strip_suffix("]:")?;
    let (id, inside) = rest.split_once(" [")?;
    // `34`, or `34 gp=0xc000003c0 m=nil` where the runtime tells more.
    let id = id.split(' ').next()?.parse().ok()?;
    // Labels come last and may hold anything.
    let inside = inside.split_once(" labels:").map_or(inside, |(inside, _)| inside);
    let mut parts = inside.split(", ");
    let state = parts.next()?.trim_end_matches(" (scan)");
    let minutes = parts.find_map(|part| part.strip_suffix(" minutes")?.parse().ok());
    Some((id, state, minutes.unwrap_or(0)))
}
