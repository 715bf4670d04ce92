//! An ELF file, read part by part: its tables first, then what is asked for. Everything in it may
//! lie.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use object::elf::{
    ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD, FileHeader64, PF_X, PT_LOAD, ProgramHeader64,
    SHF_COMPRESSED, SHT_NOBITS, SectionHeader64,
};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _};
use object::read::{CompressedData, CompressionFormat};
use object::{LittleEndian, pod};

/// Names of sections, all together.
const MOST_NAMES: u64 = 1 << 20;
/// `Elf64_Chdr`: what stands before a compressed section.
const COMPRESSED_HEAD: usize = 24;

/// Pages of all machines that we run on are no larger.
const LARGEST_PAGE: u64 = 64 * 1024;

const LE: LittleEndian = LittleEndian;

/// What was found in the tables of a file.
#[derive(Debug)]
pub(super) struct Elf {
    file: File,
    sections: Vec<Section>,
    /// Parts that are run: where in the file, how long, at which address.
    segments: Vec<(u64, u64, u64)>,
}

/// A section by its name.
#[derive(Debug, Clone)]
pub(super) struct Section {
    name: Vec<u8>,
    /// Where it is mapped.
    pub(super) address: u64,
    offset: u64,
    size: u64,
    compressed: bool,
}

/// Bytes that may still be read.
#[derive(Debug)]
pub(super) struct Budget(pub(super) u64);

/// Why a section is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// There is none, or the file is broken there.
    Missing,
    /// It is larger than what may still be read.
    TooLarge,
}

impl Elf {
    /// Reads the tables; `None` for what is no ELF file of 64 bits, low byte first.
    pub(super) fn parse(file: File) -> Option<Self> {
        let mut head = Aligned::zeroed(size_of::<FileHeader64<LittleEndian>>());
        file.read_exact_at(head.bytes(), 0).ok()?;
        let head = FileHeader64::<LittleEndian>::parse(head.bytes() as &[u8]).ok()?;
        let mut segments = Vec::new();
        let mut table = read_table(&file, head.e_phoff(LE), head.e_phnum(LE), size_of::<Phdr>())?;
        for segment in table.as_slice::<Phdr>()? {
            if segment.p_type(LE) == PT_LOAD && segment.p_flags(LE).contains(PF_X) {
                let (offset, size) = segment.file_range(LE);
                segments.push((offset, size, segment.p_vaddr(LE)));
            }
        }
        let mut sections = Vec::new();
        // Files without sections can still run.
        if let Some(mut table) =
            read_table(&file, head.e_shoff(LE), head.e_shnum(LE), size_of::<Shdr>())
        {
            let table = table.as_slice::<Shdr>()?;
            let names = table.get(usize::from(head.e_shstrndx(LE).0))?;
            let names = read_at(&file, names.sh_offset(LE), names.sh_size(LE).min(MOST_NAMES))?;
            for header in table {
                if header.sh_type(LE) == SHT_NOBITS {
                    continue;
                }
                let at = usize::try_from(header.sh_name(LE)).ok()?;
                let name = names.get(at..).unwrap_or_default();
                let length = memchr::memchr(0, name).unwrap_or(name.len());
                sections.push(Section {
                    name: name[..length].to_vec(),
                    address: header.sh_addr(LE),
                    offset: header.sh_offset(LE),
                    size: header.sh_size(LE),
                    compressed: header.sh_flags(LE).contains(SHF_COMPRESSED),
                });
            }
        }
        Some(Self { file, sections, segments })
    }

    /// What turns an offset of the file into the address by which the file itself calls what is
    /// there; for parts that are run.
    pub(super) fn moved_by(&self, offset: u64) -> Option<u64> {
        // What is mapped begins at a page, perhaps before the part that is meant.
        let around = |&&(start, size, _): &&(u64, u64, u64)| {
            start - start % LARGEST_PAGE <= offset && offset < start.saturating_add(size)
        };
        let (start, _, address) = self.segments.iter().find(around)?;
        Some(address.wrapping_sub(*start))
    }

