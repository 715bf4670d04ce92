//! Functions and lines of a Go program, from the table that its own tracebacks use.
//!
//! The layout is that of Go 1.18 and later (`runtime/symtab.go`, `debug/gosym`). A program keeps the
//! table when it is stripped.

use std::sync::Arc;

use super::dwarf::Call;
use super::elf::u64_at;

/// First bytes of the table: Go 1.20, and 1.18.
const MAGIC: [u32; 2] = [0xffff_fff1, 0xffff_fff0];
/// Steps through the lines of one function.
const MOST_STEPS: usize = 1 << 20;
/// Bytes of a name or path.
const MOST_NAME: usize = 4096;

/// The table of one program.
#[derive(Debug)]
pub(super) struct GoTable {
    bytes: Arc<[u8]>,
    quantum: u64,
    functions: usize,
    text: u64,
    names: usize,
    units: usize,
    files: usize,
    steps: usize,
    index: usize,
    /// Where a description goes on with tables of steps, in words: Go 1.20 added one before them.
    tables: usize,
}

/// Of these tables, the one that tells which code was inlined.
const INLINED: u32 = 2;

impl GoTable {
    /// Reads the head; `text` is where the code begins where the table itself does not tell.
    pub(super) fn of(bytes: Arc<[u8]>, text: u64) -> Option<Self> {
        let head: &[u8; 8] = bytes.first_chunk()?;
        let magic = u32::from_le_bytes(*head.first_chunk()?);
        let (quantum, pointer) = (head[6], head[7]);
        (MAGIC.contains(&magic) && pointer == 8 && [1, 2, 4].contains(&quantum)).then_some(())?;
        let word = |at: usize| u64_at(&bytes, 8 + at * 8);
        let place = |at: usize| usize::try_from(word(at)?).ok();
        let table = Self {
            quantum: u64::from(quantum),
            functions: place(0)?,
            // Since Go 1.26 the linker leaves this one out.
            text: word(2).filter(|&text| text != 0).unwrap_or(text),
            names: place(3)?,
            units: place(4)?,
            files: place(5)?,
            steps: place(6)?,
            index: place(7)?,
            tables: if magic == MAGIC[0] { 11 } else { 10 },
            bytes: Arc::clone(&bytes),
        };
        // The last entry of the index is the end of the code.
        table.entry(table.functions).map(|_| table)
    }

    /// The function and line at an address, as the file itself calls it.
    pub(super) fn call(&self, address: u64) -> Option<Call> {
        let (start, data) = self.function(address)?;
        let field = |at: usize| self.u32(data.checked_add(at * 4)?);
        let name = self.text_at(self.names.checked_add(usize::try_from(field(1)?).ok()?)?);
        let file_at = |address| self.value(field(5)?, start, address);
        let own = file_at(start);
        // The line of an inlined call is not that of the function around it.
        let inlined = match field(7)? {
            0..=INLINED => false,
            _ => {
                let table = field(self.tables + INLINED as usize)?;
                table != 0 && self.value(table, start, address) != Some(-1)
            }
        };
        let line = self.value(field(6)?, start, address);
        let line = line.filter(|_| !inlined && file_at(address) == own);
        let line = line.and_then(|line| u32::try_from(line).ok()).filter(|&line| line > 0);
        let file = own.and_then(|file| {
            let unit = usize::try_from(field(8)?).ok()?.checked_add(usize::try_from(file).ok()?)?;
            let offset = self.u32(self.units.checked_add(unit.checked_mul(4)?)?)?;
            self.text_at(self.files.checked_add(usize::try_from(offset).ok()?)?)
        });
        Some(Call { function: name, file, line })
    }

