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
        let name = self.qualified(id);
        // What is called `test_…` itself may test something real: a connection, a limit.
        let around = name.rsplit_once("::").map(|(around, _)| around);
        name.split("::").any(is_stand_in)
            || around.is_some_and(|around| around.split("::").any(is_for_one_test))
    }
}

/// `test_indexer`, `TestIndexer`
fn is_for_one_test(name: &str) -> bool {
    snake(name).starts_with("_test_")
}

fn is_stand_in(name: &str) -> bool {
    let snake = snake(name);
    snake.split('_').any(|word| WORDS.contains(&word))
        || PHRASES.iter().any(|phrase| snake.contains(phrase))
}

/// In lower case, with `_` before each word.
fn snake(name: &str) -> String {
    let mut snake = String::from("_");
    for (at, c) in name.char_indices() {
        if c.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::{is_for_one_test, is_stand_in};

    #[test]
    fn by_words_and_not_by_parts_of_them() {
        for name in ["MockServer", "new_for_emulator", "test_utils", "client_for_tests", "fake"] {
            assert!(is_stand_in(name), "{name}");
        }
        for name in ["TerminalEmulator", "hammock", "latest_utility", "attest", "fakeroot"] {
            assert!(!is_stand_in(name), "{name}");
        }
        assert!(is_for_one_test("test_indexer") && is_for_one_test("TestIndexer"));
        assert!(!is_for_one_test("testament") && !is_for_one_test("Attest"));
    }
}