    /// The code just before an address, as the file itself calls it.
    pub(super) fn code_before<const SIZE: usize>(&self, address: u64) -> Option<[u8; SIZE]> {
        let size = u64::try_from(SIZE).ok()?;
        let first = address.checked_sub(size)?;
        let holds = |&&(_, length, start): &&(u64, u64, u64)| {
            start <= first && address <= start.saturating_add(length)
        };
        let (offset, _, start) = self.segments.iter().find(holds)?;
        let bytes = read_at(&self.file, offset.checked_add(first - start)?, size)?;
        bytes.try_into().ok()
    }

    /// The code from an address on.
    pub(super) fn code_at<const SIZE: usize>(&self, address: u64) -> Option<[u8; SIZE]> {
        self.code_before(address.checked_add(u64::try_from(SIZE).ok()?)?)
    }

    /// Whether calls into other files go through here.
    pub(super) fn is_stub(&self, address: u64) -> bool {
        let holds = |section: &Section| {
            section.address <= address && address - section.address < section.size
        };
        self.sections.iter().any(|section| section.name.starts_with(b".plt") && holds(section))
    }

    /// A section that holds something.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name.as_bytes() && section.size > 0)
    }

    /// What is in a section, decompressed.
    pub(super) fn bytes(&self, name: &str, budget: &mut Budget) -> Result<Arc<[u8]>, Lack> {
        let section = self.section(name).ok_or(Lack::Missing)?;
        budget.take(section.size)?;
        let bytes = read_at(&self.file, section.offset, section.size).ok_or(Lack::Missing)?;
        if !section.compressed {
            return Ok(bytes.into());
        }
        let (head, data) = bytes.split_at_checked(COMPRESSED_HEAD).ok_or(Lack::Missing)?;
        let kind = u32::from_le_bytes(head.first_chunk().copied().unwrap_or_default());
        let size = u64_at(head, 8).ok_or(Lack::Missing)?;
        budget.take(size)?;
        let format = match object::elf::CompressionType(kind) {
            ELFCOMPRESS_ZLIB => CompressionFormat::Zlib,
            ELFCOMPRESS_ZSTD => CompressionFormat::Zstandard,
            _ => return Err(Lack::Missing),
        };
        let compressed = CompressedData { format, data, uncompressed_size: size };
        compressed.decompress().map(|bytes| bytes.into()).map_err(|_| Lack::Missing)
    }

    /// The number by which a build is known, of its note.
    pub(super) fn build_id(&self) -> Option<Vec<u8>> {
        const MOST: u64 = 1024;
        let note = self.section(".note.gnu.build-id")?;
        let note = read_at(&self.file, note.offset, note.size.min(MOST))?;
        let word = |at: usize| note.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
        let (name, length) = (usize::try_from(word(0)?).ok()?, usize::try_from(word(4)?).ok()?);
        let start = name.checked_next_multiple_of(4)?.checked_add(12)?;
        let id = note.get(start..start.checked_add(length)?)?;
        (!id.is_empty()).then(|| id.to_vec())
    }
}

type Phdr = ProgramHeader64<LittleEndian>;
type Shdr = SectionHeader64<LittleEndian>;

impl Budget {
    /// Takes so many bytes, if there are as many left.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Lack> {
        self.0 = self.0.checked_sub(bytes).ok_or(Lack::TooLarge)?;
        Ok(())
    }
}

/// Bytes that begin where a number of 64 bits may begin.
struct Aligned {
    words: Vec<u64>,
    length: usize,
}

impl Aligned {
    fn zeroed(length: usize) -> Self {
        Self { words: vec![0; length.div_ceil(8)], length }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut pod::bytes_of_slice_mut(&mut self.words)[..self.length]
    }

    fn as_slice<T: pod::Pod>(&mut self) -> Option<&[T]> {
        pod::slice_from_all_bytes(self.bytes()).ok()
    }
}

/// Entries of a table; their number has 16 bits.
fn read_table(file: &File, offset: u64, entries: u16, size: usize) -> Option<Aligned> {
    let mut table = Aligned::zeroed(usize::from(entries) * size);
    (entries > 0).then_some(())?;
    file.read_exact_at(table.bytes(), offset).ok()?;
    Some(table)
}

/// Reads so much; `None` where the file is shorter.
fn read_at(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    // Before anything is reserved: the number may be any.
    let end = offset.checked_add(size)?;
    (end <= file.metadata().ok()?.len()).then_some(())?;
    let mut bytes = vec![0; usize::try_from(size).ok()?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
