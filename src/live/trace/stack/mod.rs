//! From what the kernel copied of a thread to the line that called.

mod code;
mod dwarf;
mod elf;
mod frames;
mod gopclntab;
mod image;
mod leaf;
mod maps;
mod names;
mod perf_map;
mod roles;
mod sample;
mod symbols;
mod table;
mod unwind;

pub use code::Code;
pub use frames::{Frame, Frames, Role, Site, Through, Why};
pub use sample::{Copied, REGS, Regs, STACK_BYTES, Sample};
