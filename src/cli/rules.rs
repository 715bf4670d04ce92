//! `poolscan rules`: the tables of all rules, of lint and of watch, the pages of the former, and
//! whether their examples hold.

mod test;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;

use super::args::{Color, PageFormat, RulesArgs, RulesCommand};
use super::catalogue::Catalogue;
use super::exit::Exit;
use super::terminal::page_style;
use crate::catalog::live;
use crate::catalog::model::Rule;
use crate::report::{lint, live_rules};

pub(super) fn run(args: &RulesArgs) -> anyhow::Result<Exit> {
    if let Some(RulesCommand::Test(args)) = &args.command {
        return test::run(args);
    }
    let catalogue = Catalogue::here(&args.rules)?;
    if let Some(folder) = &args.markdown {
        write_pages(&catalogue, folder)?;
        return Ok(Exit::Nothing);
    }
    let mut out = io::stdout().lock();
    match args.format {
        PageFormat::Human => {
            let style = page_style(Color::Auto);
            lint::rules(&catalogue.all(), style, &mut out)?;
            writeln!(out)?;
            live_rules(live::rules(), style, &mut out)?;
        }
        PageFormat::Json => lint::rules_json(&catalogue.all(), live::rules(), &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Nothing)
}

/// Writes the pages about all rules; other files in the folder stay.
fn write_pages(catalogue: &Catalogue, folder: &Path) -> anyhow::Result<()> {
    let catalog = catalogue.catalog();
    let packages = |rule: &Rule| -> BTreeSet<String> {
        catalog.packages_of(rule).into_iter().map(str::to_owned).collect()
    };
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for page in lint::pages(&catalogue.all(), &packages) {
        let path = folder.join(&page.name);
        std::fs::write(&path, page.text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
