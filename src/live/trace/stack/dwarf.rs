//! Lines and inlined calls from the debug information of a file.

use std::sync::Arc;

use addr2line::{Context, LookupResult};
use gimli::{DwarfSections, EndianArcSlice, LittleEndian, SectionId};

use super::elf::{Budget, Elf, Lack};

type Bytes = EndianArcSlice<LittleEndian>;

/// What answers for one file.
pub(super) struct Lines(Context<Bytes>);

/// A call, as debug information or a symbol table has it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// As it was found: mangled, perhaps.
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

/// Inlined calls at one address that are told.
const MOST_INLINED: usize = 64;
/// What these paths and names may take.
const MOST_TEXT: usize = 4096;

/// Sections that lines and inlined calls take.
const WANTED: [SectionId; 11] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugTypes,
];

impl Lines {
    /// Reads them, all or none.
    pub(super) fn of(elf: &Elf, budget: &mut Budget) -> Result<Self, Lack> {
        if elf.section(".debug_line").is_none() {
            return Err(Lack::Missing);
        }
        let mut trial = Budget(budget.0);
        let sections = DwarfSections::load(|id| {
            let bytes = if WANTED.contains(&id) { elf.bytes(id.name(), &mut trial) } else { EMPTY };
            match bytes {
                Ok(bytes) => Ok(bytes),
                Err(Lack::Missing) => Ok(Arc::from([])),
                Err(Lack::TooLarge) => Err(Lack::TooLarge),
            }
        })?;
        *budget = trial;
        let dwarf = sections.borrow(|bytes| Bytes::new(Arc::clone(bytes), LittleEndian));
        Context::from_dwarf(dwarf).map(Self).map_err(|_| Lack::Missing)
    }

    /// The calls at an address as the file itself calls it, innermost first; none when it says
    /// nothing about it.
    pub(super) fn calls(&self, address: u64) -> Vec<Call> {
        let mut calls = Vec::new();
        let found = match self.0.find_frames(address) {
            LookupResult::Output(found) => found,
            // Split debug information stays where it is.
            load @ LookupResult::Load { .. } => load.skip_all_loads(),
        };
        let Ok(mut frames) = found else { return calls };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
            let location = frame.location.as_ref();
            calls.push(Call {
                function: name.map(|name| short(name.as_ref())),
                file: location.and_then(|location| location.file).map(short),
                // Line 0: the compiler does not know.
                line: location.and_then(|location| location.line).filter(|&line| line > 0),
            });
            if calls.len() == MOST_INLINED {
                break;
            }
        }
        calls
    }
}

const EMPTY: Result<Arc<[u8]>, Lack> = Err(Lack::Missing);

fn short(text: &str) -> String {
    let end = (0..=MOST_TEXT.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text[..end.unwrap_or(0)].to_owned()
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}
