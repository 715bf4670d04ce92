//! Rules about running processes: which predicate over facts, with which parameters, and the words.
//!
//! A rule is a file of `rules/live/`. Predicates are code (`live/diagnose`), so a new rule on one of
//! them touches none.

use std::sync::OnceLock;

use serde::Deserialize;

use super::error::{CatalogError, Problem};
use super::load::refused;
use super::model::{Level, Status};
use super::text::{Keys, Text};

/// `(name, text)` of every file under `rules/live/`, listed by build.rs.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/live_rules.rs"));

/// What a text of a rule may refer to, in braces. A line whose reference has no value is left out.
pub const PLACEHOLDERS: [&str; 25] = [
    "count",
    "held",
    "group",
    "peer",
    "percent",
    "used",
    "limit",
    "limit_name",
    "bytes",
    "waiting",
    "pid",
    "cohort",
    "raise",
    "more",
    "left",
    "double",
    "rate",
    "threads",
    "child",
    "equals",
    "worker",
    "peak",
    "load",
    "need",
    "waits_for",
];

/// Stands between a command and what it buys.
const BUYS: &str = "   # ";

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveRule {
    /// The id, the same as the file's name.
    pub id: String,
    /// How bad it is when it holds.
    pub severity: Level,
    /// Whether its wording and thresholds may still change.
    pub status: Status,
    /// Version that brought it.
    pub since: String,
    /// What it is, in half a sentence.
    pub summary: String,
    /// What is said when it holds.
    pub message: String,
    /// Why that matters.
    pub why: String,
    /// When it is silent although something is wrong, or wrong although it speaks.
    pub limits: String,
    /// A program that shows it.
    pub shown_by: String,
    /// A healthy program that looks alike and must not.
    pub not_by: String,
    /// What to do; lines that can be pasted last.
    pub remedies: Vec<String>,
    /// Rules of the linter that find its cause in source.
    #[serde(default)]
    pub lint: Vec<String>,
    /// When it holds.
    pub when: Predicate,
}

/// When a rule holds. Durations count for the default lifetime of a handle, as the ages of the
/// detector do, and are scaled by `--lifetime`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "predicate", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Predicate {
    /// Handles have been waiting for something, or in a state, for so long, so many to one peer.
    Held {
        /// Which handles.
        of: Selection,
        /// For what they wait; the mere state when absent.
        #[serde(default)]
        wait: Wait,
        /// For at least so long, seconds.
        seconds: f64,
        /// So many of one peer, or of one role.
        count: u64,
        /// From this number on it is worth a note.
        #[serde(default)]
        note_count: Option<u64>,
        /// After this time it is worth a note, seconds; the same time when absent.
        #[serde(default)]
        note_seconds: Option<f64>,
    },
    /// There are so many of them, or they keep so much space on disk.
    Amount {
        /// Which handles.
        of: Selection,
        /// So many.
        #[serde(default)]
        count: Option<u64>,
        /// So many bytes.
        #[serde(default)]
        bytes: Option<u64>,
        /// From so many on it is worth a note.
        #[serde(default)]
        note_count: Option<u64>,
        /// From so many bytes on it is worth a note.
        #[serde(default)]
        note_bytes: Option<u64>,
        /// And there are more than so many for each thread.
        #[serde(default)]
        per_thread: Option<f64>,
    },
    /// A number has come so near to a limit.
    Limit {
        /// Gauge of a process that counts against it; where there is none, what the limit itself
        /// says is used, else the number of the handles.
        #[serde(default)]
        gauge: Option<String>,
        /// The handles that count against it.
        #[serde(default)]
        of: Option<Selection>,
        /// Name of the limit.
        limit: String,
        /// Per cent of it.
        percent: f64,
    },
    /// The handles of one local address and one peer have come so near to a limit.
    PeerLimit {
        /// Which handles.
        of: Selection,
        /// Name of the limit.
        limit: String,
        /// Per cent of it.
        percent: f64,
    },
    /// All connections to a peer are silent and none is new, while requests wait.
    Starved {
        /// The connections to peers.
        pool: Selection,
        /// The connections on which requests come.
        requests: Selection,
        /// A pool has at least so many connections.
        least: u64,
        /// So many requests wait…
        count: u64,
        /// …for so long, seconds.
        seconds: f64,
    },
    /// Handles at one peer come and go at such a rate that keeping one would save many.
    Turnover {
        /// Which handles: kinds and roles.
        of: Selection,
        /// So many a minute.
        per_minute: f64,
        /// From this rate on it is worth a note.
        note_per_minute: f64,
        /// So many of them must have been seen to come.
        seen: u64,
    },
    /// A pool that tells how it fares is full, and somebody waits.
    PoolExhausted {
        /// More than so much of its maximum is in use, per cent…
        percent: f64,
        /// …and somebody has waited at each look for so long, seconds.
        seconds: f64,
    },
    /// Ever more wait for a pool.
    PoolWaiters {
        /// So many more a minute.
        per_minute: f64,
    },
    /// A pool is larger than anything it was used for.
    PoolOversized {
        /// No more than so much of its maximum was ever in use at a look, per cent.
        percent: f64,
        /// Its maximum is at least so much.
        least: f64,
        /// It was watched for so long, seconds.
        seconds: f64,
    },
    /// A number of the target has reached a value.
    Number {
        /// Name of the gauge.
        gauge: String,
        /// The value.
        least: f64,
        /// Name of the gauge that it is about…
        of: String,
        /// …which must be at least so much.
        among: f64,
    },
    /// One of several equals holds nearly everything.
    Skew {
        /// Which handles.
        of: Selection,
        /// Who is equal.
        among: Among,
        /// At least so many of them hold something.
        least: u64,
        /// At least so many are held in all.
        count: u64,
        /// Per cent of it that one holds.
        percent: f64,
    },
}

