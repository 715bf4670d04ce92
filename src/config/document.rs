//! A file that people write settings in, and what is wrong with it.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No file of settings, rules or facts is longer; bytes.
pub const LONGEST: u64 = 1 << 20;

/// A file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Absolute path.
    pub path: PathBuf,
    /// The path as people read it.
    pub shown: Arc<str>,
    /// What is in it.
    pub text: Arc<str>,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no text or too long.
    pub fn read(path: PathBuf, shown: Arc<str>) -> Result<Self, Mistake> {
        match read_text(&path) {
            Ok(text) => Ok(Self { path, shown, text: text.into() }),
            Err(message) => Err(Mistake::of_file(shown, message)),
        }
    }

    /// The folder that its paths are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Something that is wrong at `span` of it.
    #[must_use]
    pub fn mistake(&self, span: Range<usize>, message: impl Into<String>) -> Mistake {
        let (file, text) = (Arc::clone(&self.shown), Some(Arc::clone(&self.text)));
        Mistake { file, text, span, message: message.into(), help: None }
    }
}

/// The text of a file of at most [`LONGEST`] bytes.
///
/// # Errors
/// Says why there is none.
pub fn read_text(path: &Path) -> Result<String, String> {
    let refused = |error| format!("cannot be read: {error}");
    // A pipe would be waited for, and a device never ends.
    if !path.metadata().map_err(refused)?.is_file() {
        return Err("is no file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(refused)?;
    if bytes.len() as u64 > LONGEST {
        return Err("is longer than 1 MiB".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
}

/// One thing that is wrong with what somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file as people read it.
    pub file: Arc<str>,
    /// Its text; none when it could not be read.
    pub text: Option<Arc<str>>,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Mistake {
    /// A file that cannot be looked into.
    #[must_use]
    pub fn of_file(file: Arc<str>, message: impl Into<String>) -> Self {
        Self { file, text: None, span: 0..0, message: message.into(), help: None }
    }

    /// With what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|mistake| format!("{}: {}", mistake.file, mistake.message));
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for Mistakes {}
