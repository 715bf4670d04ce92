//! Loading real trees from temporary folders.

mod corpus;
mod damage;
mod edges;
mod inheritance;
mod layout;
mod scope;
mod walking;

use std::fs;
use std::path::{Path, PathBuf};

use super::{LoadError, Package, Request, SourceFile, Workspace, load};

/// A folder with files that is gone after the test.
struct Tree(tempfile::TempDir);

impl Tree {
    /// Holds `files`, given as path and text.
    fn new(files: &[(&str, &str)]) -> Self {
        // Not hidden, as the default name with its leading dot is.
        let tree = Self(tempfile::Builder::new().prefix("tree").tempdir().unwrap());
        for (path, text) in files {
            tree.write(path, text.as_bytes());
        }
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn try_load(&self, paths: &[&str]) -> Result<Workspace, LoadError> {
        let paths = paths.iter().map(PathBuf::from).collect();
        load(&Request { paths, cwd: self.0.path().to_owned() })
    }

    /// Loads what must load, without issues.
    #[track_caller]
    fn load(&self, paths: &[&str]) -> Workspace {
        let workspace = self.try_load(paths).unwrap();
        assert_eq!(workspace.issues, []);
        workspace
    }
}

/// Paths of files as shown, with a `+` before those that are reported.
fn shown(files: &[SourceFile]) -> Vec<String> {
    let mark = |file: &SourceFile| if file.reported { "+" } else { "" };
    files.iter().map(|file| format!("{}{}", mark(file), file.shown)).collect()
}

#[track_caller]
fn package<'w>(workspace: &'w Workspace, name: &str) -> &'w Package {
    let names: Vec<&str> = workspace.packages.iter().map(|p| p.name.as_str()).collect();
    workspace.packages.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("{names:?}"))
}

fn targets(package: &Package) -> Vec<String> {
    let below = |path: &Path| path.strip_prefix(&package.dir).unwrap_or(path).display().to_string();
    let target = |t: &super::Target| format!("{:?} {} {}", t.kind, t.name, below(&t.root));
    package.targets.iter().map(target).collect()
}
