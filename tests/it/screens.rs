//! The screens of `watch` in a real terminal: tmux draws it, types the keys and resizes it.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for what a screen is to show.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of 80 by 24 with a shell, and a process to watch.
struct Terminal {
    /// The server's socket: each test has one of its own.
    socket: String,
    watched: Child,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).status();
        let _ = self.watched.kill();
        let _ = self.watched.wait();
    }
}

impl Terminal {
    /// `None`, said loudly, where there is no tmux.
    fn open(test: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_err() {
            #[expect(clippy::print_stdout, reason = "a skipped test is said loudly")]
            {
                println!("SKIPPED: {test} needs tmux");
            }
            return None;
        }
        let watched = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let socket = format!("poolscan-{test}-{}", std::process::id());
        let terminal = Self { socket, watched };
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sh"]);
        // Not there before the shell is: what is typed earlier is shown twice.
        terminal.wait("a prompt", |text| !text.trim().is_empty());
        terminal.line("PS1='> '; unset NO_COLOR; export TERM=screen LC_ALL=C.UTF-8; clear");
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .env_remove("TMUX")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn line(&self, text: &str) {
        self.keys(&["-l", text]);
        self.keys(&["Enter"]);
    }

    fn watch(&self, before: &str) {
        let (own, pid) = (env!("CARGO_BIN_EXE_poolscan"), self.watched.id());
        self.line(&format!("{before} {own} watch {pid}"));
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen is as it should be.
    fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "no {what} in\n{screen}");
            sleep(Duration::from_millis(50));
        }
    }

    fn see(&self, part: &str) -> String {
        self.wait(part, |screen| screen.contains(part))
    }

    /// The shell has its terminal back: no screen of ours, a cursor, and what is typed is shown.
    fn is_restored(&self) {
        self.wait("restored terminal", |_| {
            self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim() == "0 1"
        });
        self.line("echo $((41+1))-again");
        let screen = self.see("42-again");
        assert!(screen.contains("echo $((41+1))-again"), "typing is not shown in\n{screen}");
    }
}

#[test]
fn screens_are_opened_frozen_resized_and_left() {
    let Some(terminal) = Terminal::open("screens") else { return };
    terminal.watch("");
    // A screen may be looked at while it is drawn.
    terminal.wait("first screen", |screen| {
        ["1 resources", "sleep, pids", "q quit"].iter().all(|part| screen.contains(part))
    });
    terminal.keys(&["3"]);
    terminal.see("device > /dev/null");
    terminal.keys(&["/"]);
    terminal.keys(&["-l", "device"]);
    terminal.see("filter: device_");
    terminal.keys(&["Enter", "Enter"]);
    terminal.see("/dev/null");
    terminal.keys(&["Space"]);
    terminal.see("FROZEN");
    terminal.tmux(&["resize-window", "-x", "50", "-y", "12"]);
    let small = terminal.wait("small screen", |screen| {
        screen.lines().count() <= 12 && screen.contains("/de") && screen.contains("FROZEN")
    });
    assert!(small.lines().all(|line| line.chars().count() <= 50), "{small}");
    terminal.keys(&["q"]);
    terminal.see("own cost");
    terminal.is_restored();
}

#[test]
fn the_terminal_is_given_back_on_ctrl_z_and_taken_again() {
    let Some(terminal) = Terminal::open("ctrl-z") else { return };
    terminal.watch("");
    terminal.see("1 resources");
    terminal.keys(&["C-z"]);
    terminal.is_restored();
    terminal.line("fg");
    terminal.see("1 resources");
    terminal.keys(&["C-c"]);
    terminal.see("own cost");
    terminal.is_restored();
}

#[test]
fn the_terminal_is_given_back_on_termination() {
    let Some(terminal) = Terminal::open("term") else { return };
    terminal.watch("");
    terminal.see("1 resources");
    let name = format!("poolscan watch {}", terminal.watched.id());
    assert!(Command::new("pkill").args(["-TERM", "-f", &name]).status().unwrap().success());
    terminal.see("own cost");
    terminal.is_restored();
}

#[test]
fn the_terminal_is_given_back_on_a_panic() {
    let Some(terminal) = Terminal::open("panic") else { return };
    terminal.watch("RUST_BACKTRACE=0 POOLSCAN_TEST_PANIC=1");
    terminal.see("a test asks for it");
    terminal.is_restored();
}

#[test]
fn a_terminal_that_can_show_nothing_gets_plain_lines() {
    let Some(terminal) = Terminal::open("dumb") else { return };
    terminal.watch("TERM=dumb");
    let screen = terminal.see("watching; a handle counts as old");
    assert!(!screen.contains("1 resources"), "{screen}");
    terminal.keys(&["C-c"]);
    terminal.see("own cost");
}