/// Between whom handles are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Among {
    /// Peers of one service: one port, one network.
    Peers,
    /// Processes of the target, by what they hold at one port.
    Processes,
}

/// Which handles a predicate is about; what is absent or empty is not asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Kinds.
    pub kinds: Vec<String>,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Peers.
    #[serde(default)]
    pub peers: Vec<String>,
    /// States.
    #[serde(default)]
    pub states: Vec<String>,
    /// Only those that a child which runs another program holds, too.
    #[serde(default)]
    pub inherited: bool,
}

/// For what a socket or a task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Nothing in particular: it is in the state.
    #[default]
    State,
    /// Nothing in particular, and nothing has happened on it.
    Silent,
    /// We sent last, of a peer that does answer.
    Reply,
    /// Data came last and was not answered.
    Answer,
    /// Data lies unread.
    Read,
    /// The other end does not take what was sent.
    Taken,
    /// The connection is not established.
    Connect,
    /// As many connections as may wait to be accepted.
    Accept,
    /// Tasks: the poll that is under way does not end.
    Yield,
    /// Tasks: nobody has a waker for it.
    Waker,
    /// Tasks: it wakes itself over and over.
    Rest,
    /// Tasks: what it waits for, with others, nobody has got since then.
    Turn,
}

/// The rules that the binary carries. Parsed on first use.
pub fn rules() -> &'static [LiveRule] {
    static EMBEDDED: OnceLock<Vec<LiveRule>> = OnceLock::new();
    // That there are no problems is a test.
    EMBEDDED.get_or_init(|| read(FILES).0)
}

/// Reads files named `live/<rule>.toml`.
///
/// # Errors
/// When anything is wrong with any of them.
pub fn parse(files: &[(&str, &str)]) -> Result<Vec<LiveRule>, CatalogError> {
    let (rules, problems) = read(files);
    if problems.is_empty() { Ok(rules) } else { Err(CatalogError { problems }) }
}

fn read(files: &[(&str, &str)]) -> (Vec<LiveRule>, Vec<Problem>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in files {
        match toml::from_str::<LiveRule>(text) {
            Ok(rule) => {
                let wrong = check(name, &rule).into_iter();
                let keys = Keys::of(Text::ours(name, text));
                problems.extend(wrong.map(|(key, message)| {
                    Problem::at(name, text, keys.span(key, "", 0), key, message)
                }));
                rules.push(rule);
            }
            Err(error) => problems.push(refused(name, text, &error)),
        }
    }
    (rules, problems)
}

/// Keys that are wrong, and why.
fn check(name: &str, rule: &LiveRule) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    if name != format!("live/{}.toml", rule.id) {
        wrong.push(("id", format!("'{}' is not the name of the file", rule.id)));
    }
    let texts = [
        ("summary", &rule.summary),
        ("message", &rule.message),
        ("why", &rule.why),
        ("limits", &rule.limits),
        ("shown_by", &rule.shown_by),
        ("not_by", &rule.not_by),
    ];
    for (key, text) in texts {
        if text.trim().is_empty() {
            wrong.push((key, "is empty".to_owned()));
        }
    }
    // Whoever is called at night pastes the last line, and wants to know what for.
    if rule.remedies.last().is_none_or(|last| !last.contains(BUYS)) {
        let wanted = format!("must end with a line that can be pasted, '{BUYS}', and what it buys");
        wrong.push(("remedies", wanted));
    }
    for (key, text) in std::iter::once(("message", &rule.message))
        .chain(rule.remedies.iter().map(|text| ("remedies", text)))
    {
        let unknown = references(text).find(|name| !PLACEHOLDERS.contains(name));
        if let Some(unknown) = unknown {
            wrong.push((key, format!("'{{{unknown}}}' stands for nothing")));
        }
    }
    if let Some(problem) = rule.when.problem() {
        wrong.push(("when", problem.to_owned()));
    }
    wrong
}

