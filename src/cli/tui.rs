//! Owns the terminal while `watch` shows its screens: a thread of its own reads keys and draws, so
//! that a slow terminal never delays a sample.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute, terminal};
use signal_hook::consts::SIGTSTP;

use super::stop::Stop;
use crate::live::outcome::Outcome;
use crate::live::watch::Watch;
use crate::report::tui::{Action, Key, Model, State, Wanted, draw};
use crate::report::{self, Style};

/// How long a key may wait for an answer, and a stop for the screen.
const SLICE: Duration = Duration::from_millis(50);
/// For so long the end waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The screens, as the loop of the watch sees them.
pub(super) struct Screens {
    models: SyncSender<Model>,
    wanted: Arc<Mutex<Wanted>>,
    /// What was last answered.
    answered: Cell<Option<Wanted>>,
    over: Arc<AtomicBool>,
    taken: Taken,
    ended: Receiver<io::Result<()>>,
}

/// Whether the terminal is ours now. It must be given back once: the second time would put the cursor
/// where it was before the first, over what was said in between.
#[derive(Debug, Clone, Default)]
struct Taken(Arc<AtomicBool>);

/// Whether there is a terminal that can show them, with us in the foreground.
pub(super) fn capable() -> bool {
    let foreground = rustix::termios::tcgetpgrp(io::stdin())
        .is_ok_and(|group| group == rustix::process::getpgrp());
    io::stdout().is_terminal()
        && io::stdin().is_terminal()
        && foreground
        && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

impl Screens {
    /// Takes the terminal over. `q` and Ctrl-C ask `stop` to stop.
    ///
    /// # Errors
    /// When the terminal cannot be set up, or no thread can be started.
    pub(super) fn start(style: Style, stop: Stop) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let suspended = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTSTP, Arc::clone(&suspended))?;
        let taken = Taken::default();
        restore_on_panic(Arc::clone(&over), taken.clone());
        let (models, news) = mpsc::sync_channel(1);
        let (tell, ended) = mpsc::channel();
        let wanted = Arc::new(Mutex::new(Wanted::default()));
        taken.enter()?;
        let mut ui = Ui {
            news,
            wanted: Arc::clone(&wanted),
            over: Arc::clone(&over),
            taken: taken.clone(),
            suspended,
            stop,
            style,
            state: State::default(),
            model: None,
            garbled: false,
        };
        let run = move || {
            let result = ui.run();
            ui.stop.request();
            // Nobody waits any more when the terminal took nothing for too long.
            let _ = tell.send(result.and(ui.taken.leave()));
        };
        std::thread::Builder::new().name("poolscan-screen".to_owned()).spawn(run)?;
        Ok(Self { models, wanted, answered: Cell::new(None), over, taken, ended })
    }

    /// Shows the present, if the last one has been taken.
    pub(super) fn show(&self, watch: &Watch) {
        // For the test that the terminal is given back whoever panics.
        #[cfg(debug_assertions)]
        assert!(std::env::var_os("POOLSCAN_TEST_PANIC").is_none(), "a test asks for it");
        let wanted = self.wanted();
        let outcome = watch.outcome();
        let target = wanted.target.or_else(|| Some(outcome.targets.first()?.target));
        let (groups, members) = match target {
            Some(target) => {
                let groups = if wanted.groups { watch.groups(target) } else { Vec::new() };
                let path = wanted.members.as_deref();
                (groups, path.map(|path| watch.members(target, path)).unwrap_or_default())
            }
            None => Default::default(),
        };
        self.answered.set(Some(wanted.clone()));
        // A full queue: the terminal is slower than we are, and the next one will do.
        let _ = self.models.try_send(Model { outcome, wanted, groups, members });
    }

    /// The same between two looks, if something else is asked for than what was answered.
    pub(super) fn answer(&self, watch: &Watch) {
        let answered = self.answered.take();
        if answered.as_ref().is_some_and(|answered| *answered != self.wanted()) {
            self.show(watch);
        } else {
            self.answered.set(answered);
        }
    }

    fn wanted(&self) -> Wanted {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the terminal back.
    ///
    /// # Errors
    /// When that failed, or the screens did.
    pub(super) fn finish(self) -> io::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        match self.ended.recv_timeout(PATIENCE) {
            Ok(result) => result,
            Err(_) => self.taken.leave(),
        }
    }
}

