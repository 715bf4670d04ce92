//! What to do next, per kind of handle and state, with lines that can be pasted.

use super::counted::COUNTS;
use crate::finding::Verdict;
use crate::live::diagnose::raise;
use crate::live::outcome::ResourceOutcome;

/// Steps for a group that grows.
pub(super) fn for_group(
    row: &ResourceOutcome,
    pids: &[u32],
    left: Option<f64>,
    hard: Option<u64>,
) -> Vec<String> {
    if matches!(row.verdict, Verdict::Cleared) {
        return Vec::new();
    }
    let pid = pids.first().copied();
    let kind = row.kind.as_deref().unwrap_or("");
    let is = |name: &str| row.group.iter().any(|g| g == name);
    let starts = |name: &str| row.group.iter().any(|g| g.starts_with(name));
    let cause = match kind {
        "socket" if is("CLOSE_WAIT") => {
            "the peer has closed and this process has not: look for a reader that ends on EOF or \
             error without closing (dropping) its connection"
        }
        "socket" if is("unconnected") => {
            "sockets that were never connected, or reset and kept: look for a failed connect or \
             handshake whose error path keeps the socket"
        }
        "socket" if starts("tcp client") => {
            "connections taken from a pool or opened per request and not given back: look for an \
             early return, a cancelled task or a held guard between get and put; check that the \
             pool has a maximum and an idle time-out"
        }
        "socket" if starts("tcp server") => {
            "accepted connections that nobody closes: check read and idle time-outs of the server \
             and tasks that wait for ever"
        }
        "socket" => "sockets that are opened and not closed: look at who creates them per request",
        "deleted_file" => {
            "deleted files that are still open also keep their disk space: look for temporary \
             files or rotated logs that are never closed"
        }
        "file" | "directory" => {
            "files that are opened per request and not closed on every path: look for an error \
             return between open and close, or a raw fd without owner"
        }
        "pipe" => "pipes usually leak with child processes: look for children not waited for",
        "epoll" | "eventfd" | "timerfd" => {
            "runtimes and clients are created per request: share one instead"
        }
        "thread" => {
            "threads are started and neither end nor are joined: look for a spawn per request or \
             a blocking call without time-out"
        }
        "goroutine" if is("chan send") => {
            "goroutines that send to a channel nobody receives from any more: look for a receiver \
             that returned early (a time-out, an error); give the channel room for one, or select \
             on the context as well"
        }
        "goroutine" if is("chan receive") || starts("select") => {
            "goroutines that wait for a message or an end that never comes: look for a missing \
             cancel(), a channel that is never closed, or a select without ctx.Done()"
        }
        "goroutine" if starts("sync.") || is("semacquire") => {
            "goroutines that wait for a lock or a group: look for a missing Unlock or Done on an \
             early return"
        }
        "goroutine" => {
            "goroutines that are started and never end: look at who starts them per request, and \
             at what would end them"
        }
        "task" => {
            "tasks are spawned here and never end: give what they await a time-out, and end them when \
             whoever wanted their answer has gone (a JoinSet, a cancellation token, an abort handle)"
        }
        "pool" => {
            "ever more of the pool is in use: connections taken and not given back, or load that \
             grows; look for an early return or a cancelled call between take and give back"
        }
        "child" => "children are started and not waited for: wait for them or kill them on drop",
        "tokio_resource" => {
            "semaphores, locks or channels are made here and never dropped: make them once, or look at \
             who keeps them, such as a map by peer or request that is never emptied"
        }
        _ if row.resource == COUNTS => {
            "ever more of them, as the program itself counts: look at what would end them"
        }
        _ => "handles are opened and not closed: look at who creates them per request",
    };
    let mut steps = vec![cause.to_owned()];
    if let Some(pid) = pid {
        steps.push(match kind {
            "socket" if is("CLOSE_WAIT") => format!("ss -tanpo state close-wait | grep pid={pid},"),
            "socket" => format!("ss -tanpio | grep -A1 pid={pid},"),
            "thread" => format!("ps -L -o tid,comm,wchan:20,etime -p {pid}"),
            "task" => format!("poolscan ls {pid} --group task"),
            "child" => format!("ps --ppid {pid} -o pid,stat,etime,args"),
            "goroutine" | "pool" => return steps,
            _ if row.resource == COUNTS => return steps,
            _ => format!("ls -l --time-style=full-iso /proc/{pid}/fd | tail -n 40"),
        });
        let (Some(limit), Some(rate), Some(left)) = (row.limit, row.per_minute, left) else {
            return steps;
        };
        if row.resource == "fds" && rate.value > 0.0 && row.verdict == Verdict::Leaking {
            let (option, raised) = raise(limit, hard);
            let minutes = (left + (raised - limit) as f64) / rate.value;
            steps.push(format!(
                "prlimit --pid {pid} {option}   # buys time: limit then in {}",
                super::words::duration(minutes * 60.0)
            ));
        }
    }
    steps
}

/// Steps for a gauge that grows.
pub(super) fn for_gauge(resource: &str) -> Vec<String> {
    vec![
        match resource {
            "rss" => "memory without identities: compare with load, and take a heap profile",
            _ => "run as the same user or with CAP_SYS_PTRACE, so that handles can be told apart",
        }
        .to_owned(),
    ]
}

/// Steps when a limit is near; `per_second` is the growth towards it, where it grows.
pub(super) fn for_limit(
    resource: &str,
    pids: &[u32],
    limit: u64,
    hard: Option<u64>,
    per_second: Option<f64>,
) -> Vec<String> {
    let Some(pid) = pids.first() else { return Vec::new() };
    let (option, raised) = raise(limit, hard);
    match resource {
        "fds" => {
            let more = raised.saturating_sub(limit);
            let time = per_second.filter(|&rate| rate > 0.0).map_or_else(String::new, |rate| {
                format!(", {} at this rate", super::words::duration(more as f64 / rate))
            });
            vec![format!("prlimit --pid {pid} {option}   # buys room for {more} more{time}")]
        }
        "threads" => vec![format!(
            "ps -L -o tid,comm,wchan:20,etime -p {pid}   # the youngest tell which pool grows"
        )],
        _ => vec![format!("pmap -x {pid} | sort -k3 -n | tail   # what holds most memory")],
    }
}
