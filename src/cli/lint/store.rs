//! The cache as files: one for each package that was analysed, in a folder of the user's.
//!
//! It lies in the cache of the user, not in `target`: the linter builds nothing, leaves no trace in
//! source that it only reads, and may be run where nobody can write. A file is written whole beside
//! its place and then renamed, so that runs beside each other and runs that are killed leave nothing
//! half done; a checksum over key and content tells what the disk or anybody else has changed.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::cli::args::Choosing;
use crate::lint::Store;

/// The first bytes of every file; another one for another layout.
const MARK: &[u8] = b"poolscan lint cache 1\n";
/// No package has more to keep; bytes.
const LARGEST: u64 = 32 << 20;
/// Where trimming begins; bytes.
const MOST_BYTES: u64 = 256 << 20;
/// Where trimming begins; files.
const MOST_FILES: usize = 20_000;
/// A file that was used since is not marked again.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What a run that was killed has left is older than this.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// How names of files begin that are not yet whole.
const UNFINISHED: &str = "unfinished-";

/// A folder of files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    written: AtomicBool,
}

impl Folder {
    /// The one to use; none when there shall be none, or when nobody knows of a place.
    pub(super) fn of(args: &Choosing) -> Option<Self> {
        if args.no_cache {
            return None;
        }
        let path =
            args.cache_dir.clone().or_else(|| Some(users()?.join("poolscan").join("lint")))?;
        Some(Self { path, written: AtomicBool::new(false) })
    }

    fn file(&self, key: &[u8; 32]) -> PathBuf {
        self.path.join(blake3::Hash::from_bytes(*key).to_hex().as_str())
    }

    fn read(&self, key: &[u8; 32]) -> io::Result<Option<Vec<u8>>> {
        let file = File::open(self.file(key))?;
        let about = file.metadata()?;
        // No pipe, and nothing that was blown up.
        if !about.is_file() || about.len() > LARGEST {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&file).take(LARGEST).read_to_end(&mut bytes)?;
        let Some(rest) = bytes.strip_prefix(MARK) else { return Ok(None) };
        let Some((sum, value)) = rest.split_first_chunk::<32>() else { return Ok(None) };
        if sum != checksum(key, value).as_bytes() {
            return Ok(None);
        }
        // What is used stays; once a day is enough to know it.
        if about.modified()?.elapsed().is_ok_and(|age| age > DAY) {
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(Some(value.to_vec()))
    }

    fn write(&self, key: &[u8; 32], value: &[u8]) -> io::Result<()> {
        if value.len() as u64 > LARGEST - 1024 {
            return Ok(());
        }
        fs::create_dir_all(&self.path)?;
        self.written.store(true, Ordering::Relaxed);
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path)?;
        file.write_all(MARK)?;
        file.write_all(checksum(key, value).as_bytes())?;
        file.write_all(value)?;
        file.persist(self.file(key))?;
        Ok(())
    }

    /// Takes out what was not used for longest, when this run has added something and there is too
    /// much. Others may do the same meanwhile.
    pub(super) fn trim(&self) {
        if self.written.load(Ordering::Relaxed) {
            let _ = trim(&self.path, MOST_BYTES, MOST_FILES);
        }
    }
}

impl Store for Folder {
    fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        self.read(key).ok().flatten()
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) {
        // Whoever cannot write has no cache.
        let _ = self.write(key, value);
    }
}

fn checksum(key: &[u8; 32], value: &[u8]) -> blake3::Hash {
    blake3::keyed_hash(key, value)
}

/// Takes files out, the oldest first, until three quarters of the limits are left; and what was
/// never finished.
fn trim(folder: &Path, most_bytes: u64, most_files: usize) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // One that somebody else has just taken out.
        let Ok(about) = entry.metadata() else { continue };
        let Ok(used) = about.modified() else { continue };
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(UNFINISHED) {
            if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        } else if about.is_file() && is_ours(&name.to_string_lossy()) {
            files.push((used, about.len(), entry.path()));
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
    if bytes <= most_bytes && files.len() <= most_files {
        return Ok(());
    }
    files.sort();
    let mut left = files.len();
    for (_, length, path) in files {
        if bytes <= most_bytes / 4 * 3 && left <= most_files / 4 * 3 {
            break;
        }
        let _ = fs::remove_file(path);
        bytes -= length;
        left -= 1;
    }
    Ok(())
}

/// Whether a file has the name of a key: no other one is ever taken out.
fn is_ours(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The folder for caches of this user, as the system has it.
fn users() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        Some(set("HOME")?.join("Library").join("Caches"))
    } else {
        set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn folder(place: &Path) -> Folder {
        Folder { path: place.join("a/b"), written: AtomicBool::new(false) }
    }

    #[test]
    fn what_was_put_is_got() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        assert_eq!(folder.get(&KEY), None);
        for value in [&b"one"[..], b"", b"another"] {
            folder.put(&KEY, value);
            assert_eq!(folder.get(&KEY).as_deref(), Some(value));
        }
        assert_eq!(folder.get(&[8; 32]), None);
        // Under another name it is nothing.
        fs::rename(folder.file(&KEY), folder.file(&[8; 32])).unwrap();
        assert_eq!(folder.get(&[8; 32]), None);
        let too_much = vec![0; usize::try_from(LARGEST).unwrap()];
        folder.put(&KEY, &too_much);
        assert_eq!(folder.get(&KEY), None);
    }

    #[test]
    fn what_was_harmed_is_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        folder.put(&KEY, b"value");
        let whole = fs::read(folder.file(&KEY)).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(folder.file(&KEY), &flipped).unwrap();
            assert_eq!(folder.get(&KEY), None, "{at}");
            fs::write(folder.file(&KEY), &whole[..at]).unwrap();
            assert_eq!(folder.get(&KEY), None, "{at}");
        }
        fs::write(folder.file(&KEY), [&whole[..], b"x"].concat()).unwrap();
        assert_eq!(folder.get(&KEY), None);
        fs::remove_file(folder.file(&KEY)).unwrap();
        fs::create_dir(folder.file(&KEY)).unwrap();
        folder.put(&KEY, b"value");
        assert_eq!(folder.get(&KEY), None);
    }

    #[test]
    fn the_oldest_go_and_what_is_not_ours_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let key = |number: u8| [number; 32];
        let old = |path: &Path, hours: u64| {
            let then = SystemTime::now() - Duration::from_secs(3600 * hours);
            File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
        };
        for number in 0..8 {
            folder.put(&key(number), b"value");
            old(&folder.file(&key(number)), 100 - u64::from(number));
        }
        let others = ["notes.txt", "unfinished-new", "unfinished-old"].map(|n| folder.path.join(n));
        for other in &others {
            fs::write(other, "x").unwrap();
        }
        old(&others[2], 2);
        // One that is used is young again.
        assert!(folder.get(&key(0)).is_some());
        trim(&folder.path, u64::MAX, 8).unwrap();
        let left = |folder: &Folder| -> Vec<u8> {
            (0..8).filter(|&number| folder.file(&key(number)).exists()).collect()
        };
        assert_eq!(left(&folder).len(), 8);
        assert_eq!(others.map(|other| other.exists()), [true, true, false]);
        trim(&folder.path, u64::MAX, 7).unwrap();
        assert_eq!(left(&folder), [0, 6, 7], "three quarters of 7, rounded");
        trim(&folder.path, 1, 100).unwrap();
        assert_eq!(left(&folder), Vec::<u8>::new());
        assert!(folder.path.join("notes.txt").exists());
    }
}
