//! The name that was probably meant.

/// The one of `known` that is like `name`, if any is.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let like = |known: &str| {
        let alike = strsim::normalized_damerau_levenshtein(name, known);
        // Part of a long name is a good guess, too.
        let part = name.len() >= 4 && known.contains(name);
        if part { alike.max(0.7) } else { alike }
    };
    // What is that long is no typing mistake, and comparing takes the product of the lengths.
    if name.len() > 200 {
        return None;
    }
    let best =
        known.into_iter().map(|known| (like(known), known)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_near() {
        let known = ["child-not-waited", "permit-dropped-early", "timeout-unset"];
        let guess = |name| nearest(name, known);
        assert_eq!(guess("child-not-wait"), Some("child-not-waited"));
        assert_eq!(guess("timeuot-unset"), Some("timeout-unset"));
        assert_eq!(guess("permit"), Some("permit-dropped-early"));
        assert_eq!(guess("something-else"), None);
        assert_eq!(guess(""), None);
        assert_eq!(guess(&"permit".repeat(100)), None);
    }
}
