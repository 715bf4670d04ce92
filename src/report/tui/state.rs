//! What the person looks at, and what a key changes about it.

use super::lists;
use super::page::Page;
use super::{Model, Wanted};
use crate::live::outcome::TargetOutcome;

/// Longest filter.
const FILTER: usize = 64;

/// A key, whatever terminal it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Confirms, opens.
    Enter,
    /// Goes back.
    Back,
    /// Removes the last character.
    Backspace,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// The first row.
    Home,
    /// The last row.
    End,
    /// The tab to the right.
    Next,
    /// The tab to the left.
    Previous,
}

/// What a key asks of whoever owns the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Draw again.
    Draw,
    /// End the watch.
    Quit,
    /// Write the evidence into a file.
    Export,
}

/// The tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Resources with their verdicts.
    Resources,
    /// What is wrong now.
    Diagnoses,
    /// All groups of handles.
    Groups,
    /// Groups of sockets by their peer.
    Peers,
    /// Threads, one by one.
    Threads,
    /// Async tasks, one by one.
    Tasks,
    /// Processes of the target.
    Workers,
    /// Sources of evidence.
    Sources,
}

impl Tab {
    /// In their order on the screen.
    pub const ALL: [Self; 8] = [
        Self::Resources,
        Self::Diagnoses,
        Self::Groups,
        Self::Peers,
        Self::Threads,
        Self::Tasks,
        Self::Workers,
        Self::Sources,
    ];

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Diagnoses => "diagnoses",
            Self::Groups => "groups",
            Self::Peers => "peers",
            Self::Threads => "threads",
            Self::Tasks => "tasks",
            Self::Workers => "workers",
            Self::Sources => "sources",
        }
    }

    /// The kind of handles that it lists one by one.
    fn kind(self) -> Option<&'static str> {
        match self {
            Self::Threads => Some("thread"),
            Self::Tasks => Some("task"),
            _ => None,
        }
    }
}

/// What is on the screen.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) tab: Tab,
    /// Which target, of those in the answer.
    pub(super) target: usize,
    /// The group whose handles are listed.
    pub(super) open: Option<Vec<String>>,
    /// Key of the selected row.
    pub(super) selected: Option<String>,
    /// Column, and whether the largest comes first.
    pub(super) sort: Option<(usize, bool)>,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    pub(super) frozen: bool,
    pub(super) help: bool,
    /// What the last action came to.
    pub(super) message: String,
    /// Rows that the screen had room for.
    pub(super) room: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            tab: Tab::Resources,
            target: 0,
            open: None,
            selected: None,
            sort: None,
            filter: String::new(),
            typing: false,
            frozen: false,
            help: false,
            message: String::new(),
            room: 1,
        }
    }
}

impl State {
    /// Whether the screen is to stay as it is.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// Says what an action came to, until the next key.
    pub fn say(&mut self, message: String) {
        self.message = message;
    }

    /// What the screen needs beyond the answer.
    pub fn wanted(&self, model: &Model) -> Wanted {
        let path = || self.tab.kind().map(|kind| vec![kind.to_owned()]);
        Wanted {
            target: self.target(model).map(|target| target.target),
            groups: matches!(self.tab, Tab::Groups | Tab::Peers),
            members: self.open.clone().or_else(path),
        }
    }

