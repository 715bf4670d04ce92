//! The table of processes that an ambiguous selector matches.

use std::io;

use tabled::builder::Builder;
use tabled::settings::Style;

use super::text::sanitise;

/// A process that a selector matches: pid, start (as shown), user, command. Untrusted text.
pub type Candidate = (u32, String, String, String);

/// Writes the candidates as a table, in the order given.
///
/// # Errors
/// What `out` returns.
pub fn candidates(list: &[Candidate], out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = Builder::default();
    table.push_record(["PID", "START", "USER", "COMMAND"]);
    for (pid, start, user, command) in list {
        let texts = [start, user, command].map(|t| sanitise(t).into_owned());
        table.push_record(std::iter::once(pid.to_string()).chain(texts));
    }
    writeln!(out, "{}", table.build().with(Style::blank()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_commands_are_shown_harmless() {
        let mut out = Vec::new();
        let list = [(7, "03:00".to_owned(), "web".to_owned(), "a\x1b[2J\nb".to_owned())];
        candidates(&list, &mut out).expect("a vector takes all");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("a\\u{1b}[2J\\u{a}b") && !text.contains('\x1b'));
        assert_eq!(text.lines().count(), 2);
    }
}
