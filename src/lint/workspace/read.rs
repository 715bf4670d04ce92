//! The text of a source file, within limits.

use std::fs::File;
use std::io::{self, Read};

use super::SourceFile;

/// Larger files are data in disguise and would take seconds to parse; bytes.
pub const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Why a file is not analysed.
#[derive(Debug, thiserror::Error)]
pub enum Skip {
    /// More than [`MAX_BYTES`].
    #[error("larger than 8 MB, not analysed; exclude generated data with .ignore")]
    TooLarge,
    /// rustc would refuse it too.
    #[error("not UTF-8 from byte {valid_up_to} on, not analysed")]
    NotUtf8 {
        /// Bytes before the first wrong one.
        valid_up_to: usize,
    },
    /// The system refused.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl Skip {
    /// The name under which such files are counted.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// A byte order mark.
pub const MARK: &str = "\u{feff}";

/// What stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Without a byte order mark.
    pub text: String,
    /// Whether the file begins with one.
    pub marked: bool,
}

impl Text {
    /// Of all that stands in the file.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        if self.marked {
            hasher.update(MARK.as_bytes());
        }
        hasher.update(self.text.as_bytes());
        hasher.finalize().into()
    }
}

impl From<&str> for Text {
    fn from(whole: &str) -> Self {
        let rest = whole.strip_prefix(MARK);
        Self { text: rest.unwrap_or(whole).to_owned(), marked: rest.is_some() }
    }
}

/// The text of `file` without a byte order mark.
///
/// Byte offsets into the text are offsets into the file, except where the file begins with the
/// mark: there they are 3 less, as rustc counts too. Lines and columns are those of the file.
///
/// # Errors
/// Says why the file is to be skipped.
pub fn read(file: &SourceFile) -> Result<Text, Skip> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too large", whatever happens to the file meanwhile.
    File::open(&file.path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Skip::TooLarge);
    }
    let marked = bytes.starts_with(MARK.as_bytes());
    if marked {
        bytes.drain(..MARK.len());
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Skip::NotUtf8 { valid_up_to: error.utf8_error().valid_up_to() })?;
    Ok(Text { text, marked })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<String, Skip> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rs");
        std::fs::write(&path, bytes).unwrap();
        read(&SourceFile { path, shown: "a.rs".into(), reported: true }).map(|read| read.text)
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(read_bytes(b"\xEF\xBB\xBFfn f() {}").unwrap(), "fn f() {}");
        assert_eq!(read_bytes(b"").unwrap(), "");
    }

    #[test]
    fn wrong_bytes_are_located() {
        let skip = read_bytes(b"// \xFF").unwrap_err();
        assert!(matches!(skip, Skip::NotUtf8 { valid_up_to: 3 }), "{skip}");
        assert_eq!(skip.reason(), "not_utf8");
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let text = vec![b' '; usize::try_from(MAX_BYTES).unwrap()];
        assert!(read_bytes(&text).is_ok());
        let text = vec![b' '; text.len() + 1];
        assert!(matches!(read_bytes(&text), Err(Skip::TooLarge)));
    }

    #[test]
    fn a_vanished_file_says_so() {
        let file =
            SourceFile { path: "/no/such/a.rs".into(), shown: "a.rs".into(), reported: true };
        assert_eq!(read(&file).unwrap_err().reason(), "unreadable");
    }
}
