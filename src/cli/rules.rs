//! `poolscan rules`: the table of all rules.

use std::io::{self, Write};

use super::args::{Color, PageFormat, RulesArgs};
use super::catalogue::Catalogue;
use super::exit::Exit;
use super::terminal::page_style;
use crate::report::lint;

pub(super) fn run(args: &RulesArgs) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::load();
    let mut out = io::stdout().lock();
    match args.format {
        PageFormat::Human => lint::rules(catalogue.all(), page_style(Color::Auto), &mut out)?,
        PageFormat::Json => lint::rules_json(catalogue.all(), &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}
