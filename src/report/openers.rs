//! Who opened what survives: in words for people, and as stacks for flame graphs.

use super::number::{duration, short};
use crate::finding::{Linked, Relation};
use crate::live::facts::Opener;
use crate::live::outcome::{OpenerOutcome, Openers, Outcome, ResourceOutcome};

/// Places told in words.
const MOST: usize = 3;

/// How it is told of one resource.
struct Words {
    /// What a place has done.
    done: &'static str,
    /// What it has made.
    made: &'static str,
    /// What is true of those that are left.
    left: &'static str,
    /// Where to look when a pool has done it.
    look: &'static str,
}

const OPENED: Words = Words {
    done: "opened",
    made: "openings",
    left: "still open",
    look: "who keeps them: look for what is taken and not given back",
};
const THREADS: Words = Words {
    done: "started",
    made: "threads",
    left: "still there",
    look: "who keeps them busy: look for what blocks in them",
};
const CHILDREN: Words = Words { made: "children", ..THREADS };

/// A line for each place that opened survivors, then what is not known; none where nothing was traced.
pub(super) fn lines(resource: &ResourceOutcome) -> Vec<String> {
    let words = match resource.resource.as_str() {
        "threads" => &THREADS,
        "children" => &CHILDREN,
        _ => &OPENED,
    };
    resource.openers.as_ref().map(|openers| of_openers(openers, words)).unwrap_or_default()
}

fn of_openers(openers: &Openers, words: &Words) -> Vec<String> {
    let Words { done, left, .. } = words;
    let age = duration(openers.age_s);
    let mut lines = Vec::new();
    for place in openers.places.iter().take(MOST) {
        lines.push(of_place(place, &age, words));
        lines.extend(place.source_line.as_ref().map(|line| format!("  {}", line.trim())));
        lines.extend(place.linked.iter().take(MOST).map(of_finding));
    }
    if openers.places.is_empty() {
        let known = openers.promoted - unknown(openers);
        lines.push(format!(
            "who {done} them is not yet known: {} {done} under trace are {left}, and at least 3 of \
             one place must stay so for more than {age} ({known} have)",
            openers.survivors,
        ));
    }
    for (why, count) in &openers.unknown {
        lines.push(format!("of {count} of them it is not known who {done} them: {why}"));
    }
    lines
}

fn unknown(openers: &Openers) -> u64 {
    openers.unknown.iter().map(|(_, count)| count).sum::<u64>().min(openers.promoted)
}

fn of_place(place: &OpenerOutcome, age: &str, words: &Words) -> String {
    let Words { done, made, left, look } = words;
    let OpenerOutcome { opener, openings, survivors, promoted, share, .. } = place;
    let share = share.map_or_else(String::new, |share| format!(", {}%", short(share * 100.0)));
    let numbers = format!(
        "{survivors} of {openings} {made} are {left}{share}; {promoted} for more than {age}"
    );
    if !opener.through.is_empty() {
        return format!(
            "{done} through {} ({}): {numbers}; whoever was on the stack then need not be {look}",
            opener.through, opener.call
        );
    }
    let doubt = if opener.certain { "" } else { " or something it calls" };
    format!("{done} by {}{doubt} ({}): {numbers}", opener.site(), opener.call)
}

/// What the linter says of a place, and how near that is.
fn of_finding(f: &Linked) -> String {
    let near = match f.relation {
        Relation::Line => "on this line",
        Relation::Function => "in this function",
        Relation::Caller => "in a function that calls it",
        Relation::Family => "a candidate, no proof",
    };
    let Linked { severity, rule, path, line, message, .. } = f;
    format!("  lint, {near}: {path}:{line} {message} ({}: {rule})", severity.as_str())
}

/// One line a place, as tools for flame graphs read them: the frames from the outermost on, and how
/// many handles from there outlived the normal ones.
pub fn folded(outcome: &Outcome) -> String {
    let mut text = String::new();
    for target in &outcome.targets {
        let openers = target.resources.iter().filter_map(|resource| resource.openers.as_ref());
        for place in openers.flat_map(|openers| &openers.places) {
            text.push_str(&format!(
                "{} {}\n",
                folded_stack(&place.opener).join(";"),
                place.promoted
            ));
        }
    }
    text
}

/// The frames of a place, the outermost first, harmless within a folded line.
pub(super) fn folded_stack(opener: &Opener) -> Vec<String> {
    let named = opener.stack.iter().rev();
    named
        .map(|name| {
            let harmless = |c: char| match c {
                ';' => ':',
                c if c.is_control() => '?',
                c => c,
            };
            name.chars().map(harmless).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn places_in_words() {
        let openers = samples::openers();
        let lines = of_openers(&openers, &OPENED);
        assert!(lines[0].starts_with("opened by db::connect src/db.rs:12 (socket): 9 of 12"));
        assert!(lines[1].starts_with("  let stream = "), "{lines:?}");
        assert!(lines[2].starts_with("  lint, in this function: src/db.rs:14 this"), "{lines:?}");
        assert!(lines[3].starts_with("opened through some-pool (connect): "), "{lines:?}");
        assert!(lines[4].contains("2 of them it is not known"), "{lines:?}");
        let none = Openers { places: Vec::new(), unknown: Vec::new(), ..openers.clone() };
        assert!(of_openers(&none, &OPENED)[0].contains("not yet known"));
        let started = of_openers(&openers, &THREADS);
        assert!(started[0].contains("started by db::connect"), "{started:?}");
        assert!(started[0].contains("9 of 12 threads are still there"), "{started:?}");
    }

    #[test]
    fn a_folded_stack_is_one_line_whatever_functions_are_called() {
        let opener = &samples::openers().places[0].opener;
        assert_eq!(folded_stack(opener), ["main", "db::con:ne?ct"]);
    }
}
