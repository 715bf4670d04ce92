//! Version requirements as intervals on the line of versions, so that one can lie inside another.

use semver::{Comparator, Op, Prerelease, Version, VersionReq};

/// All versions from `low` up to but without `high`; `high` is `None` when there is no end.
///
/// A release that ends an interval does so with its lowest pre-release (`<2.0.0` ends at
/// `2.0.0-0`), because Cargo never chooses `2.0.0-rc.1` for `<2.0.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: Version,
    pub(super) high: Option<Version>,
}

impl Interval {
    /// What `requirement` admits. Comparators are joined by "and", so one interval is enough.
    pub(super) fn of(requirement: &VersionReq) -> Self {
        let everything = Self { low: Version::new(0, 0, 0), high: None };
        requirement.comparators.iter().map(of_comparator).fold(everything, Self::and)
    }

    /// Whether no version is left, as in `>2, <1`.
    pub(super) fn is_empty(&self) -> bool {
        self.high.as_ref().is_some_and(|high| *high <= self.low)
    }

    /// Whether every version of `self` is one of `outer`.
    pub(super) fn inside(&self, outer: &Self) -> bool {
        let ends_inside = match (&self.high, &outer.high) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own <= other,
        };
        self.low >= outer.low && ends_inside
    }

    /// Whether some version is in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        !self.clone().and(other.clone()).is_empty()
    }

    /// Whether these, sorted by their start, have every version of `self` between them.
    pub(super) fn is_covered_by(&self, sorted: &[&Self]) -> bool {
        // Up to here all is covered. An end at `1.2.3-0` meets a start at `1.2.3`.
        let mut reached = release(&self.low);
        for part in sorted {
            if release(&part.low) > reached {
                return false;
            }
            match &part.high {
                None => return true,
                Some(high) => reached = reached.max(release(high)),
            }
        }
        self.high.as_ref().is_some_and(|high| release(high) <= reached)
    }

    /// The same interval with a pre-release at its start taken for the release.
    pub(super) fn starting_at_release(mut self) -> Self {
        self.low.pre = Prerelease::EMPTY;
        self
    }

    fn and(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self { low: self.low.max(other.low), high }
    }
}

fn release(version: &Version) -> Version {
    Version::new(version.major, version.minor, version.patch)
}

/// How far a caret, a tilde or a missing part lets a version move.
#[derive(Clone, Copy)]
enum Step {
    Major,
    Minor,
    Patch,
}

fn of_comparator(comparator: &Comparator) -> Interval {
    let written = Version {
        major: comparator.major,
        minor: comparator.minor.unwrap_or(0),
        patch: comparator.patch.unwrap_or(0),
        pre: comparator.pre.clone(),
        build: semver::BuildMetadata::EMPTY,
    };
    // `=1.2` and `<=1.2` speak of all of 1.2.x: the last part that is written moves.
    let unit = match (comparator.minor, comparator.patch) {
        (None, _) => Step::Major,
        (_, None) => Step::Minor,
        _ => Step::Patch,
    };
    let zero = Version::new(0, 0, 0);
    match comparator.op {
        Op::Exact | Op::Wildcard => {
            let high = after(&written, unit).map(first_pre);
            Interval { low: written, high }
        }
        Op::Greater => match after(&written, unit) {
            Some(low) => Interval { low, high: None },
            // Nothing is greater than the greatest version.
            None => Interval { high: Some(written.clone()), low: written },
        },
        Op::GreaterEq => Interval { low: written, high: None },
        Op::Less => Interval { low: zero, high: Some(first_pre(written)) },
        Op::LessEq => Interval { low: zero, high: after(&written, unit).map(first_pre) },
        Op::Tilde => {
            let step = if comparator.minor.is_none() { Step::Major } else { Step::Minor };
            Interval { high: above(&written, step).map(first_pre), low: written }
        }
        // Everything after the first part that is not zero may move.
        Op::Caret => {
            let step = match (comparator.major, comparator.minor, comparator.patch) {
                (1.., _, _) | (0, None, _) => Step::Major,
                (0, Some(1..), _) | (0, Some(0), None) => Step::Minor,
                (0, Some(0), Some(_)) => Step::Patch,
            };
            Interval { high: above(&written, step).map(first_pre), low: written }
        }
        // `Op` may grow: an operator of the future admits we do not know what.
        _ => Interval { low: zero, high: None },
    }
}

