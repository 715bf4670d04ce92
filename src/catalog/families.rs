//! What families of lint rules are about: data of `rules/families.toml`.

use std::sync::OnceLock;

use serde::Deserialize;

const FILE: &str = include_str!("../../rules/families.toml");

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Families {
    holding: Vec<String>,
}

/// Families about what is held and not given back. Parsed on first use.
pub fn holding() -> &'static [String] {
    static EMBEDDED: OnceLock<Families> = OnceLock::new();
    // That there are no problems is a test.
    &EMBEDDED.get_or_init(|| toml::from_str(FILE).unwrap_or_default()).holding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn each_is_a_family_of_rules() {
        let read: Families = toml::from_str(FILE).unwrap();
        assert!(!read.holding.is_empty());
        for family in &read.holding {
            let rules = Catalog::embedded().rules();
            assert!(rules.iter().any(|rule| *rule.family == **family), "no family {family}");
        }
    }
}
