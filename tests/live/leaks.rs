//! Roles that leak.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{MemfdFlags, inotify, memfd_create};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

use crate::child::Plan;
use crate::healthy;
use crate::peer::ask;

/// Handles of inotify are scarce: one user may have 128 of them by default.
pub(crate) const INOTIFY_EVERY: u32 = 4;

/// Everything a child may hold.
#[derive(Default)]
struct Held {
    fds: Vec<OwnedFd>,
    children: Vec<Child>,
    signals: Vec<SignalFd>,
}

/// One of each kind every turn.
pub(crate) fn everything(plan: &Plan) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut held = Held::default();
    with_churn(plan, || {
        plan.leaking(|turn| {
            one_of_each_file(&mut held, plan, turn);
            one_of_each_socket(&mut held, &listener);
            one_of_each_other(&mut held, turn);
        });
    });
}

fn one_of_each_file(held: &mut Held, plan: &Plan, turn: u32) {
    held.fds.push(File::create(plan.folder.join("kept")).unwrap().into());
    let deleted = plan.folder.join(format!("deleted-{turn}"));
    held.fds.push(File::create(&deleted).unwrap().into());
    fs::remove_file(&deleted).unwrap();
    held.fds.push(File::open("/usr").unwrap().into());
    held.fds.push(File::open("/dev/zero").unwrap().into());
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    held.fds.extend([reader, writer]);
}

fn one_of_each_socket(held: &mut Held, listener: &TcpListener) {
    each_tcp_role(held, listener);
    each_other_role(held);
}

fn each_tcp_role(held: &mut Held, listener: &TcpListener) {
    held.fds.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap().into());
    held.fds.push(listener.accept().unwrap().0.into());
    held.fds.push(socket(AddressFamily::INET, SocketType::STREAM, None).unwrap());
}

fn each_other_role(held: &mut Held) {
    held.fds.push(UnixStream::pair().unwrap().0.into());
    held.fds.push(UdpSocket::bind("127.0.0.1:0").unwrap().into());
}

/// Sockets of a few roles: few enough for a finding each.
pub(crate) fn tcp_roles(plan: &Plan) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut held = Held::default();
    with_churn(plan, || plan.leaking(|_| each_tcp_role(&mut held, &listener)));
}

/// The other roles of sockets.
pub(crate) fn other_roles(plan: &Plan) {
    let mut held = Held::default();
    with_churn(plan, || plan.leaking(|_| each_other_role(&mut held)));
}

fn one_of_each_other(held: &mut Held, turn: u32) {
    held.fds.push(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
    held.fds.push(epoll::create(epoll::CreateFlags::CLOEXEC).unwrap());
    held.fds.push(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap());
    held.fds.push(memfd_create("leak", MemfdFlags::CLOEXEC).unwrap());
    held.fds.push(pidfd_open(getpid(), PidfdFlags::empty()).unwrap());
    let signals = SigSet::from(Signal::SIGUSR1);
    held.signals.push(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).unwrap());
    if turn.is_multiple_of(INOTIFY_EVERY) {
        held.fds.push(inotify::init(inotify::CreateFlags::CLOEXEC).unwrap());
    }
    let thread = std::thread::Builder::new().name(format!("leak-{turn}"));
    thread
        .spawn(|| {
            loop {
                std::thread::park();
            }
        })
        .unwrap();
    held.children.push(Command::new("true").spawn().unwrap());
}

/// One file and one client connection every turn: one kind that shows its use, one that does not.
pub(crate) fn file_and_connection(plan: &Plan) {
    let mut held: Vec<OwnedFd> = Vec::new();
    with_churn(plan, || {
        plan.leaking(|_| {
            held.push(File::create(plan.folder.join("kept")).unwrap().into());
            let mut connection = TcpStream::connect(plan.peer()).unwrap();
            ask(&mut connection);
            held.push(connection.into());
        });
    });
}

/// Clients close; this server does not.
pub(crate) fn close_wait(plan: &Plan) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    plan.leaking(|_| {
        drop(TcpStream::connect(address).unwrap());
        held.push(listener.accept().unwrap());
    });
}

/// A busy pool that loses one connection after the other and opens others in their place.
pub(crate) fn forgotten(plan: &Plan) {
    let connect = || TcpStream::connect(plan.peer()).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut pool: Vec<TcpStream> = (0..10).map(|_| connect()).collect();
            let mut lost = Vec::new();
            plan.paced(20.0, |_| {
                for connection in &mut pool {
                    ask(connection);
                }
                for () in receiver.try_iter() {
                    lost.push(std::mem::replace(&mut pool[0], connect()));
                    pool.rotate_left(1);
                }
            });
        });
        plan.leaking(|_| sender.send(()).unwrap());
    });
}

fn with_churn(plan: &Plan, leak: impl FnOnce()) {
    std::thread::scope(|scope| {
        if plan.churn > 0.0 {
            scope.spawn(|| healthy::churn(plan));
        }
        leak();
    });
}
