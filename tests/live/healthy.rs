//! Roles and traffic that are healthy, however busy they look.

use std::collections::VecDeque;
use std::fs::File;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::child::Plan;
use crate::peer::ask;

/// Parts of the longest normal life for which churned handles are held.
const LIVES: [f64; 4] = [0.0, 0.02, 0.15, 0.4];

/// Opens, uses and closes the very file and peer that leak.
pub(crate) fn churn(plan: &Plan) {
    let mut open: VecDeque<(Instant, OwnedFd)> = VecDeque::new();
    plan.paced(plan.churn, |turn| {
        let mut life = LIVES[turn as usize / 2 % LIVES.len()] * plan.lifetime;
        let handle: OwnedFd = if turn.is_multiple_of(2) {
            let mut connection = TcpStream::connect(plan.peer()).unwrap();
            ask(&mut connection);
            connection.into()
        } else {
            // What is normal for a file is a third of what is normal for a connection.
            life /= 3.0;
            File::create(plan.folder.join("kept")).unwrap().into()
        };
        open.push_back((Instant::now() + Duration::from_secs_f64(life), handle));
        let now = Instant::now();
        open.retain(|(end, _)| *end > now);
    });
}

/// Nothing but churn.
pub(crate) fn churn_alone(plan: &Plan) {
    std::thread::scope(|scope| {
        scope.spawn(|| churn(plan));
        plan.leaking(|_| {});
    });
}

/// Ten connections in turn, ten that idle.
pub(crate) fn pool(plan: &Plan) {
    let connect = |_| TcpStream::connect(plan.peer()).unwrap();
    let _idle: Vec<_> = (0..10).map(connect).collect();
    let mut pool: Vec<_> = (0..10).map(connect).collect();
    plan.leaking(|turn| {
        let busy = turn as usize % pool.len();
        ask(&mut pool[busy]);
    });
}

/// Files pile up and are closed all at once, within the longest normal life.
pub(crate) fn saw_tooth(plan: &Plan) {
    let mut held = Vec::new();
    let mut emptied = Instant::now();
    plan.leaking(|_| {
        held.push(File::open("/etc/passwd").unwrap());
        if emptied.elapsed().as_secs_f64() > 0.6 * plan.lifetime {
            held.clear();
            emptied = Instant::now();
        }
    });
}

/// A pool fills over a few lifetimes, then stays as it is, and is used.
pub(crate) fn warm_up(plan: &Plan) {
    let mut pool = Vec::new();
    let start = Instant::now() + Duration::from_secs_f64(plan.wait);
    plan.leaking(|_| {
        let part = start.elapsed().as_secs_f64() / (3.0 * plan.lifetime);
        while (pool.len() as f64) < 40.0 * part.min(1.0) {
            pool.push(TcpStream::connect(plan.peer()).unwrap());
        }
        for connection in &mut pool {
            ask(connection);
        }
    });
}
