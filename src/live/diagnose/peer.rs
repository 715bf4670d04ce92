//! What of a group may stand in a line that is pasted into a shell.
//!
//! In a recording that somebody sent, every text is untrusted: only addresses and ports go through.

use core::net::SocketAddr;

use super::group::Key;

/// The peer, if it is an address and port, or a port.
pub(super) fn plain(key: &Key) -> Option<String> {
    let peer = &*key.peer;
    let port = peer.strip_prefix(':').and_then(|port| port.parse::<u16>().ok());
    match (port, peer.parse::<SocketAddr>()) {
        (Some(port), _) => Some(format!(":{port}")),
        (None, Ok(address)) => Some(address.to_string()),
        (None, Err(_)) => None,
    }
}

/// The filter of `ss` for exactly this group.
pub(super) fn cohort(key: &Key) -> Option<String> {
    let peer = plain(key)?;
    Some(match peer.parse::<SocketAddr>() {
        Ok(address) => format!("dst {} dport = :{}", address.ip(), address.port()),
        Err(_) => format!("sport = {peer}"),
    })
}
