//! How many connections were opened in all, where looks from time to time see only some of them.
//!
//! The kernel counts the connections that a network namespace opened, whoever did: that bounds what
//! one process opened to one peer. Where it keeps connections that ended, by peer, these tell how
//! the count is shared out.

/// Connections of one direction to one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    /// Births that looks have seen.
    pub seen: u64,
    /// Of these, still held.
    pub held: u64,
    /// Ended ones that the kernel kept (TIME_WAIT) since the watch began, whoever had opened them.
    pub ended: u64,
}

/// Connections of the same direction in the whole namespace since the watch began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Opened, as the kernel counts them; those that failed are among them.
    pub opened: u64,
    /// Births that looks have seen, in the target.
    pub seen: u64,
    /// Of these, still held.
    pub held: u64,
    /// Ended ones that the kernel kept.
    pub ended: u64,
}

/// How many connections were opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opened {
    /// The estimate; `None`: nothing tells where between the bounds.
    pub value: Option<f64>,
    /// As many were seen: not fewer.
    pub low: u64,
    /// If all that nobody saw went to this peer: not more.
    pub high: u64,
}

/// Ended connections must explain this share of the opened ones, or they say little of the rest.
const EXPLAINED: f64 = 0.5;

/// Connections opened to a peer.
///
/// Let `A` be what the namespace opened, `H` what is still held of it, `E` what ended and was kept,
/// and `h`, `e` the same of the peer. Then `h + (A - H) * e / E`: those that left no trace are
/// shared out as those that left one. The bounds hold whatever the traces are.
pub fn opened(peer: &Peer, namespace: &Namespace) -> Opened {
    let unseen = namespace.opened.saturating_sub(namespace.seen);
    let (low, high) = (peer.seen, peer.seen.saturating_add(unseen));
    let gone = namespace.opened.saturating_sub(namespace.held) as f64;
    let ended = namespace.ended as f64;
    let value = if unseen == 0 {
        Some(peer.seen as f64)
    } else if ended > 0.0 && ended >= gone * EXPLAINED {
        let estimate = peer.held as f64 + gone * (peer.ended as f64 / ended).min(1.0);
        Some(estimate.clamp(low as f64, high as f64))
    } else {
        None
    };
    Opened { value, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_all_where_the_kernel_counts_no_more() {
        let peer = Peer { seen: 7, held: 2, ended: 5 };
        let namespace = Namespace { opened: 7, seen: 7, held: 2, ended: 5 };
        assert_eq!(opened(&peer, &namespace), Opened { value: Some(7.0), low: 7, high: 7 });
    }

    #[test]
    fn what_left_no_trace_is_shared_out_as_what_left_one() {
        let peer = Peer { seen: 60, held: 0, ended: 900 };
        // A hundred went elsewhere; a tenth of all were overwritten before anybody looked.
        let namespace = Namespace { opened: 1_100, seen: 60, held: 0, ended: 990 };
        let told = opened(&peer, &namespace);
        assert_eq!((told.low, told.high), (60, 1_100));
        assert!((told.value.unwrap() - 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn few_traces_are_no_estimate() {
        // The other ends close first: next to nothing is kept here.
        let peer = Peer { seen: 60, held: 5, ended: 10 };
        let namespace = Namespace { opened: 10_000, seen: 60, held: 5, ended: 10 };
        let told = opened(&peer, &namespace);
        assert_eq!(told, Opened { value: None, low: 60, high: 10_000 });
    }

    #[test]
    fn the_estimate_never_leaves_its_bounds() {
        let mut seed = 3_u64;
        let mut number = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..20_000 {
            let peer = Peer { seen: number(50), held: number(50), ended: number(2_000) };
            let namespace = Namespace {
                opened: number(3_000),
                seen: number(90),
                held: number(90),
                ended: number(2_000),
            };
            let told = opened(&peer, &namespace);
            assert!(told.low <= told.high);
            assert!(told.value.is_none_or(|v| v >= told.low as f64 && v <= told.high as f64));
        }
    }
}
