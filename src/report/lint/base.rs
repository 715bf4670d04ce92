//! Paths as tools that know the repository want them: relative to its root.

/// Where the run was, and the root of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    cwd: String,
    root: String,
}

impl Base {
    /// Both absolute, with `/` between their parts.
    pub fn new(cwd: impl Into<String>, root: impl Into<String>) -> Self {
        let plain = |path: String| path.trim_end_matches('/').to_owned();
        Self { cwd: plain(cwd.into()), root: plain(root.into()) }
    }

    /// A path as reported, from the root on; absolute when it lies elsewhere.
    #[must_use]
    pub fn path(&self, shown: &str) -> String {
        let whole =
            if is_absolute(shown) { shown.to_owned() } else { format!("{}/{shown}", self.cwd) };
        let inside = whole.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix('/'));
        inside.map_or_else(|| whole.clone(), str::to_owned)
    }

    /// The same as a URI; whether it is relative to the root.
    pub(super) fn uri(&self, shown: &str) -> (String, bool) {
        let path = self.path(shown);
        if is_absolute(&path) { (file_uri(&path), false) } else { (escaped(&path), true) }
    }
}

/// The URI of an absolute path with `/` between its parts (RFC 8089).
#[must_use]
pub fn file_uri(path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("file://{slash}{}", escaped(path))
}

/// With a root of Unix or a drive of Windows.
fn is_absolute(path: &str) -> bool {
    let mut start = path.chars();
    match (start.next(), start.next()) {
        (Some('/'), _) => true,
        (Some(drive), Some(':')) => drive.is_ascii_alphabetic() && start.next() == Some('/'),
        _ => false,
    }
}

/// Percent-encodes what may not stand in the path of a URI (RFC 3986, 3.3). The colon goes, too: in
/// the first part of a relative path it would end a scheme.
fn escaped(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_root() {
        let base = Base::new("/w/repo/sub/", "/w/repo");
        assert_eq!(base.path("src/a.rs"), "sub/src/a.rs");
        assert_eq!(base.path("/w/repo/b.rs"), "b.rs");
        assert_eq!(base.path("/w/repository/b.rs"), "/w/repository/b.rs");
        assert_eq!(Base::new("/", "/").path("a.rs"), "a.rs");
        assert_eq!(Base::new("C:/w", "C:/w").path("C:/w/a.rs"), "a.rs");
    }

    #[test]
    fn uris_are_escaped() {
        let base = Base::new("/w", "/w");
        assert_eq!(base.uri("a b/ü#%.rs"), ("a%20b/%C3%BC%23%25.rs".to_owned(), true));
        assert_eq!(base.uri("c:d.rs"), ("c%3Ad.rs".to_owned(), true));
        assert_eq!(base.uri("/x/a.rs"), ("file:///x/a.rs".to_owned(), false));
        assert_eq!(base.uri("D:/a.rs"), ("file:///D%3A/a.rs".to_owned(), false));
    }
}
