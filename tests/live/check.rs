//! Compares what poolscan says with what the child did: verdict, group, rate, time to the limit.

use serde_json::Value;

use crate::scenarios::Leak;

/// Relative error allowed for rates and times.
const TOLERANCE: f64 = 0.25;

/// What the child did.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Truth {
    /// Leaking turns a second, as the child counted them during the watch.
    pub(crate) turns_per_second: f64,
    /// Watched in real time, with the default ages.
    pub(crate) full: bool,
}

/// A remark on what was found, or everything that is wrong. The last line is the summary.
pub(crate) fn check(lines: &[Value], leaks: &[Leak], truth: Truth) -> Result<String, Vec<String>> {
    let Some((summary, changes)) = lines.split_last() else {
        return Err(vec!["no summary".to_owned()]);
    };
    let mut errors = Vec::new();
    let target = &summary["targets"][0];
    let seen = target["resources"][0]["now"].as_f64();
    if summary["type"] != "summary" || seen.is_none_or(|fds| fds < 1.0) {
        errors.push("no summary, or no fds were seen: nothing was tested".to_owned());
    }
    for source in array(&target["sources"]).filter(|s| s["status"] == "unavailable") {
        errors.push(format!("source {} is unavailable: {}", source["name"], source["reason"]));
    }
    strangers(changes, summary, leaks, &mut errors);
    let remark = if leaks.is_empty() {
        let verdict = &summary["verdict"];
        if verdict == "suspect" {
            errors.push("suspect at the end".to_owned());
        }
        format!("never leaking; {} at the end", verdict.as_str().unwrap_or("?"))
    } else {
        let slowest = leaks
            .iter()
            .filter_map(|leak| found(summary, changes, leak, truth, &mut errors))
            .fold(0.0, f64::max);
        total(target, leaks, truth, &mut errors);
        format!("{} of {} groups, the last after {slowest:.0} s", leaks.len(), leaks.len())
    };
    if errors.is_empty() { Ok(remark) } else { Err(errors) }
}

/// Nothing but the leaks may ever be called leaking.
fn strangers(changes: &[Value], summary: &Value, leaks: &[Leak], errors: &mut Vec<String>) {
    let expected = |r: &Value| leaks.iter().any(|leak| fits(r, leak));
    // Until its parts are significant on their own, a leak may be told of the whole kind.
    let early = |r: &Value| {
        array(&r["group"]).next().is_none() && leaks.iter().any(|leak| r["kind"] == leak.kind)
    };
    let on_the_way = changes.iter().map(|change| &change["resource"]).filter(|r| !early(r));
    let mut strange: Vec<String> = on_the_way
        .chain(groups(summary))
        .filter(|r| r["verdict"] == "leaking" && !expected(r))
        .map(|r| format!("{} is leaking but should not be", r["id"]))
        .collect();
    strange.sort();
    strange.dedup();
    errors.extend(strange);
}

/// Checks one leak; the time of its first `leaking`.
fn found(
    summary: &Value,
    changes: &[Value],
    leak: &Leak,
    truth: Truth,
    errors: &mut Vec<String>,
) -> Option<f64> {
    let name = format!("{} {}", leak.kind, leak.part);
    let rows: Vec<&Value> =
        groups(summary).filter(|r| r["verdict"] == "leaking" && fits(r, leak)).collect();
    if rows.is_empty() {
        errors.push(format!("{name} is not leaking"));
        return None;
    }
    let want = truth.turns_per_second * leak.a_turn;
    let told = sum(&rows, "per_minute") / 60.0;
    near(told, want, &format!("{name}: rate per second"), errors);
    let fds = &summary["targets"][0]["resources"][0];
    // One row is one finding with one time; the limit of threads and children is the machine's.
    if let [row] = rows.as_slice()
        && row["resource"] == "fds"
    {
        let left = number(&fds["limit"]) - number(&fds["now"]);
        let told = number(&row["seconds_to_limit"]["value"]);
        near(told, left / want, &format!("{name}: seconds to the limit"), errors);
    }
    let first = changes
        .iter()
        .filter(|c| c["resource"]["verdict"] == "leaking" && fits(&c["resource"], leak))
        .map(|c| number(&c["at_seconds"]))
        .next()?;
    let bound = 1.4 * clock(leak);
    if truth.full && first > bound {
        errors.push(format!("{name}: leaking after {first:.0} s, more than {bound:.0} s"));
    }
    Some(first)
}

/// Age and span of the default clocks, in seconds: the delay of a fast leak.
fn clock(leak: &Leak) -> f64 {
    match (leak.kind, leak.part) {
        (_, "CLOSE_WAIT") => 15.0 + 60.0,
        ("socket", "tcp client" | "tcp server") => 95.0 + 120.0,
        // Only the age is seen: twice the span.
        ("socket", _) => 95.0 + 240.0,
        ("thread", _) => 70.0 + 120.0,
        _ => 30.0 + 240.0,
    }
}

/// The total of the fds runs into the limit at the sum of all rates.
fn total(target: &Value, leaks: &[Leak], truth: Truth, errors: &mut Vec<String>) {
    let fds = &target["resources"][0];
    let a_turn: f64 =
        leaks.iter().filter(|l| !matches!(l.kind, "thread" | "child")).map(|l| l.a_turn).sum();
    let want = truth.turns_per_second * a_turn;
    near(number(&fds["per_minute"]["value"]) / 60.0, want, "total rate per second", errors);
    let left = number(&fds["limit"]) - number(&fds["now"]);
    let told = number(&fds["seconds_to_limit"]["value"]);
    near(told, left / want, "seconds until all fds are used", errors);
}

/// Findings of a summary, without totals.
pub(crate) fn groups(summary: &Value) -> impl Iterator<Item = &Value> {
    array(&summary["targets"][0]["resources"])
        .filter(|r| !r["id"].as_str().unwrap_or_default().ends_with("/total"))
}

/// What was found, for a person.
pub(crate) fn shown(lines: &[Value]) -> Vec<String> {
    let line = |r: &Value| {
        let rate = number(&r["per_minute"]["value"]) / 60.0;
        format!(
            "{} {} {rate:.2}/s since {}",
            r["id"].as_str().unwrap_or("?"),
            r["verdict"].as_str().unwrap_or("?"),
            r["since_seconds"],
        )
    };
    lines.last().map(|summary| groups(summary).map(line).collect()).unwrap_or_default()
}

fn fits(resource: &Value, leak: &Leak) -> bool {
    let part = |level: &Value| level.as_str().is_some_and(|level| level.contains(leak.part));
    resource["kind"] == leak.kind && (leak.part.is_empty() || array(&resource["group"]).any(part))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn sum(rows: &[&Value], field: &str) -> f64 {
    rows.iter().map(|row| number(&row[field]["value"])).sum()
}

fn near(told: f64, want: f64, what: &str, errors: &mut Vec<String>) {
    // Also when it is not known (NaN).
    let close = (told - want).abs() <= TOLERANCE * want;
    if !close {
        errors.push(format!("{what} is {told:.3}, not {want:.3}"));
    }
}
