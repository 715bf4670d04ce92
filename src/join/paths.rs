//! Source files as they were called where a program was built, and where they are now.

use std::str::FromStr;

/// What stands before paths where it was built, and what in its place here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remap {
    from: String,
    to: String,
}

impl FromStr for Remap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((from, to)) if !from.is_empty() => {
                Ok(Self { from: from.to_owned(), to: to.to_owned() })
            }
            _ => Err("FROM=TO is needed, such as /build/api=.".to_owned()),
        }
    }
}

impl Remap {
    /// The path by the first of them that fits; as it is where none does.
    pub fn apply(all: &[Self], path: &str) -> String {
        let fitting = all.iter().find_map(|remap| {
            let rest = path.strip_prefix(&remap.from)?;
            let whole = rest.is_empty() || rest.starts_with('/') || remap.from.ends_with('/');
            whole.then(|| format!("{}{rest}", remap.to))
        });
        fitting.unwrap_or_else(|| path.to_owned())
    }
}

/// Whether both are one file: the shorter one is the end of the longer, folder by folder. A bare name
/// tells nothing.
pub(super) fn same(linted: &str, built: &str) -> bool {
    let parts = |path| -> Vec<&str> {
        let parts = str::split(path, ['/', '\\']).filter(|part| !matches!(*part, "" | "."));
        parts.rev().collect()
    };
    let (linted, built) = (parts(linted), parts(built));
    let least = linted.len().min(built.len());
    least > 1 && linted[..least] == built[..least]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path_tells() {
        assert!(same("src/db.rs", "/build/api/src/db.rs"));
        assert!(same("./api/src/db.rs", "/build/api/src/db.rs"));
        assert!(same("/home/me/api/src/db.rs", "src/db.rs"));
        assert!(!same("api/src/db.rs", "/build/web/src/db.rs"));
        assert!(!same("src/db.rs", "/build/api/src/other/db.rs"));
        assert!(!same("main.rs", "/build/api/src/main.rs") && !same("src/db.rs", ""));
    }

    #[test]
    fn paths_are_remapped_by_whole_folders() {
        let all: Vec<Remap> = ["/build/api=services/api", "/usr/src/="]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(Remap::apply(&all, "/build/api/src/a.rs"), "services/api/src/a.rs");
        assert_eq!(Remap::apply(&all, "/build/apis/src/a.rs"), "/build/apis/src/a.rs");
        assert_eq!(Remap::apply(&all, "/usr/src/a.rs"), "a.rs");
        assert!("nothing".parse::<Remap>().is_err() && "=x".parse::<Remap>().is_err());
    }
}
