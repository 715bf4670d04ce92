//! How long things lived, counted in fixed buckets that census, tracer, recordings and reports share.

use super::facts::Millis;

/// Where one bucket ends and the next begins, in milliseconds.
pub const EDGES_MS: [Millis; 23] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000,
    300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000,
];

/// Number of buckets: below the first edge, between two, and from the last one on.
pub const BUCKETS: usize = EDGES_MS.len() + 1;

/// Counts by bucket, and how long all of them lived together.
///
/// Lengths are whole milliseconds, cut: one that ends at an edge is in the bucket that begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifeSpans {
    counts: [u64; BUCKETS],
    sum_ms: u64,
}

/// One bucket: lives of at least `from_ms` and of less than `to_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Lower end, milliseconds.
    pub from_ms: Millis,
    /// Upper end, milliseconds; `None`: there is none.
    pub to_ms: Option<Millis>,
    /// How many; `None`: such lives are too short to be seen.
    pub count: Option<u64>,
}

impl Bucket {
    /// The least that its lives can last together, milliseconds.
    fn least_ms(&self) -> f64 {
        self.count.unwrap_or(0) as f64 * self.from_ms as f64
    }
}

impl LifeSpans {
    /// Those of a recording: counts from the shortest bucket on, what is missing is 0; and the sum of
    /// all lengths in milliseconds.
    pub fn of_counts(counts: &[u64], sum_ms: u64) -> Self {
        let mut all = Self { sum_ms, ..Self::default() };
        for (own, &count) in all.counts.iter_mut().zip(counts) {
            *own = count;
        }
        all
    }

    /// Counts from the shortest bucket on.
    pub fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// How long all of them lived together, milliseconds.
    pub fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    /// How long one lived on average, seconds; `None` without any, and where nobody has told the sum.
    pub fn mean_seconds(&self) -> Option<f64> {
        let least: f64 = self.buckets().iter().map(Bucket::least_ms).sum();
        let (total, sum) = (self.total(), self.sum_ms as f64);
        (total > 0 && sum >= least).then(|| sum / 1000.0 / total as f64)
    }

    /// One more life.
    pub fn add(&mut self, length: Millis) {
        let bucket = EDGES_MS.partition_point(|&edge| edge <= length);
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(u64::try_from(length).unwrap_or(0));
    }

    /// All lives of another count.
    pub fn add_all(&mut self, other: &Self) {
        for (own, more) in self.counts.iter_mut().zip(other.counts) {
            *own = own.saturating_add(more);
        }
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }

    /// All buckets, shortest lives first.
    pub fn buckets(&self) -> Vec<Bucket> {
        let from = std::iter::once(0).chain(EDGES_MS);
        let to = EDGES_MS.into_iter().map(Some).chain([None]);
        let counts = self.counts.iter().map(|&count| Some(count));
        from.zip(to)
            .zip(counts)
            .map(|((from_ms, to_ms), count)| Bucket { from_ms, to_ms, count })
            .collect()
    }

    /// The buckets of who looks every `beat` milliseconds: lives that are shorter are not seen.
    pub fn seen_by(&self, beat: Millis) -> Vec<Bucket> {
        let seen =
            self.buckets().into_iter().filter(|bucket| bucket.to_ms.is_none_or(|to| to > beat));
        let unseen = Bucket { from_ms: 0, to_ms: Some(beat), count: None };
        std::iter::once(unseen)
            .chain(seen.map(|bucket| Bucket { from_ms: bucket.from_ms.max(beat), ..bucket }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_one_bucket() {
        for length in (0..20_000).chain([86_399_999, 86_400_000, Millis::MAX, -5]) {
            let mut lives = LifeSpans::default();
            lives.add(length);
            let holding: Vec<_> =
                lives.buckets().into_iter().filter(|bucket| bucket.count == Some(1)).collect();
            let [bucket] = holding[..] else { panic!("{length}: {holding:?}") };
            assert!(bucket.from_ms <= length.max(0), "{length}: {bucket:?}");
            assert!(bucket.to_ms.is_none_or(|to| length < to), "{length}: {bucket:?}");
        }
    }

    #[test]
    fn what_a_beat_cannot_see_is_not_zero() {
        let mut lives = LifeSpans::default();
        [5_000, 5_000, 15_000].into_iter().for_each(|length| lives.add(length));
        let seen = lives.seen_by(5_000);
        assert_eq!(seen[0], Bucket { from_ms: 0, to_ms: Some(5_000), count: None });
        assert_eq!(seen[1], Bucket { from_ms: 5_000, to_ms: Some(10_000), count: Some(2) });
        assert_eq!(seen.iter().filter_map(|bucket| bucket.count).sum::<u64>(), 3);
        // A beat between two edges cuts the bucket that holds it.
        assert_eq!(lives.seen_by(53)[1].from_ms, 53);
        assert_eq!(lives.seen_by(53)[1].to_ms, Some(100));
        assert_eq!(LifeSpans::of_counts(lives.counts(), lives.sum_ms()), lives);
    }

    #[test]
    fn an_average_is_of_what_was_told() {
        let mut lives = LifeSpans::default();
        assert_eq!(lives.mean_seconds(), None);
        [5_000, 5_999, 16_001].into_iter().for_each(|length| lives.add(length));
        assert_eq!((lives.total(), lives.mean_seconds()), (3, Some(9.0)));
        // A recording without the sum says nothing of it.
        assert_eq!(LifeSpans::of_counts(lives.counts(), 0).mean_seconds(), None);
    }
}
