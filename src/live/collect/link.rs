//! What an entry of /proc/PID/fd says by its link text alone.

/// What a link text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link<'a> {
    /// A socket, by inode.
    Socket(u64),
    /// A pipe, by inode.
    Pipe(u64),
    /// Nothing with a path: kind, and a name that tells more (or is empty).
    Anonymous(&'static str, &'a [u8]),
    /// A path that looks deleted; without the mark.
    Deleted(&'a [u8]),
    /// Any other path: what it leads to only a stat can tell.
    Path(&'a [u8]),
}

const DELETED: &[u8] = b" (deleted)";

/// Reads a link text. Any bytes are accepted.
pub fn parse(text: &[u8]) -> Link<'_> {
    if let Some(inode) = number(text, b"socket:[") {
        return Link::Socket(inode);
    }
    if let Some(inode) = number(text, b"pipe:[") {
        return Link::Pipe(inode);
    }
    if let Some(name) = text.strip_prefix(b"anon_inode:") {
        let name = name.strip_prefix(b"[").unwrap_or(name);
        let name = name.strip_suffix(b"]").unwrap_or(name);
        return match anonymous(name) {
            Some(kind) => Link::Anonymous(kind, b""),
            None => Link::Anonymous("other", name),
        };
    }
    if text.starts_with(b"/memfd:") {
        return Link::Anonymous("memfd", text.strip_suffix(DELETED).unwrap_or(text));
    }
    if text.starts_with(b"/") {
        return match text.strip_suffix(DELETED) {
            Some(path) => Link::Deleted(path),
            None => Link::Path(text),
        };
    }
    if text.starts_with(b"pidfd:[") {
        return Link::Anonymous("pidfd", b"");
    }
    // Namespaces, `mnt:[…]`, and whatever later kernels bring.
    let end = text.iter().position(|&byte| byte == b':');
    Link::Anonymous("other", &text[..end.unwrap_or(text.len())])
}

fn anonymous(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"eventfd" => "eventfd",
        b"eventpoll" => "epoll",
        b"timerfd" => "timerfd",
        b"signalfd" => "signalfd",
        b"inotify" => "inotify",
        b"fanotify" => "fanotify",
        b"io_uring" => "io_uring",
        b"pidfd" => "pidfd",
        b"perf_event" => "perf_event",
        b"userfaultfd" => "userfaultfd",
        _ if name.starts_with(b"bpf") => "bpf",
        _ => return None,
    })
}

fn number(text: &[u8], prefix: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?.strip_suffix(b"]")?;
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_link_text() {
        assert_eq!(parse(b"socket:[123]"), Link::Socket(123));
        assert_eq!(parse(b"pipe:[9]"), Link::Pipe(9));
        let epoll = parse(b"anon_inode:[eventpoll]");
        assert_eq!(epoll, Link::Anonymous("epoll", b""));
        let inotify = parse(b"anon_inode:inotify");
        assert_eq!(inotify, Link::Anonymous("inotify", b""));
        let bpf = parse(b"anon_inode:bpf-map");
        assert_eq!(bpf, Link::Anonymous("bpf", b""));
        let unknown = parse(b"anon_inode:[news]");
        assert_eq!(unknown, Link::Anonymous("other", b"news"));
        assert_eq!(parse(b"/tmp/x (deleted)"), Link::Deleted(b"/tmp/x"));
        assert_eq!(parse(b"/tmp/\xff"), Link::Path(b"/tmp/\xff"));
        assert_eq!(parse(b"net:[4]"), Link::Anonymous("other", b"net"));
        assert!(matches!(parse(b"/memfd:a (deleted)"), Link::Anonymous("memfd", _)));
    }

    #[test]
    fn malformed_numbers_are_no_inodes() {
        for text in [
            &b"socket:[]"[..],
            b"socket:[99999999999999999999999]",
            b"pipe:[1x]",
            b"",
            b"anon_inode:",
        ] {
            assert!(matches!(parse(text), Link::Anonymous("other", _)));
        }
    }
}