/// The names in braces in a text.
pub fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

impl Predicate {
    /// What makes it senseless, if anything does.
    fn problem(&self) -> Option<&'static str> {
        let percent_fits = |percent: f64| percent > 0.0 && percent <= 100.0;
        let selects = |of: &Selection| !of.kinds.is_empty();
        match self {
            Self::Held { of, seconds, count, note_count, note_seconds, .. } => {
                if !selects(of) {
                    Some("no kind is selected")
                } else if *seconds < 0.0 || *count == 0 {
                    Some("seconds must not be negative, and count not be 0")
                } else if note_count.is_some_and(|least| least == 0 || least >= *count) {
                    Some("note_count must lie between 1 and count")
                } else if note_seconds.is_some_and(|least| least < 0.0 || least >= *seconds) {
                    Some("note_seconds must lie between 0 and seconds")
                } else if note_seconds.is_some() && note_count.is_none() {
                    Some("note_seconds needs note_count")
                } else {
                    None
                }
            }
            Self::Amount { of, count, bytes, note_count, note_bytes, per_thread } => {
                if !selects(of) {
                    Some("no kind is selected")
                } else if count.is_none() && bytes.is_none() {
                    Some("needs count or bytes")
                } else if note_bytes.is_some_and(|least| bytes.is_none_or(|bytes| least >= bytes)) {
                    Some("note_bytes must be below bytes")
                } else if note_count.is_some_and(|least| count.is_none_or(|count| least >= count)) {
                    Some("note_count must be below count")
                } else if per_thread.is_some_and(|times| times <= 0.0) {
                    Some("per_thread must be above 0")
                } else {
                    None
                }
            }
            Self::Limit { of: Some(of), .. } if !selects(of) => Some("no kind is selected"),
            Self::Limit { percent, .. } => {
                (!percent_fits(*percent)).then_some("percent is no share")
            }
            Self::PeerLimit { of, percent, .. } => (!percent_fits(*percent) || !selects(of))
                .then_some("no kind, or percent is no share"),
            Self::Starved { pool, requests, least, count, seconds } => {
                let fits = selects(pool) && selects(requests) && *least > 0 && *count > 0;
                (!fits || *seconds <= 0.0).then_some("needs kinds, counts and seconds above 0")
            }
            Self::Turnover { of, per_minute, note_per_minute, seen } => {
                let fits = selects(of) && !of.roles.is_empty() && *seen > 0;
                (!fits || *note_per_minute <= 0.0 || note_per_minute > per_minute)
                    .then_some("needs kinds, roles, seen, and a note_per_minute up to per_minute")
            }
            Self::PoolExhausted { percent, seconds } => {
                (!percent_fits(*percent) || *seconds < 0.0).then_some("percent is no share")
            }
            Self::PoolWaiters { per_minute } => {
                (*per_minute <= 0.0).then_some("per_minute must be above 0")
            }
            Self::PoolOversized { percent, least, seconds } => {
                (!percent_fits(*percent) || *least < 2.0 || *seconds < 0.0)
                    .then_some("percent is no share, or a pool of one cannot be too large")
            }
            Self::Number { gauge, least, of, among } => {
                (gauge.is_empty() || of.is_empty() || *least <= 0.0 || *among <= 0.0)
                    .then_some("needs two gauges, and values above 0")
            }
            Self::Skew { of, least, count, percent, .. } => {
                (!selects(of) || *least < 2 || *count == 0 || !percent_fits(*percent))
                    .then_some("needs kinds, two equals, a count and a percent")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn the_embedded_rules_have_no_problems() {
        let rules = parse(FILES).unwrap_or_else(|error| panic!("{error}"));
        assert!(rules.len() >= 10 && rules.len() == super::rules().len());
        let lint = Catalog::embedded();
        for rule in &rules {
            assert!(lint.rule_named(&rule.id).is_none(), "{} is a lint rule, too", rule.id);
            for id in &rule.lint {
                assert!(lint.rule_named(id).is_some(), "{}: no lint rule {id}", rule.id);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let good = FILES[0];
        let wrong = |from: &str, to: &str| {
            let text = good.1.replacen(from, to, 1);
            assert_ne!(text, good.1, "{from}");
            let problems = parse(&[(good.0, &text)]).expect_err("wrong").problems;
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let said = wrong("message = \"", "message = \"{nonsense} ");
        assert!(
            said.contains("'{nonsense}' stands for nothing") && said.contains(good.0),
            "{said}"
        );
        assert!(wrong("predicate = \"", "predicate = \"x").contains("unknown variant"));
        assert!(wrong("   # ", " ").contains("what it buys"));
        assert!(wrong("id = \"", "id = \"x").contains("not the name of the file"));
        assert!(wrong("summary = ", "sumary = ").contains("unknown field"));
    }
}
