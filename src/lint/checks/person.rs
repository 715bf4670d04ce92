//! Whether a person takes part in what a function does: then somebody waits, and ends it.

use std::rc::Rc;

use crate::lint::bodies::Site;
use crate::lint::types::Target;

use super::{Checker, calls, classes_of};

/// What only makes sense before a person: a question, an address to log in at.
const CLASS: &str = "asks-person";

/// Whether the body, or a function of the package that it calls, asks a person for something.
pub(super) fn takes_part(checker: &Checker<'_>, site: &Rc<Site>) -> bool {
    let asks = |site: &Rc<Site>| {
        let mut all = calls(site);
        all.any(|(at, call)| {
            // In a loop it is a protocol, such as lines over stdin.
            classes_of(checker.world, call).contains(&CLASS)
                && site.graph.loops_around(at).next().is_none()
        })
    };
    asks(site)
        || calls(site).any(|(_, call)| match call.target {
            Target::Own(id) => checker.bodies.of_function(id).is_some_and(|site| asks(&site)),
            _ => false,
        })
}
