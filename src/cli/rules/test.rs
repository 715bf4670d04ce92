//! `poolscan rules test`: lints the examples of rules and says where they differ from their marks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;

use super::super::args::RulesTestArgs;
use super::super::catalogue::Catalogue;
use super::super::exit::Exit;
use crate::catalog::Snippet;
use crate::lint::example::{Fired, differences, manifest, marked, only};
use crate::lint::{self, Options};
use crate::report::lint::Described;
use crate::report::sanitise;

/// An example, and the folder of its package.
struct Sample<'r> {
    folder: String,
    rule: &'r str,
    snippet: Snippet<'r>,
}

pub(super) fn run(args: &RulesTestArgs) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::load(&args.files)?;
    let rules = if args.files.is_empty() { catalogue.all() } else { catalogue.own() };
    let mut out = io::stdout().lock();
    if rules.is_empty() {
        writeln!(out, "there is no rule in what was named, only facts")?;
        return Ok(Exit::Nothing);
    }
    let place = tempfile::Builder::new().prefix("poolscan-rules-").tempdir();
    let place = place.context("there is no folder for the examples")?;
    let samples = samples(&rules);
    for sample in &samples {
        write(place.path(), sample)?;
    }
    let found = found(&catalogue, &rules, place.path())?;
    let mut failed = 0;
    for sample in &samples {
        let fired = only(found.get(&sample.folder).cloned().unwrap_or_default(), sample.rule);
        let expected = only(marked(sample.snippet.source, sample.rule), sample.rule);
        let wrong = differences(&sample.folder, sample.snippet.source, &expected, &fired);
        failed += usize::from(!wrong.is_empty());
        for line in wrong.lines() {
            writeln!(out, "{}", sanitise(line))?;
        }
    }
    let counts = format!("{} rules, {} examples", rules.len(), samples.len());
    match failed {
        0 => writeln!(out, "{counts}: all as they say")?,
        _ => writeln!(out, "{counts}: {failed} not as they say")?,
    }
    out.flush()?;
    Ok(if failed == 0 { Exit::Nothing } else { Exit::Findings })
}

fn samples<'r>(rules: &[Described<'r>]) -> Vec<Sample<'r>> {
    let of = |described: &Described<'r>| {
        let rule = described.rule;
        let sample = |snippet: Snippet<'r>| Sample {
            folder: format!("{}/{}", rule.id, snippet.label()),
            rule: &rule.id,
            snippet,
        };
        rule.snippets().into_iter().map(sample).collect::<Vec<_>>()
    };
    rules.iter().flat_map(of).collect()
}

/// Writes the package of an example.
fn write(place: &Path, sample: &Sample<'_>) -> anyhow::Result<()> {
    let folder = place.join(&sample.folder);
    let put = || -> io::Result<()> {
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest(&sample.folder, sample.snippet.deps))?;
        fs::write(folder.join("src/lib.rs"), sample.snippet.source)
    };
    put().with_context(|| format!("{} cannot be written", folder.display()))
}

/// What the rules find in each example, by its folder.
fn found(
    catalogue: &Catalogue,
    rules: &[Described<'_>],
    place: &Path,
) -> anyhow::Result<BTreeMap<String, Fired>> {
    let report = lint::run(&Options {
        paths: vec![place.to_path_buf()],
        select: rules.iter().map(|described| described.rule.id.clone()).collect(),
        catalog: Some(catalogue.catalog()),
        ..Options::default()
    })?;
    let mut found: BTreeMap<String, Fired> = BTreeMap::new();
    for finding in report.findings {
        let region = &finding.region;
        let Some(folder) = region.path.strip_suffix("/src/lib.rs") else { continue };
        let mut parts = folder.rsplit('/');
        let (Some(which), Some(rule)) = (parts.next(), parts.next()) else { continue };
        let fired = found.entry(format!("{rule}/{which}")).or_default();
        fired.entry(region.line).or_default().insert(finding.rule);
    }
    Ok(found)
}
