//! The facts that sources deliver and recordings hold: the complete input of census and diagnoses.

use std::sync::Arc;

use super::life_spans::LifeSpans;

/// Event time in milliseconds since the watch began; negative for what happened before it.
pub type Millis = i64;

/// The name of what takes in everything beyond a bound: peers, roles, groups.
pub const OTHER: &str = "(other)";

/// A target within one watch: a process, or a tree of processes of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TargetId(pub u32);

/// A handle within one watch; never reused, whatever the kernel does with fd numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandleId(pub u64);

/// What is known of a handle's last input or output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// The kind of handle shows none, or we may not read it: only its age can be judged.
    Unseen,
    /// It showed activity within the last bucket.
    Awake,
    /// Nothing since this time (quantised down to a bucket; negative: silent before we came).
    SilentSince(Millis),
}

/// A handle's place in the groups and what it shows. Empty strings mean "no such level".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandleFacts {
    /// `file`, `deleted_file`, `directory`, `socket`, `pipe`, `eventfd`, `epoll`, `timerfd`,
    /// `signalfd`, `inotify`, `io_uring`, `memfd`, `pidfd`, `device`, `thread`, `child`, `task`,
    /// `other` …
    pub kind: Arc<str>,
    /// Sockets: family and role, `tcp server`, `tcp client`, `unix`, `udp` …
    pub role: Arc<str>,
    /// Peer, port, path pattern or thread name pattern.
    pub peer: Arc<str>,
    /// Sockets: protocol state, such as `CLOSE_WAIT`; children: `zombie`.
    pub state: Arc<str>,
    /// Opening line, or that which spawned a task, when a source knows it.
    pub site: Arc<str>,
    /// Overrides the computed group path below the kind.
    pub group: Option<Arc<[Arc<str>]>>,
    /// Last activity.
    pub activity: Activity,
    /// One example to show a person: path, endpoint pair, thread name. Untrusted text.
    pub label: Arc<str>,
    /// The process that holds it, where that is known.
    pub pid: Option<u32>,
    /// The (first) number that it has in that process's fd table.
    pub fd: Option<u32>,
    /// Its inode, or the number of a task: with the kind, what two looks at it have in common.
    pub inode: Option<u64>,
    /// When it was born, where somebody tells that (threads, children, tasks). Boxed, as few handles
    /// have it, and there are many of them.
    pub born: Option<Box<Millis>>,
    /// Deleted files: space that it keeps on its file system, in bytes, when it was first seen.
    /// Boxed for the same reason.
    pub bytes: Option<Box<u64>>,
    /// A child that runs another program and holds it, too, under the same number.
    pub inherited_by: Option<u32>,
    /// What is under way on it, where that was told.
    pub flow: Option<Arc<Flow>>,
}

/// What is under way on a socket. It is told of silent ones, of those that still connect, and of
/// listening ones; while a handle is awake, what was told before its activity is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flow {
    /// When the process last sent data; `None`: never, or not known.
    pub sent: Option<Millis>,
    /// When data last came; `None`: never, or not known.
    pub received: Option<Millis>,
    /// When the other end was last heard of, be it by an empty acknowledgement or its close.
    pub heard: Option<Millis>,
    /// Bytes that came and lie unread; of listening sockets, connections not yet accepted.
    pub unread: Option<u64>,
    /// Bytes that the other end has not taken; of listening sockets, how many may wait.
    pub unsent: Option<u64>,
    /// How often in a row the last segment was sent again, unanswered.
    pub retries: Option<u32>,
    /// Listening sockets: since when the connection waits that waits longest.
    pub waiting_since: Option<Millis>,
    /// So little was sent that it may all have been to open the connection: a greeting, a handshake,
    /// a login.
    pub opening: bool,
}

/// How an async task fares. All of it is absent for one that is polled now and then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Poll {
    /// It has been in one poll since then and has not yielded.
    pub running_since: Option<Millis>,
    /// It was last polled then, and has no waker left by which it could be polled again.
    pub lost_since: Option<Millis>,
    /// It has woken itself over and over since then.
    pub spinning_since: Option<Millis>,
    /// It waits for something that nobody has got since then.
    pub stuck_since: Option<Millis>,
    /// What that is, and where it was made: `Semaphore src/main.rs:12`. Untrusted text.
    pub waits_for: Option<Arc<str>>,
}

