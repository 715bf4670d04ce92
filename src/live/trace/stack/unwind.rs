//! From registers and a copied stack to the addresses of all callers.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use framehop::{
    CacheNative, Error, FrameAddress, MayAllocateDuringUnwind, Module, Unwinder as _,
    UnwinderNative,
};

use super::elf::u64_at;
use super::frames::Why;
use super::maps::Mapping;
use super::sample::{Copied, Regs};
use super::table::{Caller, Table};

/// Calls that are followed.
pub(super) const MOST_FRAMES: usize = 128;
/// Places whose callers are remembered.
const MOST_KNOWN: usize = 65_536;

type Native = UnwinderNative<Arc<[u8]>, MayAllocateDuringUnwind>;

/// Unwinds stacks of one process.
pub(super) struct Unwinder {
    native: Native,
    cache: CacheNative<MayAllocateDuringUnwind>,
    callers: HashMap<u64, Caller>,
}

/// Where calls were found, innermost first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// An address within each call.
    pub(super) addresses: Vec<u64>,
    /// So many of them follow each other for certain.
    pub(super) certain: usize,
    /// Why there may be more.
    pub(super) incomplete: Option<Why>,
}

/// What a walk asks about the process.
pub(super) trait Places {
    /// Makes an address known to the unwinder, reading its file if it must; tells how the caller is
    /// found from there, `None` where nothing is mapped.
    fn caller(&mut self, address: u64, unwinder: &mut Unwinder) -> Option<Caller>;
    /// Name of the module at an address.
    fn module(&self, address: u64) -> Arc<str>;
}

impl Default for Unwinder {
    fn default() -> Self {
        Self { native: Native::new(), cache: CacheNative::new(), callers: HashMap::new() }
    }
}

impl std::fmt::Debug for Unwinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unwinder")
    }
}

impl Unwinder {
    /// Adds a file's table; `base` is what its own addresses are moved by.
    pub(super) fn add(&mut self, range: Range<u64>, base: u64, table: &Table) {
        self.native.add_module(Module::new(String::new(), range, base, table.sections()));
    }

    /// Forgets what was mapped there.
    pub(super) fn remove(&mut self, mapping: &Mapping) {
        self.native.remove_module(mapping.start);
        self.callers.clear();
    }

    /// What is remembered of an address, else what `ask` says.
    pub(super) fn remembered(&mut self, address: u64, ask: impl FnOnce() -> Caller) -> Caller {
        if self.callers.len() >= MOST_KNOWN {
            self.callers.clear();
        }
        *self.callers.entry(address).or_insert_with(ask)
    }

    /// Follows a stack outwards: by tables as far as the copy goes, then by the kernel's chain of
    /// frame pointers.
    pub(super) fn walk(&mut self, copied: &Copied, places: &mut impl Places) -> Walk {
        let Some(regs) = copied.regs.filter(|_| !copied.stack.is_empty()) else {
            return self.chain_only(copied, places);
        };
        let mut walk = Walk::default();
        let mut registers = native(regs, self.native.max_known_code_address());
        let mut read = |address: u64| word(&copied.stack, regs.sp, address).ok_or(());
        let mut sure = true;
        let mut address = FrameAddress::from_instruction_pointer(regs.ip);
        loop {
            let here = address.address_for_lookup();
            let Some(caller) = places.caller(here, self) else {
                // What led here was no frame.
                walk.incomplete = Some(match walk.addresses.last() {
                    Some(&last) => Why::NoUnwindTable(places.module(last)),
                    None => Why::NoModule,
                });
                return walk;
            };
            walk.addresses.push(here);
            walk.certain += usize::from(sure);
            if walk.addresses.len() == MOST_FRAMES {
                walk.incomplete = Some(Why::TooDeep);
                return walk;
            }
            if walk.addresses.len() == 1
                && let Some((back, sp)) = returned(caller, &regs, &copied.stack)
                && let Some(caller) = FrameAddress::from_return_address(back)
            {
                address = caller;
                registers =
                    native(Regs { ip: back, sp, ..regs }, self.native.max_known_code_address());
                continue;
            }
            sure &= !matches!(caller, Caller::Unknown | Caller::Top);
            match self.native.unwind_frame(address, &mut registers, &mut self.cache, &mut read) {
                Ok(Some(caller)) => match FrameAddress::from_return_address(caller) {
                    Some(caller) => address = caller,
                    None => return walk,
                },
                Ok(None) | Err(Error::ReturnAddressIsNull) => return walk,
                Err(Error::CouldNotReadStack(_)) if sure => {
                    walk.incomplete = Some(Why::StackCut);
                    self.go_on(copied, address.address(), places, &mut walk);
                    return walk;
                }
                Err(_) => {
                    walk.incomplete = Some(Why::NoUnwindTable(places.module(here)));
                    return walk;
                }
            }
        }
    }

    /// Frame pointers alone: where the code of a call has none, its caller is not in the chain.
    fn chain_only(&mut self, copied: &Copied, places: &mut impl Places) -> Walk {
        let mut walk = Walk::default();
        let Some(&first) = copied.chain.first() else {
            walk.incomplete = Some(Why::NothingCopied);
            return walk;
        };
        walk.addresses.push(first);
        walk.certain = 1;
        self.go_on(copied, first, places, &mut walk);
        walk
    }

