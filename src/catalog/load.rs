//! From the text of the files to tables that are looked up by path, by name and by id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};
use semver::VersionReq;
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::check;
use super::error::{CatalogError, Problem};
use super::model::{ApiFact, ApiFile, AttributeMeaning, Handle, MacroGrammar, Rule, TypeFact};
use super::text::Text;
use super::types::TypeText;

/// The family of rules that users bring.
pub(super) const OWN: &str = "own";

/// `(name, text)` of every file under `rules/`, listed by build.rs.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Index into [`Catalog::apis`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiId(pub u32);

/// Index into [`Catalog::types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// Index into [`Catalog::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// A fact about one function. A fact with several paths is several of these.
#[derive(Debug, Clone)]
pub struct Api {
    /// Package, as in Cargo.toml; `std` for std, core and alloc.
    pub package: Arc<str>,
    /// Canonical path.
    pub path: Arc<str>,
    /// Versions of the package for which it holds; all when absent.
    pub versions: Option<VersionReq>,
    /// What it returns, parsed.
    pub returns: Option<TypeText>,
    /// Everything else.
    pub fact: Arc<ApiFact>,
}

/// A fact about a type.
#[derive(Debug, Clone)]
pub struct Type {
    /// Package, as in Cargo.toml.
    pub package: Arc<str>,
    /// Versions of the package for which it holds; all when absent.
    pub versions: Option<VersionReq>,
    /// What its methods that hand out something give, parsed.
    pub gives: BTreeMap<String, TypeText>,
    /// What `is` says, parsed.
    pub is: Option<TypeText>,
    /// What `points_to` says, parsed.
    pub points_to: Option<TypeText>,
    /// What `holds` says, parsed.
    pub holds: BTreeMap<String, TypeText>,
    /// Everything else.
    pub fact: TypeFact,
}

/// A path, or prefix of paths, that stands for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Package whose facts name it.
    pub package: Arc<str>,
    /// As written.
    pub path: Arc<str>,
    /// What it stands for.
    pub is: Arc<str>,
}

/// How a macro is read.
#[derive(Debug, Clone)]
pub struct Macro {
    /// Package, as in Cargo.toml.
    pub package: Arc<str>,
    /// How its body is read.
    pub grammar: MacroGrammar,
    /// The type of its value, parsed.
    pub returns: Option<TypeText>,
}

/// What an attribute says.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Package, as in Cargo.toml.
    pub package: Arc<str>,
    /// What it says about the function under it.
    pub meaning: AttributeMeaning,
}

/// A rule, with the folder it was found in.
#[derive(Debug, Clone)]
pub struct LintRule {
    /// Folder: `process`, `fd`, `timeout`, …
    pub family: Arc<str>,
    /// The rule.
    pub rule: Rule,
}

/// Everything that is known, ready to be looked up.
#[derive(Debug, Default)]
pub struct Catalog {
    apis: Vec<Api>,
    types: Vec<Type>,
    rules: Vec<LintRule>,
    aliases: Vec<Alias>,
    alias_by_path: FxHashMap<Arc<str>, Arc<str>>,
    api_by_path: FxHashMap<Arc<str>, Vec<ApiId>>,
    methods_by_name: FxHashMap<Arc<str>, Vec<ApiId>>,
    types_by_path: FxHashMap<Arc<str>, Vec<TypeId>>,
    macros_by_path: FxHashMap<Arc<str>, Macro>,
    attributes_by_path: FxHashMap<Arc<str>, Attribute>,
    rule_by_id: FxHashMap<Arc<str>, RuleId>,
    /// Types and modules that functions with facts are of, and the modules that these are in.
    owners: FxHashSet<Arc<str>>,
    /// Of the texts that the binary does not carry.
    own: Option<blake3::Hash>,
    /// Types of which a reference releases nothing.
    ended_by_value: FxHashSet<Arc<str>>,
}

/// A file as it was understood.
pub(super) enum File {
    Apis(ApiFile),
    Rule { family: String, rule: Box<Rule> },
}