/// One change of what is held, or one reading.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A target, or what is newly known of it.
    Target {
        /// Which target.
        target: TargetId,
        /// The facts. Boxed, as they are large and most facts are not.
        facts: Box<TargetFacts>,
    },
    /// A handle appeared.
    Open {
        /// When it was first seen, or its true birth where the kernel tells (threads).
        at: Millis,
        /// Which target holds it.
        target: TargetId,
        /// Its identity.
        id: HandleId,
        /// It was there before we came, or before its process was watched: no evidence of growth.
        pre: bool,
        /// Its process was younger than the start-up guard when it appeared.
        start_up: bool,
        /// What it is.
        facts: Arc<HandleFacts>,
    },
    /// A handle changed.
    Change {
        /// When.
        at: Millis,
        /// Which handle.
        id: HandleId,
        /// What changed.
        change: Change,
    },
    /// A handle is gone.
    Close {
        /// When.
        at: Millis,
        /// Which handle.
        id: HandleId,
    },
    /// A number was read.
    Gauge {
        /// When.
        at: Millis,
        /// Of which target.
        target: TargetId,
        /// Of which of its processes; `None` for the whole target.
        pid: Option<u32>,
        /// `fds`, `threads`, `rss_bytes`, `hidden_scm_rights` …; the unit is in the name.
        name: Arc<str>,
        /// The value.
        value: f64,
    },
    /// A limit was read.
    Limit {
        /// When.
        at: Millis,
        /// For which target.
        target: TargetId,
        /// `nofile_soft`, `nofile_hard`, `nproc`, `pids_max`, `memory_max_bytes` …
        name: Arc<str>,
        /// `None`: unlimited.
        value: Option<u64>,
        /// How much of it the target uses, where the limit is not about one gauge of the target.
        used: Option<u64>,
    },
    /// Things of one kind were counted that cannot be told apart.
    Tally {
        /// When.
        at: Millis,
        /// Of which target.
        target: TargetId,
        /// `goroutine`, `task`: what a handle of it would be called.
        kind: Arc<str>,
        /// Their group below the kind. Untrusted text.
        group: Arc<[Arc<str>]>,
        /// How many.
        count: u64,
        /// Each of them is proved to be leaked: nobody can reach what it waits for.
        proved: bool,
    },
    /// A pool told how it fares.
    Pool {
        /// When.
        at: Millis,
        /// Of which target.
        target: TargetId,
        /// Its name. Untrusted text.
        name: Arc<str>,
        /// What it told. Boxed, as it is large and most facts are not.
        reading: Box<PoolReading>,
    },
    /// Connections to a peer were counted that ended within the last minute (TIME_WAIT) in the
    /// network namespace of the target, whoever had opened them.
    TimeWait {
        /// When.
        at: Millis,
        /// For which target.
        target: TargetId,
        /// The peer, as handles name it. Untrusted text.
        peer: Arc<str>,
        /// How many.
        count: u64,
    },
    /// Connections of one direction to one peer were counted since the watch began.
    Connections {
        /// When.
        at: Millis,
        /// For which target.
        target: TargetId,
        /// All of them so far.
        counts: Arc<ConnectionCounts>,
    },
    /// A place in the program that opens handles, as its stacks were seen.
    Opener {
        /// When it was first seen.
        at: Millis,
        /// Of which target.
        target: TargetId,
        /// Its number, by which handles and counts name it.
        place: u32,
        /// What is known of it.
        opener: Arc<Opener>,
    },
    /// Openings from one place were counted, since it was first seen.
    Openings {
        /// When.
        at: Millis,
        /// Of which target.
        target: TargetId,
        /// The place.
        place: u32,
        /// All of them so far; those of which no stack was looked at are not among them.
        count: u64,
    },
    /// A call of the target failed because no more file descriptors may be had: the first from its
    /// place.
    FailedCall {
        /// When the look was taken that followed it.
        at: Millis,
        /// Of which target.
        target: TargetId,
        /// What is known of it. Shared, as it is large and most facts are not.
        failed: Arc<FailedCall>,
    },
    /// What was true of the surroundings: evidence for people, and for comparing two looks.
    Environment {
        /// When.
        at: Millis,
        /// For which target.
        target: TargetId,
        /// What is told: `kernel`, `cgroup` …
        name: Arc<str>,
        /// The text. Untrusted.
        text: Arc<str>,
    },
    /// A source reports on itself; its watermark says "complete until".
    Source {
        /// When.
        at: Millis,
        /// For which target.
        target: TargetId,
        /// `fds`, `sockets`, `threads`, `children`, `memory`, `limits` …
        name: Arc<str>,
        /// How it fares.
        status: SourceStatus,
        /// Why it is not `Ok`, or what it leaves out; empty when there is nothing to say.
        reason: Arc<str>,
        /// Everything up to here was delivered; `None` for a source that feeds no handles.
        watermark: Option<Millis>,
        /// CPU time this source has used so far, in microseconds.
        cost_us: u64,
    },
    /// The target, or one of its processes, ended or became another program.
    Lifecycle {
        /// When.
        at: Millis,
        /// Which target.
        target: TargetId,
        /// Which process.
        pid: u32,
        /// What happened.
        event: Lifecycle,
    },
}

