//! Numbers for documents and for people: rounding, durations, bytes, sparklines.

/// Rounds to 3 decimals, or to 4 significant digits below 1; what is not finite is unknown.
pub(crate) fn rounded(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some(0.0);
    }
    let magnitude = value.abs().log10().floor();
    let decimals = if magnitude < 0.0 { (3.0 - magnitude) as usize } else { 3 };
    format!("{value:.decimals$}").parse().ok()
}

/// A count or rate in at most three figures behind the point.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let text = match value.abs() {
        a if a >= 100.0 || a == 0.0 => format!("{value:.0}"),
        a if a >= 1.0 => format!("{value:.1}"),
        a if a >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole number with its thousands set apart: `51,202`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a binary unit.
pub(crate) fn bytes(value: f64) -> String {
    let mut rest = value;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if rest.abs() < 1024.0 {
            return format!("{} {unit}", short(rest));
        }
        rest /= 1024.0;
    }
    format!("{} TiB", short(rest))
}

/// Divisor and unit that suit a duration in seconds.
fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds.abs() {
        s if s < 120.0 => (1.0, "s"),
        s if s < 7_200.0 => (60.0, "min"),
        s if s < 172_800.0 => (3_600.0, "h"),
        _ => (86_400.0, "d"),
    }
}

/// A duration in seconds as `90 s`, `12 min`, `4.3 h`, `3 d`.
pub(crate) fn duration(seconds: f64) -> String {
    let (by, name) = unit(seconds);
    format!("{} {name}", short(seconds / by))
}

/// A span of durations, with the unit once where it suits both ends.
pub(crate) fn durations(low: f64, high: f64) -> String {
    let (by, name) = unit(high);
    if unit(low).1 == name {
        format!("{}-{} {name}", short(low / by), short(high / by))
    } else {
        format!("{} to {}", duration(low), duration(high))
    }
}

/// The last `width` counts as one character each; empty when nothing is known.
pub(crate) fn sparkline(history: &[f64], width: usize, unicode: bool) -> String {
    let steps: &[char] = if unicode {
        &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    } else {
        &['_', '.', '-', '=', '+', '*', '#']
    };
    let tail = &history[history.len().saturating_sub(width)..];
    let known = tail.iter().copied().filter(|v| v.is_finite());
    let (low, high) =
        known.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let top = steps.len() - 1;
    tail.iter()
        .map(|&v| {
            if !v.is_finite() {
                return ' ';
            }
            let share = if high > low { (v - low) / (high - low) } else { 0.0 };
            let step = (share * top as f64).round() as usize;
            steps[step.min(top)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_not_zero() {
        assert_eq!(rounded(f64::NAN), None);
        assert_eq!(rounded(f64::INFINITY), None);
        assert_eq!(rounded(0.000_123_456), Some(0.000_123_5));
        assert_eq!(rounded(1234.56789), Some(1234.568));
    }

    #[test]
    fn reads_well() {
        assert_eq!(durations(7_560.0, 15_480.0), "2.1-4.3 h");
        assert_eq!(duration(90.0), "90 s");
        assert_eq!(bytes(1536.0), "1.5 KiB");
        assert_eq!(short(100.0), "100");
        assert_eq!([0, 999, 1_000, 51_202].map(grouped), ["0", "999", "1,000", "51,202"]);
        assert_eq!(sparkline(&[1.0, 2.0, f64::NAN], 9, false), "_# ");
    }
}
