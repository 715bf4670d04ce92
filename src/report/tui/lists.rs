//! What each tab lists.

use super::page::{Cell, Column, Detail, Page, Row, Tone, left, right, spare};
use super::state::Tab;
use super::{Model, Wanted};
use crate::finding::{Severity, Verdict};
use crate::live::facts::{Millis, SourceStatus};
use crate::live::inventory::{Age, GroupCount, Held, Members};
use crate::live::outcome::{Diagnosis, PoolLevel, PoolOutcome, ResourceOutcome, TargetOutcome};
use crate::report::human::{self, amount, headline, shout, signed, table_name, words};
use crate::report::listing;
use crate::report::number::{bytes, duration, short, sparkline};
use crate::report::openers;
use crate::report::text::sanitise;

/// Columns of a sparkline.
const HISTORY: usize = 20;
const GROUPS: [Column; 5] =
    [left("group"), right("held"), right("opened"), right("closed"), spare("history")];
const HANDLES: [Column; 8] = [
    right("pid"),
    right("fd"),
    left("kind"),
    left("state"),
    right("age"),
    right("idle"),
    left("queued"),
    left("what"),
];

/// The page of a tab, or of the handles of a group.
pub(super) fn page(model: &Model, target: &TargetOutcome, tab: Tab, unicode: bool) -> Page {
    if model.wanted.members.is_some() {
        return handles(&model.members, model.outcome.now);
    }
    match tab {
        Tab::Resources => resources(target, unicode),
        Tab::Diagnoses => diagnoses(target),
        Tab::Groups => groups(&model.groups, unicode, |_| true),
        Tab::Peers => groups(&model.groups, unicode, is_peer),
        Tab::Threads | Tab::Tasks => handles(&model.members, model.outcome.now),
        Tab::Workers => workers(target),
        Tab::Sources => sources(target),
    }
}

/// The page of what was asked for and has not come yet: with the next look at the target it will.
pub(super) fn asked(wanted: &Wanted) -> Page {
    let columns = if wanted.members.is_some() { HANDLES.to_vec() } else { GROUPS.to_vec() };
    Page { columns, rows: Vec::new(), empty: "asking", first: None, left_out: None }
}

fn resources(target: &TargetOutcome, unicode: bool) -> Page {
    const COLUMNS: [Column; 7] = [
        left("resource"),
        right("now"),
        right("limit"),
        right("per min"),
        right("to limit"),
        left("verdict"),
        spare("history"),
    ];
    let mut shown: Vec<&ResourceOutcome> = target.resources.iter().collect();
    let findings = shown.iter().filter(|r| r.verdict.is_finding() && !r.evidence.is_empty());
    let worst = findings.max_by_key(|r| (r.verdict, r.confidence)).map(|r| r.id.clone());
    // A finding stands where its resource stands, below the kind.
    shown.sort_by_key(|r| (r.resource.as_str(), r.kind.as_deref(), r.group.as_slice()));
    let row = |r: &ResourceOutcome| {
        let name = match r.group.len() {
            0 => table_name(r),
            depth => {
                format!("{:indent$}{}", "", r.group.join(" > "), indent = 2 + 2 * depth.min(1))
            }
        };
        let now = r.now.filter(|now| now.is_finite());
        let unknown = || "unknown".to_owned();
        Row {
            key: r.id.clone(),
            cells: vec![
                Cell::text(&name),
                Cell::number(now.map_or_else(unknown, |now| amount(r, now)), now),
                Cell::number(
                    r.limit.map_or_else(String::new, |limit| amount(r, limit as f64)),
                    r.limit.map(|limit| limit as f64),
                ),
                Cell::number(
                    r.per_minute.map_or_else(String::new, |rate| signed(r, rate.value)),
                    r.per_minute.map(|rate| rate.value),
                ),
                Cell::number(
                    r.seconds_to_limit.map_or_else(String::new, |time| duration(time.value)),
                    // The shortest is the most urgent.
                    r.seconds_to_limit.map(|time| -time.value),
                ),
                Cell::number(words(r.verdict), Some(f64::from(r.verdict as u8))),
                Cell::text(&sparkline(&r.history, HISTORY, unicode)),
            ],
            tone: tone(r.verdict),
            details: told(r),
            opens: r.kind.as_ref().map(|kind| path_of(kind, &r.group)),
        }
    };
    Page {
        columns: COLUMNS.to_vec(),
        rows: target.pools.iter().map(pool).chain(shown.into_iter().map(row)).collect(),
        empty: "nothing was counted yet",
        first: worst,
        left_out: None,
    }
}

fn path_of(kind: &str, group: &[String]) -> Vec<String> {
    std::iter::once(kind.to_owned()).chain(group.iter().cloned()).collect()
}

