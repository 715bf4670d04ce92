//! `poolscan replay`: recordings through the very judgement of a live run, at full speed.

use std::path::Path;

use anyhow::Context;

use super::args::ReplayArgs;
use super::complain;
use super::exit::{self, Exit};
use super::output::Output;
use super::page::Page;
use crate::live::facts::Fact;
use crate::live::record::{Header, Item, Reader};
use crate::live::watch::{Settings, Watch};

/// Facts handed to the watch at once.
const BATCH: usize = 4096;

pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        args.judging.report.is_none() || args.files.len() == 1,
        "--report shows one recording; name only one"
    );
    let mut worst = Exit::Nothing;
    for file in &args.files {
        let exit = replay(file, args).with_context(|| format!("{}", file.display()))?;
        worst = match (worst, exit) {
            (Exit::Findings, _) | (_, Exit::Findings) => Exit::Findings,
            (Exit::Inconclusive, _) | (_, Exit::Inconclusive) => Exit::Inconclusive,
            _ => Exit::Nothing,
        };
    }
    Ok(worst)
}

fn replay(file: &Path, args: &ReplayArgs) -> anyhow::Result<Exit> {
    let mut output = Output::new(args.judging.format, "replay")
        .with_connections(args.judging.connections.is_some());
    if args.files.len() > 1 {
        output.note(&format!("== {}", file.display()))?;
    }
    let mut reader = Reader::open(file)?;
    let stated = args
        .judging
        .lifetime
        .map(|lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
    let mut watch: Option<Watch> = None;
    let mut page = Page::of(&args.judging);
    let mut facts: Vec<Fact> = Vec::with_capacity(BATCH);
    // Settings come from the header, which is the first line if there is one.
    let settings = |header: Option<&Header>| Settings {
        lifetime_ms: stated.or(header.and_then(|h| h.lifetime_ms)),
        wall_start_ms: header.and_then(|h| h.wall_start_ms),
        frugal_beat_ms: None,
    };
    for item in reader.by_ref() {
        match item? {
            Item::Header(header) => {
                watch.get_or_insert_with(|| Watch::new(settings(Some(&header))));
            }
            Item::Fact(fact) => facts.push(fact),
        }
        if facts.len() >= BATCH {
            let watch = watch.get_or_insert_with(|| Watch::new(settings(None)));
            let changes = watch.step(&facts);
            page.tick(&facts, &changes);
            facts.clear();
            output.tick(&changes, false)?;
        }
    }
    let mut watch = watch.unwrap_or_else(|| Watch::new(settings(None)));
    let changes = watch.step(&facts);
    page.tick(&facts, &changes);
    let outcome = watch.outcome();
    output.tick(&changes, false)?;
    for complaint in complaints(&reader) {
        complain(&format!("{}: {complaint}", file.display()));
    }
    anyhow::ensure!(
        !outcome.targets.is_empty(),
        "the recording holds no facts: nothing was recorded, or it is of another program"
    );
    output.finish(&outcome)?;
    page.write(&outcome)?;
    Ok(exit::of_outcome(&outcome, &args.judging))
}

/// What was wrong with the recording, so that a gap is never taken for silence.
fn complaints(reader: &Reader<'_>) -> Vec<String> {
    let issues = reader.issues();
    let mut found = Vec::new();
    for (count, what) in [
        (issues.unknown_types, "lines of a type this version does not know were skipped"),
        (issues.malformed, "malformed lines were skipped"),
        (issues.oversized, "lines above 64 KiB were skipped"),
        (issues.over_bound, "lines exceeded a memory bound and were skipped"),
        (issues.extra_headers, "further headers were skipped"),
    ] {
        if count > 0 {
            found.push(format!("{count} {what}"));
        }
    }
    if let Some((line, why)) = &issues.first_malformed {
        found.push(format!("the first malformed line is {line}: {why}"));
    }
    if let Some(how) = &issues.truncated {
        found.push(format!("the recording is cut: {how}"));
    }
    if let Some((major, minor)) = issues.newer_minor {
        found.push(format!("it has the newer format {major}.{minor}: some of it may be skipped"));
    }
    found
}
