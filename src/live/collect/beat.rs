//! What every collector is handed on one beat: event time, settings, and where facts go.

use std::time::Duration;

use crate::live::facts::{Fact, HandleId, Millis, SourceStatus, TargetId};

/// One pass over a target. Collectors read no clock: `at` is the event time of what they see.
#[derive(Debug)]
pub struct Beat<'a> {
    /// Event time of this pass.
    pub at: Millis,
    /// First pass over this target: everything found was there before we came.
    pub first: bool,
    /// Bucket width; last activity is quantised down to it.
    pub bucket_ms: Millis,
    /// Handles that appear in a process younger than this are marked as start-up.
    pub start_up_ms: Millis,
    /// Where facts go, in the order of their time.
    pub out: &'a mut Vec<Fact>,
    /// Hands out identities.
    pub ids: &'a mut HandleIds,
}

impl Beat<'_> {
    /// Reports on a source: how it fares, why, and that it is complete until `at`.
    pub fn source(
        &mut self,
        target: TargetId,
        name: &str,
        status: SourceStatus,
        reason: &str,
        cost: Duration,
    ) {
        self.late_source(target, name, status, reason, cost, Some(self.at));
    }

    /// Reports on a source that is complete until an earlier time, or until none that is known.
    pub fn late_source(
        &mut self,
        target: TargetId,
        name: &str,
        status: SourceStatus,
        reason: &str,
        cost: Duration,
        watermark: Option<Millis>,
    ) {
        self.out.push(Fact::Source {
            at: self.at,
            target,
            name: name.into(),
            status,
            reason: reason.into(),
            watermark,
            cost_us: u64::try_from(cost.as_micros()).unwrap_or(u64::MAX),
        });
    }

    /// Tells a number: of a process, or of the whole target.
    pub fn gauge(&mut self, target: TargetId, pid: Option<u32>, name: &str, value: f64) {
        self.out.push(Fact::Gauge { at: self.at, target, pid, name: name.into(), value });
    }

    /// Tells how many there are of something.
    pub fn count(&mut self, target: TargetId, pid: Option<u32>, name: &str, count: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        self.gauge(target, pid, name, count as f64);
    }

    /// Rounds a time down to the bucket it lies in, also for times before the watch.
    pub fn quantise(&self, at: Millis) -> Millis {
        at.div_euclid(self.bucket_ms) * self.bucket_ms
    }
}

/// Counts handle identities up from 1; an identity is never used twice in one watch.
#[derive(Debug, Default)]
pub struct HandleIds(u64);

impl HandleIds {
    /// The next identity.
    pub fn next_id(&mut self) -> HandleId {
        self.0 += 1;
        HandleId(self.0)
    }
}
