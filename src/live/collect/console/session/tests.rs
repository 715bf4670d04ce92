//! Endpoints that hang, lie, or send too much: each is told within a bounded time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;

use tokio_console_api::instrument::instrument_server::{Instrument, InstrumentServer};
use tokio_console_api::instrument::{
    PauseRequest, PauseResponse, ResumeRequest, ResumeResponse, State, TaskDetailsRequest, Update,
};
use tokio_console_api::tasks;
use tonic::Response;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt as _};

use super::*;
use crate::live::collect::feed::Feed;

/// Longer than any bound, on a noisy machine.
const LONG: Duration = Duration::from_secs(60);

fn ask(address: SocketAddr) -> Feed<Heard> {
    let place = Place { url: format!("http://{address}"), namespace: None };
    let zero = Instant::now();
    Feed::start("test", 2, move |outlet| run(&place, zero, 5_000, outlet)).unwrap()
}

/// Why nothing comes.
fn silence(feed: &mut Feed<Heard>) -> String {
    loop {
        match feed.wait(LONG).expect("it says something") {
            Heard::Silence(why) => return why,
            Heard::Update(_) => {}
        }
    }
}

/// Takes connections and does with them what it is told.
fn endpoint(each: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(each));
    address
}

#[test]
fn whoever_does_not_answer_is_not_waited_for() {
    let address = endpoint(|mut connection| {
        // Until the other end gives up.
        let _ = connection.read_to_end(&mut Vec::new());
    });
    assert!(silence(&mut ask(address)).contains("answer"));
}

#[test]
fn whoever_is_no_console_is_told() {
    let address = endpoint(|mut connection| {
        let _ = connection.read(&mut [0; 64]);
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    });
    assert_ne!(silence(&mut ask(address)), "");
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(silence(&mut ask(closed)).contains(&closed.to_string()));
}

/// A console that sends these updates and then nothing more.
struct Fake(Vec<Update>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Instrument for Fake {
    type WatchUpdatesStream = Answers<Update>;
    type WatchTaskDetailsStream = Answers<tasks::TaskDetails>;
    type WatchStateStream = Answers<State>;

    async fn watch_updates(
        &self,
        _: Request<InstrumentRequest>,
    ) -> Result<Response<Self::WatchUpdatesStream>, Status> {
        let updates = tokio_stream::iter(self.0.clone()).map(Ok);
        Ok(Response::new(Box::pin(updates.chain(tokio_stream::pending()))))
    }

    async fn watch_task_details(
        &self,
        _: Request<TaskDetailsRequest>,
    ) -> Result<Response<Self::WatchTaskDetailsStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn watch_state(
        &self,
        _: Request<StateRequest>,
    ) -> Result<Response<Self::WatchStateStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn pause(&self, _: Request<PauseRequest>) -> Result<Response<PauseResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn resume(&self, _: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn console(updates: Vec<Update>) -> SocketAddr {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().enable_time().build().unwrap();
        let service = InstrumentServer::new(Fake(updates));
        let server = tonic::transport::Server::builder().serve(address, service);
        runtime.block_on(server).unwrap();
    });
    address
}

fn update(name: String) -> Update {
    let task = tasks::Task {
        location: Some(tokio_console_api::Location { file: Some(name), ..Default::default() }),
        ..tasks::Task::default()
    };
    let task_update = Some(tasks::TaskUpdate { new_tasks: vec![task], ..Default::default() });
    let now = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 });
    Update { now, task_update, ..Update::default() }
}

#[test]
fn an_update_beyond_the_bound_is_refused() {
    let mut feed = ask(console(vec![update("x".repeat(MAX_UPDATE + 1))]));
    let why = loop {
        // It may not listen yet.
        let why = silence(&mut feed);
        if !why.contains("refused") {
            break why;
        }
    };
    assert!(why.contains("64 MiB"), "{why}");
}

#[test]
fn an_update_of_nonsense_and_a_console_that_stops_are_told() {
    let nonsense = Update { now: None, ..update("x".to_owned()) };
    for (sent, said) in
        [(nonsense, "no update of a console"), (update("x".to_owned()), "no update has come")]
    {
        let mut feed = ask(console(vec![sent]));
        let why = loop {
            let why = silence(&mut feed);
            if !why.contains("refused") {
                break why;
            }
        };
        assert!(why.contains(said), "{why}");
    }
}
