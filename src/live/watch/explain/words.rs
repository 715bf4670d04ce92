//! Sentences: evidence and what is missing, with numbers and units.

pub(super) use crate::live::diagnose::duration;

use super::speaks_of_silence;
use crate::finding::{Evidence, Verdict};
use crate::live::detect::first_sample::SpreadOfSilence;
use crate::live::detect::gauge::GaugeGrowth;
use crate::live::detect::rules::Judged;
use crate::live::facts::Millis;
use crate::live::outcome::{ResourceOutcome, TimeToLimit};
use crate::live::watch::standing::Leak;

/// What a verdict about a number without identities lacks.
pub(super) const ONLY_A_COUNT: &str = "a count alone cannot tell a leak from load";

/// A number with two or three significant digits.
pub(in crate::live::watch) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        "unknown".to_owned()
    } else if magnitude >= 100.0 || magnitude == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn of_millis(millis: Millis) -> String {
    duration(millis as f64 / 1000.0)
}

/// How much longer the watch must run, and what it could have seen so far.
pub(super) fn more_time(more_ms: Millis, detectable_per_second: Option<f64>) -> String {
    let more = of_millis(more_ms.max(0));
    match detectable_per_second {
        Some(rate) => format!(
            "{more} more; could only have seen leaks faster than {}/min",
            number(rate * 60.0)
        ),
        None => format!("{more} more"),
    }
}

/// The group in words.
pub(in crate::live::watch) fn place(row: &ResourceOutcome) -> String {
    let mut place = row.kind.clone().unwrap_or_else(|| row.resource.clone());
    for name in &row.group {
        place.push_str(" > ");
        place.push_str(name);
    }
    place
}

fn limit_phrase(time: &TimeToLimit, row: &ResourceOutcome) -> String {
    let name = row.limit_name.as_deref().unwrap_or("limit");
    let limit = row.limit.map_or_else(String::new, |l| format!(" {l}"));
    match time.latest {
        Some(latest) => {
            format!("limit ({name}{limit}) in {} to {}", duration(time.earliest), duration(latest))
        }
        None => format!("limit ({name}{limit}) in {} at the earliest", duration(time.earliest)),
    }
}

/// Evidence for a cohort verdict: first the sentence that states the assumption.
pub(super) fn evidence(
    place: &str,
    row: &ResourceOutcome,
    judged: &Judged,
    leak: Option<&Leak>,
    now: Millis,
) -> Vec<Evidence> {
    let stats = &judged.stats;
    let quiet = speaks_of_silence(judged.clock);
    let age = of_millis(judged.age);
    let mut first = match row.verdict {
        Verdict::LeakStopped | Verdict::Cleared => {
            let (held, peak, last) =
                leak.map_or((0, 0, now), |l| (l.survivors, l.peak, l.last_birth));
            let stopped = of_millis(now - last);
            return vec![Evidence::new(if row.verdict == Verdict::Cleared {
                format!("{place}: leaked earlier; of {peak} survivors {held} are still held")
            } else {
                format!(
                    "{place}: {held} of {peak} leaked handles are still held, but the last one \
                     came {stopped} ago"
                )
            })];
        }
        Verdict::Plateauing => format!(
            "{place}: {} handles piled up over {} and are held, but ever fewer come ({:.0} % in \
             the later half); the last {} ago",
            stats.survivors,
            of_millis(stats.span()),
            stats.later_half * 100.0,
            of_millis(now - stats.last_birth),
        ),
        Verdict::GrowingInUse => format!(
            "{place}: {} handles opened over {} are older than {age} and in use; the number of \
             such handles grows",
            stats.survivors,
            of_millis(stats.span()),
        ),
        _ => format!(
            "{place}: {} handles that appeared over the last {} have {} for more than {age} and \
             {}",
            stats.survivors,
            of_millis(now - stats.first_birth),
            if quiet { "not been used" } else { "been held" },
            if stats.never_closed_share > 0.995 {
                "none was closed".to_owned()
            } else {
                format!(
                    "{:.0} % of those that got so far were never closed",
                    stats.never_closed_share * 100.0
                )
            },
        ),
    };
    if let Some(rate) = row.per_minute {
        first.push_str(&format!(
            "; +{}/min ({} to {})",
            number(rate.value),
            number(rate.low),
            number(rate.high)
        ));
    }
    if let Some(time) = &row.seconds_to_limit {
        first.push_str("; ");
        first.push_str(&limit_phrase(time, row));
    }
    if matches!(row.verdict, Verdict::Leaking | Verdict::Suspect) {
        first.push_str(&format!(
            "; wrong only if handles here normally {} longer than {}",
            if quiet { "stay unused" } else { "live" },
            of_millis(stats.oldest)
        ));
    }
    let mut lines = vec![Evidence::new(first)];
    if stats.pre_alive > 0 {
        lines.push(Evidence::new(format!(
            "{} more were there before the watch or during start-up; they are not counted as \
             evidence",
            stats.pre_alive
        )));
    }
    if let Some(stock) = judged.stock_s.filter(|s| *s >= 1200.0) {
        lines.push(Evidence::new(format!(
            "at this rate the standing stock took {} to build",
            duration(stock)
        )));
    }
    lines.push(Evidence::new(format!(
        "e-values: survival e^{}, growth e^{} ({} generations over {}, {} clock)",
        number(stats.ln_surv),
        number(stats.ln_growth),
        stats.generations,
        of_millis(stats.span()),
        judged.clock.as_str()
    )));
    lines
}

/// Evidence of the rule for one sample.
pub(super) fn spread(place: &str, spread: &SpreadOfSilence) -> Vec<Evidence> {
    vec![Evidence::new(format!(
        "{place}: {} handles were already idle at the first look, some for {}; they fell silent in \
         {} of 20 equal parts of the uptime, {:.0} % over half of it ago: forgotten one by one, \
         where a pool's would be recent or from start-up",
        spread.stale,
        of_millis(spread.longest),
        spread.bins,
        spread.long_share * 100.0
    ))]
}

/// Evidence of a gauge that grows.
pub(super) fn gauge_growth(resource: &str, growth: &GaugeGrowth, now: Millis) -> String {
    let scale = if resource == "rss" { 1_048_576.0 } else { 1.0 };
    let unit = if resource == "rss" { " MiB" } else { "" };
    format!(
        "{resource}: the floor of the count rose by {}{unit} over {} (+{}{unit}/min, {} to {}); \
         no identities, so a leak cannot be told from load",
        number(growth.growth / scale),
        of_millis(now - growth.onset),
        number(growth.rate * 60.0 / scale),
        number(growth.rate_low * 60.0 / scale),
        number(growth.rate_high * 60.0 / scale),
    )
}

/// The limit is near or reached.
pub(super) fn critical(
    resource: &str,
    used: f64,
    limit: u64,
    name: &str,
    seconds_left: Option<f64>,
) -> String {
    let share = 100.0 * used / limit.max(1) as f64;
    match seconds_left {
        Some(left) if share < 98.0 => format!(
            "{resource}: {used:.0} of {limit} ({name}), and at the rate of the last 30 s the limit \
             is hit in {}",
            duration(left)
        ),
        _ => format!(
            "{resource}: {used:.0} of {limit} ({name}) are used, {share:.0} %: the limit is \
             reached, a flat line now means that calls fail"
        ),
    }
}
