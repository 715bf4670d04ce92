//! From frames to a place that a person is shown, each told once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::live::facts::{NO_CALL, OTHER_KIND, Opener};
use crate::live::trace::openings::ledger::Doubt;
use crate::live::trace::stack::{Frame, Frames, Site};

/// Places of one trace; what comes beyond is one without a name.
const MOST: usize = 4_096;

/// The places that one trace has met, by number.
#[derive(Debug, Default)]
pub(super) struct Places {
    numbers: BTreeMap<Opener, u32>,
    /// How often each opened something.
    pub(super) counts: Vec<u64>,
    /// Those not handed over yet, in the order of their numbers.
    pub(super) new: Vec<Opener>,
}

impl Places {
    /// The number of a place; its stack is kept of the first one that led there.
    pub(super) fn number(&mut self, place: Opener) -> u32 {
        let key = Opener { stack: Arc::default(), ..place.clone() };
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        if self.numbers.len() >= MOST {
            return self.number_of_rest();
        }
        let number = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(key, number);
        self.counts.push(0);
        self.new.push(place);
        number
    }

    /// One opening from a place.
    pub(super) fn count(&mut self, number: u32) {
        if let Some(count) = self.counts.get_mut(number as usize) {
            *count += 1;
        }
    }

    fn number_of_rest(&mut self) -> u32 {
        let rest = unknown("", "more places open handles than are told apart");
        if let Some(&number) = self.numbers.get(&rest) {
            return number;
        }
        let number = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(rest.clone(), number);
        self.counts.push(0);
        self.new.push(rest);
        number
    }
}

/// What frames say of who called.
pub(in crate::live::collect) fn of_frames(frames: &Frames, call: &str) -> Opener {
    let stack = frames.frames.iter().map(name).collect();
    match frames.site() {
        Site::User { frame, certain } => Opener {
            function: frame.function.unwrap_or_default(),
            file: frame.file.map(|file| file.to_string_lossy().into()).unwrap_or_default(),
            line: frame.line,
            module: frame.module,
            call: call.into(),
            certain,
            stack,
            ..Opener::default()
        },
        Site::Through(through) => Opener {
            through: through.name,
            families: through.families.iter().map(|family| family.as_str().into()).collect(),
            call: call.into(),
            certain: true,
            stack,
            ..Opener::default()
        },
        Site::Unknown(why) => Opener { stack, ..unknown(call, &why.to_string()) },
    }
}

/// Whether more of the stack cannot show another place.
pub(super) fn is_settled(place: &Opener) -> bool {
    place.unknown.is_empty() && place.certain
}

/// What is said where no frames tell.
pub(super) fn of_doubt(doubt: Doubt) -> Opener {
    unknown(
        "",
        match doubt {
            Doubt::NoCall => NO_CALL,
            Doubt::OtherKind => OTHER_KIND,
            Doubt::Lost => "events were lost when it was opened",
            Doubt::NoStart => NO_START,
            Doubt::Joined => JOINED,
        },
    )
}

/// Why it is not known who opened what a forked process has.
const JOINED: &str = "its process had it before it was listened to: from the one that forked it, or \
    opened since";

/// Why it is not known who started a thread or child.
const NO_START: &str = "no call that was traced started it: it is another process's that ended before \
    it (adopted), or more was started than is told apart";

/// A place that is not known.
pub(in crate::live::collect) fn unknown(call: &str, why: &str) -> Opener {
    Opener { call: call.into(), unknown: why.into(), ..Opener::default() }
}

fn name(frame: &Frame) -> Arc<str> {
    match &frame.function {
        Some(function) => Arc::clone(function),
        None if frame.module.is_empty() => "unknown".into(),
        None => format!("[{}]", frame.module).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::trace::stack::{Role, Through, Why};

    fn frame(function: &str, role: Role) -> Frame {
        Frame {
            function: Some(function.into()),
            file: Some(std::path::Path::new("src/main.rs").into()),
            line: Some(12),
            module: "service".into(),
            address: 0,
            role,
            unknown: None,
        }
    }

    fn frames(all: Vec<Frame>) -> Frames {
        Frames { certain: all.len(), frames: all, incomplete: None }
    }

    #[test]
    fn a_place_is_told_once_whatever_led_there() {
        let mut places = Places::default();
        let leak = |above: &str| {
            let all = vec![frame("leak", Role::User), frame(above, Role::User)];
            of_frames(&frames(all), "socket")
        };
        let first = places.number(leak("one"));
        assert_eq!(first, places.number(leak("other")));
        assert_ne!(first, places.number(of_doubt(Doubt::Lost)));
        assert_eq!(places.new.len(), 2);
        assert_eq!(places.new[0].site(), "leak src/main.rs:12");
        assert_eq!(places.new[0].stack.len(), 2);
    }

    #[test]
    fn what_a_pool_opens_has_no_line() {
        let pool = Through {
            name: "pool".into(),
            families: Arc::from(["pool".to_owned()]),
            founded: false,
        };
        let all = vec![frame("connect", Role::Pool(pool)), frame("handler", Role::User)];
        let opener = of_frames(&frames(all), "socket");
        assert_eq!((&*opener.through, &*opener.function, opener.line), ("pool", "", None));
        let cut = Frames { incomplete: Some(Why::StackCut), ..Frames::default() };
        assert!(of_frames(&cut, "socket").unknown.contains("goes on"));
    }

    #[test]
    fn places_are_bounded() {
        let mut places = Places::default();
        for nth in 0..MOST + 9 {
            places.number(unknown("", &nth.to_string()));
        }
        assert_eq!(places.new.len(), MOST + 1);
    }
}
