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
}

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
        let value = |table: u32| self.value(table, start, address);
        let line = value(field(6)?).and_then(|line| u32::try_from(line).ok());
        let file = value(field(5)?).and_then(|file| {
            let unit = usize::try_from(field(8)?).ok()?.checked_add(usize::try_from(file).ok()?)?;
            let offset = self.u32(self.units.checked_add(unit.checked_mul(4)?)?)?;
            self.text_at(self.files.checked_add(usize::try_from(offset).ok()?)?)
        });
        Some(Call { function: name, file, line: line.filter(|&line| line > 0) })
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
