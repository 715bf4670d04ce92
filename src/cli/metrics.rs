//! Where the metrics of a watch go: to readers over HTTP, to a file for another exporter, or both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::complain;
use super::serve::Server;
use super::whole;
use crate::live::outcome::Outcome;
use crate::report::{classic, watch_metrics};

/// The places that were asked for.
pub(super) struct Metrics {
    server: Option<Server>,
    file: Option<PathBuf>,
    told: bool,
}

impl Metrics {
    /// Starts to serve where that was asked for; new numbers come each `interval`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(super) fn start(
        serve: Option<SocketAddr>,
        file: Option<&Path>,
        interval: Duration,
    ) -> anyhow::Result<Self> {
        let server = serve.map(|address| Server::start(address, interval)).transpose()?;
        Ok(Self { server, file: file.map(Path::to_owned), told: false })
    }

    /// Where readers are answered.
    pub(super) fn at(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.at)
    }

    /// Takes over new numbers, if anybody wants them. A file that cannot be written is told once
    /// and stops nothing.
    pub(super) fn update(&mut self, outcome: impl FnOnce() -> Outcome) {
        if self.server.is_none() && self.file.is_none() {
            return;
        }
        let Ok(text) = watch_metrics(&outcome()) else { return };
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
