//! The other end of the children's connections: a server in a process of its own.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::epoll;

/// Number of the listener among the events.
const LISTENER: u64 = 0;

/// Prints its address, then answers every byte and keeps each connection as long as its client;
/// tells how many it has accepted.
pub(crate) fn serve(mut accepted: impl FnMut(u64)) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    io::stdout().flush()?;
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&events, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut clients: HashMap<u64, TcpStream> = HashMap::new();
    let mut last = LISTENER;
    let mut ready = Vec::with_capacity(256);
    loop {
        ready.clear();
        match epoll::wait(&events, rustix::buffer::spare_capacity(&mut ready), None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        for event in &ready {
            let id = event.data.u64();
            if id == LISTENER {
                let (client, _) = listener.accept()?;
                last += 1;
                accepted(last);
                let data = epoll::EventData::new_u64(last);
                epoll::add(&events, &client, data, epoll::EventFlags::IN)?;
                clients.insert(last, client);
            } else if clients.get_mut(&id).is_some_and(|client| !answer(client)) {
                clients.remove(&id);
            }
        }
    }
}

/// Answers one byte; `false` when the connection is over.
fn answer(client: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(client.read(&mut byte), Ok(1)) && client.write_all(&byte).is_ok()
}

/// Uses a connection once.
pub(crate) fn ask(connection: &mut TcpStream) {
    connection.write_all(b"?").unwrap();
    connection.read_exact(&mut [0]).unwrap();
}
