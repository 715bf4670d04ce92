//! Groups of rules that several kinds of mutants expect.

/// Rules about pointers that a crate makes of an owner.
pub(crate) const RAW_OWNER: &[&str] = &[
    "raw-box-lost-on-some-path",
    "raw-arc-lost-on-some-path",
    "raw-rc-lost-on-some-path",
    "raw-cstring-lost-on-some-path",
    "raw-box-never-taken-back",
    "raw-arc-never-taken-back",
    "raw-rc-never-taken-back",
    "raw-cstring-never-taken-back",
    "memory-leaked-per-call",
];

/// Rules about memory and C handles behind pointers.
pub(crate) const RAW_MEMORY: &[&str] = &[
    "raw-box-never-taken-back",
    "raw-arc-never-taken-back",
    "raw-rc-never-taken-back",
    "raw-cstring-never-taken-back",
    "raw-allocation-not-freed",
    "mapping-not-unmapped",
    "c-memory-not-freed",
    "c-stream-not-closed",
    "c-directory-not-closed",
    "library-not-closed",
];

/// Rules about child processes.
pub(crate) const CHILD: &[&str] = &[
    "child-not-waited",
    "child-lost-on-some-path",
    "child-field-without-wait",
    "async-child-outlives-owner",
];

/// Rules about raw descriptors.
pub(crate) const RAW_FD: &[&str] = &["raw-fd-not-closed", "raw-fd-lost-on-some-path"];

/// Rules about what C libraries hand out.
pub(crate) const C_RULES: &[&str] = &[
    "mapping-not-unmapped",
    "address-list-not-freed",
    "interface-list-not-freed",
    "interface-names-not-freed",
    "c-memory-not-freed",
    "c-stream-not-closed",
    "c-pipe-not-closed",
    "c-directory-not-closed",
    "library-not-closed",
    "message-queue-not-closed",
    "named-semaphore-not-closed",
    "posix-timer-not-deleted",
    "shared-segment-not-detached",
    "raw-allocation-not-freed",
];

/// Rules about waits without a deadline.
pub(crate) const DEADLINES: &[&str] = &[
    "tcp-connect-without-deadline",
    "client-handshake-without-deadline",
    "server-handshake-without-deadline",
    "handshake-in-accept-loop",
    "http-request-without-deadline",
    "pool-acquire-without-deadline",
    "database-connect-without-deadline",
    "broker-connect-without-deadline",
    "websocket-connect-without-deadline",
    "datagram-without-deadline",
    "http-client-without-timeout",
    "one-shot-http-call-without-deadline",
    "blocking-connect-without-timeout",
    "client-built-per-call",
];

/// Rules about loops that spin.
pub(crate) const SPINS: &[&str] = &[
    "retry-without-pause",
    "accept-loop-fails-on-error",
    "accept-loop-spins-on-error",
    "event-loop-spins-on-error",
];

/// Rules about guards that die in their statement.
pub(crate) const AT_ONCE: &[&str] = &[
    "guard-dropped-at-once",
    "permit-dropped-at-once",
    "span-guard-dropped-at-once",
    "temp-dir-dropped-at-once",
    "log-guard-dropped-at-once",
    "cancel-guard-dropped-at-once",
];

/// Rules about guards that live too long.
pub(crate) const ACROSS: &[&str] = &[
    "sync-guard-across-await",
    "cell-guard-across-await",
    "shard-guard-across-await",
    "span-guard-across-await",
    "sync-guard-across-peer-wait",
    "async-guard-across-sleep",
    "async-guard-across-peer-wait",
];

/// Rules about reads without a limit.
pub(crate) const UNLIMITED: &[&str] =
    &["body-limit-disabled", "request-body-read-without-limit", "response-read-without-limit"];

/// Rules about async code that blocks its thread.
pub(crate) const BLOCKS: &[&str] = &["blocking-call-in-async", "blocking-receive-in-async"];
