//! Services that tests watch: packages of their own, built beside ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::observe::Outcome;

/// Why there is no service.
pub(crate) enum Unbuilt {
    /// The crates that it needs are neither here nor can they be fetched.
    NoSource(String),
    /// Everything is here, and it does not build.
    Broken(String),
}

impl Unbuilt {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::NoSource(why) => Outcome::Skipped(why.clone()),
            Self::Broken(why) => Outcome::Failed(why.clone()),
        }
    }
}

/// Builds a service, all of them with the same flags: what they share is built once.
pub(crate) fn build(package: &str, binary: &str) -> Result<PathBuf, Unbuilt> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/services").join(package);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--locked", "--quiet"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTFLAGS", "--cfg tokio_unstable")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(stderr) }
    };
    // Where they can be had, whatever goes wrong afterwards is our own fault.
    cargo(&["fetch"]).map_err(|why| match why.contains("lock file") {
        true => Unbuilt::Broken(why),
        false => Unbuilt::NoSource(format!("its crates cannot be fetched: {why}")),
    })?;
    cargo(&["build", "--offline"]).map_err(Unbuilt::Broken)?;
    Ok(target.join("debug").join(binary))
}
