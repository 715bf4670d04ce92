//! The kinds of mutants: which calls release or bound something, and which rules miss them.

use crate::rules::{C_RULES, CHILD, RAW_FD, RAW_MEMORY, RAW_OWNER};

/// A call that ends what a local of the same function began.
pub(crate) struct Release {
    pub(crate) kind: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) names: &'static [&'static str],
    /// One of these is in the value of the local, or in the function for out-parameters.
    pub(crate) begun: &'static [&'static str],
    pub(crate) anywhere: bool,
    /// The file says none of these.
    pub(crate) never: &'static [&'static str],
    /// The call is awaited.
    pub(crate) awaited: bool,
}

/// A setter of a builder chain.
pub(crate) struct Setter {
    pub(crate) kind: &'static str,
    pub(crate) rules: &'static [&'static str],
    pub(crate) names: &'static [&'static str],
    /// One of these is in the chain, or in the value of the local it starts at.
    pub(crate) roots: &'static [&'static str],
}

/// Releases of locals.
pub(crate) const RELEASES: [Release; 9] = [
    Release {
        kind: "child-wait",
        rules: CHILD,
        names: &["wait", "wait_with_output", "wait_timeout"],
        begun: &[".spawn()"],
        anywhere: false,
        never: &["tokio::process", "async_process", "smol::process", "AsyncCommand"],
        awaited: false,
    },
    Release {
        kind: "fd-close",
        rules: RAW_FD,
        names: &["close", "from_raw_fd"],
        begun: &[
            "libc::",
            "fcntl::open(",
            "socket(",
            "into_raw_fd",
            "accept4(",
            "dup(",
            "eventfd(",
            "memfd_create(",
            "epoll_create",
            "kqueue(",
            "inotify_init",
            "c::",
        ],
        anywhere: false,
        never: &[],
        awaited: false,
    },
    Release {
        kind: "raw-take-back",
        rules: RAW_OWNER,
        names: &["from_raw"],
        begun: &["into_raw", "Box::leak"],
        anywhere: false,
        never: &[],
        awaited: false,
    },
    Release {
        kind: "transaction-end",
        rules: &[
            "transaction-never-ended",
            "manual-transaction-left-open",
            "session-transaction-never-ended",
        ],
        names: &["commit", "rollback", "commit_transaction", "abort_transaction"],
        begun: &[".begin(", "transaction(", "begin_with", "savepoint("],
        anywhere: false,
        never: &[],
        awaited: false,
    },
    Release {
        kind: "task-set-collect",
        rules: &["task-set-never-collected", "future-set-never-polled"],
        names: &["join_next", "try_join_next", "join_all", "next", "shutdown", "wait"],
        begun: &["JoinSet::", "FuturesUnordered::", "FuturesOrdered::", "TaskTracker::"],
        anywhere: false,
        never: &[],
        awaited: true,
    },
    Release {
        kind: "c-release",
        rules: C_RULES,
        names: &[
            "munmap",
            "freeaddrinfo",
            "freeifaddrs",
            "free",
            "dlclose",
            "closedir",
            "fclose",
            "pclose",
            "mq_close",
            "sem_close",
            "timer_delete",
            "shmdt",
            "if_freenameindex",
            "dealloc",
            "deallocate",
        ],
        begun: &[
            "mmap(",
            "getaddrinfo(",
            "getifaddrs(",
            "malloc(",
            "calloc(",
            "strdup(",
            "dlopen(",
            "opendir(",
            "fopen(",
            "popen(",
            "mq_open(",
            "sem_open(",
            "timer_create(",
            "shmat(",
            "if_nameindex(",
            "alloc::alloc(",
            "alloc_zeroed(",
            "realpath(",
        ],
        anywhere: true,
        never: &[],
        awaited: false,
    },
    Release {
        kind: "writer-flush",
        rules: &["buffered-writer-not-flushed", "async-file-not-flushed"],
        names: &["flush", "shutdown", "sync_all"],
        begun: &["BufWriter::", "File::create(", "OpenOptions::new("],
        anywhere: false,
        never: &[],
        awaited: true,
    },
    Release {
        kind: "temp-dir-remove",
        rules: &["temp-dir-kept"],
        names: &["remove_dir_all"],
        begun: &["into_path()", "keep()", "TempDir::", "tempdir("],
        anywhere: true,
        never: &[],
        awaited: false,
    },
    Release {
        kind: "task-stop",
        rules: &["detached-endless-task", "detached-endless-thread", "task-survives-its-deadline"],
        names: &["abort", "join"],
        begun: &["spawn("],
        anywhere: false,
        never: &[],
        awaited: false,
    },
];