/// The least version above all that `written` stands for when parts below `unit` are left out.
fn after(written: &Version, unit: Step) -> Option<Version> {
    if written.pre.is_empty() {
        return above(written, unit);
    }
    // Between `rc.1` and `rc.1.0` lies no version.
    let pre = Prerelease::new(&format!("{}.0", written.pre)).ok()?;
    Some(Version { pre, ..written.clone() })
}

/// The least release that differs from `version` in the part `step`; `None` past the largest one.
fn above(version: &Version, step: Step) -> Option<Version> {
    let major = || version.major.checked_add(1).map(|major| Version::new(major, 0, 0));
    let minor = || version.minor.checked_add(1).map(|minor| Version::new(version.major, minor, 0));
    let patch = || {
        let patch = version.patch.checked_add(1)?;
        Some(Version::new(version.major, version.minor, patch))
    };
    match step {
        Step::Major => major(),
        Step::Minor => minor().or_else(major),
        Step::Patch => patch().or_else(minor).or_else(major),
    }
}

/// The lowest pre-release of a release; a pre-release stays.
fn first_pre(mut version: Version) -> Version {
    if version.pre.is_empty()
        && let Ok(lowest) = Prerelease::new("0")
    {
        version.pre = lowest;
    }
    version
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Requirements with small numbers, so that a small grid holds a witness of every difference.
    fn requirement() -> impl Strategy<Value = String> {
        let operator = prop::sample::select(vec!["", "^", "~", "=", ">", ">=", "<", "<="]);
        let number = prop_oneof![
            (0..4u64).prop_map(|a| format!("{a}")),
            (0..4u64, 0..4u64).prop_map(|(a, b)| format!("{a}.{b}")),
            (0..4u64, 0..4u64, 0..4u64).prop_map(|(a, b, c)| format!("{a}.{b}.{c}")),
        ];
        let one = (operator, number).prop_map(|(operator, number)| format!("{operator}{number}"));
        prop_oneof![
            1 => Just("*".to_owned()),
            1 => (0..4u64).prop_map(|a| format!("{a}.*")),
            4 => one.clone(),
            4 => (one.clone(), one).prop_map(|(a, b)| format!("{a}, {b}")),
        ]
    }

    fn grid() -> impl Iterator<Item = Version> {
        (0..6).flat_map(|a| (0..6).flat_map(move |b| (0..6).map(move |c| Version::new(a, b, c))))
    }

    fn holds(interval: &Interval, version: &Version) -> bool {
        interval.low <= *version && interval.high.as_ref().is_none_or(|high| version < high)
    }

    proptest! {
        #[test]
        fn an_interval_holds_what_the_requirement_matches(text in requirement()) {
            let requirement = VersionReq::parse(&text).unwrap();
            let interval = Interval::of(&requirement);
            for version in grid() {
                prop_assert_eq!(holds(&interval, &version), requirement.matches(&version), "{}", version);
            }
            prop_assert_eq!(interval.is_empty(), !grid().any(|v| requirement.matches(&v)));
        }

        #[test]
        fn inside_is_the_order_of_sets(inner in requirement(), outer in requirement()) {
            let (inner, outer) = (VersionReq::parse(&inner).unwrap(), VersionReq::parse(&outer).unwrap());
            let interval = Interval::of(&inner);
            prop_assume!(!interval.is_empty());
            let every = grid().filter(|v| inner.matches(v)).all(|v| outer.matches(&v));
            let bounded = interval.high.is_some() || Interval::of(&outer).high.is_none();
            prop_assert_eq!(interval.inside(&Interval::of(&outer)), every && bounded);
        }
    }

    fn of(text: &str) -> Interval {
        Interval::of(&VersionReq::parse(text).unwrap())
    }

    #[test]
    fn pre_releases_bound_exactly() {
        assert!(of("=1.2.3-rc.1").inside(&of("<1.2.3-rc.2, >=1.2.3-rc.1")));
        assert!(of("=1.2.3").inside(&of("<1.2.4-rc.1")));
        assert!(!of(">=1.2.3-rc.1").inside(&of(">=1.2.3")));
        assert!(of(">=1.2.3-rc.1").starting_at_release().inside(&of(">=1.2.3")));
    }

    #[test]
    fn the_largest_numbers_do_not_wrap() {
        let top = u64::MAX;
        assert_eq!(of(&format!("={top}.{top}.{top}")).high, None);
        assert!(of(&format!(">{top}.{top}.{top}")).is_empty());
        assert_eq!(of(&format!("=1.2.{top}")).high, Some(Version::parse("1.3.0-0").unwrap()));
    }
}
