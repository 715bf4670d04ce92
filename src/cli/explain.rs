//! `poolscan explain`: what one rule is about.

use std::io::{self, Write};

use super::args::{ExplainArgs, PageFormat};
use super::catalogue::Catalogue;
use super::exit::Exit;
use super::terminal::page_style;
use crate::report::lint;

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::load(&args.rules)?;
    let rule = catalogue.find(&args.rule)?;
    let mut out = io::stdout().lock();
    match args.format {
        PageFormat::Human => lint::explain(rule, page_style(args.color), &mut out)?,
        PageFormat::Json => lint::explain_json(rule, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}