impl Catalog {
    /// What the binary carries. Parsed on first use.
    pub fn embedded() -> &'static Arc<Self> {
        static EMBEDDED: OnceLock<Arc<Catalog>> = OnceLock::new();
        // That there are no problems is a test.
        EMBEDDED.get_or_init(|| {
            let texts: Vec<Text<'_>> =
                FILES.iter().map(|(name, text)| Text::ours(name, text)).collect();
            Arc::new(Self::read_texts(&texts).0)
        })
    }

    /// What the binary carries, and the texts of users: facts about a crate or a rule each.
    ///
    /// # Errors
    /// When anything is wrong with any of them, or they say what is said already.
    pub fn extended(own: &[Text<'_>]) -> Result<Self, CatalogError> {
        let ours = FILES.iter().map(|(name, text)| Text::ours(name, text));
        let all: Vec<Text<'_>> = ours.chain(own.iter().copied()).collect();
        let (mut catalog, problems) = Self::read_texts(&all);
        catalog.own = Some(hash(own));
        whole((catalog, problems))
    }

    /// The files that the binary carries: `("apis/std.toml", text)`.
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        FILES
    }

    /// Builds a catalogue from files named as under `rules/`: `apis/<package>.toml` and
    /// `lint/<family>/<rule>.toml`.
    ///
    /// # Errors
    /// When anything is wrong with any of them.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, CatalogError> {
        whole(Self::read(files))
    }

    /// As [`Self::parse`], but keeps what can be kept of files with problems.
    pub fn read(files: &[(&str, &str)]) -> (Self, Vec<Problem>) {
        let texts: Vec<Text<'_>> =
            files.iter().map(|(name, text)| Text::ours(name, text)).collect();
        let (mut catalog, problems) = Self::read_texts(&texts);
        catalog.own = Some(hash(&texts));
        (catalog, problems)
    }

    fn read_texts(files: &[Text<'_>]) -> (Self, Vec<Problem>) {
        use rayon::prelude::*;
        let parsed: Vec<_> = files.par_iter().map(|text| parse_text(*text)).collect();
        let mut problems = Vec::new();
        let mut good = Vec::new();
        for (text, file) in files.iter().zip(parsed) {
            match file {
                Ok(file) => good.push((*text, file)),
                Err(problem) => problems.push(problem),
            }
        }
        check::all(&good, &mut problems);
        let mut catalog = Self::default();
        for (_, file) in good {
            match file {
                File::Apis(file) => catalog.add_file(file),
                File::Rule { family, rule } => {
                    let id = RuleId(index(catalog.rules.len()));
                    for name in std::iter::once(&rule.id).chain(&rule.aliases) {
                        catalog.rule_by_id.entry(Arc::from(name.as_str())).or_insert(id);
                    }
                    catalog.rules.push(LintRule { family: Arc::from(family), rule: *rule });
                }
            }
        }
        catalog.ended_by_value = ended_by_value(&catalog.apis);
        (catalog, problems)
    }

    /// Facts about one crate alone, without rules.
    pub fn of_crate(file: ApiFile) -> Self {
        let mut catalog = Self::default();
        catalog.add_file(file);
        catalog
    }

    fn add_file(&mut self, file: ApiFile) {
        let package: Arc<str> = Arc::from(file.package);
        let versions = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        for fact in file.types {
            let id = TypeId(index(self.types.len()));
            self.types_by_path.entry(Arc::from(fact.path.as_str())).or_default().push(id);
            let parsed = |text: &String| text.parse::<TypeText>().ok();
            let all = |texts: &BTreeMap<String, String>| {
                let all = texts.iter().filter_map(|(name, of)| Some((name.clone(), parsed(of)?)));
                all.collect()
            };
            self.types.push(Type {
                package: Arc::clone(&package),
                versions: versions(&fact.versions),
                gives: all(&fact.gives),
                is: fact.is.as_ref().and_then(parsed),
                points_to: fact.points_to.as_ref().and_then(parsed),
                holds: all(&fact.holds),
                fact,
            });
        }
        for fact in file.apis {
            let fact = Arc::new(fact);
            let returns: Option<TypeText> =
                fact.returns.as_deref().and_then(|text| text.parse().ok());
            for path in fact.all_paths() {
                let id = ApiId(index(self.apis.len()));
                let name = path.rsplit("::").next().unwrap_or(path);
                match self.methods_by_name.get_mut(name) {
                    Some(ids) => ids.push(id),
                    None => {
                        self.methods_by_name.insert(Arc::from(name), vec![id]);
                    }
                }
                let path: Arc<str> = Arc::from(path);
                // What an owner that is known is in is known, too.
                for (end, _) in path.rmatch_indices("::") {
                    if self.owners.contains(&path[..end]) {
                        break;
                    }
                    self.owners.insert(Arc::from(&path[..end]));
                }
                self.api_by_path.entry(Arc::clone(&path)).or_default().push(id);
                self.apis.push(Api {
                    package: Arc::clone(&package),
                    path,
                    versions: versions(&fact.versions),
                    returns: returns.clone(),
                    fact: Arc::clone(&fact),
                });
            }
        }
        for alias in file.aliases {
            let (path, is): (Arc<str>, Arc<str>) = (Arc::from(alias.path), Arc::from(alias.is));
            self.alias_by_path.entry(Arc::clone(&path)).or_insert_with(|| Arc::clone(&is));
            self.aliases.push(Alias { package: Arc::clone(&package), path, is });
        }
        for fact in file.macros {
            let returns: Option<TypeText> =
                fact.returns.as_deref().and_then(|text| text.parse().ok());
            for path in fact.paths {
                let (package, returns) = (Arc::clone(&package), returns.clone());
                let known = Macro { package, grammar: fact.grammar, returns };
                self.macros_by_path.insert(Arc::from(path), known);
            }
        }
        for fact in file.attributes {
            for path in fact.paths {
                let known = Attribute { package: Arc::clone(&package), meaning: fact.meaning };
                self.attributes_by_path.insert(Arc::from(path), known);
            }
        }
    }

    /// All facts about functions, one per path.
    pub fn apis(&self) -> &[Api] {
        &self.apis
    }

    /// One fact.
    pub fn api(&self, id: ApiId) -> &Api {
        &self.apis[id.0 as usize]
    }

    /// Facts about the function of this canonical path: of several packages versions perhaps.
    pub fn apis_at(&self, path: &str) -> &[ApiId] {
        self.api_by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// Facts whose path ends in this segment.
    pub fn apis_named(&self, name: &str) -> &[ApiId] {
        self.methods_by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// All facts about types.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// One fact.
    pub fn type_of(&self, id: TypeId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// Facts about the type of this canonical path.
    pub fn types_at(&self, path: &str) -> &[TypeId] {
        self.types_by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// Whether every method that releases a value of this type takes it by value, so that who has
    /// a reference cannot.
    pub fn is_ended_by_value(&self, path: &str) -> bool {
        self.ended_by_value.contains(path)
    }

    /// Paths that stand for others.
    pub fn aliases(&self) -> &[Alias] {
        &self.aliases
    }

    /// What a path stands for, going by the longest alias that it is or begins with.
    pub fn unaliased(&self, path: &str) -> Option<String> {
        let ends = path.rmatch_indices("::").map(|(at, _)| at);
        std::iter::once(path.len()).chain(ends).find_map(|end| {
            let is = self.alias_by_path.get(path.get(..end)?)?;
            Some(format!("{is}{}", &path[end..]))
        })
    }

    /// How the macro of this canonical path is read.
    pub fn macro_at(&self, path: &str) -> Option<&Macro> {
        self.macros_by_path.get(path)
    }

    /// All macros by canonical path, in no order.
    pub fn macros(&self) -> impl Iterator<Item = (&str, MacroGrammar)> {
        self.macros_by_path.iter().map(|(path, known)| (&**path, known.grammar))
    }

    /// Whether there is a fact about a function or type of this path.
    pub fn knows(&self, path: &str) -> bool {
        self.api_by_path.contains_key(path) || self.types_by_path.contains_key(path)
    }

    /// Whether it is such a function or type, or one that such functions are of.
    pub fn knows_of(&self, path: &str) -> bool {
        self.knows(path) || self.owners.contains(path)
    }

    /// What the attribute of this canonical path says.
    pub fn attribute_at(&self, path: &str) -> Option<&Attribute> {
        self.attributes_by_path.get(path)
    }

    /// All rules, by family and name.
    pub fn rules(&self) -> &[LintRule] {
        &self.rules
    }

    /// The packages with facts that a rule reacts to, sorted.
    pub fn packages_of(&self, rule: &Rule) -> BTreeSet<&str> {
        let class = rule.class.as_str();
        let apis = self.apis.iter().filter(|api| {
            let fact = &api.fact;
            fact.acquires.as_deref() == Some(class)
                || fact.finishes.as_deref() == Some(class)
                || fact.classes.iter().any(|known| known == class)
        });
        let types =
            self.types.iter().filter(|known| known.fact.classes.iter().any(|known| known == class));
        apis.map(|api| &*api.package).chain(types.map(|known| &*known.package)).collect()
    }

    /// One rule.
    pub fn rule(&self, id: RuleId) -> &LintRule {
        &self.rules[id.0 as usize]
    }

    /// What tells it from other catalogues of this build; none when it is just what the binary
    /// carries.
    pub fn identity(&self) -> Option<[u8; 32]> {
        self.own.map(Into::into)
    }

    /// The rule of this id or alias.
    pub fn rule_named(&self, id: &str) -> Option<RuleId> {
        self.rule_by_id.get(id).copied()
    }
}

impl ApiFact {
    /// The paths it is about: `path`, or each of `paths`.
    pub fn all_paths(&self) -> impl Iterator<Item = &str> {
        let one = (!self.path.is_empty()).then_some(self.path.as_str());
        one.into_iter().chain(self.paths.iter().map(String::as_str))
    }
}

/// See [`Catalog::is_ended_by_value`].
fn ended_by_value(apis: &[Api]) -> FxHashSet<Arc<str>> {
    let mut all: FxHashMap<&str, bool> = FxHashMap::default();
    for api in apis.iter().filter(|api| !api.fact.releases.is_empty()) {
        let Some((owner, _)) = api.path.rsplit_once("::") else { continue };
        *all.entry(owner).or_insert(true) &= api.fact.takes.contains(&Handle::Receiver);
    }
    all.into_iter().filter(|(_, by_value)| *by_value).map(|(owner, _)| Arc::from(owner)).collect()
}

/// Tables are far from `u32::MAX` entries.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn hash(texts: &[Text<'_>]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        // A table is told from its file by its place.
        let span = text.table.map_or(0..text.text.len(), Spanned::span);
        for number in [text.text.len(), span.start, span.end] {
            hasher.update(&(number as u64).to_le_bytes());
        }
        hasher.update(text.text.as_bytes());
    }
    hasher.finalize()
}

/// The catalogue when nothing is wrong with it.
fn whole((catalog, problems): (Catalog, Vec<Problem>)) -> Result<Catalog, CatalogError> {
    if problems.is_empty() { Ok(catalog) } else { Err(CatalogError { problems }) }
}

/// Where and why a file is not what it should be.
pub(super) fn refused(name: &str, text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let key = text.get(span.clone()).unwrap_or_default();
    let key = if key.len() < 40 && !key.contains('\n') { key.trim() } else { "" };
    Problem::at(name, text, span, key, error.message().to_owned())
}

fn parse_text(text: Text<'_>) -> Result<File, Problem> {
    let refused = |error: toml::de::Error| refused(text.name, text.text, &error);
    if !text.ours {
        return parse_own(text).map_err(refused);
    }
    let parts: Vec<&str> = text.name.split('/').collect();
    match parts.as_slice() {
        ["apis", _] => toml::from_str(text.text).map(File::Apis).map_err(refused),
        ["lint", family, _] => toml::from_str(text.text)
            .map(|rule| File::Rule { family: (*family).to_owned(), rule: Box::new(rule) })
            .map_err(refused),
        _ => {
            let message = "it lies neither in apis/ nor in a folder of lint/".to_owned();
            Err(Problem::at(text.name, text.text, 0..0, "", message))
        }
    }
}

/// A file of a user, whose name says nothing: facts begin with their crate, rules with their id.
fn parse_own(text: Text<'_>) -> Result<File, toml::de::Error> {
    let whole;
    let table = match text.table {
        Some(table) => table,
        None => {
            let parsed = DeTable::parse(text.text)?;
            whole = Spanned::new(parsed.span(), DeValue::Table(parsed.into_inner()));
            &whole
        }
    };
    let has = |key| table.get_ref().as_table().is_some_and(|keys| keys.contains_key(key));
    let values = || ValueDeserializer::from(table.clone());
    if has("id") {
        let rule = Box::new(Rule::deserialize(values())?);
        return Ok(File::Rule { family: OWN.to_owned(), rule });
    }
    if has("crate") {
        return ApiFile::deserialize(values()).map(File::Apis);
    }
    let what = if text.table.is_some() { "this table" } else { text.name };
    let message = format!("'{what}' has neither a 'crate', as facts have, nor the 'id' of a rule");
    Err(serde::de::Error::custom(message))
}