/// What a pool tells of itself; `None`: it does not. What is counted "so far" only grows, until its
/// program starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PoolReading {
    /// Connections (threads, permits) that are taken now.
    pub in_use: Option<f64>,
    /// Those that are there and free.
    pub idle: Option<f64>,
    /// How many there may be.
    pub max: Option<f64>,
    /// Who waits for one now.
    pub waiting: Option<f64>,
    /// How often somebody had to wait, so far.
    pub waits: Option<f64>,
    /// For how long in all, seconds so far.
    pub wait_seconds: Option<f64>,
    /// How often the wait ended with an error, so far.
    pub timeouts: Option<f64>,
    /// How often one was taken, so far.
    pub taken: Option<f64>,
    /// How often one was given back, so far.
    pub returned: Option<f64>,
    /// For how long those had been held in all, seconds so far.
    pub held_seconds: Option<f64>,
}

impl PoolReading {
    /// Its numbers by name, in a fixed order.
    pub fn numbers(&self) -> [(&'static str, Option<f64>); 10] {
        [
            ("in_use", self.in_use),
            ("idle", self.idle),
            ("max", self.max),
            ("waiting", self.waiting),
            ("waits", self.waits),
            ("wait_seconds", self.wait_seconds),
            ("timeouts", self.timeouts),
            ("taken", self.taken),
            ("returned", self.returned),
            ("held_seconds", self.held_seconds),
        ]
    }

    /// The number of a name; `None`: there is no such name.
    pub fn number(&mut self, name: &str) -> Option<&mut Option<f64>> {
        Some(match name {
            "in_use" => &mut self.in_use,
            "idle" => &mut self.idle,
            "max" => &mut self.max,
            "waiting" => &mut self.waiting,
            "waits" => &mut self.waits,
            "wait_seconds" => &mut self.wait_seconds,
            "timeouts" => &mut self.timeouts,
            "taken" => &mut self.taken,
            "returned" => &mut self.returned,
            "held_seconds" => &mut self.held_seconds,
            _ => return None,
        })
    }
}

/// Connections since the watch began, of one direction to one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// What they rest on.
    pub basis: Basis,
    /// `tcp client` or `tcp server`, as of handles.
    pub role: Arc<str>,
    /// The peer, as handles name it. Untrusted text.
    pub peer: Arc<str>,
    /// Established.
    pub opened: u64,
    /// Of these, ended.
    pub closed: u64,
    /// Tried, and never established.
    pub failed: u64,
    /// How long the ended ones lived.
    pub lives: LifeSpans,
}

/// A place in the program that opens handles; or why such a place is not known. Empty strings mean
/// "not known" or "none". All of it is untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Opener {
    /// The innermost function of the program itself.
    pub function: Arc<str>,
    /// Its source file.
    pub file: Arc<str>,
    /// The line of the call.
    pub line: Option<u32>,
    /// The file that its code is in.
    pub module: Arc<str>,
    /// The pool or client library that opened it for the program: no line of it is guilty then.
    pub through: Arc<str>,
    /// Families of rules of the linter about what goes wrong with that library.
    pub families: Arc<[Arc<str>]>,
    /// The system call.
    pub call: Arc<str>,
    /// No frame within the function can have been missed.
    pub certain: bool,
    /// Why no place is known; empty where one is.
    pub unknown: Arc<str>,
    /// One stack that led there, innermost first.
    pub stack: Arc<[Arc<str>]>,
}

/// Why no place is known: nothing that was heard of returned its number.
pub const NO_CALL: &str = "no call that was traced returned its number: it came over a socket \
    (SCM_RIGHTS), by io_uring, or in a pair whose numbers were not copied";
/// Why no place is known: what was heard of last at its number is another thing.
pub const OTHER_KIND: &str = "the last call that returned its number creates something else: it \
    came over a socket (SCM_RIGHTS), or by io_uring";

impl Opener {
    /// Whether the handle came in a way that is not heard of. Others may have, too, at a number where
    /// something of their kind had been opened and closed just before: then that is taken for it.
    pub fn came_unheard(&self) -> bool {
        [NO_CALL, OTHER_KIND].contains(&&*self.unknown)
    }

    /// Function and line, as far as they are known. Untrusted text.
    pub fn site(&self) -> String {
        let function =
            if self.function.is_empty() { "a function without a name" } else { &self.function };
        match (&*self.file, self.line) {
            ("", _) => format!("{function} ({})", self.module),
            (file, Some(line)) => format!("{function} {file}:{line}"),
            (file, None) => format!("{function} {file}"),
        }
    }
}

