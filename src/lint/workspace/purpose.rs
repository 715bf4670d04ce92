//! What a package is for, as far as its manifest says so.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::manifest::{PackageTable, WorkspacePackage};

/// For whom a package is there, where that is nobody's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// For tests of others: what it leaves behind ends with them.
    Tests,
    /// For build scripts and macros of others: what it leaves behind ends with the build.
    Builds,
    /// Commands that somebody waits for; what they leave behind ends with them.
    Commands,
    /// Parts of commands: said to be used by one.
    PartsOfCommands,
    /// For who learns by reading it.
    Learning,
}

/// A description, keywords or categories; written in another way they say nothing.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    Text(String),
    List(Vec<String>),
    Other(IgnoredAny),
}

/// Words of descriptions and keywords of what only tests use.
const WORDS: &[&str] =
    &["test", "tests", "testing", "loadtesting", "mock", "mocks", "mocking", "simulator"];

/// How descriptions say it beyond doubt.
const PHRASES: &[&str] =
    &["for testing", "for tests", "enables testing", "to test ", "load generator"];

/// How descriptions say that there is something to learn.
const LESSONS: &[&str] = &["example of", "tutorial", "educational", "for learning"];

/// Categories of what runs while others are built.
const BUILDS: &[&str] = &[
    "development-tools::build-utils",
    "development-tools::ffi",
    "development-tools::procedural-macro-helpers",
];

/// Categories of commands.
const COMMANDS: &[&str] = &["command-line-utilities", "development-tools::cargo-plugins"];

/// Categories of what runs on, commands or not.
const SERVICES: &[&str] = &[
    "asynchronous",
    "cryptography::cryptocurrencies",
    "database",
    "network-programming",
    "text-editors",
    "web-programming::http-server",
    "web-programming::websocket",
];

/// Words of descriptions and keywords of what runs on: servers, and programs that fill the terminal.
const SERVING: &[&str] = &[
    "agent",
    "background",
    "bot",
    "daemon",
    "editor",
    "node",
    "player",
    "proxy",
    "ratatui",
    "repl",
    "server",
    "service",
    "tui",
    "tunnel",
    "ui",
    "vpn",
    "watch",
    "watcher",
];

/// How descriptions name them.
const BUILD_SCRIPTS: &[&str] = &["build.rs", "build script"];

/// What the manifest says: of tests when its description does, and keywords or categories, or one
/// sentence; of commands by a category, the name or the description, unless anything says that it
/// runs on; of builds by a category, or when its description names build scripts; of lessons when its
/// description says so.
pub(super) fn purpose(
    package: &PackageTable,
    shared: Option<&WorkspacePackage>,
) -> Option<Purpose> {
    let empty = WorkspacePackage::default();
    let shared = shared.unwrap_or(&empty);
    let description = texts(package.description.as_ref(), shared.description.as_ref());
    let keywords = texts(package.keywords.as_ref(), shared.keywords.as_ref());
    let categories = texts(package.categories.as_ref(), shared.categories.as_ref());
    let filed = keywords.iter().any(|text| names(text, WORDS))
        || categories.iter().any(|text| text == "development-tools::testing");
    let tests = filed && description.iter().any(|text| names(text, WORDS))
        || description.iter().any(|text| PHRASES.iter().any(|phrase| text.contains(phrase)));
    let builds = || {
        categories.iter().any(|text| BUILDS.contains(&text.as_str()))
            || description.iter().any(|text| BUILD_SCRIPTS.iter().any(|name| text.contains(name)))
    };
    let commands = || {
        let name = package.name.as_deref().unwrap_or_default();
        let named = name.ends_with("-cli") || name.ends_with("_cli") || name.starts_with("cargo-");
        let described = description.iter().any(|text| is_command(text));
        let among = |known: &[&str]| categories.iter().any(|text| known.contains(&text.as_str()));
        let serves = description.iter().chain(&keywords).any(|text| names(text, SERVING));
        (named || described || among(COMMANDS)) && !serves && !among(SERVICES)
    };
    let part = |text: &String| text.split_once("used by").is_some_and(|(_, by)| is_command(by));
    let lesson = |text: &String| LESSONS.iter().any(|phrase| text.contains(phrase));
    if tests {
        Some(Purpose::Tests)
    } else if description.iter().any(lesson) {
        Some(Purpose::Learning)
    } else if commands() {
        let part = description.iter().any(part);
        Some(if part { Purpose::PartsOfCommands } else { Purpose::Commands })
    } else {
        builds().then_some(Purpose::Builds)
    }
}

