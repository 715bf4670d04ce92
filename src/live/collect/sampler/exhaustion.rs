//! The trap for calls that fail at a limit, of all targets that are sampled.

use super::Sampler;
use crate::live::collect::exhaustion::Exhaustion;

impl Sampler {
    /// Waits for calls of the targets that fail because no more file descriptors may be had.
    pub fn with_exhaustion(&mut self) {
        self.exhaustion = Some(Exhaustion::start(self.targets()));
    }

    /// Whether such a call has failed since this was last asked, so that it is time for a look.
    pub fn exhausted(&self) -> bool {
        self.exhaustion.as_ref().is_some_and(Exhaustion::fired)
    }

    /// Why such calls are not heard although that was begun; empty where they are.
    pub fn exhaustion_failed(&self) -> &str {
        self.exhaustion.as_ref().map_or("", Exhaustion::failed)
    }
}
