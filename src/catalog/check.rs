//! What serde cannot see: that names, paths, types, classes and bounds of the files fit together.

use rustc_hash::{FxHashMap, FxHashSet};
use semver::VersionReq;

use super::error::Problem;
use super::load::File;
use super::model::{
    ApiFact, ApiFile, Context, EditShape, Effect, Engine, Given, PARTS, Paths, Rule,
};
use super::text::{Keys, Text};
use super::types::{TypeText, is_path};

/// What may stand in `{}` in a message.
const PLACEHOLDERS: &[&str] = &["item", "function", "bound", "other"];

/// No more problems are told than somebody reads.
const MOST: usize = 100;

/// Which facts mention a class, and how.
#[derive(Default)]
struct Produced<'a> {
    acquired: FxHashSet<&'a str>,
    /// Classes of calls, with whether any such call waits for its peer.
    called: FxHashMap<&'a str, bool>,
    typed: FxHashSet<&'a str>,
    finished: FxHashSet<&'a str>,
    bounds: FxHashSet<&'a str>,
}

impl Produced<'_> {
    fn any(&self, class: &str) -> bool {
        self.acquired.contains(class)
            || self.called.contains_key(class)
            || self.typed.contains(class)
            || self.finished.contains(class)
    }
}

/// Finds everything that is wrong across files that were each read well.
pub(super) fn all(files: &[(Text<'_>, File)], problems: &mut Vec<Problem>) {
    let mut produced = Produced::default();
    for (_, file) in files {
        if let File::Apis(file) = file {
            collect(file, &mut produced);
        }
    }
    let mut ids = FxHashSet::default();
    let mut packages = FxHashSet::default();
    let mut described = FxHashMap::default();
    for (text, file) in files {
        let name = text.name;
        let keys = Keys::of(*text);
        let mut at = Place { file: name, text: text.text, ours: text.ours, keys, problems };
        match file {
            File::Apis(file) => {
                if !packages.insert(file.package.as_str()) && at.ours {
                    at.report("crate", "", 0, "another file is about this crate");
                }
                check_apis(file, &produced, &mut at);
                check_clashes(name, file, &mut described, &mut at);
            }
            File::Rule { family, rule } => {
                for id in std::iter::once(&rule.id).chain(&rule.aliases) {
                    if !ids.insert(id.as_str()) {
                        at.report("id", "", 0, format!("'{id}' names another rule already"));
                    }
                }
                check_rule(family, rule, &produced, &mut at);
            }
        }
    }
}

fn collect<'a>(file: &'a ApiFile, produced: &mut Produced<'a>) {
    for fact in &file.types {
        produced.typed.extend(fact.classes.iter().map(String::as_str));
        produced.bounds.extend(fact.fields.values().map(String::as_str));
    }
    for fact in &file.apis {
        produced.acquired.extend(fact.acquires.as_deref());
        produced.finished.extend(fact.finishes.as_deref());
        produced.bounds.extend(fact.bounds.keys().map(String::as_str));
        for class in &fact.classes {
            *produced.called.entry(class).or_default() |=
                fact.effects.contains(&Effect::WaitsForPeer);
        }
    }
}

/// Where problems of one file go.
struct Place<'a, 'p> {
    file: &'a str,
    text: &'a str,
    /// Whether it lies where those of the binary do, so that its name says what it is.
    ours: bool,
    keys: Keys<'a>,
    problems: &'p mut Vec<Problem>,
}

impl Place<'_, '_> {
    /// Reports `key` of the table `header` of this number (`""` for the top of the file).
    fn report(&mut self, key: &str, header: &str, number: usize, message: impl Into<String>) {
        if self.problems.len() < MOST {
            let span = self.keys.span(key, header, number);
            self.problems.push(Problem::at(self.file, self.text, span, key, message.into()));
        }
    }

    fn path(&mut self, package: &str, path: &str, header: &str, number: usize) {
        let root = path.split("::").next().unwrap_or_default();
        let fits = match package {
            "std" => matches!(root, "std" | "core" | "alloc"),
            _ => root == package.replace('-', "_"),
        };
        let whole_crate = header == "alias" && path == root;
        if !(is_path(path) || whole_crate) || !fits {
            let message = format!("'{path}' is no path of the crate '{package}'");
            self.report(if header == "alias" { "path" } else { "paths" }, header, number, message);
        }
    }

    fn versions(&mut self, versions: Option<&str>, header: &str, number: usize) {
        if let Some(Err(error)) = versions.map(str::parse::<VersionReq>) {
            self.report("versions", header, number, error.to_string());
        }
    }

    fn words<'w>(
        &mut self,
        words: impl IntoIterator<Item = &'w String>,
        key: &str,
        header: &str,
        number: usize,
    ) {
        for word in words {
            if !is_word(word) {
                self.report(key, header, number, format!("'{word}' is not in kebab-case"));
            }
        }
    }
}

