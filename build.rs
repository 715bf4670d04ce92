//! Lists the files under `rules/` so that the binary carries them. Nothing is parsed here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// `.toml` files in `directory` and its folders, sorted, so that builds are alike everywhere.
fn files(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?)
        .join("rules");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    list(&root, &["apis", "lint"], &out.join("rules.rs"))?;
    list(&root, &["live"], &out.join("live_rules.rs"))
}

/// Writes the names and texts of all files in folders of `root`.
fn list(root: &Path, folders: &[&str], out: &Path) -> io::Result<()> {
    let mut list = String::from("&[\n");
    for folder in folders {
        let mut found = Vec::new();
        files(&root.join(folder), &mut found)?;
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
