//! System calls that create file descriptors, threads and processes: their numbers here, and what
//! they may give.

use std::ffi::CString;

use linux_raw_sys::general as nr;

/// A call that creates file descriptors, or starts a thread or a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its number on this architecture.
    pub id: u32,
    /// Its name.
    pub name: &'static str,
    /// What it creates.
    pub gives: Gives,
}

/// What a call creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// What a path leads to: anything but what has no path.
    Path,
    /// This kind of handle alone.
    Kind(&'static str),
    /// Two of this kind. Their numbers are in memory, behind the argument at this position.
    Pair(&'static str, usize),
    /// Another number for a handle that is there, of whatever kind.
    Any,
    /// The same, where its second argument is one of the commands that do.
    Duplicate,
    /// Whatever came with messages. Their headers are in memory, behind the second argument; there is one,
    /// or so many as it returns.
    Received(Messages),
    /// A thread or a child process, of these kinds. What it starts returns from it, too, with 0.
    Task(&'static [&'static str]),
}

/// How many messages a call receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// One.
    One,
    /// As many as it returns.
    Returned,
}

/// `F_DUPFD` and `F_DUPFD_CLOEXEC`.
const DUPLICATING: [u64; 2] = [0, 1030];
/// Kinds of handles that no path leads to.
const PATHLESS: [&str; 11] = [
    "socket", "eventfd", "epoll", "timerfd", "signalfd", "inotify", "fanotify", "io_uring",
    "memfd", "pidfd", "bpf",
];

const fn call(id: u32, name: &'static str, gives: Gives) -> Call {
    Call { id, name, gives }
}

/// Calls that every architecture has.
const CALLS: &[Call] = &[
    call(nr::__NR_openat, "openat", Gives::Path),
    call(nr::__NR_openat2, "openat2", Gives::Path),
    call(nr::__NR_open_by_handle_at, "open_by_handle_at", Gives::Path),
    call(nr::__NR_mq_open, "mq_open", Gives::Any),
    call(nr::__NR_socket, "socket", Gives::Kind("socket")),
    call(nr::__NR_accept, "accept", Gives::Kind("socket")),
    call(nr::__NR_accept4, "accept4", Gives::Kind("socket")),
    call(nr::__NR_socketpair, "socketpair", Gives::Pair("socket", 3)),
    call(nr::__NR_pipe2, "pipe2", Gives::Pair("pipe", 0)),
    call(nr::__NR_dup, "dup", Gives::Any),
    call(nr::__NR_dup3, "dup3", Gives::Any),
    call(nr::__NR_fcntl, "fcntl", Gives::Duplicate),
    call(nr::__NR_pidfd_getfd, "pidfd_getfd", Gives::Any),
    call(nr::__NR_epoll_create1, "epoll_create1", Gives::Kind("epoll")),
    call(nr::__NR_eventfd2, "eventfd2", Gives::Kind("eventfd")),
    call(nr::__NR_timerfd_create, "timerfd_create", Gives::Kind("timerfd")),
    call(nr::__NR_signalfd4, "signalfd4", Gives::Kind("signalfd")),
    call(nr::__NR_inotify_init1, "inotify_init1", Gives::Kind("inotify")),
    call(nr::__NR_fanotify_init, "fanotify_init", Gives::Any),
    call(nr::__NR_memfd_create, "memfd_create", Gives::Kind("memfd")),
    call(nr::__NR_memfd_secret, "memfd_secret", Gives::Any),
    call(nr::__NR_pidfd_open, "pidfd_open", Gives::Kind("pidfd")),
    call(nr::__NR_io_uring_setup, "io_uring_setup", Gives::Kind("io_uring")),
    call(nr::__NR_userfaultfd, "userfaultfd", Gives::Any),
    call(nr::__NR_perf_event_open, "perf_event_open", Gives::Any),
    call(nr::__NR_bpf, "bpf", Gives::Any),
    call(nr::__NR_fsopen, "fsopen", Gives::Any),
    call(nr::__NR_fsmount, "fsmount", Gives::Any),
    call(nr::__NR_open_tree, "open_tree", Gives::Any),
    call(nr::__NR_landlock_create_ruleset, "landlock_create_ruleset", Gives::Any),
];

/// Calls of older architectures, beside those that took their place.
#[cfg(target_arch = "x86_64")]
const OLDER: &[Call] = &[
    call(nr::__NR_open, "open", Gives::Path),
    call(nr::__NR_creat, "creat", Gives::Path),
    call(nr::__NR_pipe, "pipe", Gives::Pair("pipe", 0)),
    call(nr::__NR_dup2, "dup2", Gives::Any),
    call(nr::__NR_epoll_create, "epoll_create", Gives::Kind("epoll")),
    call(nr::__NR_eventfd, "eventfd", Gives::Kind("eventfd")),
    call(nr::__NR_signalfd, "signalfd", Gives::Kind("signalfd")),
    call(nr::__NR_inotify_init, "inotify_init", Gives::Kind("inotify")),
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[Call] = &[];

const EITHER: Gives = Gives::Task(&["thread", "child"]);
#[cfg(target_arch = "x86_64")]
const CHILD: Gives = Gives::Task(&["child"]);

/// Calls that start threads and processes.
const STARTS: &[Call] = &[
    call(nr::__NR_clone, "clone", EITHER),
    call(nr::__NR_clone3, "clone3", EITHER),
    #[cfg(target_arch = "x86_64")]
    call(nr::__NR_fork, "fork", CHILD),
    #[cfg(target_arch = "x86_64")]
    call(nr::__NR_vfork, "vfork", CHILD),
];

/// Calls that receive messages, and handles with some of them. They are many, so they are heard on
/// request only.
const RECEIVES: &[Call] = &[
    call(nr::__NR_recvmsg, "recvmsg", Gives::Received(Messages::One)),
    call(nr::__NR_recvmmsg, "recvmmsg", Gives::Received(Messages::Returned)),
];

/// All that create handles, threads or children.
pub fn all() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().chain(OLDER).chain(STARTS)
}