/// Kebab-case.
fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && !word.ends_with('-')
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What makes a fact about a path another fact.
type Condition<'a> = (&'a str, Option<&'a str>, Option<&'a Given>);

/// Reports what an earlier file says already. Within a file several facts may add up.
fn check_clashes<'a>(
    name: &'a str,
    file: &'a ApiFile,
    described: &mut FxHashMap<Condition<'a>, &'a str>,
    at: &mut Place<'_, '_>,
) {
    for (number, fact) in file.apis.iter().enumerate() {
        for path in fact.all_paths() {
            let condition = (path, fact.versions.as_deref(), fact.given.as_ref());
            let first = *described.entry(condition).or_insert(name);
            if first != name {
                let key = if fact.path.is_empty() { "paths" } else { "path" };
                at.report(key, "api", number, format!("'{path}' is described in {first} already"));
            }
        }
    }
}

fn stem(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_suffix(".toml").unwrap_or(name)
}

fn check_apis(file: &ApiFile, produced: &Produced<'_>, at: &mut Place<'_, '_>) {
    if at.ours && file.package != stem(at.file) {
        at.report("crate", "", 0, format!("'{}' is not the name of the file", file.package));
    }
    for (number, fact) in file.types.iter().enumerate() {
        at.path(&file.package, &fact.path, "type", number);
        at.versions(fact.versions.as_deref(), "type", number);
        at.words(&fact.classes, "classes", "type", number);
        at.words(fact.fields.values(), "fields", "type", number);
        let written = fact.holds.values().map(|text| ("holds", text));
        let given = fact.gives.values().map(|text| ("gives", text));
        let points_to = fact.points_to.iter().map(|text| ("points_to", text));
        let is = fact.is.iter().map(|text| ("is", text));
        for (key, text) in written.chain(given).chain(points_to).chain(is) {
            if let Err(error) = text.parse::<TypeText>() {
                at.report(key, "type", number, error);
            }
        }
    }
    for (number, fact) in file.apis.iter().enumerate() {
        check_api(&file.package, fact, number, produced, at);
    }
    for (number, fact) in file.aliases.iter().enumerate() {
        at.path(&file.package, &fact.path, "alias", number);
        let whole_crate = !fact.is.contains("::") && is_path(&format!("{}::x", fact.is));
        if !is_path(&fact.is) && !whole_crate {
            at.report("is", "alias", number, format!("'{}' is no path", fact.is));
        }
        if fact.is == fact.path {
            at.report("is", "alias", number, "it stands for itself");
        }
    }
    for (number, fact) in file.macros.iter().enumerate() {
        for path in &fact.paths {
            at.path(&file.package, path, "macro", number);
        }
    }
    for (number, fact) in file.attributes.iter().enumerate() {
        for path in &fact.paths {
            if path.contains("::") {
                at.path(&file.package, path, "attribute", number);
            } else if file.package != "std" {
                at.report("paths", "attribute", number, "only built-in attributes have no path");
            }
        }
    }
}

