//! From lines to facts.

use std::borrow::Cow;
use std::sync::Arc;

use super::format::{FIRST_NAMED_ID, FirstTick, Header, MAX_TIME_MS};
use super::intern::{HandleNames, NameError, Texts};
use super::line::{FlowPart, Id, Line, Probe, Text, Value};
use crate::live::facts::{
    Activity, Basis, Change, ConnectionCounts, Exhausted, Fact, FailedCall, Flow, HandleFacts,
    HandleId, Lifecycle, Millis, OpenedBy, Opener, Poll, PoolReading, SourceStatus, TargetFacts,
    TargetId,
};
use crate::live::life_spans::LifeSpans;

/// What a line says.
#[derive(Debug)]
pub(super) enum Decoded {
    Header(Header),
    /// One fact, or two when a `change` line changes two things.
    Facts(Fact, Option<Fact>),
    End(String),
    /// A type this version does not know.
    Unknown,
}

/// Why a line says nothing.
#[derive(Debug)]
pub(super) enum LineError {
    /// It is not JSON, or lacks what its type needs.
    Malformed(String),
    /// Too many handles with a text for an id are open.
    OverBound,
}

impl From<&str> for LineError {
    fn from(reason: &str) -> Self {
        Self::Malformed(reason.to_owned())
    }
}

/// What is remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    texts: Texts,
    names: HandleNames,
    first: FirstTick,
}

