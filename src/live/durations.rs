//! How long connections lived that were seen to open and to close, in fixed buckets.

/// Upper ends of the buckets, seconds; what is longer falls behind the last.
pub const BOUNDS_S: [f64; 15] = [
    0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0,
    86_400.0,
];

/// Counts of closed connections by their length of life.
///
/// Both ends of a life are known to one interval between identifications, and what lives between
/// two of them is never seen: the short buckets are lower bounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Durations {
    /// How many fell into each bucket; the last is for everything longer than all bounds.
    pub counts: [u64; BOUNDS_S.len() + 1],
    /// Sum of all lengths, seconds.
    pub sum_s: f64,
}

impl Durations {
    /// Takes in one life of so many seconds.
    pub fn add(&mut self, seconds: f64) {
        let seconds = seconds.max(0.0);
        let bucket = BOUNDS_S.partition_point(|&bound| bound < seconds);
        self.counts[bucket] += 1;
        self.sum_s += seconds;
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_falls_into_the_bucket_that_ends_at_or_after_it() {
        let mut durations = Durations::default();
        for seconds in [0.0, 0.1, 0.11, 5.0, 1e9] {
            durations.add(seconds);
        }
        assert_eq!((durations.counts[0], durations.counts[1], durations.counts[3]), (2, 1, 1));
        assert_eq!((durations.counts[BOUNDS_S.len()], durations.total()), (1, 5));
    }
}
