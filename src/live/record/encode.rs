//! From facts to lines.

use std::borrow::Cow;
use std::sync::Arc;

use super::format::{FIRST_NAMED_ID, FirstTick, Header};
use super::line::{FlowPart, Id, Line, OpenerPart, PollPart, Text, Value};
use crate::live::facts::{
    Activity, Basis, Change, ConnectionCounts, Fact, Flow, HandleFacts, HandleId, Lifecycle,
    Opener, Poll, SourceStatus, TargetFacts, TargetId,
};
use crate::live::life_spans::LifeSpans;

/// Longest text kept when a line would be too long otherwise, in bytes.
const SHORT_TEXT_BYTES: usize = 1024;
/// Number of pids kept then.
const SHORT_PIDS: usize = 2048;
/// Number of functions of a stack kept then.
const SHORT_STACK: usize = 32;
/// Number of group levels kept then.
const SHORT_GROUP: usize = 4;

/// The header line.
pub(super) fn header(header: &Header) -> Line<'_> {
    Line {
        format: Some(header.format),
        poolscan: text(&header.poolscan),
        wall_start_ms: header.wall_start_ms,
        bucket_ms: header.bucket_ms,
        lifetime_ms: header.lifetime_ms,
        command: text(&header.command),
        sources: header.sources.then_some(true),
        ..of_type("header")
    }
}

/// The last line.
pub(super) fn end(reason: &str) -> Line<'_> {
    Line { reason: text(reason), ..of_type("end") }
}

/// The line of a fact. `first` has noted the fact's time.
pub(super) fn fact<'a>(fact: &'a Fact, first: &FirstTick) -> Line<'a> {
    match fact {
        Fact::Target { target, facts } => target_line(*target, facts),
        Fact::Open { at, target, id, pre, start_up, facts } => {
            // `pre` is written when true, and when a reader would take it for true
            let says_pre = *pre || first.implies_pre(*at);
            Line {
                t_ms: Some(*at),
                target: number_of(*target),
                id: Some(id_of(*id)),
                pre: says_pre.then_some(*pre),
                start_up: start_up.then_some(true),
                ..place("open", facts)
            }
        }
        Fact::Change { at, id, change } => {
            let line = match change {
                Change::Activity(activity) => {
                    let mut line = of_type("change");
                    set_activity(&mut line, *activity);
                    line.unseen = (*activity == Activity::Unseen).then_some(true);
                    line
                }
                Change::State(state) => {
                    Line { state: Some(Text::from(&**state)), ..of_type("change") }
                }
                Change::Place(facts) => place("change", facts),
                Change::Flow(flow) => Line { flow: Some(part_of(flow)), ..of_type("flow") },
                Change::Poll(poll) => Line { poll: Some(poll_part(poll)), ..of_type("poll") },
                Change::InheritedBy(child) => Line { inherited_by: *child, ..of_type("inherited") },
                Change::OpenedBy(opened) => Line {
                    place: Some(opened.place),
                    since_ms: Some(opened.since),
                    ..of_type("opened_by")
                },
                Change::Stack(frames) => {
                    let frames = frames.iter().map(|frame| Text::from(&**frame)).collect();
                    Line { frames: Some(frames), ..of_type("stack") }
                }
            };
            Line { t_ms: Some(*at), id: Some(id_of(*id)), ..line }
        }
        Fact::Close { at, id } => {
            Line { t_ms: Some(*at), id: Some(id_of(*id)), ..of_type("close") }
        }
        Fact::Gauge { at, target, pid, name, value } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            pid: *pid,
            name: Some(Text::from(&**name)),
            value: Some(Value::of_gauge(*value)),
            ..of_type("gauge")
        },
        Fact::Limit { at, target, name, value, used } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            name: Some(Text::from(&**name)),
            value: Some(value.map_or(Value::Unlimited, Value::Unsigned)),
            used: *used,
            ..of_type("limit")
        },
        Fact::Tally { at, target, kind, group, count, proved } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            kind: Some(Text::from(&**kind)),
            group: Some(group.iter().map(|level| Text::from(&**level)).collect()),
            value: Some(Value::Unsigned(*count)),
            proved: proved.then_some(true),
            ..of_type("tally")
        },
        Fact::Pool { at, target, name, reading } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            name: Some(Text::from(&**name)),
            numbers: Some(
                reading
                    .numbers()
                    .into_iter()
                    .filter_map(|(name, value)| Some((Text::from(name), Value::of_gauge(value?))))
                    .collect(),
            ),
            ..of_type("pool")
        },
        Fact::TimeWait { at, target, peer, count } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            peer: Some(Text::from(&**peer)),
            value: Some(Value::Unsigned(*count)),
            ..of_type("time_wait")
        },
        Fact::Connections { at, target, counts } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            role: text(&counts.role),
            peer: Some(Text::from(&*counts.peer)),
            basis: Some(Text::from(basis_name(counts.basis))),
            opened: (counts.opened != 0).then_some(counts.opened),
            closed: (counts.closed != 0).then_some(counts.closed),
            failed: (counts.failed != 0).then_some(counts.failed),
            lives: lives_of(&counts.lives),
            lives_ms: (counts.lives.sum_ms() != 0).then_some(counts.lives.sum_ms()),
            ..of_type("connections")
        },
        Fact::Opener { at, target, place, opener } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            place: Some(*place),
            opener: Some(opener_part(opener)),
            ..of_type("opener")
        },
        Fact::Openings { at, target, place, count } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            place: Some(*place),
            value: Some(Value::Unsigned(*count)),
            ..of_type("openings")
        },
        Fact::FailedCall { at, target, failed } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            pid: Some(failed.pid),
            since_ms: Some(failed.failed_at),
            error: Some(Text::from(failed.exhausted.errno())),
            opener: Some(opener_part(&failed.opener)),
            value: failed.limit.map(Value::Unsigned),
            used: failed.held,
            ..of_type("failed_call")
        },
        Fact::Environment { at, target, name, text } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            name: Some(Text::from(&**name)),
            text: Some(Text::from(&**text)),
            ..of_type("environment")
        },
        Fact::Source { at, target, name, status, reason, watermark, cost_us } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            name: Some(Text::from(&**name)),
            status: Some(Text::from(status_name(*status))),
            reason: text(reason),
            watermark_ms: *watermark,
            cost_us: (*cost_us != 0).then_some(*cost_us),
            ..of_type("source")
        },
        Fact::Lifecycle { at, target, pid, event } => Line {
            t_ms: Some(*at),
            target: number_of(*target),
            pid: Some(*pid),
            event: Some(Text::from(event_name(*event))),
            ..of_type("lifecycle")
        },
    }
}

