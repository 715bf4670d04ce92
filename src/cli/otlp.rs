//! Export to a collector of OpenTelemetry (`--otlp`), where this build can.

#[cfg(feature = "otlp")]
mod environment;
#[cfg(feature = "otlp")]
mod queue;
#[cfg(feature = "otlp")]
mod send;
#[cfg(feature = "otlp")]
mod sender;
#[cfg(feature = "otlp")]
#[cfg(test)]
mod tests;

#[cfg(feature = "otlp")]
pub(super) use sender::Exporter;

#[cfg(not(feature = "otlp"))]
pub(super) use absent::Exporter;

/// What stands here in builds without the feature.
#[cfg(not(feature = "otlp"))]
mod absent {
    use crate::live::outcome::{Changes, Outcome};

    /// There is none.
    pub(in crate::cli) enum Exporter {}

    impl Exporter {
        /// Says how to get a build that can.
        ///
        /// # Errors
        /// Always.
        pub(in crate::cli) fn start(_url: &str) -> anyhow::Result<Self> {
            anyhow::bail!(
                "this poolscan was built without OTLP: cargo install --path . --features otlp"
            )
        }

        pub(in crate::cli) fn metrics(&self, _outcome: Outcome) {
            match *self {}
        }

        pub(in crate::cli) fn changes(&self, _changes: &Changes, _outcome: &Outcome) {
            match *self {}
        }

        pub(in crate::cli) fn finish(self) {
            match self {}
        }
    }
}
