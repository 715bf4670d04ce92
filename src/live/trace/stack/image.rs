//! One file with code: its unwind table, and what it says of lines and names.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::CWD;

use super::dwarf::{Call, Lines};
use super::elf::{Budget, Elf, Lack};
use super::frames::Why;
use super::gopclntab::GoTable;
use super::leaf;
use super::maps::file_within;
use super::symbols::Symbols;
use super::table::{Caller, Table};

/// Bytes of one unwind table.
const MOST_TABLE: u64 = 64 << 20;

/// The first byte of a call by distance (x86-64).
const NEAR_CALL: u8 = 0xe8;

/// A file with code.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) elf: Elf,
    pub(super) table: Option<Table>,
    /// Read when the first of its frames is named.
    names: Option<Names>,
}

/// What a file says of lines and names.
#[derive(Debug)]
struct Names {
    lines: Option<Lines>,
    go: Option<GoTable>,
    symbols: Symbols,
    /// Whether there are lines that take too much memory.
    too_large: bool,
}

impl Image {
    pub(super) fn of(file: File, budget: &mut Budget) -> Option<Self> {
        let elf = Elf::parse(file)?;
        let mut own = Budget(budget.0.min(MOST_TABLE));
        let before = own.0;
        let table = Table::of(&elf, &mut own);
        // Less than what there was of it.
        let _ = budget.take(before - own.0);
        Some(Self { elf, table, names: None })
    }

    /// How the caller is found from an address, as the file itself calls it.
    pub(super) fn caller(&self, address: u64) -> Caller {
        match self.table.as_ref().map_or(Caller::Unknown, |table| table.caller(address)) {
            // Code of Go has frame pointers, and no table. What its few functions without a frame
            // leave out is Go's own.
            Caller::Unknown if self.is_go() => Caller::FramePointer,
            Caller::Unknown if self.returns_at_once(address) => Caller::Top,
            caller => caller,
        }
    }

    /// Where the call leads that returns to an address, where the instruction itself tells. All
    /// addresses are as the file itself calls them.
    pub(super) fn called(&self, back: u64) -> Option<u64> {
        if cfg!(target_arch = "aarch64") {
            // BL, with 26 bits that count instructions.
            let word = u32::from_le_bytes(self.elf.code_before(back)?);
            let far = i64::from((word << 6).cast_signed() >> 6) * 4;
            return (word >> 26 == 0b10_0101).then(|| (back - 4).wrapping_add_signed(far));
        }
        let [code, far @ ..] = self.elf.code_before::<5>(back)?;
        (code == NEAR_CALL).then(|| back.wrapping_add_signed(i32::from_le_bytes(far).into()))
    }

    fn returns_at_once(&self, address: u64) -> bool {
        let code = self.elf.code_at(address);
        cfg!(target_arch = "x86_64") && code.as_ref().is_some_and(leaf::returns_at_once)
    }

    fn is_go(&self) -> bool {
        GO.iter().any(|name| self.elf.section(name).is_some())
    }

    /// The calls at an address, innermost first, and what is missing of them.
    pub(super) fn calls(
        &mut self,
        address: u64,
        module: &Arc<str>,
        dir: BorrowedFd<'_>,
        budget: &mut Budget,
    ) -> (Vec<Call>, Option<Why>) {
        let Self { elf, names, .. } = self;
        let names = names.get_or_insert_with(|| Names::of(elf, dir, budget));
        let (calls, known) = names.calls(address);
        let why = match known {
            Known::Lines => None,
            _ if names.too_large => Some(Why::TooLarge(Arc::clone(module))),
            Known::Names => Some(Why::NoLines(Arc::clone(module))),
            Known::Nothing => Some(Why::Stripped(Arc::clone(module))),
        };
        (calls, why)
    }
}

/// What is known of a place.
enum Known {
    Lines,
    Names,
    Nothing,
}

/// Sections that only Go's linker writes: the table of functions and lines.
const GO: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

impl Names {
    fn of(elf: &Elf, dir: BorrowedFd<'_>, budget: &mut Budget) -> Self {
        let apart = debug_file(elf, dir);
        let (mut lines, mut too_large) = (None, false);
        for elf in [Some(elf), apart.as_ref()].into_iter().flatten() {
            match Lines::of(elf, budget) {
                Ok(found) => {
                    lines = Some(found);
                    break;
                }
                Err(lack) => too_large |= lack == Lack::TooLarge,
            }
        }
        let text = elf.section(".text").map_or(0, |section| section.address);
        let go = GO.iter().find_map(|name| GoTable::of(elf.bytes(name, budget).ok()?, text));
        let mut symbols = Symbols::of(apart.as_ref().unwrap_or(elf), budget);
        if symbols.is_empty() {
            symbols = Symbols::of(elf, budget);
        }
        Self { lines, go, symbols, too_large }
    }

