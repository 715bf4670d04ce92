//! Children that show what a diagnosis is about, and healthy ones that look alike.
//!
//! Each sets itself up, says that it is ready, and stays as it is until it is killed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{Resource, Rlimit};

use crate::child::Plan;
use crate::peer::ask;

/// Longer than what counts as one moment at the lifetime of these tests.
const LATER: Duration = Duration::from_millis(300);

/// Runs a role; `false` when there is none of this name.
pub(crate) fn run(plan: &Plan) -> bool {
    match plan.role.as_str() {
        "full" => fill(plan, 1.0),
        "nearly-full" => fill(plan, 0.9),
        "closed-by-peer" => closed_by_peer(plan, 12),
        "closed-by-peer-few" => closed_by_peer(plan, 3),
        "half-closed-stream" => half_closed_stream(plan),
        "overdue" => overdue(plan),
        "connections-at-rest" => {
            let held: Vec<_> = (0..6).map(|_| asked(plan.peer())).collect();
            stay(plan, held);
        }
        "not-accepting" => waiting(plan, false),
        "accepting" => waiting(plan, true),
        "not-reading" => unread(plan, true),
        "quiet-clients" => unread(plan, false),
        "connect-hang" => connect_hang(plan),
        "connect-refused" => stay(plan, refused()),
        "zombies" => children(plan, false),
        "waited-for" => children(plan, true),
        "deleted-file" => stay(plan, deleted(plan, 150 << 20)),
        "small-deleted-files" => stay(plan, [1; 50].map(|size| deleted(plan, size << 10))),
        "pinned-pool" => pool(plan, false),
        "pool-at-rest" => pool(plan, true),
        "burst-on-a-pool" => burst(plan, 15),
        "slow-queries" => burst(plan, 10),
        "unanswered" => unanswered(plan),
        "not-taking" => taking(plan, false),
        "taking" => taking(plan, true),
        "timer-a-request" => timers(plan, 300),
        "timer-a-thread" => timers(plan, 8),
        "watcher-a-request" => watchers(plan, 40),
        "one-watcher" => watchers(plan, 1),
        "peers-unbalanced" => peers(plan, [60, 3, 3]),
        "peers-balanced" => peers(plan, [22, 22, 22]),
        "never-connected" => stay(plan, unconnected(20)),
        "few-never-connected" => stay(plan, unconnected(5)),
        "connection-a-request" => requests(plan, false),
        "connections-kept" => requests(plan, true),
        "inherited" => inheriting(plan, false),
        "not-inherited" => inheriting(plan, true),
        "epoll-a-request" => epolls(plan, 80),
        "epoll-a-thread" => epolls(plan, 8),
        _ => return false,
    }
    true
}

/// Says that everything is set up, and keeps it.
pub(crate) fn stay<T>(plan: &Plan, held: T) {
    File::create(plan.progress()).unwrap().write_all(b"1").unwrap();
    sleep(Duration::from_secs_f64(plan.life));
    drop(held);
}

fn fill(plan: &Plan, share: f64) {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(200), maximum }).unwrap();
    // The file that says so takes one for a moment.
    let progress = OpenOptions::new().create(true).append(true).open(plan.progress()).unwrap();
    let mut held = Vec::new();
    let most = if share < 1.0 { (200.0 * share) as usize - 8 } else { usize::MAX };
    while held.len() < most
        && let Ok(file) = File::open("/etc/passwd")
    {
        held.push(file);
    }
    (&progress).write_all(b"1").unwrap();
    sleep(Duration::from_secs_f64(plan.life));
}

pub(crate) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A connection to an own listener, and its other end.
fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// A connection that was used once.
fn asked(peer: SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(peer).unwrap();
    ask(&mut connection);
    connection
}

fn closed_by_peer(plan: &Plan, count: usize) {
    let (listener, _) = listener();
    let clients: Vec<_> = (0..count).map(|_| pair(&listener).0).collect();
    stay(plan, (listener, clients));
}

/// The server has said its last word and reads on; the clients still send.
fn half_closed_stream(plan: &Plan) {
    let (listener, _) = listener();
    let mut clients = Vec::new();
    for _ in 0..12 {
        let (client, mut server) = pair(&listener);
        server.shutdown(Shutdown::Write).unwrap();
        std::thread::spawn(move || while server.read(&mut [0; 64]).is_ok_and(|read| read > 0) {});
        clients.push(client);
    }
    std::thread::spawn(move || {
        loop {
            for client in &mut clients {
                client.write_all(b"more").unwrap();
            }
            sleep(Duration::from_millis(20));
        }
    });
    stay(plan, listener);
}

/// Answered once, then never again.
fn overdue(plan: &Plan) {
    let (listener, _) = listener();
    let mut held = Vec::new();
    for _ in 0..6 {
        let (mut client, mut server) = pair(&listener);
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        server.write_all(b"!").unwrap();
        client.read_exact(&mut [0]).unwrap();
        held.push((client, server));
    }
    sleep(LATER);
    for (client, server) in &mut held {
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
    }
    stay(plan, (listener, held));
}

fn waiting(plan: &Plan, accepting: bool) {
    let (listener, address) = listener();
    rustix::net::listen(&listener, 2).unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(address).unwrap());
        if accepting {
            held.push(listener.accept().unwrap().0);
        }
    }
    stay(plan, (listener, held));
}

fn unread(plan: &Plan, sending: bool) {
    let (listener, _) = listener();
    let mut held: Vec<_> = (0..6).map(|_| pair(&listener)).collect();
    sleep(LATER);
    for (client, _) in held.iter_mut().filter(|_| sending) {
        client.write_all(b"nobody reads this").unwrap();
    }
    stay(plan, (listener, held));
}

