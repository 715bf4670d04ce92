//! From what the kernel copied of a thread to the line that called.

mod code;
mod frames;
mod sample;

pub use code::Code;
pub use frames::{Frame, Frames, Role, Site, Through, Why};
pub use sample::{Copied, REGS, Regs, STACK_BYTES, Sample};
