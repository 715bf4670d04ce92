//! The rules as the command line sees them: those of the binary and of files that users name,
//! looked up by id or another name, with a guess.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};

use crate::catalog::model::Rule;
use crate::catalog::{Catalog, live};
use crate::report::lint::Described;

/// No file of rules or facts is longer.
const LONGEST: u64 = 1 << 20;

/// All rules and facts.
pub(super) struct Catalogue(Arc<Catalog>);

impl Catalogue {
    /// What is built in, and what these files say.
    pub(super) fn load(files: &[PathBuf]) -> anyhow::Result<Self> {
        if files.is_empty() {
            return Ok(Self(Arc::clone(Catalog::embedded())));
        }
        let texts: Vec<(String, String)> =
            files.iter().map(|path| read(path)).collect::<anyhow::Result<_>>()?;
        let texts: Vec<(&str, &str)> =
            texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let catalog = Catalog::extended(&texts);
        // Its text is one problem a line.
        catalog.map(|catalog| Self(Arc::new(catalog))).map_err(|error| anyhow!("{error}"))
    }

    /// What to lint with.
    pub(super) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.0)
    }

    /// All rules, in the order in which they are listed.
    pub(super) fn all(&self) -> Vec<Described<'_>> {
        let rules = self.0.rules().iter();
        rules.map(|known| Described { family: &known.family, rule: &known.rule }).collect()
    }

    /// The rules that are not built in.
    pub(super) fn own(&self) -> Vec<Described<'_>> {
        let mut all = self.all();
        all.retain(|described| Catalog::embedded().rule_named(&described.rule.id).is_none());
        all
    }

    /// The rule of this id or other name.
    pub(super) fn find(&self, name: &str) -> anyhow::Result<Described<'_>> {
        let all = self.all();
        let found = all.iter().find(|known| names(known.rule).any(|known| known == name));
        if let Some(described) = found {
            return Ok(*described);
        }
        let live = live::rules().iter().map(|rule| &*rule.id);
        match nearest(name, all.iter().flat_map(|known| names(known.rule)).chain(live)) {
            Some(guess) => bail!("no rule is called '{name}'; did you mean '{guess}'?"),
            None => bail!("no rule is called '{name}'; `poolscan rules` lists them"),
        }
    }

    /// The ids of these names.
    pub(super) fn ids(&self, names: &[String]) -> anyhow::Result<Vec<String>> {
        names.iter().map(|name| Ok(self.find(name)?.rule.id.clone())).collect()
    }
}

/// The name of a file and what is in it.
fn read(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.display().to_string();
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let length = file.take(LONGEST + 1).read_to_string(&mut text);
    let length = length.with_context(|| format!("{name} cannot be read"))?;
    if length as u64 > LONGEST {
        bail!("{name} is longer than 1 MiB, which no rule is");
    }
    Ok((name, text))
}

fn names(rule: &Rule) -> impl Iterator<Item = &str> {
    std::iter::once(&rule.id).chain(&rule.aliases).map(String::as_str)
}

/// The name that was probably meant.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let like = |known: &str| {
        let alike = strsim::normalized_damerau_levenshtein(name, known);
        // Part of a long name is a good guess, too.
        let part = name.len() >= 4 && known.contains(name);
        if part { alike.max(0.7) } else { alike }
    };
    let best = known.map(|known| (like(known), known)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_near() {
        let known = ["child-not-waited", "permit-dropped-early", "timeout-unset"];
        let guess = |name| nearest(name, known.into_iter());
        assert_eq!(guess("child-not-wait"), Some("child-not-waited"));
        assert_eq!(guess("timeuot-unset"), Some("timeout-unset"));
        assert_eq!(guess("permit"), Some("permit-dropped-early"));
        assert_eq!(guess("something-else"), None);
        assert_eq!(guess(""), None);
    }

    #[test]
    fn every_built_in_rule_is_found_by_its_names() {
        let catalogue = Catalogue::load(&[]).expect("nothing is read");
        for described in catalogue.all() {
            for name in names(described.rule) {
                assert_eq!(catalogue.find(name).expect("found").rule.id, described.rule.id);
            }
        }
        assert!(catalogue.find("no-such-rule-anywhere").is_err());
    }
}
