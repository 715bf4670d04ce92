//! File descriptors that came over a socket: what a call that receives messages has left in memory.

/// Bytes of a `struct msghdr` and, with the length behind it, of a `struct mmsghdr` (64 bits).
const HEADER: usize = 56;
const HEADERS_APART: u64 = 64;
/// Where its control data begin and how long they are, once it has returned.
const CONTROL: usize = 32;
const CONTROL_BYTES: usize = 40;
/// Bytes of a `struct cmsghdr`; what follows begins at a multiple of 8.
const CMSG: usize = 16;
/// `SOL_SOCKET`, `SCM_RIGHTS`.
const RIGHTS: (u32, u32) = (1, 1);
/// The kernel passes no more with one message (`SCM_MAX_FD`).
const MOST: usize = 253;
/// Messages of one call that are looked at.
const MOST_MESSAGES: u32 = 64;

/// What has come with messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// These, perhaps none.
    Fds(Vec<u32>),
    /// It is not in what was copied, but may be.
    Unseen,
}

/// The end of a stack, as it was copied.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    /// Where it begins.
    pub at: u64,
    /// What is there.
    pub bytes: &'a [u8],
}

impl<'a> Memory<'a> {
    /// So many bytes from an address on.
    pub fn from(&self, address: u64, length: usize) -> Option<&'a [u8]> {
        let offset = usize::try_from(address.checked_sub(self.at)?).ok()?;
        self.bytes.get(offset..)?.get(..length)
    }
}

/// What came with so many messages, whose headers are at an address.
pub fn received(memory: Memory<'_>, headers: u64, messages: u32) -> Received {
    let mut all = Vec::new();
    for nth in 0..u64::from(messages.min(MOST_MESSAGES)) {
        let header = headers.wrapping_add(nth * HEADERS_APART);
        match of_message(memory, header) {
            Some(fds) => all.extend(fds),
            None => return Received::Unseen,
        }
    }
    Received::Fds(all)
}

/// What came with one message; `None` where that is not in what was copied.
fn of_message(memory: Memory<'_>, header: u64) -> Option<Vec<u32>> {
    let header = memory.from(header, HEADER)?;
    let (control, length) = (u64_at(header, CONTROL)?, u64_at(header, CONTROL_BYTES)?);
    // Less has no room for a number.
    let Some(length) = usize::try_from(length).ok().filter(|&length| length >= CMSG + 4) else {
        return Some(Vec::new());
    };
    let mut rest = memory.from(control, length)?;
    let mut fds = Vec::new();
    while let Some(size) = u64_at(rest, 0).and_then(|size| usize::try_from(size).ok())
        && let Some(data) = rest.get(CMSG..size)
    {
        let kind = (u32_at(rest, 8)?, u32_at(rest, 12)?);
        if kind == RIGHTS {
            fds.extend(data.as_chunks().0.iter().map(|four| u32::from_ne_bytes(*four)));
        }
        rest =
            size.checked_next_multiple_of(8).and_then(|next| rest.get(next..)).unwrap_or_default();
    }
    fds.truncate(MOST);
    Some(fds)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: u64 = 0x7000;

    /// A message: its header, and behind it control data of these kinds.
    fn message(parts: &[(u32, u32, &[u32])]) -> Vec<u8> {
        let mut control = Vec::new();
        for (level, kind, data) in parts {
            control.extend((CMSG + data.len() * 4).to_ne_bytes());
            control.extend(level.to_ne_bytes());
            control.extend(kind.to_ne_bytes());
            data.iter().for_each(|word| control.extend(word.to_ne_bytes()));
            control.resize(control.len().next_multiple_of(8), 0);
        }
        let mut bytes = vec![0; HEADER];
        bytes[CONTROL..CONTROL + 8].copy_from_slice(&(AT + HEADER as u64).to_ne_bytes());
        bytes[CONTROL_BYTES..CONTROL_BYTES + 8].copy_from_slice(&control.len().to_ne_bytes());
        bytes.extend(control);
        bytes
    }

    fn of(bytes: &[u8]) -> Received {
        received(Memory { at: AT, bytes }, AT, 1)
    }

    #[test]
    fn numbers_are_those_of_rights() {
        assert_eq!(of(&message(&[(1, 1, &[7, 9, 11])])), Received::Fds(vec![7, 9, 11]));
        // Beside what else comes so: times, credentials, addresses.
        let mixed = message(&[(1, 29, &[1, 2, 3, 4]), (1, 1, &[5]), (0, 8, &[6, 6, 6])]);
        assert_eq!(of(&mixed), Received::Fds(vec![5]));
        assert_eq!(of(&message(&[(0, 1, &[6])])), Received::Fds(vec![]));
        assert_eq!(of(&message(&[])), Received::Fds(vec![]));
    }

    #[test]
    fn what_was_not_copied_is_not_seen() {
        let whole = message(&[(1, 1, &[7])]);
        assert_eq!(of(&whole[..HEADER - 1]), Received::Unseen);
        assert_eq!(of(&whole[..HEADER + 4]), Received::Unseen);
        assert_eq!(received(Memory { at: AT, bytes: &whole }, AT - 8, 1), Received::Unseen);
        assert_eq!(received(Memory { at: AT, bytes: &whole }, AT, 2), Received::Unseen);
        assert_eq!(received(Memory { at: AT, bytes: &[] }, AT, 0), Received::Fds(vec![]));
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            lengths in prop::collection::vec(any::<u64>(), 3),
            headers in any::<u64>(),
            messages in any::<u32>(),
        ) {
            received(Memory { at: AT, bytes: &bytes }, headers, messages);
            let mut lies = message(&[(1, 1, &[7, 9]), (1, 1, &[8])]);
            for (at, length) in [CONTROL_BYTES, HEADER, HEADER + 24].into_iter().zip(lengths) {
                lies[at..at + 8].copy_from_slice(&length.to_ne_bytes());
            }
            of(&lies);
        }
    }
}
