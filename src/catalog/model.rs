//! The shapes of the files under `rules/`: what is known about crates, and the rules themselves.
//!
//! Rules and facts join only by *class*. Every vocabulary here is closed: an unknown key or word is
//! an error, and nothing is an expression. The format is explained in `rules/README.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One file of `rules/apis/`: facts about one package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiFile {
    /// Name of the package; `std` stands for std, core and alloc.
    #[serde(rename = "crate")]
    pub package: String,
    /// Types worth knowing.
    #[serde(default, rename = "type")]
    pub types: Vec<TypeFact>,
    /// Functions and methods worth knowing.
    #[serde(default, rename = "api")]
    pub apis: Vec<ApiFact>,
    /// Paths that stand for other paths (re-exports, facades).
    #[serde(default, rename = "alias")]
    pub aliases: Vec<AliasFact>,
    /// Macros whose bodies hold expressions.
    #[serde(default, rename = "macro")]
    pub macros: Vec<MacroFact>,
    /// Attributes that say what a function is.
    #[serde(default, rename = "attribute")]
    pub attributes: Vec<AttributeFact>,
}

/// What is known about a type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeFact {
    /// Canonical path, such as `std::process::Child`.
    pub path: String,
    /// Versions for which this holds; all when absent.
    #[serde(default)]
    pub versions: Option<String>,
    /// Classes that a value of this type belongs to.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Methods that no fact names return the receiver, as builders do.
    #[serde(default)]
    pub chain: bool,
    /// Method calls and field accesses reach through to the type argument of this number
    /// (`Arc<T>`, `Box<T>`, guards).
    #[serde(default)]
    pub derefs: Option<usize>,
    /// It holds values of its type argument, as collections do: a push is an escape into it.
    #[serde(default)]
    pub collection: bool,
    /// Methods that hand out what is in it, and the type that each gives. Nothing else is known of
    /// them: what they do with it is up to who calls them.
    #[serde(default)]
    pub gives: BTreeMap<String, String>,
    /// Methods of others that are given a reference to such a value, and tell it by that.
    #[serde(default)]
    pub lent_to: Vec<String>,
    /// Types that functions ask for which are lent such a value: what it derefs to.
    #[serde(default)]
    pub lent_as: Vec<String>,
    /// A config struct: public fields that are bounds, with the name of the bound.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// A statement with which a fix collects what is done in a `{value}`, before more is put in.
    #[serde(default)]
    pub collect: Option<String>,
    /// Statements with which a fix ends a `{value}` in the `drop` of its owner.
    #[serde(default)]
    pub end: Option<String>,
    /// Fields that are None only when nobody asked for them: whoever takes them out finds them.
    #[serde(default)]
    pub present: Vec<String>,
    /// Types of public fields, written as those that functions return.
    #[serde(default)]
    pub holds: BTreeMap<String, String>,
    /// It is another name of this type; `Arg0`… are its own type arguments.
    #[serde(default)]
    pub is: Option<String>,
    /// Method calls and field accesses reach through to this type (`impl Deref for Own`).
    #[serde(default)]
    pub points_to: Option<String>,
}