    /// The target that is looked at.
    pub(super) fn target<'m>(&self, model: &'m Model) -> Option<&'m TargetOutcome> {
        let targets = &model.outcome.targets;
        targets.get(self.target.min(targets.len().saturating_sub(1)))
    }

    /// The page that is looked at, filtered and sorted.
    pub(super) fn page(&self, model: &Model, unicode: bool) -> Option<Page> {
        let target = self.target(model)?;
        let wanted = self.wanted(model);
        let page = if wanted != model.wanted && (wanted.groups || wanted.members.is_some()) {
            lists::asked(&wanted)
        } else {
            lists::page(model, target, self.tab, unicode)
        };
        let page = page.arranged(&self.filter, self.sort);
        Some(if unicode { page } else { page.plain() })
    }

    /// The position of the selected row, or else of the one to look at first.
    pub(super) fn position(&self, page: &Page) -> usize {
        let place = |key: &String| page.rows.iter().position(|row| row.key == *key);
        let selected = self.selected.as_ref().and_then(place);
        selected.or_else(|| page.first.as_ref().and_then(place)).unwrap_or(0)
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, model: &Model) -> Action {
        self.message.clear();
        if self.typing {
            self.type_filter(key);
            return Action::Draw;
        }
        if self.help {
            self.help = false;
            return Action::Draw;
        }
        match key {
            Key::Char('q') => return Action::Quit,
            Key::Char('e') => return Action::Export,
            Key::Char('?' | 'h') => self.help = true,
            Key::Char(' ') => self.frozen = !self.frozen,
            Key::Char('/') => self.typing = true,
            Key::Char('s') => self.sort_by_next(model),
            Key::Char('r') => self.sort = self.sort.map(|(column, down)| (column, !down)),
            Key::Char('t') => self.next_target(model),
            Key::Char(digit @ '1'..='8') => {
                let tab = Tab::ALL[digit as usize - '1' as usize];
                self.turn_to(tab);
            }
            Key::Next | Key::Previous => {
                let at = Tab::ALL.iter().position(|&tab| tab == self.tab).unwrap_or(0);
                let step = if key == Key::Next { 1 } else { Tab::ALL.len() - 1 };
                self.turn_to(Tab::ALL[(at + step) % Tab::ALL.len()]);
            }
            Key::Back | Key::Backspace => self.back(),
            Key::Enter => self.enter(model),
            Key::Up | Key::Char('k') => self.go(model, |at, _, _| at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.go(model, |at, _, _| at + 1),
            Key::PageUp => self.go(model, |at, room, _| at.saturating_sub(room)),
            Key::PageDown => self.go(model, |at, room, _| at + room),
            Key::Home | Key::Char('g') => self.go(model, |_, _, _| 0),
            Key::End | Key::Char('G') => self.go(model, |_, _, last| last),
            Key::Char(_) => {}
        }
        Action::Draw
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.typing = false,
            Key::Back => {
                self.typing = false;
                self.filter.clear();
            }
            Key::Backspace => drop(self.filter.pop()),
            Key::Char(typed) if self.filter.chars().count() < FILTER => self.filter.push(typed),
            _ => {}
        }
    }

    fn turn_to(&mut self, tab: Tab) {
        *self = Self {
            tab,
            target: self.target,
            frozen: self.frozen,
            room: self.room,
            ..Self::default()
        };
    }

    /// Out of the group, else out of the filter.
    fn back(&mut self) {
        if self.open.take().is_none() {
            self.filter.clear();
        } else {
            (self.selected, self.sort) = (None, None);
        }
    }

    fn enter(&mut self, model: &Model) {
        let Some(page) = self.page(model, true) else { return };
        if let Some(path) = page.rows.get(self.position(&page)).and_then(|row| row.opens.clone()) {
            self.open = Some(path);
            (self.selected, self.sort) = (None, None);
            self.filter.clear();
        }
    }

    fn sort_by_next(&mut self, model: &Model) {
        let columns = self.page(model, true).map_or(0, |page| page.columns.len());
        self.sort = match self.sort {
            None => Some((0, false)),
            Some((column, _)) if column + 1 < columns => Some((column + 1, true)),
            Some(_) => None,
        };
    }

    fn next_target(&mut self, model: &Model) {
        self.target = (self.target + 1) % model.outcome.targets.len().max(1);
        (self.open, self.selected) = (None, None);
    }

    /// Selects another row: by the present one, the room and the last one.
    fn go(&mut self, model: &Model, to: impl FnOnce(usize, usize, usize) -> usize) {
        let Some(page) = self.page(model, true) else { return };
        let last = page.rows.len().saturating_sub(1);
        let at = to(self.position(&page), self.room, last).min(last);
        self.selected = page.rows.get(at).map(|row| row.key.clone());
    }
}
