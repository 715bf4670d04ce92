//! From the selectors on the command line to targets, with the list of what an unclear one means.

use super::exit::NoTarget;
use crate::live::collect::own::raise_limit;
use crate::live::host::select::{self, SelectError, Selector};
use crate::live::target::Target;

/// One target for each selector, then one for a program that we started.
pub(super) fn find(selectors: &[String], child: Option<u32>) -> anyhow::Result<Vec<Target>> {
    // Before the processes are opened, and after a program that we started has taken our limits.
    raise_limit();
    let mut parsed = Vec::new();
    for text in selectors {
        parsed.push(text.parse::<Selector>().map_err(anyhow::Error::msg)?);
    }
    parsed.extend(child.map(Selector::Pid));
    select::resolve(&parsed).map_err(|error| {
        if let SelectError::Ambiguous { candidates, .. } = &error {
            let rows: Vec<_> = candidates
                .iter()
                .map(|c| (c.pid, c.started.clone(), c.user.clone(), c.command.clone()))
                .collect();
            // The list helps only beside the error; that it cannot be shown is no further error.
            let _ = crate::report::candidates(&rows, &mut std::io::stderr());
        }
        if error.is_usage() {
            anyhow::Error::new(error)
        } else {
            NoTarget(error.to_string()).into()
        }
    })
}
