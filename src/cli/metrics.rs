//! Where the metrics of a watch go: to readers over HTTP, to a file for another exporter, to a
//! collector of OpenTelemetry, which is told of changes, too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::args::MetricsArgs;
use super::complain;
use super::otlp::Exporter;
use super::serve::Server;
use super::whole;
use crate::live::outcome::{Changes, Outcome};
use crate::report::{classic, watch_metrics};

/// The places that were asked for.
pub(super) struct Metrics {
    server: Option<Server>,
    file: Option<PathBuf>,
    exporter: Option<Exporter>,
    told: bool,
}

impl Metrics {
    /// Starts to serve where that was asked for; new numbers come each `interval`.
    ///
    /// # Errors
    /// The address cannot be listened on, or that of the collector is none.
    pub(super) fn start(wanted: &MetricsArgs, interval: Duration) -> anyhow::Result<Self> {
        let MetricsArgs { serve, textfile, otlp } = wanted;
        let server = serve.map(|address| Server::start(address, interval)).transpose()?;
        let exporter = otlp.as_deref().map(Exporter::start).transpose()?;
        Ok(Self { server, file: textfile.clone(), exporter, told: false })
    }

    /// Where readers are answered.
    pub(super) fn at(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.at)
    }

    /// Takes over new numbers, if anybody wants them. A file that cannot be written is told once
    /// and stops nothing.
    pub(super) fn update(&mut self, outcome: impl FnOnce() -> Outcome) {
        if !self.is_wanted() {
            return;
        }
        let outcome = outcome();
        if self.server.is_some() || self.file.is_some() {
            self.tell(&outcome);
        }
        if let Some(exporter) = &self.exporter {
            exporter.metrics(outcome);
        }
    }

    /// Takes over what changed and, when they are `due`, new numbers, if anybody wants them: for
    /// both it is worked out once.
    pub(super) fn step(&mut self, changes: &Changes, due: bool, outcome: impl FnOnce() -> Outcome) {
        let changed = self.exporter.is_some() && !changes.is_empty();
        if !(changed || due && self.is_wanted()) {
            return;
        }
        let outcome = outcome();
        if let Some(exporter) = self.exporter.as_ref().filter(|_| changed) {
            exporter.changes(changes, &outcome);
        }
        if due {
            self.update(|| outcome);
        }
    }

    fn is_wanted(&self) -> bool {
        self.server.is_some() || self.file.is_some() || self.exporter.is_some()
    }

    /// The end: what a collector has not taken yet is sent, for a moment.
    pub(super) fn finish(self) {
        if let Some(exporter) = self.exporter {
            exporter.finish();
        }
    }

    /// Tells readers and the file.
    fn tell(&mut self, outcome: &Outcome) {
        let Ok(text) = watch_metrics(outcome) else { return };
        if let Some(file) = &self.file {
            let written = whole::write(file, classic(&text).as_bytes());
            if let Err(error) = &written
                && !self.told
            {
                complain(&format!("{error:#}; the watch goes on"));
            }
            self.told = written.is_err();
        }
        if let Some(server) = &self.server {
            server.update(text);
        }
    }
}
