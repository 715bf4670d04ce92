//! What the agent is told: where its numbers go, how often it looks, whom it watches.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use crate::cli::args::{MetricsArgs, duration};
use crate::cli::serve;
use crate::live::host::select::Selector;

/// Largest file that is read.
const MOST: u64 = 1 << 20;
/// Most selectors.
const SELECTORS: usize = 4_096;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    serve: Option<String>,
    textfile: Option<PathBuf>,
    otlp: Option<String>,
    interval: Option<String>,
    discover: Option<String>,
    lifetime: Option<String>,
    targets: Vec<String>,
}

/// The settings in force.
#[derive(Debug)]
pub(super) struct Config {
    /// Where the numbers go.
    pub(super) metrics: MetricsArgs,
    /// How often handles are looked at.
    pub(super) interval: Duration,
    /// How often new processes are looked for.
    pub(super) discover: Duration,
    /// Longest normal life of a handle.
    pub(super) lifetime: Option<Duration>,
    /// Whom to watch.
    pub(super) selectors: Vec<Selector>,
}

/// Reads the file.
///
/// # Errors
/// It cannot be read, or something in it is wrong.
pub(super) fn read(path: &Path) -> anyhow::Result<Config> {
    let shown = path.display();
    let size = std::fs::metadata(path).with_context(|| format!("{shown}"))?.len();
    anyhow::ensure!(size <= MOST, "{shown}: larger than {MOST} bytes");
    let text = std::fs::read_to_string(path).with_context(|| format!("{shown}"))?;
    parse(&text).with_context(|| format!("{shown}"))
}

fn parse(text: &str) -> anyhow::Result<Config> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        anyhow!("line {line}: {}", error.message())
    })?;
    let time = |name: &str, text: &Option<String>| {
        let text = text.as_deref().map(duration).transpose();
        text.map_err(|why| anyhow!("{name}: {why}"))
    };
    let interval = time("interval", &written.interval)?.unwrap_or(Duration::from_secs(15));
    anyhow::ensure!(
        (Duration::from_millis(100)..=Duration::from_secs(600)).contains(&interval),
        "interval: must lie between 100 ms and 10 min"
    );
    anyhow::ensure!(!written.targets.is_empty(), "targets: names nobody");
    anyhow::ensure!(written.targets.len() <= SELECTORS, "targets: more than {SELECTORS}");
    anyhow::ensure!(
        written.serve.is_some() || written.textfile.is_some() || written.otlp.is_some(),
        "none of serve, textfile and otlp is set: nobody would see the numbers"
    );
    let serve = written.serve.as_deref().map(serve::address).transpose();
    Ok(Config {
        metrics: MetricsArgs {
            serve: serve.map_err(|why| anyhow!("serve: {why}"))?,
            textfile: written.textfile,
            otlp: written.otlp,
        },
        interval,
        discover: time("discover", &written.discover)?
            .unwrap_or(Duration::from_secs(60))
            .max(interval),
        lifetime: time("lifetime", &written.lifetime)?,
        selectors: written
            .targets
            .iter()
            .map(|text| text.parse::<Selector>().map_err(anyhow::Error::new))
            .collect::<anyhow::Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let config = parse("serve = \"9464\"\ntargets = [\"nginx\", \":5432\"]").expect("right");
        assert_eq!(config.metrics.serve, Some("127.0.0.1:9464".parse().expect("an address")));
        assert_eq!((config.interval.as_secs(), config.discover.as_secs()), (15, 60));
        assert_eq!(config.selectors, [Selector::Name("nginx".to_owned()), Selector::Port(5432)]);
    }

    #[test]
    fn mistakes_say_where_they_are() {
        for (text, word) in [
            ("serve = \"1\"\ntargets = []", "names nobody"),
            ("targets = [\"a\"]", "none of serve"),
            ("serve = \"1\"\ntargets = [\"a\"]\nintervall = \"1s\"", "line 3"),
            ("serve = \"1\"\ntargets = [\":0\"]", "':0' selects nothing"),
            ("serve = \"here\"\ntargets = [\"a\"]", "serve: 'here' is no address"),
            ("serve = \"1\"\ninterval = \"soon\"\ntargets = [\"a\"]", "interval: 'soon'"),
            ("serve = \"1\"\ninterval = \"2h\"\ntargets = [\"a\"]", "between"),
            ("\u{0}", "line 1"),
        ] {
            let error = format!("{:#}", parse(text).expect_err(text));
            assert!(error.contains(word), "{error}");
        }
    }
}
