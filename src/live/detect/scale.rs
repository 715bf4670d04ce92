//! Ages, buckets and spans of judgement per kind of handle, and how `--lifetime` scales them.

use crate::live::facts::Millis;
use crate::live::outcome::Scale;

/// The default age that `--lifetime` replaces: just over the common 90 s idle time-out.
pub const DEFAULT_LIFETIME_MS: Millis = 95_000;
/// The smallest bucket, however short the stated lifetime.
const MIN_BUCKET_MS: Millis = 100;
/// Number of buckets in one window of an engine.
pub const GENERATIONS: usize = 120;
/// Number of window lengths: 10 min, 40 min, 2.7 h and 10.7 h by default.
pub const SCALES: usize = 4;

/// Timing of all judgement in one watch, derived from the stated lifetime.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    lifetime_ms: Option<Millis>,
    /// Of the shortest window that there could be.
    bucket_ms: Millis,
    /// Windows that are too short for the beat.
    skipped: usize,
    /// Handles past the age that a group needs before anything is computed about it.
    pub least_old: usize,
    /// Only those of them count that were born under our eyes.
    pub only_promoted: bool,
    /// Groups of one target about which anything is computed.
    pub most_judged: usize,
}

/// Ages and spans for one kind of handle at one window length, all in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// Bucket width.
    pub bucket: Millis,
    /// Age past which a normal handle is gone.
    pub old: Millis,
    /// Age of the faster clock that `suspect` uses.
    pub suspect: Millis,
    /// Least spread of births for `leaking` where activity is visible.
    pub span: Millis,
    /// The same for high confidence.
    pub span_high: Millis,
    /// Least spread where only the age is known.
    pub span_age: Millis,
    /// The same for high confidence, and for `growing_in_use`.
    pub span_age_high: Millis,
    /// Least spread for high confidence when the standing stock is as old as the process.
    pub span_stock: Millis,
    /// Least spread for `suspect`.
    pub span_suspect: Millis,
}

impl Timing {
    /// Timing for a stated longest normal lifetime, or the defaults per kind.
    pub fn new(lifetime_ms: Option<Millis>) -> Self {
        let bucket_ms = match lifetime_ms {
            Some(l) => (l / 19).max(MIN_BUCKET_MS),
            None => DEFAULT_LIFETIME_MS / 19,
        };
        Self {
            lifetime_ms: lifetime_ms.map(|l| l.max(2 * MIN_BUCKET_MS)),
            bucket_ms,
            skipped: 0,
            least_old: 1,
            only_promoted: false,
            most_judged: usize::MAX,
        }
    }

    /// The same for a beat of so many milliseconds over very many targets: without windows whose
    /// buckets are shorter than the beat, and with engines only where five handles were born under our
    /// eyes and are old, for 64 groups of a target.
    #[must_use]
    pub fn frugal(self, beat_ms: Millis) -> Self {
        let fits = |skipped: usize| self.bucket_ms << (2 * skipped) >= beat_ms;
        let skipped = (0..SCALES).find(|&skipped| fits(skipped)).unwrap_or(SCALES - 1);
        Self { skipped, least_old: 5, only_promoted: true, most_judged: 64, ..self }
    }

    /// Number of window lengths.
    pub fn scales(&self) -> usize {
        SCALES - self.skipped
    }

    /// Width of a bucket, and the longest useful interval between identifications.
    pub fn bucket_ms(&self) -> Millis {
        self.bucket_at(0)
    }

    /// Scales a duration that is given for the default lifetime.
    pub fn scaled(&self, default_ms: Millis) -> Millis {
        match self.lifetime_ms {
            Some(l) => (default_ms * l / DEFAULT_LIFETIME_MS).max(self.bucket_ms()),
            None => default_ms,
        }
    }

    /// Births before the process has this age are its start-up.
    pub fn start_up_ms(&self) -> Millis {
        self.scaled(300_000)
    }