/// Who opened a handle, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedBy {
    /// The place.
    pub place: u32,
    /// When: of what looks the same from look to look, the last time.
    pub since: Millis,
}

/// A call that failed because no more file descriptors may be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCall {
    /// When it failed.
    pub failed_at: Millis,
    /// The process that made it.
    pub pid: u32,
    /// Whose limit was reached.
    pub exhausted: Exhausted,
    /// The call, and from where it was made.
    pub opener: Arc<Opener>,
    /// How many were held right after it, by the process or the host; `None`: it cannot be told.
    pub held: Option<u64>,
    /// How many there may be; `None`: unlimited, or it cannot be told.
    pub limit: Option<u64>,
}

/// Whose limit of file descriptors was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exhausted {
    /// That of the process (RLIMIT_NOFILE).
    Process,
    /// That of the host (fs.file-max).
    System,
}

impl Exhausted {
    /// The name of the error that the call returned.
    pub fn errno(self) -> &'static str {
        match self {
            Self::Process => "EMFILE",
            Self::System => "ENFILE",
        }
    }
}

/// What counted connections rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The kernel told of each change of state: the target's own connections.
    Traced,
    /// The kernel kept those that ended (TIME_WAIT): only `closed` is known, and of the whole
    /// network namespace.
    TimeWait,
}

/// What a handle changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It fell silent, woke, or was heard in between.
    Activity(Activity),
    /// It entered another state.
    State(Arc<str>),
    /// Its whole place changed, as when an unconnected socket connects.
    Place(Arc<HandleFacts>),
    /// Something else is under way on it.
    Flow(Arc<Flow>),
    /// A child that runs another program holds it, too, or none does any more.
    InheritedBy(Option<u32>),
    /// A task fares in another way.
    Poll(Arc<Poll>),
    /// It was opened under trace, by this place.
    OpenedBy(OpenedBy),
    /// Where in the kernel a thread stands, the innermost function first. Evidence for people.
    Stack(Arc<[Arc<str>]>),
}

/// What happened to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// A process joined the target (the first ones included).
    Joined,
    /// It called exec: same process, another program.
    Exec,
    /// It ended.
    Ended,
}

/// Whether a source delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceStatus {
    /// Complete.
    Ok,
    /// Delivers in part; the reason says what is missing.
    Partial,
    /// Delivers nothing; the reason says why.
    Unavailable,
}

impl SourceStatus {
    /// That of a source that delivers all but what these words say; complete without words.
    #[must_use]
    pub fn without(missing: &str) -> Self {
        if missing.is_empty() { Self::Ok } else { Self::Partial }
    }
}

/// Who a target is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetFacts {
    /// Name to show. Untrusted text.
    pub name: String,
    /// Its processes, root first.
    pub pids: Vec<u32>,
    /// Age of the (oldest) process when the watch began, where known.
    pub uptime_ms: Option<Millis>,
    /// Command line of the root process. Untrusted text.
    pub command: String,
    /// How it was selected.
    pub selector: String,
}

impl Fact {
    /// The event time; a target's description has none of its own.
    pub fn at(&self) -> Option<Millis> {
        match self {
            Self::Target { .. } => None,
            Self::Open { at, .. }
            | Self::Change { at, .. }
            | Self::Close { at, .. }
            | Self::Gauge { at, .. }
            | Self::Limit { at, .. }
            | Self::Tally { at, .. }
            | Self::Pool { at, .. }
            | Self::TimeWait { at, .. }
            | Self::Connections { at, .. }
            | Self::Opener { at, .. }
            | Self::Openings { at, .. }
            | Self::FailedCall { at, .. }
            | Self::Environment { at, .. }
            | Self::Source { at, .. }
            | Self::Lifecycle { at, .. } => Some(*at),
        }
    }
}

impl HandleFacts {
    /// A handle of a kind, with nothing else known.
    pub fn of_kind(kind: impl Into<Arc<str>>) -> Self {
        let none: Arc<str> = Arc::from("");
        Self {
            kind: kind.into(),
            role: Arc::clone(&none),
            peer: Arc::clone(&none),
            state: Arc::clone(&none),
            site: Arc::clone(&none),
            group: None,
            activity: Activity::Unseen,
            label: none,
            pid: None,
            fd: None,
            inode: None,
            born: None,
            bytes: None,
            inherited_by: None,
            flow: None,
        }
    }

    /// What is under way on it; nothing where nothing was told.
    pub fn flow(&self) -> Flow {
        self.flow.as_deref().copied().unwrap_or_default()
    }
}
