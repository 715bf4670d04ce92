//! `poolscan ls`: which handles processes hold, and who is at the other end.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::time::Instant;

use super::args::{Color, LsArgs, PageFormat};
use super::exit::Exit;
use super::remotes::attach_tokio;
use super::targets;
use super::terminal::page_style;
use crate::live::collect::other_end::{self, End, OtherEnds};
use crate::live::collect::sampler::Sampler;
use crate::live::facts::HandleId;
use crate::live::inventory::{Held, Holder, Inventory};
use crate::report::{Listing, listing, listing_json};

/// Silence is told from the first millisecond on: one look, nothing is compared with a later one.
const BUCKET_MS: i64 = 1;

pub(super) fn run(args: &LsArgs) -> anyhow::Result<Exit> {
    let selectors = [args.selector.clone()];
    let targets = targets::find(&selectors, None)?;
    let mut sampler = Sampler::new(targets, BUCKET_MS, 0);
    attach_tokio(&args.tasks.tokio, &mut sampler, Instant::now(), true);
    let mut facts = sampler.describe();
    sampler.identity_beat(0, &mut facts);
    let mut inventory = Inventory::default();
    for fact in facts {
        inventory.apply(fact);
    }
    let mut list = Listing {
        inventory: &inventory,
        group: args.group.as_deref(),
        other_ends: &BTreeMap::new(),
        other_ends_reason: "",
    };
    let (found, ends) = other_ends(&list.handles(), &sampler);
    list.other_ends = &ends;
    list.other_ends_reason = &found.reason;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.format {
        PageFormat::Human => {
            let mut style = page_style(Color::Auto);
            if !io::stdout().is_terminal() {
                // What searches the output wants whole paths.
                style.width = usize::MAX;
            }
            listing(&list, style, &mut out)?;
        }
        PageFormat::Json => listing_json(&list, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}

/// The holders of the other ends of sockets and pipes, by handle.
fn other_ends(
    handles: &[(HandleId, &Held)],
    sampler: &Sampler,
) -> (OtherEnds, BTreeMap<HandleId, Holder>) {
    let asked: Vec<(HandleId, End)> = handles
        .iter()
        .filter_map(|&(id, held)| {
            let inode = held.facts.inode?;
            let end = match &*held.facts.kind {
                "socket" => End::Socket(inode),
                "pipe" => End::Pipe(inode, held.facts.pid?, held.facts.fd?),
                _ => return None,
            };
            Some((id, end))
        })
        .collect();
    let ends: Vec<End> = asked.iter().map(|&(_, end)| end).collect();
    let mut found = OtherEnds::default();
    for processes in sampler.processes() {
        let more = other_end::find(processes, &ends);
        found.holders.extend(more.holders);
        found.reason = more.reason;
    }
    let by_handle = asked
        .into_iter()
        .filter_map(|(id, end)| Some((id, found.holders.get(&end)?.clone())))
        .collect();
    (found, by_handle)
}