impl Decoder {
    /// Decodes one line, without its line end.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, LineError> {
        match serde_json::from_slice::<Line<'_>>(bytes) {
            Ok(line) => self.of_line(&line),
            Err(error) => of_misfit(bytes).ok_or_else(|| LineError::Malformed(error.to_string())),
        }
    }

    fn of_line(&mut self, line: &Line<'_>) -> Result<Decoded, LineError> {
        let Some(Text(line_type)) = &line.line_type else {
            return Err("no \"type\"".into());
        };
        let fact = match &**line_type {
            "open" => self.open(line)?,
            "change" => return self.change(line),
            "close" => {
                let at = self.time(line)?;
                Fact::Close { at, id: self.id(line, |names, name| Ok(names.closed(name)))? }
            }
            "flow" => Fact::Change {
                at: self.time(line)?,
                id: self.id(line, |names, name| Ok(names.changed(name)))?,
                change: Change::Flow(Arc::new(flow(line.flow.ok_or("no \"flow\"")?)?)),
            },
            "poll" => Fact::Change {
                at: self.time(line)?,
                id: self.id(line, |names, name| Ok(names.changed(name)))?,
                change: Change::Poll(Arc::new(self.poll(line)?)),
            },
            "gauge" => Fact::Gauge {
                at: self.time(line)?,
                target: target(line),
                pid: line.pid,
                name: self.name(line)?,
                value: line.value.and_then(Value::gauge).ok_or("no \"value\"")?,
            },
            "limit" => Fact::Limit {
                at: self.time(line)?,
                target: target(line),
                name: self.name(line)?,
                value: match line.value {
                    Some(Value::Unsigned(value)) => Some(value),
                    Some(Value::Unlimited) => None,
                    _ => return Err("no \"value\": a whole number or \"unlimited\"".into()),
                },
                used: line.used,
            },
            "tally" => Fact::Tally {
                at: self.time(line)?,
                target: target(line),
                kind: match &line.kind {
                    Some(Text(kind)) => self.texts.share(kind),
                    None => return Err("no \"kind\"".into()),
                },
                group: self.group(line).unwrap_or_default(),
                count: whole(line)?,
                proved: line.proved.unwrap_or(false),
            },
            "pool" => Fact::Pool {
                at: self.time(line)?,
                target: target(line),
                name: self.name(line)?,
                reading: Box::new(pool(line)?),
            },
            "inherited" => Fact::Change {
                at: self.time(line)?,
                id: self.id(line, |names, name| Ok(names.changed(name)))?,
                change: Change::InheritedBy(line.inherited_by),
            },
            "opened_by" => Fact::Change {
                at: self.time(line)?,
                id: self.id(line, |names, name| Ok(names.changed(name)))?,
                change: Change::OpenedBy(OpenedBy {
                    place: line.place.ok_or("no \"place\"")?,
                    since: in_range(line.since_ms)?.ok_or("no \"since_ms\"")?,
                }),
            },
            "opener" => Fact::Opener {
                at: self.time(line)?,
                target: target(line),
                place: line.place.ok_or("no \"place\"")?,
                opener: Arc::new(self.opener(line)?),
            },
            "openings" => Fact::Openings {
                at: self.time(line)?,
                target: target(line),
                place: line.place.ok_or("no \"place\"")?,
                count: whole(line)?,
            },
            "failed_call" => Fact::FailedCall {
                at: self.time(line)?,
                target: target(line),
                failed: Arc::new(FailedCall {
                    failed_at: in_range(line.since_ms)?.ok_or("no \"since_ms\"")?,
                    pid: line.pid.ok_or("no \"pid\"")?,
                    exhausted: exhausted(line)?,
                    opener: Arc::new(self.opener(line)?),
                    held: line.used,
                    limit: match line.value {
                        Some(Value::Unsigned(limit)) => Some(limit),
                        _ => None,
                    },
                }),
            },
            "stack" => {
                let frames = line.frames.as_ref().ok_or("no \"frames\"")?;
                Fact::Change {
                    at: self.time(line)?,
                    id: self.id(line, |names, name| Ok(names.changed(name)))?,
                    change: Change::Stack(
                        frames.iter().map(|Text(frame)| self.texts.share(frame)).collect(),
                    ),
                }
            }
            "environment" => Fact::Environment {
                at: self.time(line)?,
                target: target(line),
                name: self.name(line)?,
                text: match &line.text {
                    Some(Text(text)) => Arc::from(&**text),
                    None => return Err("no \"text\"".into()),
                },
            },
            "time_wait" => Fact::TimeWait {
                at: self.time(line)?,
                target: target(line),
                peer: match &line.peer {
                    Some(_) => self.shared(&line.peer),
                    None => return Err("no \"peer\"".into()),
                },
                count: whole(line)?,
            },
            "connections" => Fact::Connections {
                at: self.time(line)?,
                target: target(line),
                counts: Arc::new(ConnectionCounts {
                    basis: basis(line)?,
                    role: self.shared(&line.role),
                    peer: match &line.peer {
                        Some(_) => self.shared(&line.peer),
                        None => return Err("no \"peer\"".into()),
                    },
                    opened: line.opened.unwrap_or(0),
                    closed: line.closed.unwrap_or(0),
                    failed: line.failed.unwrap_or(0),
                    lives: LifeSpans::of_counts(
                        line.lives.as_deref().unwrap_or_default(),
                        line.lives_ms.unwrap_or(0),
                    ),
                }),
            },
            "source" => Fact::Source {
                at: self.time(line)?,
                target: target(line),
                name: self.name(line)?,
                status: status(line)?,
                reason: self.shared(&line.reason),
                watermark: in_range(line.watermark_ms)?,
                cost_us: line.cost_us.unwrap_or(0),
            },
            "lifecycle" => Fact::Lifecycle {
                at: self.time(line)?,
                target: target(line),
                pid: line.pid.ok_or("no \"pid\"")?,
                event: event(line)?,
            },
            "target" => Fact::Target {
                target: target(line),
                facts: Box::new(TargetFacts {
                    name: owned(&line.name),
                    pids: line.pids.as_ref().map(|p| p.to_vec()).unwrap_or_default(),
                    uptime_ms: in_range(line.uptime_ms)?,
                    command: owned(&line.command),
                    selector: owned(&line.selector),
                }),
            },
            "header" => return header(line),
            "end" => return Ok(Decoded::End(owned(&line.reason))),
            _ => return Ok(Decoded::Unknown),
        };
        Ok(Decoded::Facts(fact, None))
    }

    fn open(&mut self, line: &Line<'_>) -> Result<Fact, LineError> {
        let at = self.time(line)?;
        let facts = Arc::new(self.place(line)?);
        Ok(Fact::Open {
            at,
            target: target(line),
            id: self.id(line, HandleNames::opened)?,
            pre: line.pre.unwrap_or_else(|| self.first.implies_pre(at)),
            start_up: line.start_up.unwrap_or(false),
            facts,
        })
    }

    fn change(&mut self, line: &Line<'_>) -> Result<Decoded, LineError> {
        let at = self.time(line)?;
        let id = self.id(line, |names, name| Ok(names.changed(name)))?;
        let fact = |change| Fact::Change { at, id, change };
        if line.kind.is_some() {
            let place = Arc::new(self.place(line)?);
            return Ok(Decoded::Facts(fact(Change::Place(place)), None));
        }
        let activity = match (activity(line)?, line.unseen) {
            (Activity::Unseen, Some(true)) => Some(Activity::Unseen),
            (Activity::Unseen, _) => None,
            (seen, _) => Some(seen),
        };
        let activity = activity.map(|activity| fact(Change::Activity(activity)));
        let state = line.state.as_ref().map(|Text(s)| fact(Change::State(self.texts.share(s))));
        match (state, activity) {
            (Some(state), activity) => Ok(Decoded::Facts(state, activity)),
            (None, Some(activity)) => Ok(Decoded::Facts(activity, None)),
            (None, None) => Err("nothing changes".into()),
        }
    }

    fn place(&mut self, line: &Line<'_>) -> Result<HandleFacts, LineError> {
        Ok(HandleFacts {
            kind: match &line.kind {
                Some(Text(kind)) => self.texts.share(kind),
                None => return Err("no \"kind\"".into()),
            },
            role: self.shared(&line.role),
            peer: self.shared(&line.peer),
            state: self.shared(&line.state),
            site: self.shared(&line.site),
            group: self.group(line),
            activity: activity(line)?,
            // labels rarely repeat: sharing them would only push out what does
            label: match &line.label {
                Some(Text(label)) => Arc::from(&**label),
                None => self.texts.empty(),
            },
            pid: line.pid,
            fd: line.fd,
            inode: line.inode,
            bytes: line.bytes.map(Box::new),
            inherited_by: line.inherited_by,
            born: in_range(line.born_ms)?.map(Box::new),
            flow: line.flow.map(flow).transpose()?.map(Arc::new),
        })
    }

    fn group(&mut self, line: &Line<'_>) -> Option<Arc<[Arc<str>]>> {
        let levels = line.group.as_ref()?;
        Some(levels.iter().map(|Text(level)| self.texts.share(level)).collect())
    }

    fn poll(&mut self, line: &Line<'_>) -> Result<Poll, LineError> {
        let part = line.poll.as_ref().ok_or("no \"poll\"")?;
        Ok(Poll {
            running_since: in_range(part.running_since_ms)?,
            lost_since: in_range(part.lost_since_ms)?,
            spinning_since: in_range(part.spinning_since_ms)?,
            stuck_since: in_range(part.stuck_since_ms)?,
            waits_for: part.waits_for.as_ref().map(|Text(name)| self.texts.share(name)),
        })
    }

    fn opener(&mut self, line: &Line<'_>) -> Result<Opener, LineError> {
        let part = line.opener.as_ref().ok_or("no \"opener\"")?;
        let mut texts = |texts: &Option<Vec<Text<'_>>>| -> Arc<[Arc<str>]> {
            let texts = texts.iter().flatten();
            texts.map(|Text(text)| self.texts.share(text)).collect()
        };
        let (families, stack) = (texts(&part.families), texts(&part.stack));
        Ok(Opener {
            function: self.shared(&part.function),
            file: self.shared(&part.file),
            line: part.line,
            module: self.shared(&part.module),
            through: self.shared(&part.through),
            families,
            call: self.shared(&part.call),
            certain: part.certain.unwrap_or(false),
            unknown: self.shared(&part.unknown),
            stack,
        })
    }

    fn shared(&mut self, text: &Option<Text<'_>>) -> Arc<str> {
        match text {
            Some(Text(text)) => self.texts.share(text),
            None => self.texts.empty(),
        }
    }

    fn name(&mut self, line: &Line<'_>) -> Result<Arc<str>, LineError> {
        line.name
            .as_ref()
            .map(|Text(name)| self.texts.share(name))
            .ok_or_else(|| "no \"name\"".into())
    }

    fn time(&mut self, line: &Line<'_>) -> Result<Millis, LineError> {
        let at = in_range(line.t_ms)?.ok_or("no \"t_ms\"")?;
        self.first.note(at);
        Ok(at)
    }

    fn id(
        &mut self,
        line: &Line<'_>,
        named: impl FnOnce(&mut HandleNames, &str) -> Result<HandleId, NameError>,
    ) -> Result<HandleId, LineError> {
        match &line.id {
            Some(Id::Number(number)) if *number < FIRST_NAMED_ID => Ok(HandleId(*number)),
            Some(Id::Number(_)) => Err("\"id\" is not below 2^63".into()),
            Some(Id::Name(name)) => named(&mut self.names, name).map_err(|error| match error {
                NameError::TooLong => "\"id\" is too long".into(),
                NameError::TooMany => LineError::OverBound,
            }),
            None => Err("no \"id\"".into()),
        }
    }
}

