//! Walks over a message of the console's protocol part by part.
//!
//! A message may have tens of megabytes, and two bytes of it may stand for hundreds in memory: so
//! only one small part is decoded at a time, and what nobody asks for is skipped.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

/// The largest part that is decoded: a task with its fields has a few hundred bytes.
const MAX_PART: usize = 64 * 1024;

/// What came is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// A message, text or bytes.
    Bytes(&'a [u8]),
    /// A number.
    Varint(u64),
}

/// Shows every field of a message by its number, in the order in which they stand.
///
/// # Errors
/// When the bytes are no message; what was shown before stays shown.
pub(super) fn fields<'a>(
    mut bytes: &'a [u8],
    mut visit: impl FnMut(u32, Field<'a>),
) -> Result<(), Malformed> {
    while bytes.has_remaining() {
        let (number, kind) = decode_key(&mut bytes)?;
        match kind {
            WireType::Varint => visit(number, Field::Varint(decode_varint(&mut bytes)?)),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes)?;
                let length = usize::try_from(length).map_err(|_| Malformed)?;
                let (part, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
                visit(number, Field::Bytes(part));
                bytes = rest;
            }
            other => skip_field(other, number, &mut bytes, DecodeContext::default())?,
        }
    }
    Ok(())
}

/// The bytes of the last field of this number; nothing where there is none.
pub(super) fn part(bytes: &[u8], number: u32) -> Result<&[u8], Malformed> {
    let mut found: &[u8] = &[];
    fields(bytes, |at, field| {
        if let Field::Bytes(part) = field
            && at == number
        {
            found = part;
        }
    })?;
    Ok(found)
}

/// Shows every field of one number; gives how many there are.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    number: u32,
    mut visit: impl FnMut(&'a [u8]),
) -> Result<u64, Malformed> {
    let mut count = 0;
    fields(bytes, |at, field| {
        if let Field::Bytes(part) = field
            && at == number
        {
            count += 1;
            visit(part);
        }
    })?;
    Ok(count)
}

/// A number of a message; 0 where it is absent, as the protocol has it.
pub(super) fn number(bytes: &[u8], number: u32) -> Result<u64, Malformed> {
    let mut found = 0;
    fields(bytes, |at, field| {
        if let Field::Varint(value) = field
            && at == number
        {
            found = value;
        }
    })?;
    Ok(found)
}

/// The key and value of one entry of a map with numbers as keys.
pub(super) fn entry<M: Message + Default>(bytes: &[u8]) -> Option<(u64, M)> {
    Some((number(bytes, 1).ok()?, decoded(part(bytes, 2).ok()?)?))
}

/// A small part; `None` when it is none, or too large.
pub(super) fn decoded<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    (bytes.len() <= MAX_PART).then(|| M::decode(bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio_console_api::tasks::{Stats, TaskUpdate};

    #[test]
    fn the_parts_of_a_message_are_shown() {
        let update = TaskUpdate {
            stats_update: [(7, Stats { wakes: 3, ..Stats::default() })].into(),
            dropped_events: 9,
            ..TaskUpdate::default()
        };
        let bytes = update.encode_to_vec();
        assert_eq!(number(&bytes, 4), Ok(9));
        let mut seen = Vec::new();
        assert_eq!(each(&bytes, 3, |part| seen.extend(entry::<Stats>(part))), Ok(1));
        assert_eq!(seen.iter().map(|(id, stats)| (*id, stats.wakes)).collect::<Vec<_>>(), [(7, 3)]);
        assert!(part(&bytes[..bytes.len() - 3], 3).is_err());
    }

    proptest! {
        #[test]
        fn anything_is_walked_over(bytes: Vec<u8>) {
            let _ = fields(&bytes, |_, _| {});
            let _ = entry::<Stats>(&bytes);
        }
    }
}