/// What the thread of the screens has.
struct Ui {
    news: Receiver<Model>,
    wanted: Arc<Mutex<Wanted>>,
    over: Arc<AtomicBool>,
    taken: Taken,
    suspended: Arc<AtomicBool>,
    stop: Stop,
    style: Style,
    state: State,
    model: Option<Model>,
    /// Something else wrote to the terminal.
    garbled: bool,
}

impl Ui {
    fn run(&mut self) -> io::Result<()> {
        let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut stale = true;
        while !self.over.load(Ordering::Relaxed) && !self.stop.requested() {
            if self.suspended.swap(false, Ordering::Relaxed) {
                self.taken.suspend()?;
                self.garbled = true;
            }
            if std::mem::take(&mut self.garbled) {
                terminal.clear()?;
                stale = true;
            }
            stale |= self.hear_news();
            if stale && let Some(model) = &self.model {
                let (state, style) = (&mut self.state, self.style);
                terminal.draw(|frame| draw(model, state, style, frame))?;
                stale = false;
            }
            if event::poll(SLICE)? {
                stale = true;
                if let Event::Key(key) = event::read()?
                    && !self.take(key)?
                {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes the latest model; whether the screen changes by it.
    fn hear_news(&mut self) -> bool {
        let latest = self.news.try_iter().last();
        let Some(latest) = latest else { return false };
        // A frozen screen still gets what it asked for, of the moment at which it was frozen or of
        // now: rows of another moment beside that answer would not fit together.
        let asked = self.model.as_ref().is_some_and(|model| {
            let wanted = self.state.wanted(model);
            wanted != model.wanted && wanted == latest.wanted
        });
        if self.state.frozen() && self.model.is_some() && !asked {
            return false;
        }
        self.model = Some(latest);
        true
    }

    /// Acts on a key; whether to go on.
    fn take(&mut self, pressed: KeyEvent) -> io::Result<bool> {
        if pressed.kind == KeyEventKind::Release {
            return Ok(true);
        }
        if pressed.modifiers.contains(KeyModifiers::CONTROL) {
            match pressed.code {
                KeyCode::Char('c') => return Ok(false),
                KeyCode::Char('l') => self.garbled = true,
                KeyCode::Char('z') => self.suspended.store(true, Ordering::Relaxed),
                _ => {}
            }
            return Ok(true);
        }
        let (Some(key), Some(model)) = (key(pressed.code), &self.model) else { return Ok(true) };
        match self.state.key(key, model) {
            Action::Quit => return Ok(false),
            Action::Export => {
                let message = match export(&model.outcome) {
                    Ok(path) => format!("written: {path}"),
                    Err(error) => format!("not written: {error}"),
                };
                self.state.say(message);
            }
            Action::Draw => {}
        }
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted = self.state.wanted(model);
        Ok(true)
    }
}

/// The key of a press; `None` for those that mean nothing here.
fn key(code: KeyCode) -> Option<Key> {
    Some(match code {
        KeyCode::Char(typed) => Key::Char(typed),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Back,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab | KeyCode::Right => Key::Next,
        KeyCode::BackTab | KeyCode::Left => Key::Previous,
        _ => return None,
    })
}

impl Taken {
    fn enter(&self) -> io::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)
    }

    fn leave(&self) -> io::Result<()> {
        if self.0.swap(false, Ordering::Relaxed) {
            execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show)?;
            terminal::disable_raw_mode()?;
        }
        Ok(())
    }

    /// Stops all of us, as Ctrl-Z does to a program that does not own its terminal.
    fn suspend(&self) -> io::Result<()> {
        self.leave()?;
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        self.enter()
    }
}

/// Whoever panics, wherever: the terminal is given back before anything is said about it.
fn restore_on_panic(over: Arc<AtomicBool>, taken: Taken) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        over.store(true, Ordering::Relaxed);
        // There is nobody to tell.
        let _ = taken.leave();
        before(panic);
    }));
}

/// Writes the document of this moment into a new file of the working directory; gives its name.
fn export(outcome: &Outcome) -> anyhow::Result<String> {
    let pid = outcome.targets.first().and_then(|target| target.facts.pids.first());
    let pid = pid.map_or_else(String::new, |pid| format!("-{pid}"));
    let name = format!("poolscan{pid}-{}s.json", outcome.now / 1000);
    let mut file = std::fs::File::create_new(&name)?;
    report::json(outcome, "watch", &mut file)?;
    file.flush()?;
    Ok(name)
}