fn check_api(
    package: &str,
    fact: &ApiFact,
    number: usize,
    produced: &Produced<'_>,
    at: &mut Place<'_, '_>,
) {
    let mut wrong = |key: &str, message: String| at.report(key, "api", number, message);
    if fact.path.is_empty() == fact.paths.is_empty() {
        wrong("path", "needs either 'path' or 'paths'".to_owned());
    }
    if let Some(Err(error)) = fact.returns.as_deref().map(str::parse::<TypeText>) {
        wrong("returns", error);
    }
    for class in &fact.releases {
        if !produced.acquired.contains(class.as_str()) {
            wrong("releases", format!("nothing acquires '{class}'"));
        }
    }
    if fact.given.as_ref().is_some_and(|given| given.is.is_some() == given.at_least.is_some()) {
        wrong("given", "needs either 'is' or 'at_least'".to_owned());
    }
    if fact.effects.contains(&Effect::Awaits) {
        wrong("effects", "'awaits' is for rules".to_owned());
    }
    for bound in &fact.sets {
        if !produced.bounds.contains(bound.as_str()) {
            wrong("sets", format!("no constructor has the bound '{bound}'"));
        }
    }
    if fact.handle.is_some() && fact.acquires.is_none() {
        wrong("handle", "it acquires nothing".to_owned());
    }
    if fact.at.is_some() && fact.releases.is_empty() && fact.finishes.is_none() {
        wrong("at", "it neither releases nor finishes anything".to_owned());
    }
    if fact.polls && fact.releases.is_empty() {
        wrong("polls", "it releases nothing".to_owned());
    }
    if fact.frees_on_failure && fact.takes.is_empty() {
        wrong("frees_on_failure", "it takes nothing".to_owned());
    }
    if fact.argument.is_some() && fact.sets.is_empty() {
        wrong("argument", "a fix would not add it: it sets nothing".to_owned());
    }
    for part in fact.instead.iter().flat_map(|text| placeholders(text)) {
        // Braces of Rust that hold no word are no parts.
        if is_word(part) && !PARTS.contains(&part) {
            wrong("instead", format!("'{{{part}}}' is not known: {}", PARTS.join(", ")));
        }
    }
    if fact.value && fact.returns.is_none() {
        wrong("value", "a value without a type says nothing".to_owned());
    }
    let says_nothing = fact.returns.is_none()
        && fact.instead.is_none()
        && fact.acquires.is_none()
        && fact.finishes.is_none()
        && fact.fails.is_none()
        && fact.releases.is_empty()
        && fact.takes.is_empty()
        && fact.sets.is_empty()
        && fact.bounds.is_empty()
        && fact.effects.is_empty()
        && fact.classes.is_empty();
    if says_nothing {
        wrong("path", "the fact says nothing".to_owned());
    }
    for path in fact.all_paths() {
        at.path(package, path, "api", number);
    }
    at.versions(fact.versions.as_deref(), "api", number);
    at.words(fact.acquires.iter().chain(&fact.finishes), "acquires", "api", number);
    at.words(&fact.classes, "classes", "api", number);
    at.words(fact.bounds.keys(), "bounds", "api", number);
}

