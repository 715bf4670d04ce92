//! Texts that nobody would write: tokens at random, and real files with tokens cut and doubled.

use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use proc_macro2::{Spacing, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::linted::Tree;

/// A case that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const WORDS: &[&str] = &[
    "fn ",
    "f",
    "x",
    "self",
    "Self",
    "let ",
    "mut ",
    "if ",
    "else ",
    "match ",
    "loop ",
    "while ",
    "for ",
    "in ",
    "return ",
    "break ",
    "continue ",
    "move ",
    "async ",
    "await",
    "unsafe ",
    "struct ",
    "enum ",
    "impl ",
    "trait ",
    "mod ",
    "use ",
    "pub ",
    "const ",
    "static ",
    "where ",
    "dyn ",
    "type ",
    "'a ",
    "'a: ",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ",",
    ";",
    ":",
    "::",
    ".",
    "..",
    "..=",
    "=",
    "==",
    "=>",
    "->",
    "+",
    "-",
    "*",
    "&",
    "&&",
    "|",
    "||",
    "!",
    "?",
    "#",
    "#[cfg(test)]",
    "@",
    "_",
    "$",
    "1",
    "\"s\"",
    "'c'",
    "vec![",
    "println!(",
    "select! {",
    "macro_rules! m {",
    "std::process::Command::new(\"a\").spawn()",
    "libc::open(x)",
    "Box::into_raw(x)",
    "tokio::spawn(",
    "drop(x)",
    "Some(x)",
    "Ok(x)",
    "x.wait()",
    "fn g() {",
    "fn h(x: u32) -> u32 {",
    "let x = ",
    "; let y = ",
    "\n",
    "// c\n",
    "/* c */",
];

/// Closes what is open and leaves out what closes nothing, so that more than the lexer is tried.
fn balanced(tokens: &[String]) -> String {
    let mut open = Vec::new();
    let mut out = String::new();
    for token in tokens {
        let last = token.trim_end();
        let close = match last.chars().last() {
            Some('(') => Some(')'),
            Some('[') => Some(']'),
            Some('{') => Some('}'),
            _ => None,
        };
        if matches!(last, ")" | "]" | "}") {
            if open.last().copied() != last.chars().next() {
                continue;
            }
            open.pop();
        }
        open.extend(close);
        out += token;
    }
    out.extend(open.iter().rev());
    out
}

/// The tokens of a text, each with the blank behind it.
fn flat(stream: TokenStream, out: &mut Vec<String>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{\n", "}\n"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                out.push(open.to_owned());
                flat(group.stream(), out);
                out.push(close.to_owned());
            }
            TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint => {
                out.push(punct.to_string());
            }
            other => out.push(format!("{other} ")),
        }
    }
}

/// Rust files of this repository, in a fixed order.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Lints a package of one file; panics when that panics, or takes too long.
fn survives(text: &str) {
    let tree = Tree::new();
    let deps = [("tokio", "1.40.0"), ("libc", "0.2.170")];
    let deps = deps.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
    tree.package("soup", &deps, text);
    let (done, wait) = channel();
    let path = tree.path("soup");
    std::thread::spawn(move || {
        let report = tree.lint("", &[]);
        done.send(report.stats.files).ok();
    });
    match wait.recv_timeout(PATIENCE) {
        Ok(_) => {}
        Err(error) => panic!("{}: {error}\n{text}", path.display()),
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn tokens_at_random(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..400),
        balance in prop::bool::weighted(0.8),
    ) {
        let words: Vec<String> = words.into_iter().map(|word| format!("{word} ")).collect();
        survives(&if balance { balanced(&words) } else { words.concat() });
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn real_files_with_tokens_moved(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (0..3_u8, any::<prop::sample::Index>(), 1..12_usize, any::<prop::sample::Index>()),
            1..5,
        ),
    ) {
        let mut all = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        let text = std::fs::read_to_string(file.get(&all)).unwrap();
        let mut tokens = Vec::new();
        flat(text.parse().unwrap(), &mut tokens);
        for (how, at, length, to) in changes {
            if tokens.is_empty() {
                break;
            }
            let start = at.index(tokens.len());
            let end = (start + length).min(tokens.len());
            let range = tokens[start..end].to_vec();
            let other = to.index(tokens.len());
            match how {
                0 => drop(tokens.drain(start..end)),
                1 => drop(tokens.splice(other..other, range)),
                _ => tokens.swap(start, other),
            }
        }
        survives(&balanced(&tokens));
    }
}
