//! The demo service: leaks files, client connections and threads beside healthy traffic.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

/// It ends by itself after this long, whatever becomes of its parent.
const LIFE: Duration = Duration::from_secs(180);
/// One turn of the service.
const TURN: Duration = Duration::from_millis(50);
/// Turns between two leaks of each kind: about 3, 2 and 2 a second.
const FILE_EVERY: u32 = 7;
const CONNECTION_EVERY: u32 = 10;
const THREAD_EVERY: u32 = 10;
/// Connections of the healthy pool.
const POOL: usize = 5;

/// What the service holds on to and never gives back.
#[derive(Default)]
struct Forgotten {
    files: Vec<File>,
    connections: Vec<TcpStream>,
}

/// Serves until standard input closes, the parent dies, or the time is up.
pub(super) fn run() -> anyhow::Result<()> {
    let signal = rustix::process::Signal::TERM;
    rustix::process::set_parent_process_death_signal(Some(signal))
        .context("cannot tie the demo service to its parent")?;
    let backend = start_backend()?;
    let parent_done = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&parent_done);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            // A closed standard input means that the parent is done with us.
            let _ = io::stdin().read(&mut [0]);
            told.store(true, Ordering::Relaxed);
        })
        .context("cannot start a thread")?;
    let mut pool =
        (0..POOL).map(|_| TcpStream::connect(backend)).collect::<io::Result<Vec<_>>>()?;
    let mut forgotten = Forgotten::default();
    let start = Instant::now();
    let mut turn = 0;
    while start.elapsed() < LIFE && !parent_done.load(Ordering::Relaxed) {
        turn += 1;
        healthy_turn(backend, &mut pool, turn)?;
        leak(backend, &mut forgotten, turn)?;
        std::thread::sleep(TURN);
    }
    Ok(())
}

/// A server that answers every byte; its side of a connection lives as long as the client's.
fn start_backend() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?;
    let address = listener.local_addr()?;
    // In a process of its own it would hide the server's handles; here a thread each would blur
    // the leaked threads, so one thread polls all of them.
    listener.set_nonblocking(true)?;
    std::thread::Builder::new().name("backend".to_owned()).spawn(move || {
        let mut clients: Vec<TcpStream> = Vec::new();
        loop {
            while let Ok((client, _)) = listener.accept() {
                if client.set_nonblocking(true).is_ok() {
                    clients.push(client);
                }
            }
            clients.retain_mut(|client| {
                let mut byte = [0];
                match client.read(&mut byte) {
                    Ok(0) => false,
                    Ok(_) => client.write_all(&byte).is_ok(),
                    Err(error) => error.kind() == io::ErrorKind::WouldBlock,
                }
            });
            std::thread::sleep(Duration::from_millis(2));
        }
    })?;
    Ok(address)
}

/// What a service should do: files closed after use, a pool that is used, short connections.
fn healthy_turn(backend: SocketAddr, pool: &mut [TcpStream], turn: u32) -> io::Result<()> {
    let mut text = String::new();
    File::open("/proc/self/status")?.read_to_string(&mut text)?;
    for connection in pool.iter_mut() {
        ask(connection)?;
    }
    if turn.is_multiple_of(2) {
        ask(&mut TcpStream::connect(backend)?)?;
    }
    Ok(())
}

fn ask(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(b"?")?;
    connection.read_exact(&mut [0])
}

/// What it should not do.
fn leak(backend: SocketAddr, forgotten: &mut Forgotten, turn: u32) -> io::Result<()> {
    if turn.is_multiple_of(FILE_EVERY) {
        forgotten.files.push(File::open("/proc/self/limits")?);
    }
    if turn.is_multiple_of(CONNECTION_EVERY) {
        let mut connection = TcpStream::connect(backend)?;
        ask(&mut connection)?;
        forgotten.connections.push(connection);
    }
    if turn.is_multiple_of(THREAD_EVERY) {
        let worker = std::thread::Builder::new().name(format!("worker-{turn}"));
        // poolscan: allow(detached-endless-thread): this service leaks on purpose
        worker.spawn(|| {
            loop {
                std::thread::park();
            }
        })?;
    }
    Ok(())
}
