//! Names of functions from the symbol tables of a file.

use super::elf::{Budget, Elf, u64_at};

/// Bytes of an entry (`Elf64_Sym`).
const ENTRY: usize = 24;
/// `STT_FUNC` and `STT_GNU_IFUNC`.
const FUNCTIONS: [u8; 2] = [2, 10];

/// Functions by address.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Address, size, and where its name begins, by address.
    functions: Vec<(u64, u64, u32)>,
    names: Vec<u8>,
}

impl Symbols {
    /// The table that is complete; else the one of what others may call.
    pub(super) fn of(elf: &Elf, budget: &mut Budget) -> Self {
        for (table, names) in [(".symtab", ".strtab"), (".dynsym", ".dynstr")] {
            let (Ok(table), Ok(names)) = (elf.bytes(table, budget), elf.bytes(names, budget))
            else {
                continue;
            };
            return Self::read(&table, &names);
        }
        Self::default()
    }

    fn read(table: &[u8], names: &[u8]) -> Self {
        let mut functions: Vec<_> = table.chunks_exact(ENTRY).filter_map(function).collect();
        functions.sort_unstable();
        Self { functions, names: names.to_vec() }
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// The function around an address, as the file itself calls it.
    pub(super) fn at(&self, address: u64) -> Option<&str> {
        let behind = self.functions.partition_point(|&(start, ..)| start <= address);
        // Several names of one place stand beside each other; a part may be within a whole.
        let around = |&&(start, size, _): &&(u64, u64, u32)| address - start < size;
        let (.., name) = self.functions[..behind].iter().rev().take(8).find(around)?;
        let name = self.names.get(usize::try_from(*name).ok()?..)?;
        let name = &name[..memchr::memchr(0, name)?];
        std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
    }
}

fn function(entry: &[u8]) -> Option<(u64, u64, u32)> {
    let name = u32::from_le_bytes(*entry.first_chunk()?);
    let (address, size) = (u64_at(entry, 8)?, u64_at(entry, 16)?);
    let defined = entry.get(6..8)? != [0, 0];
    (FUNCTIONS.contains(&(entry.get(4)? & 15)) && defined).then_some((address, size, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: u32, kind: u8, address: u64, size: u64) -> Vec<u8> {
        let mut entry = name.to_le_bytes().to_vec();
        entry.extend([kind, 0, 1, 0]);
        entry.extend(address.to_le_bytes());
        entry.extend(size.to_le_bytes());
        entry
    }

    #[test]
    fn only_what_is_inside_a_function_has_its_name() {
        let table = [entry(1, 2, 0x100, 0x10), entry(5, 2, 0x200, 0), entry(1, 1, 0x300, 0x10)];
        let symbols = Symbols::read(&table.concat(), b"\0one\0two\0");
        assert_eq!(symbols.at(0x10f), Some("one"));
        assert_eq!((symbols.at(0x110), symbols.at(0x200), symbols.at(0x305)), (None, None, None));
        assert_eq!(symbols.at(0xff), None);
    }

    #[test]
    fn names_outside_of_the_table_are_none() {
        let symbols = Symbols::read(&entry(99, 2, 0x100, u64::MAX), b"\0one");
        assert_eq!(symbols.at(u64::MAX), None);
        assert_eq!(Symbols::read(&[1; 23], b"").at(0), None);
    }
}
