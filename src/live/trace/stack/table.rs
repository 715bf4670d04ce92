//! The unwind table of a file: what it says about one place in its code.

use std::sync::Arc;

use framehop::ExplicitModuleSectionInfo;
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameOffset, EndianSlice, LittleEndian,
    RegisterRule, UnwindContext, UnwindSection as _,
};

use super::elf::{Budget, Elf};

/// `.eh_frame`, with an index of our own: the one in files (`.eh_frame_hdr`) may lie, and what reads it
/// takes its word.
#[derive(Debug)]
pub(super) struct Table {
    frames: Arc<[u8]>,
    frames_at: u64,
    text_at: u64,
    /// Where each function begins and ends, and where its entry is.
    functions: Vec<(u64, u64, usize)>,
}

/// Functions of one table; an entry takes 16 bytes at least.
const MOST_FUNCTIONS: usize = 4 << 20;

/// How a function finds its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Its frame pointer leads there.
    FramePointer,
    /// The table says how.
    Table,
    /// Nothing is on the stack but where it returns to.
    Top,
    /// Where it returns to is in the register of the first argument, and nothing is on the stack.
    FirstArgument,
    /// Nothing does.
    Unknown,
}

/// The register that frame pointers are in (System V ABI, AAPCS64).
const FRAME_POINTER: gimli::Register =
    gimli::Register(if cfg!(target_arch = "aarch64") { 29 } else { 6 });

/// The registers of the stack's end and, on x86-64, of the first argument.
const STACK_POINTER: gimli::Register =
    gimli::Register(if cfg!(target_arch = "aarch64") { 31 } else { 7 });
const FIRST_ARGUMENT: Option<gimli::Register> =
    if cfg!(target_arch = "x86_64") { Some(gimli::Register(5)) } else { None };

impl Table {
    pub(super) fn of(elf: &Elf, budget: &mut Budget) -> Option<Self> {
        let at = |name| elf.section(name).map_or(0, |section| section.address);
        let mut table = Self {
            frames: elf.bytes(".eh_frame", budget).ok()?,
            frames_at: at(".eh_frame"),
            text_at: at(".text"),
            functions: Vec::new(),
        };
        table.functions = table.index();
        Some(table)
    }

    fn index(&self) -> Vec<(u64, u64, usize)> {
        let (frames, bases) = (self.frames(), self.bases());
        let mut entries = frames.entries(&bases);
        let mut functions = Vec::new();
        // Behind what is broken nothing is to be found.
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(function) = entry else { continue };
            let Ok(function) = function.parse(EhFrame::cie_from_offset) else { continue };
            let start = function.initial_address();
            functions.push((start, start.saturating_add(function.len()), function.offset()));
            if functions.len() == MOST_FUNCTIONS {
                break;
            }
        }
        functions.sort_unstable();
        functions
    }

    fn frames(&self) -> EhFrame<EndianSlice<'_, LittleEndian>> {
        EhFrame::new(&self.frames, LittleEndian)
    }

    fn bases(&self) -> BaseAddresses {
        BaseAddresses::default().set_eh_frame(self.frames_at).set_text(self.text_at)
    }

    /// The same for the unwinder.
    pub(super) fn sections(&self) -> ExplicitModuleSectionInfo<Arc<[u8]>> {
        let end = self.frames_at.saturating_add(self.frames.len() as u64);
        ExplicitModuleSectionInfo {
            eh_frame_svma: Some(self.frames_at..end),
            eh_frame: Some(Arc::clone(&self.frames)),
            text_svma: Some(self.text_at..self.text_at),
            ..ExplicitModuleSectionInfo::default()
        }
    }

    /// How the caller is found from an address, as the file itself calls it.
    pub(super) fn caller(&self, address: u64) -> Caller {
        self.rule(address).unwrap_or(Caller::Unknown)
    }

    /// Where the function around an address begins, and where its entry is.
    pub(super) fn function(&self, address: u64) -> Option<(u64, usize)> {
        let behind = self.functions.partition_point(|&(start, ..)| start <= address);
        let (start, end, offset) = *self.functions.get(behind.checked_sub(1)?)?;
        (address < end).then_some((start, offset))
    }

    fn rule(&self, address: u64) -> Option<Caller> {
        let (frames, bases) = (self.frames(), self.bases());
        let (_, offset) = self.function(address)?;
        let (mut context, cie) = (UnwindContext::new(), EhFrame::cie_from_offset);
        let function = frames.fde_from_offset(&bases, EhFrameOffset(offset), cie).ok()?;
        let row = function.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
        Some(match row.cfa() {
            CfaRule::RegisterAndOffset { register, .. } if *register == FRAME_POINTER => {
                Caller::FramePointer
            }
            CfaRule::RegisterAndOffset { register, offset: 0 }
                if *register == STACK_POINTER
                    && FIRST_ARGUMENT.is_some_and(|first| {
                        row.register(function.cie().return_address_register())
                            == Some(RegisterRule::Register(first))
                    }) =>
            {
                Caller::FirstArgument
            }
            _ => Caller::Table,
        })
    }
}
