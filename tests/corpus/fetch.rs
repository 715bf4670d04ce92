//! Published crates, from cargo's cache or by way of cargo.

use std::path::PathBuf;
use std::process::Command;

/// The unpacked sources of a crate; `cargo info` fetches them without building.
pub(crate) fn source(name: &str, version: &str) -> Result<PathBuf, String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).ok_or("no home")?;
    let unpacked = || {
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
        let mut folders =
            registries.flatten().map(|entry| entry.path().join(format!("{name}-{version}")));
        folders.find(|folder| folder.join("Cargo.toml").is_file())
    };
    if let Some(folder) = unpacked() {
        return Ok(folder);
    }
    let asked = Command::new(env!("CARGO"))
        .args(["info", "-q", &format!("{name}@{version}")])
        .current_dir(std::env::temp_dir())
        .output();
    let asked = asked.map_err(|error| format!("cannot start cargo: {error}"))?;
    unpacked().ok_or_else(|| {
        let why = String::from_utf8_lossy(&asked.stderr);
        format!("{name}@{version} cannot be had: {}", why.lines().next().unwrap_or_default())
    })
}