fn is_command(text: &str) -> bool {
    names(text, &["cli"]) || ["command line", "command-line"].iter().any(|said| text.contains(said))
}

/// In lower case: its own, else those of the workspace where it refers to them.
fn texts(own: Option<&Words>, shared: Option<&Words>) -> Vec<String> {
    let of = |words: &Words| match words {
        Words::Text(text) => vec![text.to_lowercase()],
        Words::List(texts) => texts.iter().map(|text| text.to_lowercase()).collect(),
        Words::Other(_) => Vec::new(),
    };
    match own {
        Some(Words::Other(_)) => shared.map(of).unwrap_or_default(),
        own => own.map(of).unwrap_or_default(),
    }
}

fn names(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::super::manifest::Manifest;
    use super::{Purpose, purpose};

    fn said(package: &str) -> Option<Purpose> {
        let manifest: Manifest = toml::from_str(&format!("[package]\n{package}")).unwrap();
        purpose(&manifest.package.unwrap(), None)
    }

    #[test]
    fn a_description_with_a_keyword_or_category_or_one_sentence() {
        for package in [
            "description = 'HTTP mocking to test Rust applications.'\nkeywords = ['mock', 'http']",
            "description = 'Integration-testing with containers'\ncategories = ['development-tools::testing']",
            "description = 'A proxy that enables testing drivers'",
        ] {
            assert_eq!(said(package), Some(Purpose::Tests), "{package}");
        }
        for package in [
            "description = 'A tool for developing, testing, and using parsers'",
            "description = 'Battle-tested HTTP client'\nkeywords = ['http']",
            "categories = ['development-tools::testing']",
            "description = 7\nkeywords = 'test'\ncategories = { workspace = true }",
            "",
        ] {
            assert_eq!(said(package), None, "{package}");
        }
        for builds in [
            "categories = ['external-ffi-bindings', 'development-tools::ffi']",
            "description = 'Asks the compiler what it can, from `build.rs`'",
        ] {
            assert_eq!(said(builds), Some(Purpose::Builds), "{builds}");
        }
    }

    #[test]
    fn a_command_by_its_category_name_or_description_unless_it_runs_on() {
        for package in [
            "categories = ['command-line-utilities', 'development-tools::ffi']",
            "name = 'registry-cli'\ndescription = 'Registry CLI'",
            "name = 'cargo-fetches'",
            "name = 'forge-term'\ndescription = 'Terminal library for the Forge CLI'",
            "description = 'A command-line client for forges'",
        ] {
            assert_eq!(said(package), Some(Purpose::Commands), "{package}");
        }
        for package in [
            "description = 'Terminal library used by the Forge CLI'",
            "description = 'Prompts. Used by command-line tools.'",
        ] {
            assert_eq!(said(package), Some(Purpose::PartsOfCommands), "{package}");
        }
        for package in [
            "categories = ['command-line-utilities', 'network-programming']",
            "categories = ['command-line-utilities']\ndescription = 'A mail server'",
            "categories = ['command-line-utilities']\nkeywords = ['terminal', 'ui']",
            "name = 'clipper'\ndescription = 'Clips'",
            "description = 'A command line and a server'",
        ] {
            assert_eq!(said(package), None, "{package}");
        }
    }

    #[test]
    fn a_lesson_by_its_description() {
        for package in [
            "description = 'A store with a client. Used as a larger example of an application.'",
            "description = 'The server of the tutorial'",
        ] {
            assert_eq!(said(package), Some(Purpose::Learning), "{package}");
        }
        for package in ["description = 'Serves, for example, files'", "name = 'examples'"] {
            assert_eq!(said(package), None, "{package}");
        }
    }
}
