//! Holds every example, of the help and of the documents, against the arguments that there are.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;

/// The command at the beginning of a line: what follows two spaces or a `#` explains it, what
/// follows a redirection is about files and other programs.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if word.is_empty() => break,
            (None, '<' | '>' | '|' | '&' | ';') => break,
            (None, ' ') if chars.peek() == Some(&' ') => break,
            (None, ' ') => words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty())),
            (None, _) => word.push(c),
        }
    }
    words.extend(Some(word).filter(|w| !w.is_empty()));
    words
}

fn accepted(line: &str) {
    if let Err(error) = Cli::try_parse_from(words(line)) {
        panic!("`{line}` is not accepted: {error}");
    }
}

/// Examples of a command: its path, and the lines of its help that begin with it.
fn examples(command: &Command, above: &str, found: &mut Vec<(String, Vec<String>)>) {
    let path = format!("{above}{}", command.get_name());
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    let lines = lines.filter(|line| line.starts_with("poolscan ")).map(str::to_owned).collect();
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        examples(below, &format!("{path} "), found);
    }
    found.push((path, lines));
}

#[test]
fn every_command_has_examples_and_all_are_accepted() {
    let mut all = Vec::new();
    examples(&Cli::command(), "", &mut all);
    assert!(all.len() > 15, "only {} commands were looked at", all.len());
    for (path, lines) in all {
        let own = lines.iter().filter(|line| words(line).join(" ").starts_with(&path)).count();
        assert!(own > 0, "`{path} --help` has no example of it");
        lines.iter().for_each(|line| accepted(line));
    }
}

#[test]
fn commands_in_documents_are_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = vec![root.join("README.md")];
    let docs = std::fs::read_dir(root.join("docs")).expect("docs");
    files.extend(docs.map(|entry| entry.expect("entry").path()));
    files.retain(|file| file.extension().is_some_and(|end| end == "md"));
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("read");
        let mut code = false;
        for line in text.lines() {
            code ^= line.trim_start().starts_with("```");
            let line = line.strip_prefix("$ ").unwrap_or(line);
            if code && line.starts_with("poolscan ") {
                accepted(line);
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} commands were looked at");
}

#[test]
fn an_example_ends_where_its_explanation_begins() {
    assert_eq!(words("poolscan a --b 'c d'   e f"), ["poolscan", "a", "--b", "c d"]);
    assert_eq!(words("poolscan a # b"), ["poolscan", "a"]);
    assert_eq!(words("poolscan a > \"b\" | c"), ["poolscan", "a"]);
}