    /// Start of the function around an address, and where its description is.
    fn function(&self, address: u64) -> Option<(u64, usize)> {
        let (mut low, mut high) = (0, self.functions);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(middle)?.0 <= address { low = middle + 1 } else { high = middle }
        }
        let found = low.checked_sub(1)?;
        // Behind the last one there is none.
        (address < self.entry(self.functions)?.0).then_some(())?;
        let (start, offset) = self.entry(found)?;
        Some((start, self.index.checked_add(offset)?))
    }

    /// An entry of the index: where a function begins, and where its description is.
    fn entry(&self, at: usize) -> Option<(u64, usize)> {
        let place = self.index.checked_add(at.checked_mul(8)?)?;
        let start = self.text.checked_add(u64::from(self.u32(place)?))?;
        // The last one has no description.
        let offset = if at < self.functions { self.u32(place.checked_add(4)?)? } else { 0 };
        Some((start, usize::try_from(offset).ok()?))
    }

    /// The value at an address in a table of steps: pairs of how much it and the address grow.
    fn value(&self, table: u32, start: u64, address: u64) -> Option<i64> {
        (table != 0).then_some(())?;
        let mut at = self.steps.checked_add(usize::try_from(table).ok()?)?;
        let (mut value, mut here) = (-1_i64, start);
        for step in 0..MOST_STEPS {
            let grown = self.varint(&mut at)?;
            if grown == 0 && step > 0 {
                return None;
            }
            // Zigzag: the lowest bit is the sign.
            let change = i64::from(grown >> 1) ^ -i64::from(grown & 1);
            value = value.checked_add(change)?;
            here = here.checked_add(u64::from(self.varint(&mut at)?) * self.quantum)?;
            if address < here {
                return Some(value);
            }
        }
        None
    }

    fn varint(&self, at: &mut usize) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..32).step_by(7) {
            let byte = *self.bytes.get(*at)?;
            *at += 1;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
    }

    fn text_at(&self, at: usize) -> Option<String> {
        let bytes = self.bytes.get(at..)?;
        let bytes = &bytes[..bytes.len().min(MOST_NAME)];
        let text = &bytes[..memchr::memchr(0, bytes)?];
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table of one function `f` of 16 bytes in the file `a.go`, whose lines are 7, then 9.
    fn table() -> Vec<u8> {
        described(&[0, 0, 0, 0, 0, 1, 4, 0, 0])
    }

    fn described(description: &[u32]) -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            b"f\0",
            &0_u32.to_le_bytes(),
            b"a.go\0",
            // Nothing at 0; file 0 for 16 bytes; lines 7 and 9 for 8 bytes each; the last 8 bytes inlined.
            &[0, 2, 16, 0, 16, 8, 4, 8, 0, 0, 8, 2, 8, 0],
            &[],
        ];
        let mut bytes = MAGIC[0].to_le_bytes().to_vec();
        bytes.extend([0, 0, 1, 8]);
        let mut places = Vec::new();
        let mut at = 8 + 8 * 8;
        for part in parts {
            places.push(at as u64);
            at += part.len();
        }
        let head = [1, 1, 0x1000].into_iter().chain(places);
        head.for_each(|word: u64| bytes.extend(word.to_le_bytes()));
        parts.iter().for_each(|part| bytes.extend(*part));
        // The index: the function, the end; then its description.
        [0, 12, 16].into_iter().chain(description.iter().copied()).for_each(|word: u32| {
            bytes.extend(word.to_le_bytes());
        });
        bytes
    }

    #[test]
    fn functions_and_lines_are_found() {
        let table = GoTable::of(table().into(), 0).unwrap();
        let call = |address| table.call(address).map(|call| (call.function, call.file, call.line));
        let known = |line| Some((Some("f".to_owned()), Some("a.go".to_owned()), Some(line)));
        assert_eq!((call(0x1000), call(0x1007), call(0x100f)), (known(7), known(7), known(9)));
        assert_eq!((call(0xfff), call(0x1010)), (None, None));
    }

    #[test]
    fn inlined_calls_have_no_line() {
        let bytes = described(&[0, 0, 0, 0, 0, 1, 4, 3, 0, 0, 0, 0, 0, 9]);
        let table = GoTable::of(bytes.into(), 0).unwrap();
        let line = |address| table.call(address).and_then(|call| call.line);
        assert_eq!((line(0x1007), line(0x100f)), (Some(7), None));
    }

    proptest! {
        #[test]
        fn broken_tables_are_read_without_harm(
            changes in prop::collection::vec((0_usize..200, any::<u8>()), 0..20),
            length in 0_usize..200,
            address in 0xff0_u64..0x1020,
        ) {
            let mut bytes = table();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes.truncate(length);
            if let Some(table) = GoTable::of(bytes.into(), 0) {
                table.call(address);
            }
        }
    }
}