/// Setters of builders.
pub(crate) const SETTERS: [Setter; 8] = [
    Setter {
        kind: "http-timeout",
        rules: &[
            "http-client-without-timeout",
            "http-client-with-connect-timeout-only",
            "http-request-without-deadline",
            "one-shot-http-call-without-deadline",
        ],
        names: &["timeout", "read_timeout", "timeout_global"],
        roots: &[
            "Client::builder",
            "ClientBuilder::",
            "Client::new",
            "Agent::",
            "AgentBuilder::",
            "ureq::",
            "minreq::",
            "attohttpc::",
            "HttpClient::",
        ],
    },
    Setter {
        kind: "pool-timeout",
        rules: &[
            "pool-without-acquire-timeout",
            "pool-without-create-timeout",
            "pool-acquire-without-deadline",
        ],
        names: &[
            "acquire_timeout",
            "connection_timeout",
            "wait_timeout",
            "create_timeout",
            "timeouts",
            "connect_timeout",
        ],
        roots: &["Pool", "ConnectOptions", "Manager"],
    },
    Setter {
        kind: "database-connect-timeout",
        rules: &["database-connect-without-timeout"],
        names: &["connect_timeout", "server_selection_timeout"],
        roots: &["Config::", "ClientOptions", "OptsBuilder", "ConnectOptions"],
    },
    Setter {
        kind: "rpc-timeout",
        rules: &["rpc-channel-without-timeouts", "rpc-channel-without-keepalive"],
        names: &[
            "timeout",
            "connect_timeout",
            "keep_alive_while_idle",
            "http2_keep_alive_interval",
        ],
        roots: &["Endpoint", "Channel::"],
    },
    Setter {
        kind: "server-limit",
        rules: &[
            "server-without-header-timeout",
            "rpc-server-keeps-dead-connections",
            "rpc-server-unlimited-streams",
        ],
        names: &["header_read_timeout", "http2_keepalive_interval", "max_concurrent_streams"],
        roots: &["Builder", "Server", "http1", "Http"],
    },
    Setter {
        kind: "kill-on-drop",
        rules: &["async-child-outlives-owner", "command-survives-its-deadline"],
        names: &["kill_on_drop"],
        roots: &["Command", "cmd", "command"],
    },
    Setter {
        kind: "cache-limit",
        rules: &["cache-without-limit"],
        names: &["max_capacity", "time_to_live", "time_to_idle"],
        roots: &["Cache", "builder"],
    },
    Setter {
        kind: "store-timeout",
        rules: &["store-client-without-timeouts", "sdk-config-without-timeouts"],
        names: &[
            "set_connection_timeout",
            "set_response_timeout",
            "with_connect_timeout",
            "operation_timeout",
            "connection_timeout",
            "response_timeout",
        ],
        roots: &["Config", "Options", "ConnectionManager"],
    },
];

/// Waits that a `timeout(…)` bounds, and what is said without it.
pub(crate) const WAITS: [&str; 6] =
    ["connect", "handshake", "acquire", "request", "execute", "recv_from"];

/// Calls whose value is a guard, and must get a name.
pub(crate) const GUARDS: [&str; 15] = [
    "lock",
    "read",
    "write",
    "enter",
    "entered",
    "acquire",
    "acquire_owned",
    "acquire_many",
    "drop_guard",
    "drop_guard_ref",
    "tempdir",
    "lock_owned",
    "read_owned",
    "write_owned",
    "tempdir_in",
];

/// What a Drop impl or a method releases of a field: type of the field, calls, rules.
pub(crate) const OWNERS: [(&str, &[&str], &[&str]); 4] = [
    ("Child", &["wait", "kill", "try_wait", "wait_with_output", "start_kill"], CHILD),
    (
        "JoinHandle",
        &["join", "abort"],
        &[
            "thread-field-without-join",
            "task-field-without-abort",
            "endless-task-outlives-owner",
            "detached-endless-task",
            "detached-endless-thread",
        ],
    ),
    ("RawFd", &["close", "from_raw_fd"], RAW_FD),
    (
        "*mut",
        &["from_raw", "free", "munmap", "dealloc", "fclose", "closedir", "dlclose"],
        RAW_MEMORY,
    ),
];

/// Calls that read a body up to a limit, and the argument that is it.
pub(crate) const LIMITS: [(&str, usize); 3] = [("to_bytes", 1), ("max", 0), ("limit", 0)];

/// What blocks until somebody else does something, inside `spawn_blocking(…)`. Calls for files end.
pub(crate) const BLOCKING: [&str; 4] =
    ["thread::sleep", ".recv()", "Command::new", "TcpStream::connect"];