    /// Adds what the chain has behind `last`, as the kernel tells addresses.
    fn go_on(&mut self, copied: &Copied, last: u64, places: &mut impl Places, walk: &mut Walk) {
        let Some(at) = copied.chain.iter().position(|&address| address == last) else { return };
        let mut sure = walk.certain == walk.addresses.len();
        for &next in &copied.chain[at + 1..] {
            let here = walk.addresses.last().copied().unwrap_or(last);
            sure &= places.caller(here, self) == Some(Caller::FramePointer);
            let next = next.saturating_sub(1);
            if places.caller(next, self).is_none() {
                break;
            }
            walk.addresses.push(next);
            walk.certain += usize::from(sure);
            if walk.addresses.len() == MOST_FRAMES {
                walk.incomplete = Some(Why::TooDeep);
                return;
            }
        }
        walk.incomplete = (!sure).then_some(Why::FramePointers);
    }
}

/// Where the innermost function returns to, and the end of its caller's stack, where no table leads.
fn returned(caller: Caller, regs: &Regs, stack: &[u8]) -> Option<(u64, u64)> {
    match caller {
        Caller::Top => Some((u64_at(stack, 0)?, regs.sp.checked_add(8)?)),
        Caller::FirstArgument => Some((regs.arguments[0]?, regs.sp)),
        _ => None,
    }
}

/// A word of the copied stack, which begins at `sp`.
fn word(stack: &[u8], sp: u64, address: u64) -> Option<u64> {
    u64_at(stack, usize::try_from(address.checked_sub(sp)?).ok()?)
}

#[cfg(not(target_arch = "aarch64"))]
fn native(regs: Regs, _: u64) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(regs.ip, regs.sp, regs.fp)
}

#[cfg(target_arch = "aarch64")]
fn native(regs: Regs, _: u64) -> framehop::UnwindRegsNative {
    // User addresses have 48 bits at least; what is above signs them.
    let mask = framehop::aarch64::PtrAuthMask(u64::MAX >> 16);
    framehop::UnwindRegsNative::new_with_ptr_auth_mask(mask, regs.lr, regs.sp, regs.fp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place every 0x100 addresses up to 0x1000, each with its way to the caller.
    struct Fake(Vec<Caller>);

    impl Places for Fake {
        fn caller(&mut self, address: u64, _: &mut Unwinder) -> Option<Caller> {
            self.0.get(usize::try_from(address / 0x100).ok()?).copied()
        }

        fn module(&self, _: u64) -> Arc<str> {
            "fake".into()
        }
    }

    fn copied(chain: &[u64]) -> Copied {
        Copied { tid: 1, chain: chain.into(), regs: None, stack: Box::default() }
    }

    #[test]
    fn a_chain_is_certain_as_far_as_all_code_has_frame_pointers() {
        use Caller::{FramePointer, Table};
        let chain = copied(&[0x10, 0x110, 0x210, 0x310]);
        let mut all = Fake(vec![FramePointer; 4]);
        let walk = Unwinder::default().walk(&chain, &mut all);
        assert_eq!(walk.addresses, [0x10, 0x10f, 0x20f, 0x30f]);
        assert_eq!((walk.certain, walk.incomplete), (4, None));
        // The innermost function keeps none: its caller is missing.
        let mut first = Fake(vec![Table, FramePointer, FramePointer, FramePointer]);
        let walk = Unwinder::default().walk(&chain, &mut first);
        assert_eq!((walk.certain, walk.incomplete), (1, Some(Why::FramePointers)));
        let mut third = Fake(vec![FramePointer, FramePointer, Table, FramePointer]);
        assert_eq!(Unwinder::default().walk(&chain, &mut third).certain, 3);
    }

    #[test]
    fn a_chain_ends_where_nothing_is_mapped() {
        let mut places = Fake(vec![Caller::FramePointer; 2]);
        let walk = Unwinder::default().walk(&copied(&[0x10, 0x110, 0x9910]), &mut places);
        assert_eq!(walk.addresses.len(), 2);
        let nothing = Unwinder::default().walk(&copied(&[]), &mut places);
        assert_eq!(nothing.incomplete, Some(Why::NothingCopied));
    }

    #[test]
    fn a_stack_that_leads_in_circles_ends() {
        // A frame pointer chain whose links lead upwards for ever.
        let mut stack = Vec::new();
        for at in 0..1024_u64 {
            stack.extend((0x8000 + at * 16 + 16).to_le_bytes());
            stack.extend(0x110_u64.to_le_bytes());
        }
        let regs = Some(Regs { ip: 0x10, sp: 0x8000, fp: 0x8000, lr: 0, arguments: [None; 4] });
        let copied = Copied { tid: 1, chain: Box::default(), regs, stack: stack.into() };
        let mut places = Fake(vec![Caller::Unknown; 2]);
        let walk = Unwinder::default().walk(&copied, &mut places);
        assert_eq!((walk.addresses.len(), walk.incomplete), (MOST_FRAMES, Some(Why::TooDeep)));
        assert_eq!(walk.certain, 1);
    }
}