    /// Length of a window at a scale, in milliseconds.
    pub fn window_ms(&self, scale: usize) -> Millis {
        self.bucket_at(scale) * GENERATIONS as Millis
    }

    fn bucket_at(&self, scale: usize) -> Millis {
        self.bucket_ms << (2 * (scale + self.skipped))
    }

    /// Ages for a kind and state at a window length; `learned` is the group's own normal life.
    pub fn ages(&self, kind: &str, state: &str, scale: usize, learned: Millis) -> Ages {
        let close_wait = state == "CLOSE_WAIT";
        let default_old = match (kind, close_wait) {
            (_, true) => 15_000,
            ("thread", _) => 70_000,
            ("socket", _) => DEFAULT_LIFETIME_MS,
            _ => 30_000,
        };
        let base_old = self.lifetime_ms.unwrap_or(default_old);
        let (bucket, scale) = (self.bucket_at(scale), scale + self.skipped);
        let old = (base_old << scale).max(learned);
        let base_suspect = base_old.min(self.scaled(30_000));
        let spread = |default_ms: Millis| self.scaled(default_ms) << (2 * scale);
        let close_wait = close_wait && self.lifetime_ms.is_none();
        Ages {
            bucket,
            old,
            suspect: (base_suspect << scale).max(learned.min(old)).min(old),
            span: spread(if close_wait { 60_000 } else { 120_000 }),
            span_high: spread(if close_wait { 120_000 } else { 240_000 }),
            span_age: spread(240_000),
            span_age_high: spread(300_000),
            span_stock: spread(60_000),
            span_suspect: spread(30_000),
        }
    }

    /// What is shown of the scale.
    pub fn shown(&self) -> Scale {
        let ages = self.ages("socket", "", 0, 0);
        Scale {
            lifetime_ms: self.lifetime_ms,
            bucket_ms: self.bucket_ms(),
            age_ms: ages.old,
            start_up_ms: self.start_up_ms(),
            shortest_ms: ages.old + ages.span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_design() {
        let timing = Timing::new(None);
        assert_eq!(timing.bucket_ms(), 5_000);
        assert_eq!(timing.window_ms(0), 600_000);
        assert_eq!(timing.window_ms(3), 38_400_000);
        let socket = timing.ages("socket", "ESTABLISHED", 0, 0);
        assert_eq!((socket.old, socket.suspect, socket.span), (95_000, 30_000, 120_000));
        let close_wait = timing.ages("socket", "CLOSE_WAIT", 0, 0);
        assert_eq!((close_wait.old, close_wait.suspect, close_wait.span), (15_000, 15_000, 60_000));
        assert_eq!(timing.ages("socket", "", 2, 0).old, 380_000);
    }

    #[test]
    fn a_slow_beat_leaves_out_windows_that_are_too_short_for_it() {
        let (whole, frugal) = (Timing::new(None), Timing::new(None).frugal(15_000));
        assert_eq!((frugal.bucket_ms(), frugal.scales()), (20_000, SCALES - 1));
        for scale in 0..frugal.scales() {
            let ages = |timing: &Timing, scale| timing.ages("socket", "", scale, 0);
            assert_eq!(ages(&frugal, scale), ages(&whole, scale + 1));
            assert_eq!(frugal.window_ms(scale), whole.window_ms(scale + 1));
        }
        assert_eq!(whole.frugal(5_000).bucket_ms(), 5_000);
        assert_eq!(whole.frugal(Millis::MAX).scales(), 1);
    }

    #[test]
    fn a_stated_lifetime_scales_everything() {
        let timing = Timing::new(Some(1_900));
        assert_eq!(timing.bucket_ms(), 100);
        assert_eq!(timing.ages("file", "", 0, 0).old, 1_900);
        assert_eq!(timing.ages("socket", "CLOSE_WAIT", 0, 0).span, 2_400);
        assert_eq!(timing.start_up_ms(), 6_000);
    }
}