/// The same fact with its texts cut, for a line that no reader would accept.
pub(super) fn shortened(fact: &Fact) -> Fact {
    let mut short = fact.clone();
    match &mut short {
        Fact::Target { facts, .. } => {
            for text in [&mut facts.name, &mut facts.command, &mut facts.selector] {
                text.truncate(text.floor_char_boundary(SHORT_TEXT_BYTES));
            }
            facts.pids.truncate(SHORT_PIDS);
        }
        Fact::Open { facts, .. } | Fact::Change { change: Change::Place(facts), .. } => {
            let HandleFacts { kind, role, peer, state, site, label, .. } = Arc::make_mut(facts);
            [kind, role, peer, state, site, label].into_iter().for_each(cut);
            if let Some(group) = &mut Arc::make_mut(facts).group {
                *group = shorter(group, SHORT_GROUP);
            }
        }
        Fact::Change { change: Change::State(state), .. } => cut(state),
        Fact::Change { change: Change::Poll(poll), .. } => {
            Arc::make_mut(poll).waits_for.iter_mut().for_each(cut);
        }
        Fact::Gauge { name, .. } | Fact::Limit { name, .. } | Fact::Pool { name, .. } => cut(name),
        Fact::Tally { kind, group, .. } => {
            cut(kind);
            *group = shorter(group, SHORT_GROUP);
        }
        Fact::TimeWait { peer, .. } => cut(peer),
        Fact::Connections { counts, .. } => {
            let ConnectionCounts { role, peer, .. } = Arc::make_mut(counts);
            [role, peer].into_iter().for_each(cut);
        }
        Fact::Opener { opener, .. } => shorten_opener(Arc::make_mut(opener)),
        Fact::FailedCall { failed, .. } => {
            shorten_opener(Arc::make_mut(&mut Arc::make_mut(failed).opener));
        }
        Fact::Environment { name, text, .. } => {
            cut(name);
            cut(text);
        }
        Fact::Change { change: Change::Stack(frames), .. } => {
            *frames = shorter(frames, SHORT_STACK);
        }
        Fact::Source { name, reason, .. } => {
            cut(name);
            cut(reason);
        }
        Fact::Change {
            change:
                Change::Activity(_) | Change::Flow(_) | Change::InheritedBy(_) | Change::OpenedBy(_),
            ..
        }
        | Fact::Openings { .. }
        | Fact::Close { .. }
        | Fact::Lifecycle { .. } => {}
    }
    short
}

fn shorten_opener(opener: &mut Opener) {
    let Opener { function, file, module, through, call, unknown, families, stack, .. } = opener;
    [function, file, module, through, call, unknown].into_iter().for_each(cut);
    *families = shorter(families, SHORT_GROUP);
    *stack = shorter(stack, SHORT_STACK);
}

