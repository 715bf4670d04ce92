//! The unwind table of a file: what it says about one place in its code.

use std::sync::Arc;

use framehop::ExplicitModuleSectionInfo;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, LittleEndian, UnwindContext, UnwindSection as _,
};

use super::elf::{Budget, Elf};

/// `.eh_frame` with its search table.
#[derive(Debug)]
pub(super) struct Table {
    frames: Arc<[u8]>,
    /// Files that were linked statically may have none.
    search: Option<Arc<[u8]>>,
    frames_at: u64,
    search_at: u64,
    text_at: u64,
}

/// How a function finds its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Its frame pointer leads there.
    FramePointer,
    /// The table says how.
    Table,
    /// Nothing does.
    Unknown,
}

/// The register that frame pointers are in (System V ABI, AAPCS64).
const FRAME_POINTER: gimli::Register =
    gimli::Register(if cfg!(target_arch = "aarch64") { 29 } else { 6 });

impl Table {
    pub(super) fn of(elf: &Elf, budget: &mut Budget) -> Option<Self> {
        let at = |name| elf.section(name).map_or(0, |section| section.address);
        Some(Self {
            frames_at: at(".eh_frame"),
            search_at: at(".eh_frame_hdr"),
            text_at: at(".text"),
            search: elf.bytes(".eh_frame_hdr", budget).ok(),
            frames: elf.bytes(".eh_frame", budget).ok()?,
        })
    }

    /// The same for the unwinder.
    pub(super) fn sections(&self) -> ExplicitModuleSectionInfo<Arc<[u8]>> {
        let range = |at: u64, bytes: &[u8]| Some(at..at.saturating_add(bytes.len() as u64));
        ExplicitModuleSectionInfo {
            eh_frame_svma: range(self.frames_at, &self.frames),
            eh_frame: Some(Arc::clone(&self.frames)),
            eh_frame_hdr_svma: self.search.as_ref().and_then(|bytes| range(self.search_at, bytes)),
            eh_frame_hdr: self.search.clone(),
            text_svma: Some(self.text_at..self.text_at),
            ..ExplicitModuleSectionInfo::default()
        }
    }

    /// How the caller is found from an address, as the file itself calls it.
    pub(super) fn caller(&self, address: u64) -> Caller {
        self.rule(address).unwrap_or(Caller::Unknown)
    }

    fn rule(&self, address: u64) -> Option<Caller> {
        let bases = BaseAddresses::default()
            .set_eh_frame(self.frames_at)
            .set_eh_frame_hdr(self.search_at)
            .set_text(self.text_at);
        let frames = EhFrame::new(&self.frames, LittleEndian);
        let (mut context, cie) = (UnwindContext::new(), EhFrame::cie_from_offset);
        let row = match &self.search {
            Some(search) => {
                let search = EhFrameHdr::new(search, LittleEndian).parse(&bases, 8).ok()?;
                let table = search.table()?;
                table.unwind_info_for_address(&frames, &bases, &mut context, address, cie)
            }
            None => frames.unwind_info_for_address(&bases, &mut context, address, cie),
        };
        let row = row.ok()?;
        Some(match row.cfa() {
            CfaRule::RegisterAndOffset { register, .. } if *register == FRAME_POINTER => {
                Caller::FramePointer
            }
            _ => Caller::Table,
        })
    }
}
