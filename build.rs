//! Lists the files under `rules/` so that the binary carries them, and tells builds apart for the
//! cache. Nothing is parsed here.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Files in `directory` and its folders with this extension, sorted, so that builds are alike
/// everywhere.
fn files(directory: &Path, wanted: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, wanted, found)?;
        } else if path.extension().is_some_and(|extension| extension == wanted) {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let root = package.join("rules");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    list(&root, &["apis", "lint"], &out.join("rules.rs"))?;
    list(&root, &["live"], &out.join("live_rules.rs"))?;
    list(&root, &["pools"], &out.join("pools.rs"))?;
    list(&root, &["frames"], &out.join("frames.rs"))?;
    println!("cargo::rustc-env=POOLSCAN_BUILD={:016x}", build(&package)?);
    Ok(())
}

/// A number that is another one when anything that decides what lint finds is another: versions
/// stay the same for long while the source is worked on.
fn build(package: &Path) -> io::Result<u64> {
    let mut found = Vec::new();
    files(&package.join("src"), "rs", &mut found)?;
    files(&package.join("rules"), "toml", &mut found)?;
    // Published packages may come without a lock file.
    let lock = package.join("Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    found.extend(lock.is_file().then_some(lock));
    let mut hasher = DefaultHasher::new();
    for path in found {
        let name = path.strip_prefix(package).map_err(io::Error::other)?;
        hasher.write(name.to_string_lossy().as_bytes());
        hasher.write(&fs::read(&path)?);
    }
    Ok(hasher.finish())
}

/// Writes the names and texts of all files in folders of `root`.
fn list(root: &Path, folders: &[&str], out: &Path) -> io::Result<()> {
    let mut list = String::from("&[\n");
    for folder in folders {
        let mut found = Vec::new();
        files(&root.join(folder), "toml", &mut found)?;
        for path in found {
            let name = path.strip_prefix(root).map_err(io::Error::other)?;
            let name = name.to_string_lossy().replace('\\', "/");
            writeln!(list, "({name:?}, include_str!({:?})),", path.display().to_string())
                .map_err(io::Error::other)?;
        }
    }
    list.push_str("]\n");
    fs::write(out, list)
}
