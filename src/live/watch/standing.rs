//! What a group's verdict has been: hysteresis, so that a leak leaves only by stopping or clearing.

use crate::finding::Verdict;
use crate::live::detect::clock::{Clock, Life};
use crate::live::detect::rules::Judged;
use crate::live::facts::Millis;

/// A leak that was found, followed by its survivors until they are closed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leak {
    /// The finding when it was last significant.
    pub(super) judged: Judged,
    /// Survivors of the leak are those born from here on.
    pub(super) first_birth: Millis,
    /// Most survivors at any time.
    pub(super) peak: u64,
    /// Survivors now.
    pub(super) survivors: u64,
    /// Birth of the youngest survivor.
    pub(super) last_birth: Millis,
    /// Whether it goes on, stopped or was cleared.
    pub(super) verdict: Verdict,
}

/// A group's verdict over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Standing {
    /// The present judgement of the engines, without memory.
    pub(super) present: Option<Judged>,
    /// A leak found earlier.
    pub(super) leak: Option<Leak>,
    /// When the shown verdict was reached.
    pub(super) since: Millis,
    shown: Option<Verdict>,
}

impl Standing {
    /// The verdict to show; `None` when nothing is significant.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.shown
    }

    /// The numbers to show: those of the leak while it is the reason for the verdict.
    pub(super) fn judged(&self) -> Option<&Judged> {
        match (&self.present, &self.leak) {
            (Some(present), _) if present.verdict == Verdict::Leaking => Some(present),
            (_, Some(leak)) => Some(&leak.judged),
            (present, None) => present.as_ref(),
        }
    }

    /// Takes the engines' judgement at `now` and the lives of the group's members.
    pub(super) fn update(
        &mut self,
        now: Millis,
        bucket: Millis,
        present: Option<Judged>,
        lives: impl Iterator<Item = Life>,
    ) {
        self.present = present;
        if let Some(judged) = present.filter(|j| j.verdict == Verdict::Leaking) {
            let fresh_start = self.leak.as_ref().is_none_or(|l| l.verdict == Verdict::Cleared);
            let leak = self.leak.get_or_insert_with(|| Leak::new(judged));
            if fresh_start {
                *leak = Leak::new(judged);
            }
            leak.judged = judged;
            leak.first_birth = leak.first_birth.min(judged.stats.first_birth);
        }
        let leaking_now = present.is_some_and(|j| j.verdict == Verdict::Leaking);
        let last_birth = self.leak.as_ref().map_or(Millis::MIN, |leak| leak.last_birth);
        let suspect_again = present
            .is_some_and(|j| j.verdict >= Verdict::Suspect && j.stats.first_birth > last_birth);
        if let Some(leak) = &mut self.leak {
            leak.follow(now, bucket, leaking_now, lives);
            // Nothing of it is left: the group starts over.
            if leak.verdict == Verdict::Cleared && (leak.survivors == 0 || suspect_again) {
                let long_ago = now - leak.last_birth > 4 * (leak.judged.age + 120 * bucket);
                if suspect_again || long_ago {
                    self.leak = None;
                }
            }
        }
        let shown = match (&self.leak, &self.present) {
            (Some(leak), _) => Some(leak.verdict),
            (None, Some(present)) => Some(present.verdict),
            (None, None) => None,
        };
        if shown != self.shown {
            self.shown = shown;
            self.since = now;
        }
    }
}

impl Leak {
    fn new(judged: Judged) -> Self {
        Self {
            judged,
            first_birth: judged.stats.first_birth,
            peak: 0,
            survivors: 0,
            last_birth: judged.stats.last_birth,
            verdict: Verdict::Leaking,
        }
    }

    fn follow(
        &mut self,
        now: Millis,
        bucket: Millis,
        leaking_now: bool,
        lives: impl Iterator<Item = Life>,
    ) {
        let horizon = now - self.judged.age;
        let mut births: Vec<Millis> = lives
            .filter(|life| still_leaked(self.judged.clock, life, self.judged.age))
            .filter_map(|life| life.born(self.judged.clock))
            .filter(|&born| born >= self.first_birth && born <= horizon)
            .collect();
        self.survivors = births.len() as u64;
        self.peak = self.peak.max(self.survivors);
        births.sort_unstable();
        if let Some(&last) = births.last() {
            self.last_birth = self.last_birth.max(last);
        }
        let gap = (self.last_birth - self.first_birth) / (self.peak.max(2) as Millis - 1);
        let quiet = horizon - self.last_birth;
        self.verdict = if leaking_now {
            Verdict::Leaking
        } else if self.survivors * 2 < self.peak {
            Verdict::Cleared
        } else if quiet > (6 * bucket).max(4 * gap) + 4 * gap {
            Verdict::LeakStopped
        } else if self.verdict == Verdict::Cleared {
            Verdict::Cleared
        } else {
            Verdict::Leaking
        };
    }
}

fn still_leaked(clock: Clock, life: &Life, age: Millis) -> bool {
    clock != Clock::Dormant
        || !life.visible
        || life.awake_until == Millis::MIN
        || (life.awake_until != Millis::MAX
            && life.entered != Millis::MIN
            && life.awake_until <= life.entered + age)
}
