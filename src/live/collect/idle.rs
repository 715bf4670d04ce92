//! When a connection fell silent or woke: facts only when that truly changed.

use crate::live::facts::{Activity, Millis};

/// What was last said of a handle's activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// Nothing can be told.
    #[default]
    Unseen,
    /// Heard within the last bucket.
    Awake,
    /// Silent since this time, not rounded.
    Silent(Millis),
}

impl Idle {
    /// Takes in when data last flowed. Gives the activity to report when it changed.
    ///
    /// The clocks of kernel and beat jitter. A handle that was silent at the last beat had been so
    /// for a bucket, so that real data since then is more than one bucket younger than what was
    /// heard before: anything closer is the same silence, and rounding makes no false wake-up.
    pub fn hear(&mut self, last: Option<Millis>, now: Millis, bucket: Millis) -> Option<Activity> {
        let next = match (*self, last) {
            (_, None) => Self::Unseen,
            (Self::Silent(before), Some(last)) if last <= before.saturating_add(bucket) => {
                return None;
            }
            (_, Some(last)) if last > now.saturating_sub(bucket) => Self::Awake,
            (_, Some(last)) => Self::Silent(last),
        };
        if next == *self {
            return None;
        }
        *self = next;
        Some(self.activity(bucket))
    }

    /// As it is reported: silence begins at the start of a bucket.
    pub fn activity(self, bucket: Millis) -> Activity {
        match self {
            Self::Unseen => Activity::Unseen,
            Self::Awake => Activity::Awake,
            Self::Silent(since) => Activity::SilentSince(since.div_euclid(bucket) * bucket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_with_jitter_is_said_once() {
        for offset in [0, 1, 500, 999] {
            let mut idle = Idle::default();
            let mut said = Vec::new();
            for beat in 0..1000_i64 {
                let now = beat * 1000;
                let jitter = (beat * 37) % 11 - 5;
                said.extend(idle.hear(Some(3000 + offset + jitter), now.max(3000), 1000));
            }
            assert_eq!(said, [Activity::Awake, said[1]]);
            assert!(matches!(said[1], Activity::SilentSince(2000 | 3000 | 4000)));
        }
    }

    #[test]
    fn heard_in_between_and_woken() {
        let mut idle = Idle::default();
        let silent = |at| Some(Activity::SilentSince(at));
        assert_eq!(idle.hear(Some(-70_500), 0, 1000), silent(-71_000));
        assert_eq!(idle.hear(Some(-70_497), 5000, 1000), None);
        // Data flowed after the last beat, and it is silent again.
        assert_eq!(idle.hear(Some(6100), 10_000, 1000), silent(6000));
        assert_eq!(idle.hear(Some(14_900), 15_000, 1000), Some(Activity::Awake));
        assert_eq!(idle.hear(Some(19_900), 20_000, 1000), None);
        assert_eq!(idle.hear(None, 25_000, 1000), Some(Activity::Unseen));
    }
}
