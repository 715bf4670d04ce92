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
