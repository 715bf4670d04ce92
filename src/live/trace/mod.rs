//! Events of the kernel: tracepoints, their rings, and what is made of what they tell.

pub mod connections;
pub mod exhaustion;
pub mod openings;
pub mod ring;
pub mod stack;
pub mod tracepoint;