/// What is known about a function or method.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiFact {
    /// Canonical path, such as `std::process::Command::spawn`; methods of a trait by the trait.
    #[serde(default)]
    pub path: String,
    /// Several paths that behave alike (instead of `path`).
    #[serde(default)]
    pub paths: Vec<String>,
    /// Versions for which this holds, as in Cargo.toml; all when absent.
    #[serde(default)]
    pub versions: Option<String>,
    /// It holds only for calls that are given this. Such a fact replaces those of the same path
    /// that ask for nothing.
    #[serde(default)]
    pub given: Option<Given>,
    /// The type it returns: `Result<std::process::Child>`; `Self` and `Arg0`… are allowed.
    #[serde(default)]
    pub returns: Option<String>,
    /// It is no function but a static or constant, of the type under `returns`.
    #[serde(default)]
    pub value: bool,
    /// It begins an obligation of this class…
    #[serde(default)]
    pub acquires: Option<String>,
    /// …whose handle is here. Default `return`.
    #[serde(default)]
    pub handle: Option<Handle>,
    /// It ends obligations of these classes on `at`.
    #[serde(default)]
    pub releases: Vec<String>,
    /// What `releases` ends, or `finishes` judges. Default `receiver`, or `arg:0` for a free function.
    #[serde(default)]
    pub at: Option<Handle>,
    /// It only asks: `releases` holds when what it gives is `Some`, as of `try_wait`.
    #[serde(default)]
    pub polls: bool,
    /// Arguments whose raw handle or pointer this call takes over.
    #[serde(default)]
    pub takes: Vec<Handle>,
    /// On failure it has already freed what it takes.
    #[serde(default)]
    pub frees_on_failure: bool,
    /// How its failure shows when it is not a `Result` or `Option`.
    #[serde(default)]
    pub fails: Option<Fails>,
    /// Calling it sets this bound of the builder it is called on.
    #[serde(default)]
    pub sets: Vec<String>,
    /// It makes a value with bounds: their names, and what each is until it is set.
    #[serde(default)]
    pub bounds: BTreeMap<String, BoundDefault>,
    /// It ends a builder: the bounds are judged here, for this class.
    #[serde(default)]
    pub finishes: Option<String>,
    /// What running it means.
    #[serde(default)]
    pub effects: Vec<Effect>,
    /// Classes that a call belongs to (`unlimited-body-read`, `detaching-spawn`).
    #[serde(default)]
    pub classes: Vec<String>,
    /// What a fix passes when it adds this call to a chain.
    #[serde(default)]
    pub argument: Option<String>,
    /// What a fix writes in the stead of the call; see [`crate::catalog::model::PARTS`].
    #[serde(default)]
    pub instead: Option<String>,
    /// The name alone says enough when the crate is a dependency and the receiver is not known.
    #[serde(default)]
    pub distinctive: bool,
    /// Why it is so, and where that was read: `crate-version/path:line`.
    #[serde(default)]
    pub source: Option<String>,
}

/// What an argument must be, as far as it is written there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The argument, counted from 0 without the receiver.
    pub arg: usize,
    /// The constant that it is.
    #[serde(default)]
    pub is: Option<Constant>,
    /// The number that it reaches.
    #[serde(default)]
    pub at_least: Option<i64>,
}

/// Constants that switch something off, or on, and what an argument is in place of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constant {
    /// `None`
    None,
    /// 0, `Duration::ZERO`, `Duration::from_secs(0)`
    Zero,
    /// `usize::MAX`, `Duration::MAX`
    Max,
    /// A constant or variant that is called `Never`.
    Never,
    /// `true`
    True,
    /// `false`
    False,
    /// A constant or flag that is called so or ends so, alone or beside others: `MAP_FIXED`.
    Fixed,
    /// A text, such as an address: a literal, or of type String.
    Text,
}

/// What a bound is when nobody sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BoundDefault {
    /// `true`: there is a bound, `false`: there is none.
    Bounded(bool),
    /// There is one, and this is it, in words for the message.
    Words(String),
}

/// Where in a call a handle is: a closed grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Handle {
    /// The value itself.
    Return,
    /// In `Ok` of the value.
    Ok,
    /// In `Some` of the value.
    Some,
    /// In this field of the tuple (in `Ok`, when it is a Result).
    Tuple(u8),
    /// Behind the pointer in this argument; all elements of it.
    Out(u8),
    /// Behind the pointer in this argument, at this index.
    OutAt(u8, u8),
    /// The receiver of the method.
    Receiver,
    /// This argument, counted from 0 without the receiver.
    Arg(u8),
}

impl std::str::FromStr for Handle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.parse().map_err(|_| format!("'{text}' is not a number"));
        match text {
            "return" => return Ok(Self::Return),
            "ok" => return Ok(Self::Ok),
            "some" => return Ok(Self::Some),
            "receiver" => return Ok(Self::Receiver),
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("tuple:") {
            return Ok(Self::Tuple(number(rest)?));
        }
        if let Some(rest) = text.strip_prefix("arg:") {
            return Ok(Self::Arg(number(rest)?));
        }
        if let Some(rest) = text.strip_prefix("out:") {
            return match rest.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
                Some((argument, index)) => Ok(Self::OutAt(number(argument)?, number(index)?)),
                None => Ok(Self::Out(number(rest)?)),
            };
        }
        Err(format!(
            "'{text}' is no handle: return, ok, some, tuple:N, out:N, out:N[I], receiver or arg:N"
        ))
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How a call shows that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fails {
    /// A negative number; of a pointer `MAP_FAILED`, which is -1.
    Negative,
    /// A null pointer.
    Null,
    /// Anything but 0.
    NonZero,
}

