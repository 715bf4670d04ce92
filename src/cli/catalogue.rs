//! The rules as the command line sees them: those of the binary and those that users bring, looked
//! up by id, another name or family, with a guess.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalog::model::Rule;
use crate::catalog::{Catalog, CatalogError, Text, live};
use crate::config::{
    self, Document, Finder, Knowledge, Mistake, Mistakes, NAME, Settings, Step, nearest,
};
use crate::lint::workspace::{absolute, shown, working_directory};
use crate::report::lint::Described;

/// What stands for all rules.
const ALL: &str = "all";

/// All rules and facts.
#[derive(Debug)]
pub(super) struct Catalogue(Arc<Catalog>);

impl Catalogue {
    /// What is built in, and what these files say.
    pub(super) fn load(files: &[PathBuf]) -> anyhow::Result<Self> {
        Self::with(files, None)
    }

    /// What is built in, what these files say, and what the settings of this folder bring.
    pub(super) fn here(files: &[PathBuf]) -> anyhow::Result<Self> {
        let cwd = working_directory()?;
        let mut finder = Finder::new(&cwd);
        let settings = finder.of(&cwd, None);
        let mistakes = finder.into_mistakes();
        if !mistakes.is_empty() {
            return Err(Mistakes(mistakes).into());
        }
        Self::with(files, settings.as_deref())
    }

    /// What is built in, what these files say, and what settings bring.
    pub(super) fn with(files: &[PathBuf], settings: Option<&Settings>) -> anyhow::Result<Self> {
        let cwd = working_directory()?;
        let mut own = Own { cwd, texts: Vec::new() };
        for file in files {
            own.add_file(absolute(&own.cwd, file)).map_err(wrong)?;
        }
        if let Some(settings) = settings {
            own.add_settings(settings).map_err(wrong)?;
        }
        if own.texts.is_empty() {
            return Ok(Self(Arc::clone(Catalog::embedded())));
        }
        Ok(Self(Arc::new(own.catalog()?)))
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

    /// The ids of the rules that a name stands for: one rule, those of a family, or all; none when
    /// it stands for nothing.
    pub(super) fn ids(&self, name: &str) -> BTreeSet<String> {
        if let Some(id) = self.0.rule_named(name) {
            return BTreeSet::from([self.0.rule(id).rule.id.clone()]);
        }
        let rules = self.0.rules().iter();
        let meant = rules.filter(|known| name == ALL || *known.family == *name);
        meant.map(|known| known.rule.id.clone()).collect()
    }

    /// What is to be said of a name that stands for nothing.
    pub(super) fn guess(&self, name: &str) -> String {
        let rules = self.0.rules();
        let families = rules.iter().map(|known| &*known.family);
        let all = rules.iter().flat_map(|known| names(&known.rule)).chain(families);
        match nearest(name, all) {
            Some(guess) => format!("did you mean `{guess}`?"),
            None => "`poolscan rules` lists all rules and families".to_owned(),
        }
    }
}

fn wrong(mistake: Mistake) -> anyhow::Error {
    Mistakes(vec![mistake]).into()
}

/// Texts of users, each a document or a table in one.
struct Own {
    cwd: PathBuf,
    texts: Vec<(Arc<Document>, Vec<Step>)>,
}

impl Own {
    /// A file with rules or facts, or one of settings, of which only those count.
    fn add_file(&mut self, path: PathBuf) -> Result<(), Mistake> {
        let shown = shown(&path, &self.cwd);
        let document = Document::read(path, shown)?;
        if document.path.file_name().is_some_and(|name| name == NAME) {
            let settings = config::read(&Arc::new(document), &[]);
            let settings = settings.map_err(|mut mistakes| mistakes.swap_remove(0))?;
            return settings.map_or(Ok(()), |settings| self.add_settings(&settings));
        }
        self.add(document, Vec::new());
        Ok(())
    }