/// Why a resource has its verdict, and what to do.
fn told(r: &ResourceOutcome) -> Vec<Detail> {
    let mut details = vec![text(&headline(r))];
    details.extend(r.evidence.iter().map(|evidence| text(&evidence.0)));
    if !r.conclusive && !r.missing.is_empty() {
        details.push(text(&format!("still missing for a verdict: {}", r.missing)));
    }
    details.extend(r.next_steps.iter().map(|step| self::step(step)));
    if !r.examples.is_empty() {
        details.push(text(&format!("such as {}", r.examples.join(", "))));
    }
    match &r.openers {
        Some(_) => details.extend(openers::lines(r).iter().map(|line| text(line))),
        None => details.extend(r.sites.iter().map(|site| text(&format!("opened at {site}")))),
    }
    let bound = if r.lower_bound { "at least " } else { "" };
    details
        .push(text(&format!("{bound}{} opened and {} closed since we came", r.opened, r.closed)));
    details
}

fn text(text: &str) -> Detail {
    Detail::Text(sanitise(text).into_owned())
}

fn step(text: &str) -> Detail {
    Detail::Step(sanitise(text).into_owned())
}

/// A pool among the resources: its level stands where a verdict does.
fn pool(pool: &PoolOutcome) -> Row {
    let number = |value: Option<f64>| Cell::number(value.map_or_else(String::new, short), value);
    let told = [
        ("idle", pool.idle),
        ("most in use", pool.peak),
        ("callers that wait", pool.waiting),
        ("waits since the watch began", pool.waits),
        ("waits that failed", pool.timeouts),
    ];
    let told =
        told.iter().filter_map(|(name, value)| Some(format!("{name}: {}", short((*value)?))));
    Row {
        key: format!("pool {}", pool.name),
        cells: vec![
            Cell::text(&format!("pool {}", pool.name)),
            number(pool.in_use),
            number(pool.max),
            Cell::text(""),
            Cell::text(""),
            Cell::number(pool.level.as_str().to_owned(), Some(f64::from(pool.level as u8))),
            Cell::text(""),
        ],
        tone: match pool.level {
            PoolLevel::Exhausted => Tone::Bad,
            PoolLevel::High => Tone::Warning,
            PoolLevel::Mid | PoolLevel::Low | PoolLevel::Unknown => Tone::Plain,
        },
        details: vec![text(&told.collect::<Vec<_>>().join(", "))],
        opens: None,
    }
}

fn diagnoses(target: &TargetOutcome) -> Page {
    let row = |diagnosis: &Diagnosis| {
        let Diagnosis { severity, message, rule, examples, lint_rules, .. } = diagnosis;
        let mut details = vec![text(message)];
        details.extend(diagnosis.next_steps.iter().map(|step| self::step(step)));
        if !examples.is_empty() {
            details.push(text(&format!("such as {}", examples.join(", "))));
        }
        if !lint_rules.is_empty() {
            let rules = lint_rules.join(",");
            details.push(step(&format!("poolscan lint --select {rules}   # in its source")));
        }
        details.push(step(&format!("poolscan explain {rule}")));
        Row {
            key: diagnosis.id.clone(),
            cells: vec![
                Cell::number(severity.as_str().to_owned(), Some(f64::from(*severity as u8))),
                Cell::text(rule),
                Cell::number(
                    diagnosis.held_seconds.map_or_else(String::new, duration),
                    diagnosis.held_seconds,
                ),
                Cell::text(message),
            ],
            tone: match severity {
                Severity::Error => Tone::Bad,
                Severity::Warning => Tone::Warning,
                Severity::Note => Tone::Plain,
            },
            details,
            opens: diagnosis.kind.as_ref().map(|kind| path_of(kind, &diagnosis.group)),
        }
    };
    Page {
        columns: vec![left("severity"), left("rule"), right("for"), left("what")],
        rows: target.diagnoses.iter().map(row).collect(),
        empty: "nothing is wrong now, as far as the sources tell",
        first: None,
        left_out: None,
    }
}

/// A group just below a role: a peer, a port, a pattern of paths.
fn is_peer(group: &GroupCount) -> bool {
    group.path.len() == 3 && group.path.first().is_some_and(|kind| kind == "socket")
}

fn groups(all: &[GroupCount], unicode: bool, shown: impl Fn(&GroupCount) -> bool) -> Page {
    let row = |group: &GroupCount| {
        let count = |count: f64| Cell::number(short(count), Some(count));
        let mut path = group.path.as_slice();
        // A socket's role says that it is one.
        if path.len() > 1 && path[0] == "socket" {
            path = &path[1..];
        }
        Row {
            key: group.path.join("\u{0}"),
            cells: vec![
                Cell::text(&path.join(" > ")),
                count(group.now as f64),
                count(group.opened as f64),
                count(group.closed as f64),
                Cell::text(&sparkline(&group.history, HISTORY, unicode)),
            ],
            tone: if group.now == 0 { Tone::Dim } else { Tone::Plain },
            details: vec![text(
                "opened and closed are lower bounds: what lives between two looks is not seen",
            )],
            opens: Some(group.path.clone()),
        }
    };
    Page {
        columns: GROUPS.to_vec(),
        rows: all.iter().filter(|group| shown(group)).map(row).collect(),
        empty: "no such handles so far",
        first: None,
        left_out: None,
    }
}