/// What running a function means for whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It does not return.
    NeverReturns,
    /// It waits until a peer does something; nothing bounds that.
    WaitsForPeer,
    /// It waits for time to pass.
    Sleeps,
    /// It blocks the thread.
    Blocks,
    /// It bounds the future it is given (`timeout`): waits inside are no waits without a deadline.
    Bounds,
    /// It runs its closure or future as a task or thread of its own.
    Spawns,
    /// It starts a thread or task whose handle, when dropped, lets it run on.
    Detaches,
    /// Awaiting it in a loop never ends by itself (interval ticks, accept).
    Endless,
    /// Awaiting it in a loop ends when the other side is gone (channel receive).
    EndsWithPeer,
    /// It waits for one of the children, tasks or futures of a collection.
    Collects,
    /// It does not let the value it is given be dropped.
    Forgets,
    /// It may succeed without doing anything; retry loops over it need a pause.
    Retryable,
    /// Of a value that it can be called on it does not fail; nothing is lost by its failure.
    Succeeds,
    /// It exits the process.
    Exits,
    /// It gives its closure (the second argument) its first one when what it returns is dropped.
    Defers,
    /// It waits for a lock until nobody else has it.
    Locks,
    /// It waits for a lock until nobody has it alone.
    Shares,
    /// Any await at all. Only rules name it (`across`), never facts.
    Awaits,
}

/// A path that stands for another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasFact {
    /// Path, or prefix of paths, as written.
    pub path: String,
    /// What it stands for.
    pub is: String,
}

/// How the body of a macro is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacroGrammar {
    /// `pattern = future, if guard => arm` branches, as of `tokio::select!`.
    Select,
    /// Futures that run together, as of `tokio::join!`.
    Join,
    /// As `Join`, leaving at the first error.
    TryJoin,
    /// A list of expressions that are borrowed, as of `println!`.
    Format,
    /// JSON whose values are expressions that are borrowed, as of `json!`.
    Json,
    /// A list of expressions that are borrowed; may panic, as of `assert!`.
    Assert,
    /// A list of expressions that are moved, as of `vec!`.
    List,
    /// Returns an error built from its arguments, as of `bail!`.
    Return,
    /// Returns an error unless its first argument holds, as of `ensure!`.
    Ensure,
    /// Calls the function named by its first argument with the others (`syscall!(f(x))` too).
    Call,
    /// Does not return, as of `panic!`.
    Never,
    /// `try!(x)`: as `x?`.
    Try,
    /// Gives what it is given, as of `dbg!`.
    Value,
    /// An expression matched against patterns, as of `matches!`.
    Matches,
    /// Its body runs when the scope is left, as of `defer!`.
    Defer,
    /// Statements in a body of their own kind (async generator and the like).
    Block,
    /// Items, as of `cfg_if!` and `lazy_static!`-like wrappers around items.
    Items,
}

/// What is known about a macro.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacroFact {
    /// Canonical paths.
    pub paths: Vec<String>,
    /// How its body is read.
    pub grammar: MacroGrammar,
    /// The type of its value, written as those of functions.
    #[serde(default)]
    pub returns: Option<String>,
}

/// What an attribute says about the function under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeMeaning {
    /// The function is a test.
    Test,
    /// The function is the entry of the program.
    Entry,
    /// The function runs once per request, message or connection.
    Handler,
    /// A benchmark.
    Bench,
}

/// What is known about an attribute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeFact {
    /// Canonical paths.
    pub paths: Vec<String>,
    /// What it says.
    pub meaning: AttributeMeaning,
}