    /// Named twice, it is still one.
    fn add(&mut self, document: Document, at: Vec<Step>) {
        if !self.texts.iter().any(|(known, of)| known.path == document.path && *of == at) {
            self.texts.push((Arc::new(document), at));
        }
    }

    fn add_settings(&mut self, settings: &Settings) -> Result<(), Mistake> {
        for knowledge in &settings.knowledge {
            match knowledge {
                Knowledge::Table(at) => self.add(Document::clone(&settings.document), at.clone()),
                Knowledge::File(path) => {
                    let shown = shown(path.get_ref(), &self.cwd);
                    let document = Document::read(path.get_ref().clone(), shown).map_err(|no| {
                        let message = format!("`{}` {}", no.file, no.message);
                        settings.document.mistake(path.span(), message)
                    })?;
                    self.add(document, Vec::new());
                }
            }
        }
        Ok(())
    }

    fn catalog(&self) -> anyhow::Result<Catalog> {
        // A document with many tables is parsed once.
        let mut parsed: Vec<(&Document, Spanned<DeValue<'_>>)> = Vec::new();
        for (document, _) in self.texts.iter().filter(|(_, at)| !at.is_empty()) {
            if parsed.iter().any(|(known, _)| known.path == document.path) {
                continue;
            }
            let table = DeTable::parse(&document.text)?;
            let span = table.span();
            parsed.push((document, Spanned::new(span, DeValue::Table(table.into_inner()))));
        }
        let text = |(document, at): &'_ (Arc<Document>, Vec<Step>)| {
            let whole = parsed.iter().find(|(known, _)| known.path == document.path);
            whole.filter(|_| !at.is_empty()).and_then(|(_, whole)| inside(whole, at))
        };
        let tables: Vec<Option<&Spanned<DeValue<'_>>>> = self.texts.iter().map(text).collect();
        let texts = self.texts.iter().zip(tables).map(|((document, _), table)| match table {
            Some(table) => Text::table(&document.shown, &document.text, table),
            None => Text::file(&document.shown, &document.text),
        });
        let texts: Vec<Text<'_>> = texts.collect();
        Catalog::extended(&texts).map_err(|error| self.mistakes(error).into())
    }

    /// Problems with the lines they are in.
    fn mistakes(&self, error: CatalogError) -> Mistakes {
        let mistake = |problem: crate::catalog::Problem| {
            let of = self.texts.iter().find(|(document, _)| *document.shown == *problem.file);
            match of {
                Some((document, _)) => document.mistake(problem.span, problem.message),
                // Something of ours that only theirs makes wrong.
                None => Mistake::of_file(problem.file.into(), problem.message),
            }
        };
        Mistakes(error.problems.into_iter().map(mistake).collect())
    }
}

/// The table at these steps.
fn inside<'t, 'd>(
    whole: &'t Spanned<DeValue<'d>>,
    at: &[Step],
) -> Option<&'t Spanned<DeValue<'d>>> {
    at.iter().try_fold(whole, |value, step| match step {
        Step::Key(key) => value.get_ref().as_table()?.get(*key),
        Step::Element(number) => value.get_ref().as_array()?.get(*number),
    })
}

fn names(rule: &Rule) -> impl Iterator<Item = &str> {
    std::iter::once(&rule.id).chain(&rule.aliases).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_rule_is_found_by_its_names() {
        let catalogue = Catalogue::load(&[]).expect("nothing is read");
        for described in catalogue.all() {
            for name in names(described.rule) {
                assert_eq!(catalogue.find(name).expect("found").rule.id, described.rule.id);
                assert_eq!(catalogue.ids(name), BTreeSet::from([described.rule.id.clone()]));
            }
            assert!(catalogue.ids(described.family).contains(&described.rule.id));
        }
        assert_eq!(catalogue.ids(ALL).len(), catalogue.all().len());
        assert!(catalogue.find("no-such-rule-anywhere").is_err());
        assert!(catalogue.ids("no-such-rule-anywhere").is_empty());
    }
}
