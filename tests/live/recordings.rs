//! Judges the recordings of the real-time run again, in seconds.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::observe::{Outcome, judge};
use crate::scenarios;

/// Replays every recording that belongs to a scenario.
pub(crate) fn replay_all() -> Vec<(String, Outcome)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings/live");
    if !folder.is_dir() {
        let reason = format!("{} is missing: record it with --full", folder.display());
        return vec![("replay".to_owned(), Outcome::Skipped(reason))];
    }
    let mut outcomes = Vec::new();
    for scenario in scenarios::all(true) {
        let name = format!("replay-{}", scenario.name);
        let recording = folder.join(format!("{}.jsonl.gz", scenario.name));
        let truth = std::fs::read(folder.join(format!("{}.truth.json", scenario.name)));
        let (true, Ok(truth)) = (recording.exists(), truth) else {
            let reason = "no recording of it in fixtures/recordings/live".to_owned();
            outcomes.push((name, Outcome::Skipped(reason)));
            continue;
        };
        let output = Command::new(env!("CARGO_BIN_EXE_poolscan"))
            .arg("replay")
            .arg(recording)
            .args(["--format", "ndjson", "--fail-on", "never"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let outcome = if output.status.success() {
            judge(&output.stdout, &scenario, serde_json::from_slice(&truth).unwrap())
        } else {
            Outcome::Failed(String::from_utf8_lossy(&output.stderr).into_owned())
        };
        outcomes.push((name, outcome));
    }
    outcomes
}
