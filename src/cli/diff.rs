//! `poolscan diff`: what opened, what stayed and what grew between two recordings.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;

use super::args::{Color, DiffArgs, PageFormat};
use super::exit::Exit;
use super::terminal::page_style;
use crate::live::compare::{Moment, compare};
use crate::live::record::{Item, Reader};
use crate::report::{comparison, comparison_json};

pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Exit> {
    let found = compare(&moment(&args.before)?, &moment(&args.after)?);
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.format {
        PageFormat::Human => comparison(&found, page_style(Color::Auto), &mut out)?,
        PageFormat::Json => comparison_json(&found, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}

/// What was held at the end of a recording.
fn moment(path: &Path) -> anyhow::Result<Moment> {
    let mut moment = Moment::default();
    let mut facts = 0_u64;
    for item in Reader::open(path)? {
        match item.with_context(|| path.display().to_string())? {
            Item::Header(header) => moment.wall_start_ms = header.wall_start_ms,
            Item::Fact(fact) => {
                facts += 1;
                moment.inventory.apply(fact);
            }
        }
    }
    anyhow::ensure!(facts > 0, "{}: the recording holds no facts", path.display());
    Ok(moment)
}
