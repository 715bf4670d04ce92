//! The small measurement of `cargo test`: mutants of the good examples that ship with the rules.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::mutants::{self, How, Outcome, Tried};

#[derive(Deserialize)]
struct Rule {
    id: String,
    good: String,
    #[serde(default)]
    deps: BTreeMap<String, String>,
}

/// Mutates the good example of each rule.
pub(crate) fn measure(how: How<'_>) -> Result<Vec<Tried>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/lint");
    for entry in ignore::WalkBuilder::new(&rules).build().flatten() {
        if entry.path().extension().is_some_and(|end| end == "toml") {
            let text = std::fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
            let rule: Rule = toml::from_str(&text).map_err(|error| error.to_string())?;
            write(folder.path(), &rule).map_err(|error| error.to_string())?;
        }
    }
    Ok(mutants::measure(&mutants::packages(&[folder.path().to_owned()]), how))
}

/// Makes the example a package of its own.
fn write(folder: &Path, rule: &Rule) -> std::io::Result<()> {
    let place = folder.join(&rule.id);
    std::fs::create_dir_all(place.join("src"))?;
    let mut manifest = format!(
        "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n",
        rule.id
    );
    for (name, version) in &rule.deps {
        manifest.push_str(&format!("{name} = \"{version}\"\n"));
    }
    std::fs::write(place.join("Cargo.toml"), manifest)?;
    std::fs::write(place.join("src/lib.rs"), &rule.good)
}

/// Whether the sample is large enough, and four of five mutants reported or noted.
pub(crate) fn good_enough(tried: &[Tried]) -> bool {
    let count = |outcome| tried.iter().filter(|one| one.outcome == outcome).count();
    let seen = count(Outcome::Reported) + count(Outcome::Noted);
    let all = seen + count(Outcome::Missed);
    println!("seen {seen} of {all}; at least {LEAST} and four of five are enough");
    all >= LEAST && seen * 5 >= all * 4
}

/// So many mutants the sample has to have.
const LEAST: usize = 70;