fn handles(members: &Members, now: Millis) -> Page {
    let row = |held: &Held| {
        let facts = &held.facts;
        let number =
            |number: Option<u32>| Cell::number(listing::number(number), number.map(f64::from));
        let kind = if facts.role.is_empty() { &facts.kind } else { &facts.role };
        let what = if facts.label.is_empty() { &facts.peer } else { &facts.label };
        let mut details = vec![text(&held.group()), text(what)];
        if !facts.site.is_empty() {
            details.push(text(&format!("opened at {}", facts.site)));
        }
        Row {
            key: format!("{:?} {:?} {:?} {}", facts.pid, facts.fd, facts.inode, held.seen),
            cells: vec![
                number(facts.pid),
                number(facts.fd),
                Cell::text(kind),
                Cell::text(&facts.state),
                Cell::number(listing::age(held.age(now)), age(held, now)),
                Cell::number(listing::idle(held, now), held.idle(now).map(|ms| ms as f64)),
                Cell::text(&listing::queued(held)),
                Cell::text(what),
            ],
            tone: Tone::Plain,
            details,
            opens: None,
        }
    };
    let missing = members.total.saturating_sub(members.handles.len());
    Page {
        columns: HANDLES.to_vec(),
        rows: members.handles.iter().map(row).collect(),
        empty: "none is held now",
        first: None,
        left_out: (missing > 0).then(|| format!("and {missing} more: poolscan ls lists them all")),
    }
}

fn age(held: &Held, now: Millis) -> Option<f64> {
    match held.age(now) {
        Age::Exactly(ms) | Age::AtLeast(ms) => Some(ms as f64),
        Age::Unknown => None,
    }
}

fn workers(target: &TargetOutcome) -> Page {
    let rows = target.processes.iter().map(|(pid, gauges)| {
        let cell = |name: &str, show: fn(f64) -> String| {
            let value = gauges.get(name).copied();
            Cell::number(value.map_or_else(|| "unknown".to_owned(), show), value)
        };
        Row {
            key: pid.to_string(),
            cells: vec![
                Cell::number(pid.to_string(), Some(f64::from(*pid))),
                cell("fds", short),
                cell("threads", short),
                cell("rss_bytes", bytes),
                cell("mappings", short),
            ],
            tone: Tone::Plain,
            details: vec![step(&format!("poolscan ls {pid}"))],
            opens: None,
        }
    });
    Page {
        columns: vec![
            right("pid"),
            right("fds"),
            right("threads"),
            right("rss"),
            right("mappings"),
        ],
        rows: rows.collect(),
        empty: "no process has been read yet",
        first: None,
        left_out: None,
    }
}

fn sources(target: &TargetOutcome) -> Page {
    let rows = target.sources.iter().map(|source| {
        let (status, tone) = match source.status {
            SourceStatus::Ok => ("complete", Tone::Plain),
            SourceStatus::Partial => ("in part", Tone::Warning),
            SourceStatus::Unavailable => ("unavailable", Tone::Bad),
        };
        let details = match source.status {
            SourceStatus::Ok => Vec::new(),
            status => vec![text(&listing::gap(&source.name, status, &source.reason))],
        };
        Row {
            key: source.name.clone(),
            cells: vec![
                Cell::text(&source.name),
                Cell::text(status),
                Cell::number(
                    format!("{} ms", short(source.cost_us as f64 / 1000.0)),
                    Some(source.cost_us as f64),
                ),
                Cell::text(&source.reason),
            ],
            tone,
            details,
            opens: None,
        }
    });
    Page {
        columns: vec![left("source"), left("status"), right("cpu"), left("why")],
        rows: rows.collect(),
        empty: "no source has reported yet",
        first: None,
        left_out: None,
    }
}

/// How urgent a verdict looks.
pub(super) fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Leaking => Tone::Bad,
        Verdict::Suspect | Verdict::GrowingInUse => Tone::Warning,
        Verdict::Stable | Verdict::Cleared => Tone::Good,
        _ => Tone::Info,
    }
}

/// The first line: who, what, since when, and what looking costs.
pub(super) fn heading(model: &Model, target: &TargetOutcome) -> String {
    let outcome = &model.outcome;
    let (name, pids) = (human::name(target), human::pids(&target.facts.pids));
    let watched = duration(outcome.now as f64 / 1000.0);
    let share = short(outcome.cost.cpu_share * 100.0);
    let verdict = shout(target.verdict);
    sanitise(&format!(
        "{verdict}  {name}, pids {pids}  watched {watched}, own cost {share}% of a core"
    ))
    .into_owned()
}
