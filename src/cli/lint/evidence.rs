//! What `watch` told of leaks, as evidence for findings.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::catalog::families::holding;
use crate::finding::LintFinding;
use crate::join::{self, Leak, Place, Remap};

/// Bytes of one document.
const MOST_BYTES: u64 = 64 << 20;
/// Places taken from all of them.
const MOST_PLACES: usize = 1_000;
/// Characters of a text that are kept.
const MOST_TEXT: usize = 300;

/// Places that leak.
pub(super) struct Evidence(Vec<Told>);

/// A place, as a document has it.
struct Told {
    target: String,
    group: String,
    opener: Opener,
}

#[derive(Deserialize)]
struct Document {
    schema: String,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    target: Name,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct Resource {
    group: Vec<String>,
    verdict: String,
    // Documents of older versions have none.
    #[serde(default)]
    openers: Vec<Opener>,
}

#[derive(Deserialize)]
struct Opener {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    through: Option<String>,
    certain: bool,
    survivors: u64,
}

impl Evidence {
    /// Reads documents of `watch` and `replay`.
    ///
    /// # Errors
    /// One cannot be read, or is none.
    pub(super) fn read(files: &[PathBuf], remaps: &[Remap]) -> anyhow::Result<Self> {
        let mut told = Vec::new();
        for file in files {
            let text = bounded(file)
                .with_context(|| format!("the evidence `{}` cannot be read", file.display()))?;
            take(&text, remaps, &mut told)
                .with_context(|| format!("the evidence `{}` was not understood", file.display()))?;
        }
        told.truncate(MOST_PLACES);
        Ok(Self(told))
    }

    /// Writes into findings what was seen at their places.
    pub(super) fn apply(&self, findings: &mut [LintFinding]) {
        let leaks: Vec<Leak<'_>> = self
            .0
            .iter()
            .map(|Told { target, group, opener }| Leak {
                target,
                group,
                survivors: opener.survivors,
                certain: opener.certain,
                place: Place {
                    function: opener.function.as_deref().unwrap_or_default(),
                    file: opener.file.as_deref().unwrap_or_default(),
                    line: opener.line,
                    ..Place::default()
                },
            })
            .collect();
        if !leaks.is_empty() {
            join::raise(findings, &leaks, holding());
        }
    }
}

fn bounded(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        bail!("it is larger than {} MiB", MOST_BYTES >> 20);
    }
    Ok(text)
}

/// Takes the places of what leaks; what is only suspected is no evidence, and what a pool opened has
/// no place.
fn take(text: &str, remaps: &[Remap], told: &mut Vec<Told>) -> anyhow::Result<()> {
    let document: Document = serde_json::from_str(text)?;
    let known = ["poolscan.watch/1", "poolscan.replay/1"];
    if !known.contains(&document.schema.as_str()) {
        bail!(
            "its schema is `{}`; `poolscan watch --format json` writes one that is",
            short(&document.schema)
        );
    }
    for Target { target, resources } in document.targets {
        for resource in resources.into_iter().filter(|resource| resource.verdict == "leaking") {
            let group = short(&resource.group.join(" > "));
            for opener in resource.openers.into_iter().filter(|opener| opener.through.is_none()) {
                let opener = Opener {
                    function: opener.function.as_deref().map(short),
                    file: opener.file.map(|file| short(&Remap::apply(remaps, &file))),
                    ..opener
                };
                told.push(Told { target: short(&target.name), group: group.clone(), opener });
            }
        }
    }
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(MOST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(verdict: &str, through: &str) -> String {
        format!(
            r#"{{"schema":"poolscan.watch/1","targets":[{{"target":{{"name":"api"}},"resources":[
            {{"group":["file","/x"],"verdict":"{verdict}","openers":[{{"function":"api::f","file":
            "/build/src/f.rs","line":3,"through":{through},"certain":true,"survivors":9}}]}}]}}]}}"#
        )
    }

    fn count(text: &str) -> anyhow::Result<usize> {
        let mut told = Vec::new();
        take(text, &[], &mut told).map(|()| told.len())
    }

    #[test]
    fn only_lines_that_leak_are_evidence() {
        assert_eq!(count(&document("leaking", "null")).unwrap(), 1);
        assert_eq!(count(&document("suspect", "null")).unwrap(), 0);
        assert_eq!(count(&document("leaking", "\"sqlx\"")).unwrap(), 0);
        assert_eq!(count(r#"{"schema":"poolscan.watch/1"}"#).unwrap(), 0);
    }

    #[test]
    fn what_is_no_such_document_is_refused() {
        for wrong in ["", "[]", "{}", r#"{"schema":"poolscan.lint/1"}"#, r#"{"schema":7}"#] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
        let deep = "[".repeat(100_000);
        assert!(count(&format!(r#"{{"schema":"poolscan.watch/1","targets":{deep}"#)).is_err());
        assert!(Evidence::read(&[PathBuf::from("/nowhere")], &[]).is_err());
    }
}