    fn calls(&self, address: u64) -> (Vec<Call>, Known) {
        let symbol = || self.symbols.at(address).map(str::to_owned);
        let mut calls = self.lines.as_ref().map(|lines| lines.calls(address)).unwrap_or_default();
        if let Some(outer) = calls.last_mut() {
            // Lines alone come with bare names; what is mangled has the path before them.
            let whole = symbol().filter(|name| outer.function.is_none() || is_mangled(name));
            outer.function = whole.or(outer.function.take());
            let known = if calls[0].line.is_some() { Known::Lines } else { Known::Names };
            return (calls, known);
        }
        if let Some(call) = self.go.as_ref().and_then(|go| go.call(address)) {
            let known = if call.line.is_some() { Known::Lines } else { Known::Names };
            return (vec![call], known);
        }
        match symbol() {
            Some(name) => (vec![Call { function: Some(name), ..Call::default() }], Known::Names),
            None => (vec![Call::default()], Known::Nothing),
        }
    }
}

fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z") || name.starts_with("_R")
}

/// The file that debug information was put into, found by the number of the build: in the root of
/// the process, then in our own.
fn debug_file(elf: &Elf, dir: BorrowedFd<'_>) -> Option<Elf> {
    if elf.section(".debug_line").is_some() {
        return None;
    }
    let id = elf.build_id()?;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2)?;
    let path = format!("usr/lib/debug/.build-id/{first}/{rest}.debug");
    let of_target = file_within(dir, Path::new(&path)).ok();
    let file = of_target.or_else(|| {
        let file = rustix::fs::openat(
            CWD,
            format!("/{path}"),
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        file.ok().map(File::from)
    })?;
    Elf::parse(file).filter(|found| found.build_id().as_ref() == Some(&id))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};
    use std::os::fd::AsFd as _;

    use proptest::prelude::*;

    use super::*;
    use crate::live::trace::stack::sample::{Copied, Regs};
    use crate::live::trace::stack::unwind::{Places, Unwinder};

    /// `fixtures/stacks/tiny.c`, built as that says.
    const TINY: &[u8] = include_bytes!("../../../../fixtures/stacks/tiny.elf");

    fn image(bytes: &[u8]) -> Option<Image> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Image::of(file, &mut Budget(1 << 20))
    }

    fn calls(image: &mut Image, address: u64, budget: u64) -> (Vec<Call>, Option<Why>) {
        let nowhere = File::open("/proc/self").unwrap();
        image.calls(address, &"tiny".into(), nowhere.as_fd(), &mut Budget(budget))
    }

    /// An address in the inlined call.
    fn inside(image: &Image) -> u64 {
        image.elf.section(".text").unwrap().address + 12
    }

    #[test]
    fn inlined_calls_have_frames_of_their_own() {
        let mut image = image(TINY).unwrap();
        let address = inside(&image);
        let (found, why) = calls(&mut image, address, 1 << 20);
        let names: Vec<_> = found.iter().map(|call| call.function.as_deref().unwrap()).collect();
        assert_eq!((&names[..], why), (&["inner", "_start"][..], None), "{found:?}");
        assert!(found.iter().all(|call| call.line.is_some()));
        assert_ne!(image.caller(address), Caller::Unknown);
    }

    #[test]
    fn what_is_too_large_is_left_and_said() {
        let mut image = image(TINY).unwrap();
        let address = inside(&image);
        let (_, why) = calls(&mut image, address, 10);
        assert_eq!(why, Some(Why::TooLarge("tiny".into())));
        assert!(Image::of(File::open("/dev/null").unwrap(), &mut Budget(10)).is_none());
    }

    /// A file that is mapped where it says.
    struct Alone(Image);

    impl Places for Alone {
        fn caller(&mut self, address: u64, _: &mut Unwinder) -> Option<Caller> {
            Some(self.0.caller(address))
        }

        fn module(&self, _: u64) -> Arc<str> {
            "tiny".into()
        }
    }

    fn walk(image: Image, ip: u64) {
        let mut unwinder = Unwinder::default();
        if let Some(table) = &image.table {
            unwinder.add(0x40_0000..0x40_1000, 0, table);
        }
        let regs = Some(Regs { ip, sp: 0x7000, fp: 0x7010, lr: ip, arguments: [None; 4] });
        let stack = (0..32).flat_map(|_| (ip + 1).to_le_bytes()).collect();
        let copied = Copied { tid: 1, chain: [ip, ip].into(), regs, stack };
        unwinder.walk(&copied, &mut Alone(image));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn broken_files_are_read_without_harm(
            changes in prop::collection::vec((0_usize..TINY.len(), any::<u8>()), 1..40),
            length in TINY.len() / 2..TINY.len() * 2,
            address in any::<u64>(),
        ) {
            let mut bytes = TINY.to_vec();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(length);
            if let Some(mut image) = image(&bytes) {
                for address in [address, 0x40_0140 + address % 64] {
                    image.caller(address);
                    calls(&mut image, address, 1 << 20);
                }
                walk(image, 0x40_0140 + address % 64);
            }
        }
    }
}
