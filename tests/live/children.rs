//! The programs that are watched: this test's own executable, re-executed under another role.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{MemfdFlags, inotify, memfd_create};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

const LIFE: Duration = Duration::from_secs(120);
/// Leaks of each kind a second.
pub(crate) const RATE: f64 = 4.0;

/// Everything a child may hold.
#[derive(Default)]
struct Held {
    fds: Vec<OwnedFd>,
    children: Vec<Child>,
}

/// Runs a role until the time is up; killed by the test before that.
pub(crate) fn run(role: &str) {
    let signal = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(signal)).unwrap();
    match role {
        "everything" => leak_everything(),
        "close-wait" => close_wait(),
        "forgotten" => forgotten(),
        "healthy" => healthy(),
        "saw-tooth" => saw_tooth(),
        "warm-up" => warm_up(),
        other => panic!("no role {other}"),
    }
}

/// Calls `turn` so many times a second until the time is up.
fn paced(per_second: f64, mut turn: impl FnMut(u32)) {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < LIFE {
        count += 1;
        turn(count);
        let next = start + Duration::from_secs_f64(f64::from(count) / per_second);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn backend() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // Handles of the server side are held here for as long as the client's.
        for client in listener.incoming().flatten() {
            std::thread::Builder::new()
                .name("echo".to_owned())
                .spawn(move || echo(client))
                .unwrap();
        }
    });
    address
}

fn echo(mut client: TcpStream) {
    let mut byte = [0];
    while matches!(client.read(&mut byte), Ok(1)) {
        if client.write_all(&byte).is_err() {
            return;
        }
    }
}

fn ask(connection: &mut TcpStream) {
    connection.write_all(b"?").unwrap();
    connection.read_exact(&mut [0]).unwrap();
}

/// Churn that has nothing to do with any leak.
fn churn() {
    let address = backend();
    std::thread::Builder::new()
        .name("churn".to_owned())
        .spawn(move || {
            paced(25.0, |_| {
                let mut text = String::new();
                File::open("/proc/self/stat").unwrap().read_to_string(&mut text).unwrap();
                ask(&mut TcpStream::connect(address).unwrap());
            });
        })
        .unwrap();
}

fn leak_everything() {
    churn();
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Held::default();
    paced(RATE, |turn| leak_one_of_each(&mut held, folder.path(), &listener, address, turn));
}

fn leak_one_of_each(
    held: &mut Held,
    folder: &std::path::Path,
    listener: &TcpListener,
    address: std::net::SocketAddr,
    turn: u32,
) {
    let kept = folder.join("kept");
    held.fds.push(File::create(&kept).unwrap().into());
    let deleted = folder.join(format!("deleted-{turn}"));
    held.fds.push(File::create(&deleted).unwrap().into());
    fs::remove_file(&deleted).unwrap();
    held.fds.push(File::open("/usr").unwrap().into());
    held.fds.push(TcpStream::connect(address).unwrap().into());
    held.fds.push(listener.accept().unwrap().0.into());
    held.fds.push(UnixStream::pair().unwrap().0.into());
    held.fds.push(UdpSocket::bind("127.0.0.1:0").unwrap().into());
    held.fds.push(socket(AddressFamily::INET, SocketType::STREAM, None).unwrap());
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    held.fds.extend([reader, writer]);
    held.fds.push(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
    held.fds.push(epoll::create(epoll::CreateFlags::CLOEXEC).unwrap());
    held.fds.push(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap());
    held.fds.push(memfd_create("leak", MemfdFlags::CLOEXEC).unwrap());
    held.fds.push(pidfd_open(getpid(), PidfdFlags::empty()).unwrap());
    // Instances of inotify are scarce for a user: fewer of them.
    if turn.is_multiple_of(2)
        && let Ok(watch) = inotify::init(inotify::CreateFlags::CLOEXEC)
    {
        held.fds.push(watch);
    }
    std::thread::Builder::new()
        .name(format!("leak-{turn}"))
        .spawn(|| {
            loop {
                std::thread::park();
            }
        })
        .unwrap();
    held.children.push(Command::new("true").spawn().unwrap());
}

/// Clients close; this server does not.
fn close_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    paced(RATE, |_| {
        drop(TcpStream::connect(address).unwrap());
        held.push(listener.accept().unwrap());
    });
}

/// A pool of which one connection after the other is taken and never given back.
fn forgotten() {
    let address = backend();
    let mut pool: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut lost = Vec::new();
    paced(RATE * 4.0, |turn| {
        for connection in &mut pool {
            ask(connection);
        }
        if turn > 16 && turn.is_multiple_of(4) && pool.len() > 10 {
            lost.extend(pool.pop());
        }
    });
}

fn healthy() {
    churn();
    let address = backend();
    let _idle: Vec<_> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut pool: Vec<_> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
    paced(20.0, |turn| {
        let busy = turn as usize % pool.len();
        ask(&mut pool[busy]);
    });
}

fn saw_tooth() {
    let mut held = Vec::new();
    paced(50.0, |turn| {
        held.push(File::open("/etc/passwd").unwrap());
        // All at once, well within the stated lifetime.
        if turn.is_multiple_of(35) {
            held.clear();
        }
    });
}

fn warm_up() {
    let address = backend();
    let mut pool = Vec::new();
    paced(20.0, |turn| {
        if turn <= 60 {
            pool.push(TcpStream::connect(address).unwrap());
        }
        for connection in &mut pool {
            ask(connection);
        }
    });
}
