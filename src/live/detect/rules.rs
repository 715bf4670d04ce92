//! The verdict rules: what the engines of one group at one window length add up to.

use super::clock::Clock;
use super::engine::Stats;
use super::scale::Ages;
use crate::finding::{Confidence, Verdict};
use crate::live::facts::Millis;

const LN_SURV_LEAK: f64 = 4.605_170_185_988_092; // ln 100
const LN_GROWTH_LEAK: f64 = 2.995_732_273_553_991; // ln 20
const LN_SURV_SUSPECT: f64 = 2.995_732_273_553_991; // ln 20
const LN_GROWTH_SUSPECT: f64 = std::f64::consts::LN_10;
const MIN_GENERATIONS: u32 = 5;
const MIN_GENERATIONS_SUSPECT: u32 = 4;
const MIN_LATER_HALF: f64 = 0.35;
const MIN_LATER_HALF_SUSPECT: f64 = 0.25;

/// The engines of one group over one window.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowStats {
    /// Age clock at the full age.
    pub age: Option<Stats>,
    /// Stale clock at the full age; only where activity is visible.
    pub stale: Option<Stats>,
    /// Dormant clock at the full age; only where activity is visible.
    pub dormant: Option<Stats>,
    /// Stale (else age) clock at the suspect age.
    pub suspect: Option<Stats>,
}

/// What else the rules need to know.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Natural logarithm of the number of groups judged (Bonferroni).
    pub ln_groups: f64,
    /// Whether the handles of this group show their activity.
    pub visible: bool,
    /// Age of the process at this boundary, milliseconds, where known.
    pub uptime: Option<Millis>,
    /// The least time a standing stock must stand for, milliseconds (20 min by default).
    pub min_stock: Millis,
}

/// A verdict of one window with the numbers it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The verdict; `Stable` stands for "nothing significant" here.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// By which clock.
    pub clock: Clock,
    /// At which age, milliseconds.
    pub age: Millis,
    /// The engine's numbers.
    pub stats: Stats,
    /// Time the standing stock needed at this rate, seconds.
    pub stock_s: Option<f64>,
}

/// Judges one window; `None` when nothing is significant.
pub fn judge(window: &WindowStats, ages: &Ages, context: &Context) -> Option<Judged> {
    let primary_clock = if context.visible { Clock::Stale } else { Clock::Age };
    let primary = if context.visible { window.stale } else { window.age };
    let leaking = [(primary_clock, primary), (Clock::Dormant, window.dormant)]
        .into_iter()
        .filter_map(|(clock, stats)| leaking(clock, stats?, ages, context))
        .max_by_key(|judged| judged.confidence);
    if leaking.is_some() {
        return leaking;
    }
    if let Some(stats) = window.suspect
        && suspicious(&stats, ages, context)
    {
        return Some(Judged {
            verdict: Verdict::Suspect,
            confidence: Confidence::Low,
            clock: primary_clock,
            age: ages.suspect,
            stats,
            stock_s: None,
        });
    }
    let primary_significant = primary.is_some_and(|s| significant(&s, context));
    if let Some(stats) = window.age
        && context.visible
        && !primary_significant
        && significant(&stats, context)
        && stats.span() >= ages.span_age_high
        && filling_no_longer(&stats)
    {
        return Some(Judged {
            verdict: Verdict::GrowingInUse,
            confidence: Confidence::Medium,
            clock: Clock::Age,
            age: ages.old,
            stats,
            stock_s: None,
        });
    }
    [(primary_clock, primary), (Clock::Age, window.age)].into_iter().find_map(|(clock, stats)| {
        let stats = stats?;
        (significant(&stats, context) && !filling_no_longer(&stats)).then_some(Judged {
            verdict: Verdict::Plateauing,
            confidence: Confidence::Medium,
            clock,
            age: ages.old,
            stats,
            stock_s: None,
        })
    })
}

/// Both keys turn.
pub fn significant(stats: &Stats, context: &Context) -> bool {
    stats.ln_surv >= LN_SURV_LEAK + context.ln_groups
        && stats.ln_growth >= LN_GROWTH_LEAK + context.ln_groups
        && stats.generations >= MIN_GENERATIONS
        && stats.growth > 0.0
}

/// The shape guard: births neither slow down nor have stopped.
fn filling_no_longer(stats: &Stats) -> bool {
    stats.later_half >= MIN_LATER_HALF && stats.fresh
}

fn leaking(clock: Clock, stats: Stats, ages: &Ages, context: &Context) -> Option<Judged> {
    if !significant(&stats, context) || !filling_no_longer(&stats) {
        return None;
    }
    let (span, span_high) = match clock {
        Clock::Age => (ages.span_age, ages.span_age_high),
        Clock::Stale | Clock::Dormant => (ages.span, ages.span_high),
    };
    let stock_s = (stats.rate > 0.0).then(|| stats.pre_alive as f64 / stats.rate);
    // A stock that this very rate would have built since the process started.
    let old_stock = stock_s.zip(context.uptime).is_some_and(|(stock_s, uptime)| {
        let stock = stock_s * 1000.0;
        let uptime = uptime as f64;
        stock >= context.min_stock as f64
            && stock > 0.25 * uptime
            && stock < 2.0 * uptime
            && stats.span() >= ages.span_stock
    });
    let confidence = if stats.span() >= span_high || old_stock {
        Confidence::High
    } else if stats.span() >= span {
        Confidence::Medium
    } else {
        return None;
    };
    Some(Judged { verdict: Verdict::Leaking, confidence, clock, age: ages.old, stats, stock_s })
}

fn suspicious(stats: &Stats, ages: &Ages, context: &Context) -> bool {
    stats.ln_surv >= LN_SURV_SUSPECT + context.ln_groups
        && stats.ln_growth >= LN_GROWTH_SUSPECT + context.ln_groups
        && stats.generations >= MIN_GENERATIONS_SUSPECT
        && stats.span() >= ages.span_suspect
        && stats.later_half >= MIN_LATER_HALF_SUSPECT
        && stats.fresh
        && stats.growth > 0.0
}
