//! The closed vocabulary of verdicts, in rising order of concern, and how sure we are of one.

use serde::{Deserialize, Serialize};

use std::fmt;
use std::str::FromStr;

/// What the evidence says about one resource, in rising order of concern.
///
/// `--fail-on` compares by this order, so the order is part of the public contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No key is significant and 24 h at the upper rate would use under 10 % of the headroom.
    Stable,
    /// A former leak of which more than half of the survivors have been closed.
    Cleared,
    /// A former leak that no longer grows, its survivors still held.
    LeakStopped,
    /// Too little was seen to say anything about the rate that matters.
    InsufficientData,
    /// Handles survive and pile up, but ever more slowly: a pool or cache that fills.
    Plateauing,
    /// The population grows but its handles are in use: load, a ramp, or a leak that is pinged.
    GrowingInUse,
    /// Early or weak evidence of a leak; also the most that a plain count can say.
    Suspect,
    /// Both keys and both guards hold: handles pass the age of normal ones and are not closed.
    Leaking,
}

impl Verdict {
    /// All verdicts in rising order.
    pub const ALL: [Self; 8] = [
        Self::Stable,
        Self::Cleared,
        Self::LeakStopped,
        Self::InsufficientData,
        Self::Plateauing,
        Self::GrowingInUse,
        Self::Suspect,
        Self::Leaking,
    ];

    /// The name used in documents and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Cleared => "cleared",
            Self::LeakStopped => "leak_stopped",
            Self::InsufficientData => "insufficient_data",
            Self::Plateauing => "plateauing",
            Self::GrowingInUse => "growing_in_use",
            Self::Suspect => "suspect",
            Self::Leaking => "leaking",
        }
    }

    /// Whether a person is told about it as a finding of its own.
    pub fn is_finding(self) -> bool {
        self >= Self::Plateauing || matches!(self, Self::LeakStopped | Self::Cleared)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|v| v.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a verdict"))
    }
}

/// How much a verdict can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confidence {
    /// Weak evidence: a count, a short watch, or one sample.
    Low,
    /// The guards of the verdict hold.
    Medium,
    /// The wide guards hold too (measured false-alarm rate below 0.2 % per 10-minute watch).
    High,
    /// Something outside the statistics proves it.
    Proof,
}

impl Confidence {
    /// The name used in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Proof => "proof",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