/// The engines that rules can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// An obligation that some path does not discharge.
    MustRelease,
    /// A value with bounds of which the wanted ones are not set.
    UnsetBound,
    /// A call of a class that gives a handle away for good.
    Forget,
    /// Ownership given up as a raw value that the crate never takes back.
    UnbalancedRaw,
    /// A field that holds a handle in a type that never releases it.
    OwnerWithoutRelease,
    /// A guard, transaction or connection held while something slow is awaited.
    HeldAcross,
    /// A lock that is waited for while its own guard is alive.
    TakenAgain,
    /// A detached task or thread that never ends.
    DetachedEndless,
    /// A collection of tasks or children that is filled and never collected.
    UnreapedCollection,
    /// A costly value built on each call, request or turn of a loop.
    BuiltPerCall,
    /// A wait for a peer that nothing bounds.
    PeerWait,
    /// A wait in the argument of a deadline, over before it begins.
    LateDeadline,
    /// A loop over accept or a retry that ends, spins or never gives up.
    RetryLoop,
    /// A collection that only grows.
    GrowingCollection,
    /// A loop that keeps whatever parts come, however many they are.
    UnlimitedCollect,
    /// A guard that is dropped at once.
    DiscardedGuard,
    /// A call that is wrong by its class alone.
    Call,
    /// A bound of the crate's own whose default is none.
    OwnBoundNone,
}

/// How far a rule is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Measured, and on by default.
    Stable,
    /// New: on by default, may change.
    Preview,
}

/// Severities as rule files write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// See [`crate::finding::Severity::Note`].
    Note,
    /// See [`crate::finding::Severity::Warning`].
    Warning,
    /// See [`crate::finding::Severity::Error`].
    Error,
}

/// Where code runs, as far as that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Context {
    /// In a loop without a known end.
    Loop,
    /// In an async function or block.
    Async,
    /// In something that runs once per request, message or connection.
    Handler,
    /// In a method or function that is no entry and no constructor.
    Function,
    /// In such a method with a receiver: it belongs to something that could keep what it makes.
    Method,
    /// In a constructor.
    Constructor,
    /// In `main` or what only `main` calls, or an initialiser that runs once.
    Once,
    /// In a crate that is a server: it accepts connections.
    Server,
    /// In a binary target.
    Binary,
    /// Where only `main` leads to, past no loop without an end, no task that nobody waits for and
    /// no handler: somebody waits for the command.
    Command,
    /// Where no call is seen to lead to.
    Unseen,
    /// In what a library offers and does not call itself, nor what calls it.
    Offered,
}

/// One file of `rules/lint/<family>/`: a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Kebab-case name of the mechanism; also the file name.
    pub id: String,
    /// The engine that finds it.
    pub engine: Engine,
    /// The class of facts it is about.
    pub class: String,
    /// Severity in production code.
    pub severity: Level,
    /// How far it is trusted.
    pub status: Status,
    /// The version of poolscan that first had it.
    pub since: String,
    /// Other names for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Lints of clippy about the same defect, without `clippy::`: who allows one has decided.
    #[serde(default)]
    pub clippy: Vec<String>,
    /// A closed set of conditions.
    #[serde(default)]
    pub when: When,
    /// One line: what it finds. `{item}` is the API.
    pub summary: String,
    /// The message: `{item}`, `{function}`, `{bound}` and `{other}` are filled in.
    pub message: String,
    /// What to write instead, one sentence.
    pub help: String,
    /// What goes wrong, and why it matters.
    pub why: String,
    /// What it cannot see, and what it deliberately leaves alone.
    pub limits: String,
    /// What mends it, when that can be written by itself.
    #[serde(default)]
    pub fix: Option<RuleFix>,
    /// Where the mechanism was seen: issues, advisories, documentation.
    #[serde(default)]
    pub references: Vec<String>,
    /// Versions of crates that the examples assume: `tokio = "1.40.0"`.
    #[serde(default)]
    pub deps: BTreeMap<String, String>,
    /// Source on which it must fire, on every line that ends in `//~`.
    pub bad: String,
    /// Source on which it must be silent.
    pub good: String,
    /// More of both, with other versions.
    #[serde(default, rename = "example")]
    pub examples: Vec<Example>,
}

