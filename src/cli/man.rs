//! `poolscan man`: manual pages, made from the arguments and their help.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Cli, ManArgs};
use super::exit::Exit;
use super::whole;

pub(super) fn run(args: &ManArgs) -> anyhow::Result<Exit> {
    let all = commands();
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("`{}` cannot be made", folder.display()))?;
            for command in &all {
                whole::write(&folder.join(file_name(command)), &page(command)?)?;
            }
        }
        None => {
            let page = all.first().map(page).transpose()?.unwrap_or_default();
            let mut out = io::stdout().lock();
            out.write_all(&page)?;
            out.flush()?;
        }
    }
    Ok(Exit::Nothing)
}

/// All commands that have a page, the one above all others first.
fn commands() -> Vec<Command> {
    fn gather(command: &Command, found: &mut Vec<Command>) {
        found.push(command.clone());
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            gather(below, found);
        }
    }
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let mut found = Vec::new();
    gather(&whole, &mut found);
    found
}

/// `poolscan-rules-test` for `poolscan rules test`.
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn file_name(command: &Command) -> String {
    format!("{}.1", title(command))
}

/// One page, as `man` reads it.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        // A field that is empty is left out, and the next one takes its place.
        .date(" ")
        .source(concat!("poolscan ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut rest = Roff::new();
    after_help(command, &mut rest);
    see_also(command, &mut rest);
    rest.to_writer(&mut text)?;
    Ok(text)
}

/// Sections of what stands below the options in the help: there, paragraphs are set apart by empty
/// lines, and what is indented has its own line breaks.
fn after_help(command: &Command, roff: &mut Roff) {
    let Some(help) = command.get_after_help() else { return };
    let help = help.to_string();
    let mut notes = Vec::new();
    for paragraph in help.split("\n\n") {
        let (head, body) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        if matches!(head, "Example:" | "Examples:") {
            roff.control("SH", ["EXAMPLES"]);
            set(body, roff);
        } else if let Some(codes) = paragraph.strip_prefix("Exit codes: ") {
            roff.control("SH", ["EXIT STATUS"]);
            set(codes, roff);
        } else {
            notes.push(paragraph);
        }
    }
    for (nth, paragraph) in notes.into_iter().enumerate() {
        match nth {
            0 => roff.control("SH", ["NOTES"]),
            _ => roff.control("PP", []),
        };
        set(paragraph, roff);
    }
}

/// Lines of one paragraph: indented ones stay as they are.
fn set(text: &str, roff: &mut Roff) {
    let mut as_it_is = false;
    for line in text.lines() {
        let indented = line.starts_with("  ");
        if indented != as_it_is {
            roff.control(if indented { "nf" } else { "fi" }, []);
            as_it_is = indented;
        }
        roff.text([roman(line)]);
    }
    if as_it_is {
        roff.control("fi", []);
    }
}

/// The commands above this one.
fn see_also(command: &Command, roff: &mut Roff) {
    let above: Vec<&str> =
        title(command).match_indices('-').map(|(at, _)| &title(command)[..at]).collect();
    if above.is_empty() {
        return;
    }
    roff.control("SH", ["SEE ALSO"]);
    for (nth, name) in above.iter().enumerate() {
        let end = if nth + 1 < above.len() { "(1)," } else { "(1)" };
        roff.text([bold(*name), roman(end)]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_examples() {
        let all = commands();
        let names: BTreeSet<String> = all.iter().map(file_name).collect();
        assert_eq!(names.len(), all.len(), "two pages have one name");
        for name in ["poolscan.1", "poolscan-lint.1", "poolscan-rules-test.1"] {
            assert!(names.contains(name), "{name} is not among {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("demo-service")), "hidden: {names:?}");
        for command in &all {
            let text = String::from_utf8(page(command).expect("rendered")).expect("text");
            assert_eq!(text.matches(".SH EXAMPLES").count(), 1, "{}", title(command));
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                let escaped = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(text.contains(&escaped), "{} without --{option}", title(command));
            }
        }
    }

    #[test]
    fn examples_keep_their_lines_and_prose_does_not() {
        let mut roff = Roff::new();
        let help = "Examples:\n  poolscan a\n  .poolscan b\n\nProse\nin lines.\n\nExit codes: 0";
        after_help(&Command::new("a").after_help(help), &mut roff);
        let text = roff.to_roff();
        let expected = ".SH EXAMPLES\n.nf\n  poolscan a\n  .poolscan b\n.fi\n.SH \"EXIT STATUS\"\n0\n\
                        .SH NOTES\nProse\nin lines.\n";
        assert_eq!(text, expected);
    }
}
