//! `poolscan explain`: what one rule is about.

use std::io::{self, Write};

use super::args::{ExplainArgs, PageFormat};
use super::catalogue::Catalogue;
use super::exit::Exit;
use super::terminal::page_style;
use crate::catalog::live;
use crate::report::{explain_live, explain_live_json, lint};

pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    if let Some(rule) = live::rules().iter().find(|rule| rule.id == args.rule) {
        match args.format {
            PageFormat::Human => explain_live(rule, page_style(args.color), &mut out)?,
            PageFormat::Json => explain_live_json(rule, &mut out)?,
        }
        out.flush()?;
        return Ok(Exit::Nothing);
    }
    let catalogue = Catalogue::here(&args.rules)?;
    let rule = catalogue.find(&args.rule)?;
    match args.format {
        PageFormat::Human => lint::explain(rule, page_style(args.color), &mut out)?,
        PageFormat::Json => lint::explain_json(rule, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}
