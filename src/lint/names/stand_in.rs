//! What only tests put in the place of the real thing, told by its name.

use super::{FnId, Names};

/// Words in the name of a function, its type or a module around it.
const WORDS: &[&str] = &["mock", "mocks", "mocked", "mocking", "fake", "tests"];

/// Several words in a row, the last one perhaps longer.
const PHRASES: &[&str] =
    &["_for_test", "_test_util", "_test_helper", "_test_support", "_for_emulator"];

impl Names {
    /// A mock, an emulator's client, a helper of tests.
    pub(crate) fn is_stand_in(&self, id: FnId) -> bool {
        self.qualified(id).split("::").any(is_stand_in)
    }
}

fn is_stand_in(name: &str) -> bool {
    let mut snake = String::from("_");
    for (at, c) in name.char_indices() {
        if c.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake.split('_').any(|word| WORDS.contains(&word))
        || PHRASES.iter().any(|phrase| snake.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::is_stand_in;

    #[test]
    fn by_words_and_not_by_parts_of_them() {
        for name in ["MockServer", "new_for_emulator", "test_utils", "client_for_tests", "fake"] {
            assert!(is_stand_in(name), "{name}");
        }
        for name in ["TerminalEmulator", "hammock", "latest_utility", "attest", "fakeroot"] {
            assert!(!is_stand_in(name), "{name}");
        }
    }
}
