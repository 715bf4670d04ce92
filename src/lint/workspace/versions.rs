//! What is known of the version of a dependency, and whether a fact about versions covers it.

use semver::{Prerelease, Version, VersionReq};

use super::interval::Interval;

/// What is known of the version of a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// The lock file names this one.
    Locked(Version),
    /// Without a lock file: any that the manifest admits.
    Required(VersionReq),
    /// Neither a lock nor a requirement, as with a git dependency, or several that contradict.
    Unknown,
}

impl Versions {
    /// Whether what holds for the versions `fact` surely holds here: for the locked version, for
    /// every version that a requirement admits, and for an unknown one only without limits.
    ///
    /// A fact that names no pre-release takes `1.0.0-rc.1` for `1.0.0`.
    #[must_use]
    pub fn allows(&self, fact: &VersionReq) -> bool {
        let exact = fact.comparators.iter().any(|comparator| !comparator.pre.is_empty());
        let limits = Interval::of(fact);
        match self {
            Self::Locked(version) if exact => fact.matches(version),
            Self::Locked(version) => matches_release(fact, version),
            Self::Required(requirement) => {
                let admitted = Interval::of(requirement);
                let admitted = if exact { admitted } else { admitted.starting_at_release() };
                !admitted.is_empty() && admitted.inside(&limits)
            }
            Self::Unknown => limits == Interval::of(&VersionReq::STAR),
        }
    }
}

impl Versions {
    /// Which of several facts about one thing hold here. Where no single one holds for every
    /// version that a requirement admits, but all of them together do, each that may hold counts.
    #[must_use]
    pub fn holding(&self, facts: &[Option<&VersionReq>]) -> Vec<bool> {
        let surely: Vec<bool> =
            facts.iter().map(|fact| fact.is_none_or(|fact| self.allows(fact))).collect();
        let Self::Required(requirement) = self else { return surely };
        if surely.contains(&true) {
            return surely;
        }
        let admitted = Interval::of(requirement).starting_at_release();
        let limits: Vec<Interval> = facts
            .iter()
            .map(|fact| Interval::of(fact.unwrap_or(&VersionReq::STAR)).starting_at_release())
            .collect();
        let may: Vec<bool> = limits.iter().map(|limits| limits.overlaps(&admitted)).collect();
        let mut sorted: Vec<&Interval> =
            limits.iter().zip(&may).filter(|(_, may)| **may).map(|(limits, _)| limits).collect();
        sorted.sort_by(|a, b| a.low.cmp(&b.low));
        if admitted.is_covered_by(&sorted) { may } else { surely }
    }
}

/// Whether the release that `version` is or leads to matches.
pub(super) fn matches_release(requirement: &VersionReq, version: &Version) -> bool {
    requirement.matches(&Version { pre: Prerelease::EMPTY, ..version.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(text: &str) -> Versions {
        Versions::Required(VersionReq::parse(text).unwrap())
    }

    fn locked(text: &str) -> Versions {
        Versions::Locked(Version::parse(text).unwrap())
    }

    #[track_caller]
    fn check(versions: &Versions, fact: &str, expected: bool) {
        let allowed = versions.allows(&VersionReq::parse(fact).unwrap());
        assert_eq!(allowed, expected, "{versions:?} under {fact}");
    }

    #[test]
    fn facts_that_share_what_is_admitted_hold_together() {
        let one = VersionReq::parse(">=0.10, <0.12.23").unwrap();
        let two = VersionReq::parse(">=0.12.23").unwrap();
        let both = [Some(&one), Some(&two)];
        assert_eq!(required("0.12.4").holding(&both), [true, true]);
        assert_eq!(required("0.12.30").holding(&both), [false, true]);
        assert_eq!(required("0.11").holding(&both), [true, false]);
        // Something older is admitted that nobody knows about.
        assert_eq!(required(">=0.9").holding(&both), [false, false]);
        let later = VersionReq::parse(">=0.12.25").unwrap();
        assert_eq!(required("0.12.4").holding(&[Some(&one), Some(&later)]), [false, false]);
        assert_eq!(locked("0.12.4").holding(&both), [true, false]);
    }

    #[test]
    fn a_requirement_must_lie_inside_the_fact() {
        check(&required("^0.11"), ">=0.9, <0.12", true);
        check(&required("0.11.4"), ">=0.9, <0.12", true);
        check(&required("^0.12"), ">=0.9, <0.12", false);
        check(&required(">=0.8, <0.12"), ">=0.9, <0.12", false);
        check(&required("*"), "*", true);
        check(&required("*"), ">=0", true);
        check(&required("*"), ">=0.0.1", false);
        check(&required("*"), "<100", false);
        check(&required(">=1"), "^1", false);
        check(&required("^1"), ">=1", true);
        check(&required("1"), "<2", true);
        check(&required("1.2"), "<2", true);
        check(&required("=1.2.3"), "1.2.3", true);
        check(&required("1.2.3"), "=1.2.3", false);
        check(&required("^0.0.3"), "=0.0.3", true);
        check(&required(">2, <1"), "*", false);
    }

    #[test]
    fn a_locked_version_is_matched() {
        check(&locked("0.32.7"), "<1", true);
        check(&locked("1.0.0"), "<1", false);
        check(&locked("1.0.0"), "*", true);
    }

    #[test]
    fn pre_releases_count_as_releases_unless_the_fact_names_one() {
        check(&locked("1.0.0-rc.1"), ">=1", true);
        check(&locked("1.0.0-rc.1"), "<1", false);
        check(&locked("1.0.0-rc.1"), ">=1.0.0-rc.2", false);
        check(&locked("1.0.0-rc.1"), ">=1.0.0-rc.0", true);
        check(&locked("1.0.0-rc.1"), "*", true);
        check(&required("1.0.0-rc.1"), ">=1", true);
        check(&required("1.0.0-rc.1"), ">=1.0.0-rc.2", false);
    }

    #[test]
    fn of_an_unknown_version_only_what_always_holds_is_true() {
        check(&Versions::Unknown, "*", true);
        check(&Versions::Unknown, ">=0", true);
        check(&Versions::Unknown, ">=0.1", false);
        check(&Versions::Unknown, "<9", false);
    }
}
