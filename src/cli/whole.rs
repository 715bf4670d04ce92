//! Files that are written whole or not at all, and the command line that made them.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Replaces a file in one step: readers see the old text or all of the new one.
///
/// # Errors
/// The folder takes no file, or the name belongs to something that is none.
pub(super) fn write(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let written = || -> std::io::Result<()> {
        if path.exists() && !path.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any new file: the umask takes away what the user wants taken away.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(text)?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("`{}` cannot be written", path.display()))
}

/// What this process was started with, as a shell takes it.
pub(super) fn command_line() -> String {
    let words = std::env::args_os().enumerate().map(|(nth, word)| match nth {
        0 => "poolscan".to_owned(),
        _ => quoted(&word.to_string_lossy()),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_through_a_shell_as_they_are() {
        assert_eq!(quoted("--for=90s"), "--for=90s");
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.html");
        write(&path, b"one").expect("written");
        write(&path, b"two").expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"two");
        assert!(write(folder.path(), b"three").is_err());
        assert!(write(&folder.path().join("no/such"), b"three").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
