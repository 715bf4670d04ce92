//! From the text of a file to what it sets; everything that is wrong with it is told at once.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::guess::nearest;
use super::settings::{FailOn, InPaths, Knowledge, Settings, Step, Word};
use super::{Document, Mistake};
use crate::finding::Severity;
use crate::lint::workspace::absolute;

/// More mistakes are not looked for.
const MOST: usize = 20;

/// No more files or tables of rules or facts are named.
const MOST_TEXTS: usize = 1000;

type Value<'t> = Spanned<DeValue<'t>>;

/// What the table at `steps` of a document sets. `None`: there is no such table.
///
/// # Errors
/// Everything that is wrong with it; when the text is no TOML, that.
pub fn read(
    document: &Arc<Document>,
    steps: &[&'static str],
) -> Result<Option<Settings>, Vec<Mistake>> {
    let parsed = DeTable::parse(&document.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        vec![document.mistake(span, error.message())]
    })?;
    let mut reader = Reader { document, mistakes: Vec::new() };
    let (mut table, mut span) = (parsed.get_ref(), 0..0);
    for (index, step) in steps.iter().enumerate() {
        let Some(value) = table.get(*step) else { return Ok(None) };
        span = value.span();
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            // What other tools keep there is not ours to judge.
            _ if index + 1 < steps.len() => return Ok(None),
            _ => {
                reader.expected("a table", value);
                return Err(reader.mistakes);
            }
        };
    }
    let settings = reader.settings(table, span, steps);
    if reader.mistakes.is_empty() { Ok(Some(settings)) } else { Err(reader.mistakes) }
}

