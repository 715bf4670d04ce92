//! `poolscan lsp`: what lint finds in the files that an editor shows, over standard input and output.
//!
//! One thread reads messages, one at a time looks at source, and this one answers: what is asked
//! meanwhile does not wait for a look.

mod actions;
mod client;
mod diagnostics;
mod documents;
mod look;
mod now;
mod place;
mod schedule;
mod session;
mod uri;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use anyhow::Context as _;

use look::Looked;
use session::Session;
use wire::Incoming;

use super::args::LspArgs;
use super::complain;
use super::exit::Exit;

/// Events that wait to be handled, at most; whoever has more waits.
const WAITING: usize = 16;

/// What happens to a session.
enum Event {
    /// Something came from the editor.
    Came(Incoming),
    /// A look has ended.
    Looked(anyhow::Result<Looked>),
}

pub(super) fn run(args: &LspArgs) -> anyhow::Result<Exit> {
    let (events, inbox) = mpsc::sync_channel(WAITING);
    let came = events.clone();
    thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            wire::read_all(&mut io::stdin().lock(), &|incoming| {
                came.send(Event::Came(incoming)).is_ok()
            });
        })
        .context("the reading thread cannot be started")?;
    let mut session = Session::new(Arc::new(args.choosing.clone()), io::stdout(), events);
    loop {
        let event = match session.due() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let ended = match event {
            Ok(event) => session.handle(event),
            Err(RecvTimeoutError::Timeout) => session.look(Instant::now()).map(|()| None),
            Err(RecvTimeoutError::Disconnected) => Ok(Some(Exit::NotShutDown)),
        };
        match ended {
            Ok(None) => {}
            Ok(Some(exit)) => return Ok(exit),
            Err(error) => {
                complain(&format!("the editor takes no more messages: {error}"));
                return Ok(Exit::NotShutDown);
            }
        }
    }
}
