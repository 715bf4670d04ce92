//! Attaches the sources that are asked over a connection.

use std::time::{Duration, Instant};

use super::args::Tokio;
use crate::live::collect::console::{Console, Wanted};
use crate::live::collect::sampler::Sampler;

/// One look waits for so long for what a console tells first.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the consoles of tokio for the tasks of every target, from the next identity beat on. `zero`
/// is the moment of event time 0; with `once` there is no later beat.
pub(super) fn attach_tokio(asked: &Tokio, sampler: &mut Sampler, zero: Instant, once: bool) {
    let wanted = match asked {
        Tokio::Off => return,
        Tokio::Auto => Wanted::Auto,
        Tokio::At(address) => Wanted::At(address.clone()),
    };
    // A console that is named tells of one target: of the first.
    let most = if wanted == Wanted::Auto { usize::MAX } else { 1 };
    let consoles: Vec<_> = sampler
        .targets()
        .take(most)
        .map(|target| {
            let mut console = Console::new(wanted.clone(), zero);
            if once {
                console.hear_first(target, sampler.bucket_ms(), PATIENCE);
            }
            (target.id, console)
        })
        .collect();
    for (target, console) in consoles {
        sampler.attach(target, Box::new(console));
    }
}
