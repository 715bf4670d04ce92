//! The thread that speaks with a console: it connects, hands updates over, and tries again.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tokio_console_api::instrument::instrument_client::InstrumentClient;
use tokio_console_api::instrument::{InstrumentRequest, StateRequest, Temporality};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::tasks::{Batch, Tasks};
use crate::live::collect::feed::{Closed, Outlet};
use crate::live::collect::netns;
use crate::live::facts::Millis;

/// Which updates are asked for.
const UPDATES: &str = "/rs.tokio.console.instrument.Instrument/WatchUpdates";
/// The largest update: later ones than the first have no bound in the target, and 200 MB were seen.
const MAX_UPDATE: usize = 64 << 20;
/// For so long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// For so long the answer is: a busy target with many tasks takes seconds to put them together, and
/// to ask anew would make it begin anew.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);
/// A console sends an update each second: without any for so long it is paused, or it hangs.
const SILENCE: Duration = Duration::from_secs(5);
/// After a failure it is waited for so long, and longer each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the thread hands over.
#[derive(Debug)]
pub(super) enum Heard {
    /// An update was taken in.
    Update(Box<Batch>),
    /// Nothing comes, and why.
    Silence(String),
}

/// Where the console is.
#[derive(Debug)]
pub(super) struct Place {
    /// `http://127.0.0.1:6669`.
    pub(super) url: String,
    /// The network namespace to enter first; ours where absent.
    pub(super) namespace: Option<OwnedFd>,
}

/// Why a session ended.
enum End {
    Closed,
    Failed(String),
}

impl From<Closed> for End {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// Speaks with a console until nobody listens any more. `zero` is the moment of event time 0.
pub(super) fn run(place: &Place, zero: Instant, bucket: Millis, outlet: &Outlet<Heard>) {
    if let Err(why) = place.namespace.as_ref().map_or(Ok(()), netns::enter) {
        // Nobody listens any more: then nobody is told.
        let _ = outlet.put(Heard::Silence(why));
        return;
    }
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = match runtime.enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = outlet.put(Heard::Silence(format!("no runtime: {error}")));
            return;
        }
    };
    runtime.block_on(sessions(&place.url, zero, bucket, outlet));
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
}

async fn sessions(url: &str, zero: Instant, bucket: Millis, outlet: &Outlet<Heard>) {
    let mut tasks = Tasks::new(bucket);
    let mut pause = FIRST_PAUSE;
    loop {
        let mut updates = 0;
        match session(url, zero, &mut tasks, &mut updates, outlet).await {
            End::Closed => return,
            End::Failed(why) => {
                if outlet.put(Heard::Silence(why)).is_err() {
                    return;
                }
            }
        }
        if updates > 0 {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        tasks.reconnected();
    }
}

/// One connection.
async fn session(
    url: &str,
    zero: Instant,
    tasks: &mut Tasks,
    updates: &mut u64,
    outlet: &Outlet<Heard>,
) -> End {
    let channel = match connect(url).await {
        Ok(channel) => channel,
        Err(why) => return End::Failed(why),
    };
    let paused = Arc::new(AtomicBool::new(false));
    let state = tokio::spawn(follow_state(channel.clone(), Arc::clone(&paused)));
    let end = match follow_updates(channel, zero, tasks, &paused, updates, outlet).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    state.abort();
    end
}

async fn connect(url: &str) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| shown(url, &error))?;
    let endpoint = endpoint.connect_timeout(PATIENCE);
    match tokio::time::timeout(PATIENCE, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(shown(url, &error)),
        Err(_) => Err(format!("{url}: no answer within {} s", PATIENCE.as_secs())),
    }
}

/// An error with its causes.
fn shown(url: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{url}: {error}");
    let mut cause = error.source();
    for _ in 0..4 {
        let Some(inner) = cause else { break };
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

async fn follow_updates(
    channel: Channel,
    zero: Instant,
    tasks: &mut Tasks,
    paused: &AtomicBool,
    updates: &mut u64,
    outlet: &Outlet<Heard>,
) -> Result<std::convert::Infallible, End> {
    let failed = |why: String| End::Failed(why);
    let mut client = Grpc::new(channel).max_decoding_message_size(MAX_UPDATE);
    let asked = async {
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(UPDATES);
        client.server_streaming(Request::new(InstrumentRequest {}), path, Raw).await
    };
    let mut asked = std::pin::pin!(asked);
    let begun = Instant::now();
    let mut stream = loop {
        match tokio::time::timeout(SILENCE, &mut asked).await {
            Ok(Ok(answer)) => break answer.into_inner(),
            Ok(Err(status)) => return Err(failed(refusal(&status))),
            Err(_) if begun.elapsed() < LONGEST_ANSWER => {
                let why = "it has not answered yet: it is busy, or hangs";
                outlet.put(Heard::Silence(why.to_owned()))?;
            }
            Err(_) => return Err(failed("it does not answer".to_owned())),
        }
    };
    loop {
        let update = match tokio::time::timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(update))) => update,
            Ok(Ok(None)) => return Err(failed("it closed the connection".to_owned())),
            Ok(Err(status)) => return Err(failed(refusal(&status))),
            Err(_) => {
                let why = if paused.load(Ordering::Relaxed) {
                    "another client has paused it"
                } else {
                    "no update has come for some seconds: it is paused, or hangs"
                };
                outlet.put(Heard::Silence(why.to_owned()))?;
                continue;
            }
        };
        let at = Millis::try_from(zero.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let batch = tasks
            .update(&update, at)
            .map_err(|_| failed("what it sends is no update of a console".to_owned()))?;
        *updates += 1;
        outlet.put(Heard::Update(Box::new(batch)))?;
    }
}

fn refusal(status: &Status) -> String {
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => {
            format!("an update is larger than {} MiB", MAX_UPDATE >> 20)
        }
        Code::Unimplemented => "there is no console: it does not know what was asked".to_owned(),
        code => format!("{code}: {}", status.message()),
    }
}

/// Notes whether the console is paused. Before version 0.5 of the subscriber nobody could ask.
async fn follow_state(channel: Channel, paused: Arc<AtomicBool>) {
    let Ok(answer) = InstrumentClient::new(channel).watch_state(StateRequest {}).await else {
        return;
    };
    let mut stream = answer.into_inner();
    while let Ok(Some(state)) = stream.message().await {
        paused.store(state.temporality() == Temporality::Paused, Ordering::Relaxed);
    }
}

/// Hands messages over as they came.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = InstrumentRequest;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = InstrumentRequest;
    type Error = Status;

    fn encode(
        &mut self,
        request: InstrumentRequest,
        into: &mut EncodeBuf<'_>,
    ) -> Result<(), Status> {
        into.put_slice(&request.encode_to_vec());
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests;
