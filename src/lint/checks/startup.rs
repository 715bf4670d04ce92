//! Who calls a function, by name: whether only the start of the program leads to it.

use rustc_hash::FxHashMap;

use crate::lint::ir::{BodyId, Name};
use crate::lint::names::{FnId, Names, Side};

use super::context::{in_tests, is_entry};

/// Functions that mention a name, outside of tests.
pub(super) struct Startup {
    mentions: FxHashMap<Name, Vec<Option<FnId>>>,
}

/// Steps back towards `main`.
const DEPTH: u32 = 6;

impl Startup {
    pub(super) fn new(names: &Names) -> Self {
        let mut mentions: FxHashMap<Name, Vec<Option<FnId>>> = FxHashMap::default();
        for (number, source) in (0..).zip(&names.sources) {
            let of_body = names.body_fns.get(number as usize);
            for (at, body) in (0..).zip(&source.file.bodies) {
                let function = of_body.and_then(|map| map.get(&BodyId(at))).copied();
                if function.is_some_and(|id| in_tests(names, id)) {
                    continue;
                }
                for &name in &body.mentions {
                    if names.by_name.contains_key(&name) {
                        let known = mentions.entry(name).or_default();
                        if known.last() != Some(&function) {
                            known.push(function);
                        }
                    }
                }
            }
        }
        Self { mentions }
    }

    /// Whether only `main`, or what only `main` leads to, calls it. What others can call does
    /// not count, nor does what nobody is seen to call.
    pub(super) fn once(&self, names: &Names, id: FnId) -> bool {
        self.once_within(names, id, DEPTH)
    }

    fn once_within(&self, names: &Names, id: FnId, depth: u32) -> bool {
        if is_entry(names, id) {
            return true;
        }
        let function = names.function(id);
        let side = names.module(function.module).side;
        if depth == 0 || starts(function.name.as_str()) {
            return starts(function.name.as_str());
        }
        if function.public && side == Side::Lib || function.of_trait.is_some() {
            return false;
        }
        let Some(callers) = self.mentions.get(&function.name) else { return false };
        let mut others = callers.iter().filter(|caller| **caller != Some(id)).peekable();
        others.peek().is_some()
            && others.all(|caller| {
                caller.is_none_or(|caller| self.once_within(names, caller, depth - 1))
            })
    }
}

/// Names of what runs for as long as the program, or a test, does, and of what sets up something
/// that is then kept.
fn starts(name: &str) -> bool {
    name.starts_with("test_")
        || ["build", "new", "init", "setup"].contains(&name)
        || ["run", "serve", "main", "launch", "daemon", "bootstrap", "listen"].iter().any(|word| {
            name == *word
                || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('_'))
                || name.strip_suffix(word).is_some_and(|rest| rest.ends_with('_'))
        })
}
