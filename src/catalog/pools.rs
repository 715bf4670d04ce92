//! Which metrics of which libraries tell how a pool fares: data of `rules/pools/`, or of the user.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::error::{CatalogError, Problem};
use super::load::refused;

/// `(name, text)` of every file under `rules/pools/`, listed by build.rs.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pools.rs"));

/// The metrics of one library.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The id; of ours the name of the file.
    pub id: String,
    /// What it is about.
    pub summary: String,
    /// Where these names are documented.
    #[serde(default)]
    pub source: String,
    /// Other mappings that say more about the same pools: this one is silent where they speak.
    #[serde(default)]
    pub yields_to: Vec<String>,
    /// Its pools.
    #[serde(default)]
    pub pool: Vec<PoolMetrics>,
    /// Numbers of things that end, such as tasks.
    #[serde(default)]
    pub count: Vec<CountMetric>,
    /// Plain numbers, to be shown.
    #[serde(default)]
    pub gauge: Vec<GaugeMetric>,
}

/// How pools tell what they have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolMetrics {
    /// What stands before their names.
    pub called: String,
    /// Labels that tell them apart.
    #[serde(default)]
    pub by: Vec<String>,
    /// Taken now.
    pub in_use: Option<Metric>,
    /// There and free.
    pub idle: Option<Metric>,
    /// There, free or not.
    pub open: Option<Metric>,
    /// How many there may be.
    pub max: Option<Metric>,
    /// Who waits now.
    pub waiting: Option<Metric>,
    /// How often somebody had to wait, so far.
    pub waits: Option<Metric>,
    /// For how long in all, seconds so far.
    pub wait_seconds: Option<Metric>,
    /// How often the wait ended with an error, so far.
    pub timeouts: Option<Metric>,
    /// How often one was taken, so far.
    pub taken: Option<Metric>,
    /// How often one was given back, so far.
    pub returned: Option<Metric>,
    /// For how long those had been held, seconds so far.
    pub held_seconds: Option<Metric>,
}

/// A metric, with what of it counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Metric {
    /// One name.
    Name(String),
    /// Several names of the same number; a program has one of them.
    Names(Vec<String>),
    /// Only samples with some labels, or in another unit.
    Of(Part),
}

/// Samples of a metric that count.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The names.
    pub metric: Words,
    /// Labels that must have one of these values.
    #[serde(default)]
    pub with: BTreeMap<String, Words>,
    /// Labels that must have none of these values.
    #[serde(default)]
    pub without: BTreeMap<String, Words>,
    /// What a value is multiplied with, such as 0.001 for milliseconds.
    #[serde(default = "one")]
    pub times: f64,
}

/// One word or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Words {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// A number of things that end.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountMetric {
    /// `task`, `goroutine` …
    pub kind: String,
    /// Their group.
    pub called: String,
    /// Labels that tell groups apart.
    #[serde(default)]
    pub by: Vec<String>,
    /// The metric.
    pub metric: Metric,
}

/// A plain number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaugeMetric {
    /// What it is called, with its unit.
    pub name: String,
    /// The metric.
    pub metric: Metric,
}

fn one() -> f64 {
    1.0
}

impl Words {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Several(words) => words,
        }
    }
}

impl Metric {
    /// Its names.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Name(name) => std::slice::from_ref(name),
            Self::Names(names) => names,
            Self::Of(part) => part.metric.all(),
        }
    }

    /// What of it counts; `None`: every sample, as it is.
    pub fn part(&self) -> Option<&Part> {
        match self {
            Self::Of(part) => Some(part),
            Self::Name(_) | Self::Names(_) => None,
        }
    }
}

/// The mappings that the binary carries. Parsed on first use.
pub fn mappings() -> &'static [Mapping] {
    static EMBEDDED: OnceLock<Vec<Mapping>> = OnceLock::new();
    // That there are no problems is a test.
    EMBEDDED.get_or_init(|| read(FILES).0)
}

/// Reads a mapping that somebody wrote.
///
/// # Errors
/// When anything is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Vec<Mapping>, CatalogError> {
    let (mappings, problems) = read(&[(name, text)]);
    if problems.is_empty() { Ok(mappings) } else { Err(CatalogError { problems }) }
}

fn read(files: &[(&str, &str)]) -> (Vec<Mapping>, Vec<Problem>) {
    let (mut mappings, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in files {
        match toml::from_str::<Mapping>(text) {
            Ok(mapping) => {
                if let Some(problem) = mapping.problem() {
                    problems.push(Problem::at(name, text, 0..0, "pool", problem));
                }
                mappings.push(mapping);
            }
            Err(error) => problems.push(refused(name, text, &error)),
        }
    }
    (mappings, problems)
}

impl Mapping {
    /// What makes it senseless, if anything does.
    fn problem(&self) -> Option<String> {
        if self.pool.is_empty() && self.count.is_empty() && self.gauge.is_empty() {
            return Some("neither a pool nor a count nor a gauge is described".to_owned());
        }
        let blind = self
            .pool
            .iter()
            .find(|pool| pool.in_use.is_none() && (pool.open.is_none() || pool.idle.is_none()));
        blind.map(|pool| format!("'{}' needs in_use, or both open and idle", pool.called))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_mappings_have_no_problems() {
        let (mappings, problems) = read(FILES);
        assert!(problems.is_empty(), "{}", CatalogError { problems });
        assert!(mappings.len() >= 8 && mappings.len() == super::mappings().len());
        for (mapping, (name, _)) in mappings.iter().zip(FILES) {
            assert_eq!(*name, format!("pools/{}.toml", mapping.id));
            assert!(!mapping.summary.is_empty() && !mapping.source.is_empty(), "{name}");
            for other in &mapping.yields_to {
                assert!(mappings.iter().any(|m| m.id == *other), "{name}: no mapping {other}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |text: &str| parse("mine.toml", text).expect_err("wrong").to_string();
        let head = "id = \"mine\"\nsummary = \"x\"\n";
        assert!(said(head).contains("neither a pool"), "{}", said(head));
        let blind = format!("{head}[[pool]]\ncalled = \"db\"\nidle = \"db_idle\"\n");
        assert!(said(&blind).contains("needs in_use"), "{}", said(&blind));
        let typo = format!("{head}[[pool]]\ncalled = \"db\"\ninuse = \"x\"\n");
        assert!(said(&typo).contains("inuse"), "{}", said(&typo));
    }
}
