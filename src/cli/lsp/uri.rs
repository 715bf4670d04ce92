//! URIs of files and paths, both ways.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crate::lint::workspace::absolute;
use crate::report::lint::file_uri;

/// The path of a file on this machine; none for anything else (RFC 8089).
pub(super) fn path(uri: &str) -> Option<PathBuf> {
    let scheme = uri.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:"))?;
    let rest = uri[scheme.len()..].strip_prefix("//")?;
    let (host, path) = rest.split_at(rest.find('/')?);
    if !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) {
        return None;
    }
    let bytes = decoded(path)?;
    // `file:///C:/a.rs` names a drive, not a folder of the root.
    let bytes = if cfg!(windows) { bytes.get(1..)?.to_vec() } else { bytes };
    let path = native(bytes)?;
    path.is_absolute().then(|| absolute(Path::new(""), &path))
}

#[cfg(unix)]
fn native(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn native(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(String::from_utf8(bytes).ok()?.into())
}

/// The bytes that stand behind a percent-encoded text.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            // What would be a query or a fragment is no part of a path.
            b'?' | b'#' => return None,
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        };
        // No system has a path with it.
        if byte == 0 {
            return None;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

/// The URI of an absolute path.
pub(super) fn of_path(path: &Path) -> String {
    file_uri(&path.to_string_lossy().replace(MAIN_SEPARATOR, "/"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_again() {
        for text in ["/a/b.rs", "/a b/ü#%?.rs", "/"] {
            assert_eq!(path(&of_path(Path::new(text))).as_deref(), Some(Path::new(text)));
        }
        assert_eq!(path("FILE://localhost/a%2Frs"), Some("/a/rs".into()));
        assert_eq!(path("file:///a/../b/./c.rs"), Some("/b/c.rs".into()));
    }

    #[test]
    fn what_is_no_file_of_this_machine_has_no_path() {
        for uri in [
            "",
            "file:",
            "file:a.rs",
            "file://",
            "file://host/a.rs",
            "untitled:Untitled-1",
            "https://example.org/a.rs",
            "file:///a%",
            "file:///a%0",
            "file:///a%zz",
            "file:///a%00b",
            "file:///a?b",
            "füle:///a",
        ] {
            assert_eq!(path(uri), None, "{uri}");
        }
    }
}