fn unconnected(count: usize) -> Vec<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let make = |_| socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    (0..count).map(make).collect()
}

/// The queue of an own listener is full, so that nothing answers further attempts.
fn connect_hang(plan: &Plan) {
    let (listener, address) = listener();
    rustix::net::listen(&listener, 0).unwrap();
    let first = TcpStream::connect(address).unwrap();
    let trying = unconnected(4);
    for socket in &trying {
        // In progress, for as long as it lasts.
        let _ = rustix::net::connect(socket, &address);
    }
    stay(plan, (listener, first, trying));
}

/// A port at which nobody listens.
fn refused() -> Vec<TcpStream> {
    let address = listener().1;
    (0..4).filter_map(|_| TcpStream::connect(address).ok()).collect()
}

fn children(plan: &Plan, waiting: bool) {
    let mut children: Vec<Child> = (0..12).map(|_| Command::new("true").spawn().unwrap()).collect();
    if waiting {
        children.iter_mut().for_each(|child| drop(child.wait()));
    }
    sleep(Duration::from_secs(1));
    stay(plan, children);
}

fn deleted(plan: &Plan, bytes: u64) -> File {
    let path = plan.folder.join("spool");
    let file = File::create(&path).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

/// Ten connections of a pool, and five requests that came after their last use.
fn pool(plan: &Plan, answering: bool) {
    let pool: Vec<_> = (0..10).map(|_| asked(plan.peer())).collect();
    let (listener, _) = listener();
    sleep(LATER);
    let mut requests: Vec<_> = (0..5).map(|_| pair(&listener)).collect();
    for (client, server) in &mut requests {
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
        if answering {
            sleep(Duration::from_millis(50));
            server.write_all(b"!").unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
    }
    stay(plan, (pool, listener, requests));
}

/// Requests that all come at once; each takes one of ten connections, while there are any, and
/// keeps it.
fn burst(plan: &Plan, requests: usize) {
    let mut pool: Vec<_> = (0..10).map(|_| asked(plan.peer())).collect();
    let (listener, _) = listener();
    sleep(LATER);
    let mut requests: Vec<_> = (0..requests).map(|_| pair(&listener)).collect();
    for (client, _) in &mut requests {
        client.write_all(b"?").unwrap();
    }
    for (_, server) in &mut requests {
        server.read_exact(&mut [0]).unwrap();
    }
    pool.iter_mut().for_each(ask);
    stay(plan, (pool, listener, requests));
}

/// Read, and never answered.
fn unanswered(plan: &Plan) {
    let (listener, _) = listener();
    let mut held: Vec<_> = (0..6).map(|_| pair(&listener)).collect();
    for (client, server) in &mut held {
        client.write_all(b"?").unwrap();
        server.read_exact(&mut [0]).unwrap();
    }
    stay(plan, (listener, held));
}

/// A server that sends as much as fits, to a client that reads it or does not.
fn taking(plan: &Plan, reading: bool) {
    let (listener, _) = listener();
    let (mut client, mut server) = pair(&listener);
    server.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(bytes) = server.write(&[0; 65_536]) {
        sent += bytes;
    }
    if reading {
        client.read_exact(&mut vec![0; sent]).unwrap();
    }
    stay(plan, (listener, client, server));
}

fn watchers(plan: &Plan, count: usize) {
    use rustix::fs::inotify::{CreateFlags, init};
    let held: Vec<_> = (0..count).map(|_| init(CreateFlags::CLOEXEC).unwrap()).collect();
    stay(plan, held);
}

/// Connections to three machines of one service.
fn peers(plan: &Plan, counts: [usize; 3]) {
    let (first, address) = listener();
    let other =
        |host| TcpListener::bind(SocketAddr::from(([127, 0, 0, host], address.port()))).unwrap();
    let servers = [first, other(2), other(3)];
    let each = servers.iter().zip(counts);
    let held: Vec<_> =
        each.flat_map(|(server, count)| (0..count).map(move |_| pair(server))).collect();
    stay(plan, (held, servers));
}

fn timers(plan: &Plan, count: usize) {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    let make = |_| timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap();
    stay(plan, (0..count).map(make).collect::<Vec<_>>());
}

/// Asks the peer sixty times a second, over connections that are kept or made for each request. A
/// request takes some time, or no look would ever see its connection.
fn requests(plan: &Plan, keeping: bool) {
    let mut kept: Vec<_> = (0..4).map(|_| TcpStream::connect(plan.peer()).unwrap()).collect();
    File::create(plan.progress()).unwrap().write_all(b"1").unwrap();
    plan.paced(60.0, |turn| {
        if keeping {
            let turn = turn as usize % kept.len();
            ask(&mut kept[turn]);
        } else {
            let connection = asked(plan.peer());
            sleep(Duration::from_millis(10));
            drop(connection);
        }
    });
}

/// Eight connections and a listener, and a helper that was started beside them.
fn inheriting(plan: &Plan, closing: bool) {
    let (listener, _) = listener();
    let held: Vec<_> = (0..8).map(|_| asked(plan.peer())).collect();
    let flags = if closing { FdFlags::CLOEXEC } else { FdFlags::empty() };
    for socket in held.iter().map(AsFd::as_fd).chain([listener.as_fd()]) {
        rustix::io::fcntl_setfd(socket, flags).unwrap();
    }
    let helper = Ended(Command::new("sleep").arg("60").spawn().unwrap());
    stay(plan, (listener, held, helper));
}

/// Killed with its value; that of a killed parent sleeps for a minute at most.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn epolls(plan: &Plan, count: usize) {
    let make = |_| rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC);
    let held: Vec<_> = (0..count).map(|turn| make(turn).unwrap()).collect();
    stay(plan, held);
}
