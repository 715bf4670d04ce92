//! Editions of the language.

/// The edition a package is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Edition {
    /// What a manifest without the key means.
    #[default]
    Rust2015,
    /// Paths through `crate`, `dyn`, async.
    Rust2018,
    /// Disjoint captures in closures.
    Rust2021,
    /// Shorter lives of temporaries in tails and in `if let`.
    Rust2024,
}

impl Edition {
    /// The edition that a manifest spells this way, or `None` for one we do not know.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "2015" => Self::Rust2015,
            "2018" => Self::Rust2018,
            "2021" => Self::Rust2021,
            "2024" => Self::Rust2024,
            _ => return None,
        })
    }
}
