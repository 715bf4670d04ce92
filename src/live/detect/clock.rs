//! The three clocks by which one handle's life is told: age, silence, and dormancy since birth.

use crate::live::facts::{Activity, Millis};

/// What counts as a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// From opening to closing.
    Age,
    /// From falling silent to waking or closing; each silence is a life of its own.
    Stale,
    /// From opening to closing or to the first activity past the age.
    Dormant,
}

impl Clock {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Stale => "stale",
            Self::Dormant => "dormant",
        }
    }
}

/// One handle as one group sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it entered the group; `Millis::MIN` when it was there before we came.
    pub entered: Millis,
    /// When its present silence began, clamped to `entered`; `None` while awake.
    pub silent_since: Option<Millis>,
    /// Whether activity can be seen at all.
    pub visible: bool,
    /// Until when we took it for awake: `Millis::MAX` while awake, `Millis::MIN` if it never was.
    pub awake_until: Millis,
    /// Births before this time are start-up or older and carry no evidence for `leaking`.
    pub guarded_until: Millis,
}

impl Life {
    /// A life from what is known of the handle.
    pub fn new(
        entered: Millis,
        activity: Activity,
        awake_until: Millis,
        guarded_until: Millis,
    ) -> Self {
        Self {
            entered,
            silent_since: match activity {
                Activity::SilentSince(since) => Some(since.max(entered)),
                Activity::Awake | Activity::Unseen => None,
            },
            visible: activity != Activity::Unseen,
            awake_until,
            guarded_until,
        }
    }

    /// Birth by a clock; `None` when this clock has no life running.
    pub fn born(&self, clock: Clock) -> Option<Millis> {
        match clock {
            Clock::Stale if self.visible => self.silent_since,
            Clock::Age | Clock::Dormant | Clock::Stale => Some(self.entered),
        }
    }
}
