//! Rules that count only, as shipped by other tools, on the same histories for comparison.

/// A rule over the counts of each second; when it first fires.
pub(crate) type Rule = fn(&[f64]) -> Option<usize>;

pub(crate) const ALL: &[(&str, Rule)] = &[
    ("5 rises in a row (10 s means)", five_rises),
    ("3 rises in a row (5 s samples)", three_rises),
    ("Mann-Kendall p < 0.05, each 10 s", mann_kendall),
    ("OLS R2 > 0.8", regression),
    ("more than 50 per 30 s, twice", fifty_twice),
    ("moving average (eve watcher)", moving_average),
];

fn every(counts: &[f64], step: usize) -> Vec<f64> {
    counts.iter().copied().step_by(step).collect()
}

fn rises(values: &[f64], n: usize) -> Option<usize> {
    (n..values.len()).find(|&end| (end - n..end).all(|k| values[k + 1] > values[k]))
}

fn five_rises(counts: &[f64]) -> Option<usize> {
    let means: Vec<f64> =
        counts.chunks(10).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect();
    rises(&means, 5).map(|at| at * 10)
}

fn three_rises(counts: &[f64]) -> Option<usize> {
    rises(&every(counts, 5), 3).map(|at| at * 5)
}

fn mann_kendall(counts: &[f64]) -> Option<usize> {
    let values = every(counts, 10);
    let mut s = 0.0;
    for n in 1..values.len() {
        s += (0..n)
            .map(|k| (values[n] - values[k]).signum() * f64::from(values[n] != values[k]))
            .sum::<f64>();
        let m = (n + 1) as f64;
        let variance = m * (m - 1.0) * (2.0 * m + 5.0) / 18.0;
        if n >= 3 && (s - 1.0) / variance.sqrt() > 1.645 {
            return Some(n * 10);
        }
    }
    None
}

fn regression(counts: &[f64]) -> Option<usize> {
    (60..counts.len()).step_by(10).find(|&end| {
        let n = end as f64;
        let (mean_t, mean) = ((n - 1.0) / 2.0, counts[..end].iter().sum::<f64>() / n);
        let (mut st, mut sx, mut sc) = (0.0, 0.0, 0.0);
        for (t, x) in counts[..end].iter().enumerate() {
            let (dt, dx) = (t as f64 - mean_t, x - mean);
            st += dt * dt;
            sx += dx * dx;
            sc += dt * dx;
        }
        sx > 0.0 && sc > 0.0 && sc * sc / (st * sx) > 0.8
    })
}

fn fifty_twice(counts: &[f64]) -> Option<usize> {
    let values = every(counts, 30);
    (2..values.len())
        .find(|&k| values[k] - values[k - 1] > 50.0 && values[k - 1] - values[k - 2] > 50.0)
        .map(|k| k * 30)
}

/// Alarm when the mean change and the last change exceed the standard deviation of changes.
fn moving_average(counts: &[f64]) -> Option<usize> {
    let values = every(counts, 10);
    let window = (values.len() / 10).max(2);
    let smooth: Vec<f64> =
        values.windows(window).map(|w| w.iter().sum::<f64>() / window as f64).collect();
    let changes: Vec<f64> = smooth.windows(2).map(|w| w[1] - w[0]).collect();
    (10..changes.len())
        .find(|&n| {
            let seen = &changes[..n];
            let mean = seen.iter().sum::<f64>() / n as f64;
            let sd = (seen.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
            mean > sd && seen[n - 1] > sd
        })
        .map(|n| (n + window) * 10)
}