fn shorter(texts: &[Arc<str>], most: usize) -> Arc<[Arc<str>]> {
    let mut kept: Vec<_> = texts.iter().take(most).cloned().collect();
    kept.iter_mut().for_each(cut);
    kept.into()
}

fn cut(text: &mut Arc<str>) {
    if text.len() > SHORT_TEXT_BYTES {
        *text = text[..text.floor_char_boundary(SHORT_TEXT_BYTES)].into();
    }
}

fn of_type(line_type: &str) -> Line<'_> {
    Line { line_type: Some(Text::from(line_type)), ..Line::default() }
}

fn target_line(target: TargetId, facts: &TargetFacts) -> Line<'_> {
    Line {
        target: number_of(target),
        name: text(&facts.name),
        pids: (!facts.pids.is_empty()).then_some(Cow::Borrowed(facts.pids.as_slice())),
        uptime_ms: facts.uptime_ms,
        command: text(&facts.command),
        selector: text(&facts.selector),
        ..of_type("target")
    }
}

fn place<'a>(line_type: &'a str, facts: &'a HandleFacts) -> Line<'a> {
    let mut line = Line {
        kind: Some(Text::from(&*facts.kind)),
        role: text(&facts.role),
        peer: text(&facts.peer),
        state: text(&facts.state),
        site: text(&facts.site),
        group: facts.group.as_ref().map(|g| g.iter().map(|level| Text::from(&**level)).collect()),
        label: text(&facts.label),
        pid: facts.pid,
        fd: facts.fd,
        inode: facts.inode,
        bytes: facts.bytes.as_deref().copied(),
        inherited_by: facts.inherited_by,
        born_ms: facts.born.as_deref().copied(),
        flow: facts.flow.as_deref().map(part_of),
        ..of_type(line_type)
    };
    set_activity(&mut line, facts.activity);
    line
}

fn part_of(flow: &Flow) -> FlowPart {
    FlowPart {
        sent_ms: flow.sent,
        received_ms: flow.received,
        heard_ms: flow.heard,
        unread: flow.unread,
        unsent: flow.unsent,
        retries: flow.retries,
        waiting_since_ms: flow.waiting_since,
        opening: flow.opening.then_some(true),
    }
}

fn opener_part(opener: &Opener) -> OpenerPart<'_> {
    fn texts(texts: &[Arc<str>]) -> Option<Vec<Text<'_>>> {
        (!texts.is_empty()).then(|| texts.iter().map(|text| Text::from(&**text)).collect())
    }
    OpenerPart {
        function: text(&opener.function),
        file: text(&opener.file),
        line: opener.line,
        module: text(&opener.module),
        through: text(&opener.through),
        families: texts(&opener.families),
        call: text(&opener.call),
        certain: opener.certain.then_some(true),
        unknown: text(&opener.unknown),
        stack: texts(&opener.stack),
    }
}

fn poll_part(poll: &Poll) -> PollPart<'_> {
    PollPart {
        running_since_ms: poll.running_since,
        lost_since_ms: poll.lost_since,
        spinning_since_ms: poll.spinning_since,
        stuck_since_ms: poll.stuck_since,
        waits_for: poll.waits_for.as_deref().map(Text::from),
    }
}

fn set_activity(line: &mut Line<'_>, activity: Activity) {
    match activity {
        Activity::Unseen => {}
        Activity::Awake => line.awake = Some(true),
        Activity::SilentSince(since) => line.silent_since_ms = Some(since),
    }
}

fn text(text: &str) -> Option<Text<'_>> {
    (!text.is_empty()).then(|| Text::from(text))
}

fn number_of(target: TargetId) -> Option<u32> {
    (target.0 != 0).then_some(target.0)
}

/// Handles that a reader numbered itself are written as texts again, in the same order.
fn id_of(id: HandleId) -> Id<'static> {
    if id.0 < FIRST_NAMED_ID {
        Id::Number(id.0)
    } else {
        Id::Name(Cow::Owned(format!("n{}", id.0 - FIRST_NAMED_ID)))
    }
}

/// Counts up to the longest life; nothing where there was none.
fn lives_of(lives: &LifeSpans) -> Option<Vec<u64>> {
    let last = lives.counts().iter().rposition(|&count| count > 0)?;
    Some(lives.counts()[..=last].to_vec())
}

fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Traced => "traced",
        Basis::TimeWait => "time_wait",
    }
}

fn status_name(status: SourceStatus) -> &'static str {
    match status {
        SourceStatus::Ok => "ok",
        SourceStatus::Partial => "partial",
        SourceStatus::Unavailable => "unavailable",
    }
}

fn event_name(event: Lifecycle) -> &'static str {
    match event {
        Lifecycle::Joined => "joined",
        Lifecycle::Exec => "exec",
        Lifecycle::Ended => "ended",
    }
}