fn check_rule(family: &str, rule: &Rule, produced: &Produced<'_>, at: &mut Place<'_, '_>) {
    let name = stem(at.file);
    let ours = at.ours;
    let mut wrong = |key: &str, message: String| at.report(key, "", 0, message);
    if ours && rule.id != name {
        wrong("id", format!("'{}' is not the name of the file", rule.id));
    }
    if !is_word(family) {
        wrong("id", format!("the folder '{family}' is not in kebab-case"));
    }
    if !is_word(&rule.id) {
        wrong("id", format!("'{}' is not in kebab-case", rule.id));
    }
    let class = rule.class.as_str();
    let found = match rule.engine {
        Engine::MustRelease | Engine::UnbalancedRaw => produced.acquired.contains(class),
        Engine::UnsetBound => produced.finished.contains(class),
        // It reads the crate's own types: no fact produces the class.
        Engine::OwnBoundNone => true,
        Engine::Forget
        | Engine::Call
        | Engine::BuiltPerCall
        | Engine::RetryLoop
        | Engine::LateDeadline
        | Engine::UnlimitedCollect => produced.called.contains_key(class),
        Engine::PeerWait => produced.called.get(class).is_some_and(|waits| *waits),
        Engine::HeldAcross
        | Engine::TakenAgain
        | Engine::DiscardedGuard
        | Engine::UnreapedCollection
        | Engine::GrowingCollection => produced.typed.contains(class),
        Engine::OwnerWithoutRelease => {
            produced.acquired.contains(class) && produced.typed.contains(class)
        }
        Engine::DetachedEndless => produced.called.contains_key(class),
    };
    if !found {
        wrong("class", format!("no fact that this engine reads has the class '{class}'"));
    }
    let when = &rule.when;
    for (key, class) in
        [("with", &when.with), ("loop_with", &when.loop_with), ("loop_without", &when.loop_without)]
    {
        if let Some(class) = class.as_ref().filter(|class| !produced.any(class)) {
            wrong(key, format!("no fact has the class '{class}'"));
        }
    }
    let degrees = rule.when.only_with.iter().chain(&rule.when.milder_with);
    for bound in rule.when.enough.iter().flatten().chain(degrees) {
        if !produced.bounds.contains(bound.as_str()) {
            wrong("when", format!("no constructor has the bound '{bound}'"));
        }
    }
    let bounds = matches!(rule.engine, Engine::UnsetBound | Engine::OwnBoundNone);
    if bounds == when.enough.is_empty() || (!bounds && !when.only_with.is_empty()) {
        wrong("when", "'enough' belongs to unset-bound, and only there".to_owned());
    }
    if rule.engine != Engine::UnsetBound && !when.milder_with.is_empty() {
        wrong("when", "'milder_with' belongs to unset-bound, and only there".to_owned());
    }
    if (rule.engine == Engine::HeldAcross) == when.across.is_empty() {
        wrong("when", "'across' belongs to held-across, and only there".to_owned());
    }
    if when.milder_unknown && !when.across.contains(&Effect::Awaits) {
        wrong("when", "'milder_unknown' is about what is awaited".to_owned());
    }
    if rule.engine != Engine::Call && when.stays {
        wrong("when", "'stays' belongs to call, and only there".to_owned());
    }
    if rule.engine != Engine::OwnerWithoutRelease && when.endless {
        wrong("when", "'endless' belongs to owner-without-release, and only there".to_owned());
    }
    let any = rule.engine == Engine::UnreapedCollection && when.paths == Some(Paths::Any);
    if rule.engine != Engine::MustRelease && when.paths.is_some() && !any {
        let message = "'paths' belongs to must-release, and `any` to unreaped-collection, too";
        wrong("when", message.to_owned());
    }
    let of_ways = |context: &Context| {
        matches!(context, Context::Command | Context::Unseen | Context::Offered)
    };
    if !when.milder_within.iter().all(of_ways) {
        wrong("when", "'milder_within' is about what leads to a place".to_owned());
    }
    if when.within.iter().chain(&when.not_within).any(of_ways) {
        wrong("when", "what leads to a place only makes it milder".to_owned());
    }
    if let Some(fix) = &rule.fix {
        if !fits(fix.edit, rule.engine) {
            wrong("fix", "no finding of this engine can be mended in that way".to_owned());
        }
        if fix.name.is_some() != (fix.edit == EditShape::Bind) {
            wrong("fix", "'name' belongs to bind, and only there".to_owned());
        }
    }
    for (key, text) in
        [("summary", &rule.summary), ("message", &rule.message), ("help", &rule.help)]
    {
        if text.trim().is_empty() || text.contains('\n') {
            wrong(key, "must be one line".to_owned());
        }
        for word in placeholders(text) {
            if !PLACEHOLDERS.contains(&word) {
                wrong(key, format!("'{{{word}}}' is not known: {}", PLACEHOLDERS.join(", ")));
            }
        }
    }
    for (key, text) in [("why", &rule.why), ("limits", &rule.limits)] {
        if text.trim().is_empty() {
            wrong(key, "must not be empty".to_owned());
        }
    }
    for snippet in rule.snippets() {
        let marked = snippet.source.lines().any(|line| line.ends_with("//~"));
        match (snippet.fires, marked) {
            (true, false) => wrong("bad", "no line ends in '//~'".to_owned()),
            (false, true) => wrong("good", "a line ends in '//~'".to_owned()),
            _ if snippet.source.trim().is_empty() => wrong("good", "it is empty".to_owned()),
            _ => {}
        }
        for (package, version) in snippet.deps {
            if let Err(error) = version.parse::<semver::Version>() {
                wrong("deps", format!("{package}: {error}"));
            }
        }
    }
    if rule.examples.iter().any(|example| example.bad.is_none() && example.good.is_none()) {
        wrong("example", "needs 'bad' or 'good'".to_owned());
    }
}

/// Whether findings of an engine are of the kind that an edit mends.
fn fits(edit: EditShape, engine: Engine) -> bool {
    match edit {
        EditShape::SetBound => engine == Engine::UnsetBound,
        EditShape::Rewrite => {
            matches!(engine, Engine::Call | Engine::Forget | Engine::PeerWait | Engine::UnsetBound)
        }
        EditShape::RewriteUnused => engine == Engine::MustRelease,
        EditShape::RemoveCall => engine == Engine::Call,
        EditShape::Bind => engine == Engine::DiscardedGuard,
        EditShape::DropBefore => matches!(engine, Engine::HeldAcross | Engine::TakenAgain),
        EditShape::CollectBefore => engine == Engine::UnreapedCollection,
        EditShape::ImplDrop => engine == Engine::OwnerWithoutRelease,
    }
}

/// The words between braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest))
}
