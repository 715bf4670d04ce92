//! The crates of a package: those its manifest lists, and those Cargo discovers by their place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::manifest::{Build, Manifest, TargetTable};
use super::{Edition, Target, TargetKind, paths};

/// The targets of the package `name` in `dir`, sorted. `exists` tells whether a path is a file;
/// `files` are those that discovery looks among.
pub(super) fn targets(
    manifest: &Manifest,
    name: &str,
    edition: Edition,
    dir: &Path,
    files: &BTreeSet<&Path>,
    exists: impl Fn(&Path) -> bool,
) -> Vec<Target> {
    let package = manifest.package.as_ref();
    let auto = |switch: Option<bool>, listed: &[TargetTable]| {
        // The 2015 edition discovers a kind only as long as none of it is listed.
        switch.unwrap_or(edition > Edition::Rust2015 || listed.is_empty())
    };
    let scene = Scene { dir, name, files, exists: &exists };
    let mut found = Vec::new();
    let auto_lib = package.and_then(|p| p.autolib).unwrap_or(true);
    found.extend(scene.library(manifest.lib.as_ref(), auto_lib));
    let kinds = [
        (TargetKind::Bin, "src/bin", &manifest.bin, package.and_then(|p| p.autobins)),
        (TargetKind::Example, "examples", &manifest.example, package.and_then(|p| p.autoexamples)),
        (TargetKind::Test, "tests", &manifest.test, package.and_then(|p| p.autotests)),
        (TargetKind::Bench, "benches", &manifest.bench, package.and_then(|p| p.autobenches)),
    ];
    for (kind, folder, listed, switch) in kinds {
        let mut of_kind = scene.listed(kind, folder, listed);
        if auto(switch, listed) {
            for target in scene.discovered(kind, folder) {
                let taken = |t: &Target| t.name == target.name || t.root == target.root;
                if !of_kind.iter().any(taken) {
                    of_kind.push(target);
                }
            }
        }
        found.append(&mut of_kind);
    }
    found.extend(scene.build_scripts(package.and_then(|p| p.build.as_ref())));
    found.sort();
    found.dedup();
    found
}

struct Scene<'s> {
    dir: &'s Path,
    name: &'s str,
    files: &'s BTreeSet<&'s Path>,
    exists: &'s dyn Fn(&Path) -> bool,
}

impl Scene<'_> {
    /// The first of `candidates` (relative to the package) that is a file.
    fn first(&self, candidates: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
        let mut absolute = candidates.into_iter().map(|path| paths::absolute(self.dir, &path));
        absolute.find(|path| self.files.contains(path.as_path()) || (self.exists)(path))
    }

    fn library(&self, listed: Option<&TargetTable>, auto: bool) -> Option<Target> {
        let root = match listed.and_then(|table| table.path.clone()) {
            Some(path) => self.first([path])?,
            None if listed.is_none() && !auto => return None,
            None => self.first(["src/lib.rs".into()])?,
        };
        let macros =
            listed.is_some_and(|t| t.proc_macro || t.crate_type.iter().any(|t| t == "proc-macro"));
        let name = listed.and_then(|table| table.name.as_deref()).unwrap_or(self.name);
        Some(Target {
            kind: if macros { TargetKind::ProcMacro } else { TargetKind::Lib },
            name: name.replace('-', "_"),
            root,
        })
    }

    fn listed(&self, kind: TargetKind, folder: &str, tables: &[TargetTable]) -> Vec<Target> {
        let target = |table: &TargetTable| {
            let name = table.name.as_deref()?;
            let root = match &table.path {
                Some(path) => self.first([path.clone()])?,
                None => {
                    let own = format!("{folder}/{name}.rs").into();
                    let mut guesses = vec![own, format!("{folder}/{name}/main.rs").into()];
                    if kind == TargetKind::Bin {
                        // A program named otherwise may still be the one in main.rs.
                        guesses.push("src/main.rs".into());
                    }
                    if kind == TargetKind::Bin && name == self.name {
                        guesses.rotate_right(1);
                    }
                    self.first(guesses)?
                }
            };
            Some(Target { kind, name: name.to_owned(), root })
        };
        tables.iter().filter_map(target).collect()
    }

    /// `FOLDER/*.rs` and `FOLDER/*/main.rs`; for programs `src/main.rs` too.
    fn discovered(&self, kind: TargetKind, folder: &str) -> Vec<Target> {
        let folder = self.dir.join(folder);
        let below = self.files.range(folder.as_path()..).take_while(|p| p.starts_with(&folder));
        let mut found: Vec<Target> = below
            .filter_map(|path| {
                let inside = path.strip_prefix(&folder).ok()?;
                let parts: Vec<_> = inside.iter().collect();
                let name = match parts[..] {
                    [file] => Path::new(file).file_stem()?,
                    [folder, file] if file == "main.rs" => folder,
                    _ => return None,
                };
                let name = name.to_string_lossy().into_owned();
                Some(Target { kind, name, root: path.to_path_buf() })
            })
            .collect();
        let main = self.dir.join("src/main.rs");
        if kind == TargetKind::Bin && self.files.contains(main.as_path()) {
            found.push(Target { kind, name: self.name.to_owned(), root: main });
        }
        found
    }

    fn build_scripts(&self, build: Option<&Build>) -> Vec<Target> {
        let scripts = match build {
            Some(Build::Switch(false)) => Vec::new(),
            None | Some(Build::Switch(true)) => vec![PathBuf::from("build.rs")],
            Some(Build::Script(path)) => vec![path.clone()],
            Some(Build::Scripts(paths)) => paths.clone(),
        };
        let target = |root: PathBuf| {
            let name = format!("build-script-{}", root.file_stem()?.to_string_lossy());
            Some(Target { kind: TargetKind::BuildScript, name, root })
        };
        scripts.into_iter().filter_map(|path| self.first([path])).filter_map(target).collect()
    }
}
