//! Completions and manual pages: shells and readers of pages take them as they are.

#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn poolscan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_poolscan")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a program says of a text on its standard input; `None` where it is not installed.
fn told(program: &str, args: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("SKIPPED: {program} is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    Some(output)
}

fn script(shell: &str) -> String {
    let output = poolscan(&["completions", shell]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn every_shell_gets_a_script_with_all_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = script(shell);
        for word in ["watch", "lint", "rules", "stdin-filename", "completions"] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
        assert!(!script.contains("demo-service"), "{shell} completes a hidden command");
    }
    let wrong = poolscan(&["completions", "tcsh"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("powershell"), "{}", text(&wrong.stderr));
}

#[test]
fn shells_read_their_scripts() {
    for (shell, args) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
        ("elvish", &["-compileonly", "/dev/stdin"]),
    ] {
        let Some(output) = told(shell, args, &script(shell)) else { continue };
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{shell}");
    }
}

#[test]
fn shells_complete_commands_options_and_values() {
    let completed = |line: &str| -> Option<Vec<(&str, String)>> {
        let words: Vec<&str> = line.split(' ').collect();
        let last = words.last().unwrap();
        let before = words[words.len() - 2];
        let bash = format!(
            "{}\nCOMP_WORDS=({line})\nCOMP_CWORD={}\n_poolscan poolscan '{last}' '{before}'\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            script("bash"),
            words.len() - 1
        );
        let fish = format!("{}\ncomplete -C '{line}'\n", script("fish"));
        let answers = [("bash", told("bash", &[], &bash)?), ("fish", told("fish", &[], &fish)?)];
        Some(answers.map(|(shell, output)| (shell, text(&output.stdout))).into())
    };
    for (line, word) in [
        ("poolscan wat", "watch"),
        ("poolscan watch --lifet", "--lifetime"),
        ("poolscan watch --fail-on lea", "leaking"),
        ("poolscan rules te", "test"),
    ] {
        let Some(answers) = completed(line) else { return };
        for (shell, answer) in answers {
            let found = answer.lines().any(|line| line.split('\t').next() == Some(word));
            assert!(found, "{shell} completes `{line}` by {answer:?}");
        }
    }
}

#[test]
fn readers_of_manual_pages_find_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let output = poolscan(&["man", pages.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&pages).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        if let Some(output) = told("mandoc", &["-T", "lint", "-W", "error"], &page) {
            assert_eq!(text(&output.stdout), "", "{}", path.display());
        }
        if let Some(output) = told("groff", &["-man", "-ww", "-Tutf8"], &page) {
            assert_eq!(text(&output.stderr), "", "{}", path.display());
        }
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in ["poolscan.1", "poolscan-watch.1", "poolscan-rules-test.1", "poolscan-man.1"] {
        assert!(names.iter().any(|n| n == name), "{name} is not among {names:?}");
    }
    let first = poolscan(&["man"]);
    assert_eq!(first.stdout, std::fs::read(pages.join("poolscan.1")).unwrap());
}

#[test]
fn a_page_reads_as_the_help_does() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(poolscan(&["man", folder.path().to_str().unwrap()]).status.code(), Some(0));
    let page = std::fs::read_to_string(folder.path().join("poolscan-watch.1")).unwrap();
    let Some(output) = told("mandoc", &["-T", "utf8", "-O", "width=200"], &page) else { return };
    // Bold letters are struck twice on a terminal.
    let mut plain = String::new();
    for c in text(&output.stdout).chars() {
        match c {
            '\u{8}' => plain.truncate(plain.len() - plain.chars().last().map_or(0, char::len_utf8)),
            _ => plain.push(c),
        }
    }
    let example = "poolscan watch nginx --for 15min            a tree of processes as one target";
    assert!(plain.contains(example), "{plain}");
    assert!(plain.contains("poolscan-watch - Sample running processes"), "{plain}");
    assert!(plain.contains("poolscan(1)"), "{plain}");
    assert!(plain.contains("User Commands"), "{plain}");
}

#[test]
fn what_cannot_be_written_is_an_error_and_a_reader_that_went_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    for place in [file.clone(), file.join("below"), Path::new("/proc/no-such").to_owned()] {
        let output = poolscan(&["man", place.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", place.display());
        let message = text(&output.stderr);
        assert!(message.contains(place.to_str().unwrap()), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    for args in [&["completions", "bash"][..], &["man"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_poolscan"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(text(&output.stderr), "", "{args:?}");
        if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
            let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
            let output = command.args(args).stdout(full).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            assert!(text(&output.stderr).contains("No space left"), "{args:?}");
        }
    }
}