/// A line whose fields do not have the types we expect: of a type or version yet to come, perhaps.
fn of_misfit(bytes: &[u8]) -> Option<Decoded> {
    let Probe { line_type: Text(line_type), format } = serde_json::from_slice(bytes).ok()?;
    match &*line_type {
        "header" => {
            let found: Vec<u16> = serde_json::from_str(format?.get()).ok()?;
            match found[..] {
                [major, minor, ..] if major > super::FORMAT.0 => {
                    Some(Decoded::Header(Header { format: (major, minor), ..Header::new("") }))
                }
                _ => None,
            }
        }
        "open" | "change" | "flow" | "poll" | "inherited" | "opened_by" | "opener" | "openings"
        | "failed_call" | "stack" | "environment" | "close" | "gauge" | "limit" | "tally"
        | "pool" | "time_wait" | "connections" | "source" | "lifecycle" | "target" | "end" => None,
        _ => Some(Decoded::Unknown),
    }
}

fn header(line: &Line<'_>) -> Result<Decoded, LineError> {
    Ok(Decoded::Header(Header {
        format: line.format.ok_or("no \"format\"")?,
        poolscan: owned(&line.poolscan),
        wall_start_ms: in_range(line.wall_start_ms)?,
        bucket_ms: in_range(line.bucket_ms)?,
        lifetime_ms: in_range(line.lifetime_ms)?,
        command: owned(&line.command),
        sources: line.sources.unwrap_or(false),
    }))
}

