//! The rules as the command line sees them: looked up by id or another name, with a guess.

use anyhow::bail;

use crate::catalog::Catalog;
use crate::catalog::model::Rule;
use crate::report::lint::Described;

/// All rules, in the order in which they are listed.
pub(super) struct Catalogue(Vec<Described<'static>>);

impl Catalogue {
    /// The rules that are built in.
    pub(super) fn load() -> Self {
        let rules = Catalog::embedded().rules().iter();
        Self(rules.map(|known| Described { family: &known.family, rule: &known.rule }).collect())
    }

    /// All rules.
    pub(super) fn all(&self) -> &[Described<'static>] {
        &self.0
    }

    /// The rule of this id or other name.
    pub(super) fn find(&self, name: &str) -> anyhow::Result<Described<'static>> {
        let found = self.0.iter().find(|known| names(known.rule).any(|known| known == name));
        if let Some(described) = found {
            return Ok(*described);
        }
        match nearest(name, self.0.iter().flat_map(|known| names(known.rule))) {
            Some(guess) => bail!("no rule is called '{name}'; did you mean '{guess}'?"),
            None => bail!("no rule is called '{name}'; `poolscan rules` lists them"),
        }
    }

    /// The ids of these names.
    pub(super) fn ids(&self, names: &[String]) -> anyhow::Result<Vec<String>> {
        names.iter().map(|name| Ok(self.find(name)?.rule.id.clone())).collect()
    }
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
        let catalogue = Catalogue::load();
        for described in catalogue.all() {
            for name in names(described.rule) {
                assert_eq!(catalogue.find(name).expect("found").rule.id, described.rule.id);
            }
        }
        assert!(catalogue.find("no-such-rule-anywhere").is_err());
    }
}