/// A call by its number.
pub fn by_id(id: u64) -> Option<&'static Call> {
    all().chain(RECEIVES).find(|call| u64::from(call.id) == id)
}

/// The filter of `raw_syscalls:sys_exit` that lets these calls pass when they succeed. Every call
/// of the program is tried against it: it halves what may fit with each step.
pub fn filter() -> CString {
    passing(all(), "ret >= 0", Call::passes)
}

/// The same for those that receive messages.
pub fn receives_filter() -> CString {
    passing(RECEIVES.iter(), "ret >= 0", Call::passes)
}

/// A filter that lets all of the first kind pass where they fulfil a condition, which is tried first.
pub fn only(condition: &str) -> CString {
    passing(all(), condition, |call| format!("id == {}", call.id))
}

fn passing(
    calls: impl Iterator<Item = &'static Call>,
    condition: &str,
    of_call: impl Fn(&Call) -> String,
) -> CString {
    let mut calls: Vec<&Call> = calls.collect();
    calls.sort_unstable_by_key(|call| call.id);
    CString::new(format!("{condition} && ({})", any_of(&calls, &of_call))).unwrap_or_default()
}

fn any_of(calls: &[&Call], of_call: &impl Fn(&Call) -> String) -> String {
    if calls.len() <= 3 {
        let each: Vec<String> = calls.iter().map(|call| of_call(call)).collect();
        return each.join(" || ");
    }
    let (below, above) = calls.split_at(calls.len() / 2);
    let first = above.first().map_or(0, |call| call.id);
    let (lower, upper) = (any_of(below, of_call), any_of(above, of_call));
    format!("(id < {first} && ({lower})) || (id >= {first} && ({upper}))")
}

impl Call {
    /// Whether a handle of this kind can have come of it.
    pub fn may_give(&self, kind: &str) -> bool {
        match self.gives {
            Gives::Path => !PATHLESS.contains(&kind),
            Gives::Kind(only) | Gives::Pair(only, _) => only == kind,
            Gives::Any | Gives::Duplicate | Gives::Received(_) => true,
            Gives::Task(kinds) => kinds.contains(&kind),
        }
    }

    /// Whether it starts threads or processes.
    pub fn starts(&self) -> bool {
        matches!(self.gives, Gives::Task(_))
    }

    /// Whether it receives messages.
    pub fn receives(&self) -> bool {
        matches!(self.gives, Gives::Received(_))
    }

    /// Whether it has created something when it was given this second argument and returned this.
    pub fn creates(&self, second: Option<u64>, returned: u32) -> bool {
        // Commands are of 32 bits; what stands above them in the register means nothing.
        let duplicates = |command: u64| DUPLICATING.contains(&(command & 0xffff_ffff));
        match self.gives {
            Gives::Duplicate => second.is_some_and(duplicates),
            Gives::Task(_) => returned > 0,
            _ => true,
        }
    }

    /// What the kernel lets pass of it, when it succeeds.
    fn passes(&self) -> String {
        let and = if self.starts() { " && ret > 0" } else { "" };
        format!("id == {}{and}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        let every = || all().chain(RECEIVES);
        let ids: std::collections::BTreeSet<u32> = every().map(|call| call.id).collect();
        assert_eq!(ids.len(), every().count());
        let socket = by_id(nr::__NR_socket.into()).unwrap();
        assert!(socket.may_give("socket") && !socket.may_give("file"));
        let open = by_id(nr::__NR_openat.into()).unwrap();
        assert!(open.may_give("device") && !open.may_give("socket"));
        let clone = by_id(nr::__NR_clone3.into()).unwrap();
        assert!(clone.starts() && clone.may_give("thread") && !clone.may_give("socket"));
        assert_eq!(by_id(nr::__NR_read.into()), None);
    }

    #[test]
    fn fcntl_creates_only_where_it_duplicates() {
        let fcntl = by_id(nr::__NR_fcntl.into()).unwrap();
        assert!(fcntl.creates(Some(1030), 0) && fcntl.creates(Some(0xdead_0000_0000), 7));
        assert!(!fcntl.creates(Some(3), 7) && !fcntl.creates(None, 7));
    }

    #[test]
    fn what_was_started_returns_from_the_call_too_and_started_nothing() {
        let clone = by_id(nr::__NR_clone.into()).unwrap();
        assert!(clone.creates(None, 7) && !clone.creates(None, 0));
    }

    #[test]
    fn the_filter_lets_every_call_pass_and_nothing_else() {
        let text = filter().into_string().unwrap();
        for call in all() {
            assert!(text.contains(&format!("id == {}", call.id)), "{}", call.name);
        }
        assert_eq!(text.matches("id == ").count(), all().count());
        assert_eq!(text.matches("ret > 0").count(), STARTS.len());
        // What the kernel takes at most.
        assert!(text.len() < 4096, "{}", text.len());
        assert_eq!(text.matches('(').count(), text.matches(')').count());
    }
}