struct Reader<'d> {
    document: &'d Arc<Document>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn settings(
        &mut self,
        table: &DeTable<'_>,
        span: Range<usize>,
        steps: &[&'static str],
    ) -> Settings {
        const KEYS: [&str; 9] = [
            "select",
            "ignore",
            "severity",
            "fail-on",
            "baseline",
            "transparent-macros",
            "rules",
            "facts",
            "override",
        ];
        self.only(table, &KEYS);
        let mut settings = Settings::none(Arc::clone(self.document), span);
        settings.select = table.get("select").map(|value| self.words(value));
        settings.ignore = self.words_at(table, "ignore");
        settings.severity = self.severities(table);
        settings.fail_on = table.get("fail-on").and_then(|value| self.fail_on(value));
        let baseline = table.get("baseline").and_then(|value| self.string(value));
        settings.baseline =
            baseline.map(|path| absolute(self.document.folder(), path.get_ref().as_ref()));
        settings.transparent_macros = self.macros(table);
        for key in ["rules", "facts"] {
            if let Some(value) = table.get(key) {
                self.knowledge(value, key, steps, &mut settings.knowledge);
            }
        }
        if let Some(value) = table.get("override") {
            settings.overrides = self.overrides(value);
        }
        settings
    }

    /// Tells of keys that are not known.
    fn only(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for (key, _) in table {
            if known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let help = match nearest(key.get_ref(), known.iter().copied()) {
                Some(guess) => format!("did you mean `{guess}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            let message = format!("unknown key `{}`", key.get_ref());
            self.add(key.span(), message, Some(help));
        }
    }

    fn add(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        if self.mistakes.len() < MOST {
            self.mistakes.push(self.document.mistake(span, message).with_help(help));
        }
    }

    fn expected(&mut self, what: &str, value: &Value<'_>) {
        let message = format!("expected {what}, found {}", kind(value.get_ref()));
        self.add(value.span(), message, None);
    }

    fn string(&mut self, value: &Value<'_>) -> Option<Word> {
        match value.get_ref() {
            DeValue::String(text) => Some(Spanned::new(value.span(), text.clone().into_owned())),
            _ => {
                self.expected("a string", value);
                None
            }
        }
    }

    fn words(&mut self, value: &Value<'_>) -> Vec<Word> {
        let DeValue::Array(list) = value.get_ref() else {
            self.expected("a list of strings", value);
            return Vec::new();
        };
        list.iter().filter_map(|value| self.string(value)).collect()
    }

    fn words_at(&mut self, table: &DeTable<'_>, key: &str) -> Vec<Word> {
        table.get(key).map(|value| self.words(value)).unwrap_or_default()
    }

    fn severities(&mut self, table: &DeTable<'_>) -> Vec<(Word, Severity)> {
        let Some(value) = table.get("severity") else { return Vec::new() };
        let DeValue::Table(inner) = value.get_ref() else {
            self.expected("a table such as `{ child-not-waited = \"error\" }`", value);
            return Vec::new();
        };
        let mut severities: Vec<(Word, Severity)> = Vec::new();
        for (key, value) in inner {
            let word = Spanned::new(key.span(), key.get_ref().clone().into_owned());
            severities.extend(self.severity(value).map(|severity| (word, severity)));
        }
        // As they are written: what comes later counts more.
        severities.sort_by_key(|(word, _)| word.span().start);
        severities
    }

    fn severity(&mut self, value: &Value<'_>) -> Option<Severity> {
        const ALL: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::Note];
        let text = self.string(value)?;
        let found = ALL.into_iter().find(|severity| severity.as_str() == text.get_ref());
        if found.is_none() {
            self.one_of(&text, &ALL.map(Severity::as_str));
        }
        found
    }

    fn fail_on(&mut self, value: &Value<'_>) -> Option<FailOn> {
        let text = self.string(value)?;
        match text.get_ref().as_str() {
            "never" => Some(FailOn::Never),
            "error" => Some(FailOn::Least(Severity::Error)),
            "warning" => Some(FailOn::Least(Severity::Warning)),
            "note" => Some(FailOn::Least(Severity::Note)),
            _ => {
                self.one_of(&text, &["error", "warning", "note", "never"]);
                None
            }
        }
    }

    fn one_of(&mut self, text: &Word, known: &[&str]) {
        let message = format!("`{}` is none of {}", text.get_ref(), known.join(", "));
        let guess = nearest(text.get_ref(), known.iter().copied());
        self.add(text.span(), message, guess.map(|guess| format!("did you mean `{guess}`?")));
    }

    fn macros(&mut self, table: &DeTable<'_>) -> Vec<String> {
        let words = self.words_at(table, "transparent-macros");
        let mut names = Vec::new();
        for word in words {
            let name = word.get_ref().strip_suffix('!').unwrap_or(word.get_ref());
            let is_name = name.starts_with(|c: char| c == '_' || c.is_alphabetic())
                && name.chars().all(|c| c == '_' || c.is_alphanumeric());
            if is_name {
                names.push(name.to_owned());
            } else {
                let message = format!("`{}` is no name of a macro", word.get_ref());
                let last = name.rsplit("::").next().filter(|last| *last != name);
                let help = last.map(|last| format!("only the last part counts: `{last}`"));
                self.add(word.span(), message, help);
            }
        }
        names
    }

    /// `rules` and `facts`: names of files, or tables.
    fn knowledge(
        &mut self,
        value: &Value<'_>,
        key: &'static str,
        steps: &[&'static str],
        into: &mut Vec<Knowledge>,
    ) {
        let DeValue::Array(list) = value.get_ref() else {
            self.expected(&format!("a list of files, or tables `[[{key}]]`"), value);
            return;
        };
        if let Some(value) = list.get(MOST_TEXTS) {
            self.add(value.span(), format!("there are more than {MOST_TEXTS}"), None);
            return;
        }
        for (index, value) in list.iter().enumerate() {
            match value.get_ref() {
                DeValue::String(path) => {
                    let path = absolute(self.document.folder(), path.as_ref().as_ref());
                    into.push(Knowledge::File(Spanned::new(value.span(), path)));
                }
                DeValue::Table(_) => {
                    let mut at: Vec<Step> = steps.iter().map(|step| Step::Key(step)).collect();
                    at.extend([Step::Key(key), Step::Element(index)]);
                    into.push(Knowledge::Table(at));
                }
                _ => self.expected("the name of a file, or a table", value),
            }
        }
    }

    fn overrides(&mut self, value: &Value<'_>) -> Vec<InPaths> {
        let DeValue::Array(list) = value.get_ref() else {
            self.expected("tables `[[override]]`", value);
            return Vec::new();
        };
        let mut all = Vec::new();
        for value in list {
            let DeValue::Table(table) = value.get_ref() else {
                self.expected("a table", value);
                continue;
            };
            self.only(table, &["paths", "ignore", "severity"]);
            let paths = self.words_at(table, "paths");
            if !table.contains_key("paths") {
                let help = "such as `paths = [\"src/generated/\"]`, as in .gitignore".to_owned();
                self.add(value.span(), "it says for no `paths`".to_owned(), Some(help));
            }
            let ignore = self.words_at(table, "ignore");
            let severity = self.severities(table);
            all.push(InPaths { paths, ignore, severity });
        }
        all
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
