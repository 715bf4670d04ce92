//! What both texts of goroutines share: names of functions with their lines, what a goroutine waits
//! for, and which of them are there only because somebody asks.

use std::collections::HashSet;
use std::sync::Arc;

/// Longest text that is kept, bytes.
const LONGEST: usize = 512;
/// Different texts kept of one answer; what comes later is called by its function alone, then not
/// at all.
const MAX_TEXTS: usize = 16_384;
/// What a text is called that is not kept.
const OTHER: &str = "(other)";

/// Packages of the runtime: the line of the program that waits in them is further up.
const RUNTIME: [&str; 9] = [
    "runtime.",
    "runtime/",
    "internal/",
    "sync.",
    "sync/",
    "time.",
    "syscall.",
    "reflect.",
    "golang.org/x/sys/",
];

/// Functions in which a goroutine is parked, and what the runtime calls that state. Those of channels
/// are left out of the profile, so that sending looks like receiving.
const WAITS: [(&str, &str); 13] = [
    ("internal/poll.runtime_pollWait", "IO wait"),
    ("time.Sleep", "sleep"),
    ("sync.runtime_SemacquireMutex", "sync.Mutex.Lock"),
    ("internal/sync.runtime_SemacquireMutex", "sync.Mutex.Lock"),
    ("sync.runtime_SemacquireRWMutex", "sync.RWMutex.Lock"),
    ("sync.runtime_SemacquireRWMutexR", "sync.RWMutex.RLock"),
    ("sync.runtime_Semacquire", "semacquire"),
    ("sync.runtime_SemacquireWaitGroup", "sync.WaitGroup.Wait"),
    ("sync.runtime_notifyListWait", "sync.Cond.Wait"),
    ("internal/poll.runtime_Semacquire", "semacquire"),
    ("syscall.Syscall", "syscall"),
    ("syscall.Syscall6", "syscall"),
    ("syscall.RawSyscall6", "syscall"),
];

/// Texts that repeat, kept once.
#[derive(Debug, Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// The text, cut to a bound; what exceeds the number of texts shares one.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = if self.0.len() < MAX_TEXTS { text.into() } else { Arc::from(OTHER) };
        self.0.insert(Arc::clone(&text));
        text
    }
}

/// Which frames of one goroutine tell where it is, found one by one from the innermost on.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The innermost function of the program itself, and its line.
    own: Option<String>,
    /// The innermost function of all, for goroutines of the runtime.
    first: Option<String>,
    /// What the runtime functions say that it waits for.
    wait: Option<&'static str>,
    asks: bool,
    reads: bool,
}

impl Place {
    /// Takes the next frame: a function, and `file:line` where that is known.
    pub(super) fn take(&mut self, function: &str, line: &str) {
        self.wait = self.wait.or_else(|| waits(function));
        self.asks |=
            function.starts_with("runtime/pprof.") || function.starts_with("net/http/pprof.");
        self.reads |= function == "net/http.(*connReader).backgroundRead";
        let runtime = RUNTIME.iter().any(|prefix| function.starts_with(prefix));
        let named = if runtime { &mut self.first } else { &mut self.own };
        if named.is_none() {
            *named = Some(at(function, line));
        }
    }

    /// Function and line, `main.work (/src/main.go:12)`.
    pub(super) fn shown(&self) -> &str {
        self.own.as_deref().or(self.first.as_deref()).unwrap_or("unknown")
    }

    /// What it waits for, as far as its functions tell.
    pub(super) fn wait(&self) -> &'static str {
        self.wait.unwrap_or_default()
    }

    /// Whether it only serves somebody who asks for a profile.
    pub(super) fn asks(&self) -> bool {
        self.asks
    }

    /// Whether it only notices that a client of the HTTP server goes away.
    pub(super) fn reads(&self) -> bool {
        self.reads
    }
}

/// A function with its line.
pub(super) fn at(function: &str, line: &str) -> String {
    if line.is_empty() { function.to_owned() } else { format!("{function} ({line})") }
}

fn waits(function: &str) -> Option<&'static str> {
    WAITS.iter().find(|(name, _)| *name == function).map(|(_, state)| *state)
}