fn target(line: &Line<'_>) -> TargetId {
    TargetId(line.target.unwrap_or(0))
}

fn activity(line: &Line<'_>) -> Result<Activity, LineError> {
    Ok(match (line.awake, in_range(line.silent_since_ms)?) {
        (Some(true), None) => Activity::Awake,
        (Some(true), Some(_)) => return Err("both awake and silent".into()),
        (_, Some(since)) => Activity::SilentSince(since),
        (_, None) => Activity::Unseen,
    })
}

fn flow(part: FlowPart) -> Result<Flow, LineError> {
    Ok(Flow {
        sent: in_range(part.sent_ms)?,
        received: in_range(part.received_ms)?,
        heard: in_range(part.heard_ms)?,
        unread: part.unread,
        unsent: part.unsent,
        retries: part.retries,
        waiting_since: in_range(part.waiting_since_ms)?,
        opening: part.opening.unwrap_or(false),
    })
}

fn whole(line: &Line<'_>) -> Result<u64, LineError> {
    match line.value {
        Some(Value::Unsigned(count)) => Ok(count),
        _ => Err("no \"value\": a whole number".into()),
    }
}

/// Numbers of names yet to come are left out.
fn pool(line: &Line<'_>) -> Result<PoolReading, LineError> {
    let numbers = line.numbers.as_ref().ok_or("no \"numbers\"")?;
    let mut reading = PoolReading::default();
    for (Text(name), value) in numbers {
        if let Some(number) = reading.number(name) {
            *number = value.gauge();
        }
    }
    Ok(reading)
}

fn basis(line: &Line<'_>) -> Result<Basis, LineError> {
    match line.basis.as_ref().map(|Text(basis)| &**basis) {
        Some("traced") => Ok(Basis::Traced),
        Some("time_wait") => Ok(Basis::TimeWait),
        _ => Err("\"basis\" is none of traced, time_wait".into()),
    }
}

fn exhausted(line: &Line<'_>) -> Result<Exhausted, LineError> {
    match line.error.as_ref().map(|Text(error)| &**error) {
        Some("EMFILE") => Ok(Exhausted::Process),
        Some("ENFILE") => Ok(Exhausted::System),
        _ => Err("\"error\" is none of EMFILE, ENFILE".into()),
    }
}

fn status(line: &Line<'_>) -> Result<SourceStatus, LineError> {
    match line.status.as_ref().map(|Text(status)| &**status) {
        None | Some("ok") => Ok(SourceStatus::Ok),
        Some("partial") => Ok(SourceStatus::Partial),
        Some("unavailable") => Ok(SourceStatus::Unavailable),
        Some(_) => Err("\"status\" is none of ok, partial, unavailable".into()),
    }
}

fn event(line: &Line<'_>) -> Result<Lifecycle, LineError> {
    match line.event.as_ref().map(|Text(event)| &**event) {
        Some("joined") => Ok(Lifecycle::Joined),
        Some("exec") => Ok(Lifecycle::Exec),
        Some("ended") => Ok(Lifecycle::Ended),
        _ => Err("\"event\" is none of joined, exec, ended".into()),
    }
}

/// Times beyond the bound are refused here, so that nobody's arithmetic overflows later.
fn in_range(time: Option<Millis>) -> Result<Option<Millis>, LineError> {
    match time {
        Some(time) if !(-MAX_TIME_MS..=MAX_TIME_MS).contains(&time) => {
            Err("a time is beyond 2^53 ms".into())
        }
        other => Ok(other),
    }
}

fn owned(text: &Option<Text<'_>>) -> String {
    text.as_ref().map(|Text(text)| Cow::clone(text).into_owned()).unwrap_or_default()
}
