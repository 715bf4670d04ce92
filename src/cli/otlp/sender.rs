//! The thread that sends, and what the watch holds of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::environment;
use super::queue::{Lost, Queue};
use super::send::{Client, Refused};
use crate::cli::complain;
use crate::cli::watch::wall_clock_ms;
use crate::live::collect::endpoint::Address;
use crate::live::outcome::{Changes, Outcome};
use crate::report::otlp::{Clock, lost, metrics, records, request};

/// For so long the end of a watch waits for what is still to be sent.
const LAST: Duration = Duration::from_secs(5);

/// Sends what it is given from a thread of its own.
pub(in crate::cli) struct Exporter {
    queue: Arc<Queue>,
    ended: Receiver<()>,
}

impl Exporter {
    /// Sends to the collector at `url`, below which the standard paths are.
    ///
    /// # Errors
    /// The address or what the environment says is wrong; nothing is asked yet.
    pub(in crate::cli) fn start(url: &str) -> anyhow::Result<Self> {
        let sender = Sender::new(url).map_err(|why| anyhow!("--otlp: {why}"))?;
        let queue = Arc::new(Queue::default());
        let (end, ended) = sync_channel(1);
        let own = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                sender.run(&own);
                // Nobody listens any longer when the watch was quicker.
                let _ = end.send(());
            })
            .context("no thread for --otlp")?;
        Ok(Self { queue, ended })
    }

    /// Takes over new numbers.
    pub(in crate::cli) fn metrics(&self, outcome: Outcome) {
        self.queue.put_outcome(outcome);
    }

    /// Takes over what changed; `outcome` tells whose.
    pub(in crate::cli) fn changes(&self, changes: &Changes, outcome: &Outcome) {
        self.queue.put_records(records(changes, outcome, clock(outcome)));
    }

    /// Waits for a moment until all is sent, and says what was not.
    pub(in crate::cli) fn finish(self) {
        self.queue.close();
        // A collector that hangs is not waited for: the thread ends with the process.
        let _ = self.ended.recv_timeout(LAST);
        let Lost { metrics, records } = self.queue.left();
        if metrics > 0 || records > 0 {
            complain(&format!(
                "--otlp: {metrics} sets of metrics and {records} changes of findings were not delivered"
            ));
        }
    }
}

/// A watch that does not know the time began when it was first heard of.
fn clock(outcome: &Outcome) -> Clock {
    let began = || wall_clock_ms().unwrap_or(0).saturating_sub(outcome.now);
    Clock::new(outcome.wall_start_ms.unwrap_or_else(began))
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// What the thread has.
struct Sender {
    client: Client,
    resource: Resource,
    metrics: Address,
    logs: Address,
    shown: String,
}

impl Sender {
    fn new(url: &str) -> Result<Self, String> {
        let base = Address::parse(url)?;
        let below =
            |path: &str| base.with_path(&format!("{}{path}", base.path().trim_end_matches('/')));
        Ok(Self {
            client: Client::new(environment::timeout(), environment::headers()?),
            resource: environment::resource(),
            metrics: below("/v1/metrics")?,
            logs: below("/v1/logs")?,
            shown: base.shown(),
        })
    }

    fn run(&self, queue: &Queue) {
        let mut told = false;
        // Over all, for the next record that gets through.
        let mut missed = Lost::default();
        while let Some(load) = queue.take() {
            let mut dropped = Lost::default();
            let mut refused = None;
            if let Some(outcome) = load.outcome
                && let Err(why) = self.send_metrics(&outcome)
            {
                // The next set holds all that this one did.
                dropped.metrics = 1;
                refused = Some(why);
            }
            let mut again = Vec::new();
            if !load.records.is_empty() {
                match self.send_records(&load.records, &mut missed) {
                    Ok(rejected) => dropped.records = rejected,
                    Err(why) => {
                        match why {
                            Refused::Now(_) => again = load.records,
                            Refused::Always(_) => dropped.records = load.records.len() as u64,
                        }
                        refused = Some(why);
                    }
                }
            }
            let lost = queue.done(again, dropped);
            missed.metrics += lost.metrics;
            missed.records += lost.records;
            match &refused {
                Some(why) if !told => {
                    complain(&format!(
                        "--otlp: {} took nothing: {}; the watch goes on",
                        self.shown,
                        why.reason()
                    ));
                }
                _ => {}
            }
            told = refused.is_some();
        }
    }

    fn send_metrics(&self, outcome: &Outcome) -> Result<(), Refused> {
        let message = metrics(outcome, clock(outcome), self.resource.clone());
        let answer: ExportMetricsServiceResponse = self.client.post(&self.metrics, &message)?;
        match answer.partial_success {
            Some(partial) if partial.rejected_data_points > 0 => Err(Refused::Always(format!(
                "it rejects {} numbers: {}",
                partial.rejected_data_points, partial.error_message
            ))),
            _ => Ok(()),
        }
    }

    /// Sends records, after one that tells what is missing before them; gives how many were rejected.
    fn send_records(&self, all: &[LogRecord], missed: &mut Lost) -> Result<u64, Refused> {
        let gap = *missed != Lost::default();
        let gap = gap.then(|| lost(missed.records, missed.metrics, now_ns()));
        let all: Vec<LogRecord> = gap.into_iter().chain(all.iter().cloned()).collect();
        let message = request(all, self.resource.clone());
        let answer: ExportLogsServiceResponse = self.client.post(&self.logs, &message)?;
        *missed = Lost::default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_log_records);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}