/// Parts of a call that `instead` may name in braces: the whole call, its receiver, its arguments,
/// the path before its name, its name; `future` is the call, and what is replaced its await.
pub const PARTS: &[&str] = &["call", "future", "receiver", "args", "owner", "name"];

/// How findings of a rule are mended.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFix {
    /// The shape of the edit.
    pub edit: EditShape,
    /// The program does what it did, but for what was found.
    #[serde(default)]
    pub safe: bool,
    /// bind: the name that the value gets.
    #[serde(default)]
    pub name: Option<String>,
}

/// What fixes can do to source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditShape {
    /// Adds calls that set the bounds, with the `argument` of their facts; or writes `instead`.
    SetBound,
    /// Writes what the fact of the call says under `instead`.
    Rewrite,
    /// The same, where nothing uses the value of the call.
    RewriteUnused,
    /// Takes the call out of a chain.
    RemoveCall,
    /// Gives the value a name, so that it lives to the end of its scope.
    Bind,
    /// Drops the value before the statement in which something else happens.
    DropBefore,
    /// Collects what is done before more is put in, with `collect` of the type.
    CollectBefore,
    /// Implements Drop for the owner, with `end` of the type.
    ImplDrop,
}

/// Sources under versions of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Versions of crates that it assumes.
    #[serde(default)]
    pub deps: BTreeMap<String, String>,
    /// Source on which the rule must fire, on every line that ends in `//~`.
    #[serde(default)]
    pub bad: Option<String>,
    /// Source on which it must be silent.
    #[serde(default)]
    pub good: Option<String>,
}

/// Conditions of a rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Only in one of these contexts.
    #[serde(default)]
    pub within: Vec<Context>,
    /// Not in any of these contexts.
    #[serde(default)]
    pub not_within: Vec<Context>,
    /// One degree lower where these contexts are all that leads to it: `command`, `unseen`,
    /// `offered`.
    #[serde(default)]
    pub milder_within: Vec<Context>,
    /// One degree lower in functions with one of these words in their names: it is meant there.
    #[serde(default)]
    pub milder_named: Vec<String>,
    /// unset-bound: one degree lower where one of these bounds is set by hand.
    #[serde(default)]
    pub milder_with: Vec<String>,
    /// must-release: report when every path misses the release (`all`), or when some does.
    /// unreaped-collection: whatever is put in counts (`any`), not only what has no end.
    #[serde(default)]
    pub paths: Option<Paths>,
    /// unset-bound: any one of these sets of bounds is enough.
    #[serde(default)]
    pub enough: Vec<Vec<String>>,
    /// unset-bound: only when all of these are set (the milder degree).
    #[serde(default)]
    pub only_with: Vec<String>,
    /// held-across: what must not happen meanwhile.
    #[serde(default)]
    pub across: Vec<Effect>,
    /// held-across: one degree lower where all that is awaited meanwhile is of other crates, and
    /// nobody knows whether it ever suspends the task.
    #[serde(default)]
    pub milder_unknown: bool,
    /// The class that must be there beside the first one. owner-without-release: a Drop that makes
    /// only such calls with what is in the field does not release it. must-release: only what such a
    /// call is made with, and one degree lower where the function gives nothing back.
    #[serde(default)]
    pub with: Option<String>,
    /// call: not when an argument comes from a call of this class. must-release: not in a function
    /// that makes such a call; discarded-guard: not in such a file.
    #[serde(default)]
    pub without: Option<String>,
    /// owner-without-release: only where the task that the field stands for never ends, and is
    /// started more than once.
    #[serde(default)]
    pub endless: bool,
    /// call: only where the path that it gives, and what is made of it, stays in the function, and
    /// nothing there ends what the call begins.
    #[serde(default)]
    pub stays: bool,
    /// call: only when a loop around it makes a call of this class, too.
    #[serde(default)]
    pub loop_with: Option<String>,
    /// call: not when a loop around it makes a call of this class, too.
    #[serde(default)]
    pub loop_without: Option<String>,
}

/// How many of the paths must miss the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paths {
    /// All that reach an exit.
    All,
    /// At least one, while another has it, or gives the handle away.
    Some,
    /// At least one, while another has it: who gives the handle away may want to keep it.
    Released,
    /// At least one.
    Any,
}
