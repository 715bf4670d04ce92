//! The key of an answer: a hash of everything that it was made of.

use std::path::Path;

use blake3::Hasher;

use crate::lint::members::Near;
use crate::lint::policy::Policy;
use crate::lint::workspace::{
    Dependency, DependencyKind, Package, Purpose, SourceFile, Target, TargetKind, Versions,
};

/// Another one for each state of our own source.
const BUILD: &str = env!("POOLSCAN_BUILD");

/// A key in the making. Parts are told apart by their lengths.
pub(crate) struct Key(Hasher);

/// What a policy adds to the keys of its packages, but for what it says of single files.
pub(crate) fn policy(policy: &Policy) -> [u8; 32] {
    let Policy { catalog, rules, severities, transparent, overrides: _ } = policy;
    let mut key = Key(Hasher::new());
    key.text(BUILD);
    key.bytes(&catalog.identity().unwrap_or_default());
    key.texts(rules);
    key.number(severities.len());
    for (rule, severity) in severities {
        key.text(rule);
        key.text(severity.as_str());
    }
    key.texts(transparent);
    key.finish()
}

impl Key {
    /// Of something that is analysed with this policy.
    pub(crate) fn new(policy: &[u8; 32]) -> Self {
        let mut key = Self(Hasher::new());
        key.bytes(policy);
        key
    }

    /// What manifests and lock files say of a package; its files are added one by one.
    pub(crate) fn package(&mut self, package: &Package) {
        let Package {
            name,
            version,
            edition,
            dir,
            workspace: _,
            targets,
            dependencies,
            files: _,
            features,
            purpose,
        } = package;
        self.text(name);
        self.text(&version.as_ref().map(ToString::to_string).unwrap_or_default());
        self.number(*edition as usize);
        self.path(dir);
        self.number(targets.len());
        for Target { kind, name, root } in targets {
            self.text(target_kind(*kind));
            self.text(name);
            self.path(root);
        }
        self.number(dependencies.len());
        for (name, dependency) in dependencies {
            self.text(name);
            self.dependency(dependency);
        }
        self.number(features.len());
        for (name, enabled) in features {
            self.text(name);
            self.texts(enabled);
        }
        self.text(match purpose {
            None => "",
            Some(Purpose::Tests) => "tests",
            Some(Purpose::Builds) => "builds",
            Some(Purpose::Commands) => "commands",
            Some(Purpose::PartsOfCommands) => "parts of commands",
            Some(Purpose::Learning) => "learning",
        });
    }

    fn dependency(&mut self, dependency: &Dependency) {
        let Dependency { package, versions, kind, optional, dir } = dependency;
        self.text(package);
        self.number(usize::from(dir.is_some()));
        self.path(dir.as_deref().unwrap_or(Path::new("")));
        self.versions(versions);
        self.text(match kind {
            DependencyKind::Normal => "normal",
            DependencyKind::Build => "build",
            DependencyKind::Dev => "dev",
        });
        self.number(usize::from(*optional));
    }

    fn versions(&mut self, versions: &Versions) {
        match versions {
            Versions::Locked(version) => {
                self.text("locked");
                self.text(&version.to_string());
            }
            Versions::Required(requirement) => {
                self.text("required");
                self.text(&requirement.to_string());
            }
            Versions::Unknown => self.text("unknown"),
        }
    }

    /// What it is told by other packages of the workspace, and whether one of them asks.
    pub(crate) fn near(&mut self, near: &Near) {
        let Near { members, versions, is_asked } = near;
        self.number(members.len());
        for member in members {
            self.bytes(&member.hash);
        }
        self.number(versions.len());
        for (package, all) in versions {
            self.text(package);
            self.number(all.len());
            for versions in all {
                self.versions(versions);
            }
        }
        self.number(usize::from(*is_asked));
    }

    /// A file, what became of reading it, and what the policy says of it.
    pub(crate) fn file(
        &mut self,
        file: &SourceFile,
        text: Result<&[u8; 32], &str>,
        policy: &Policy,
    ) {
        // Where it is shown is put in anew in each run.
        let SourceFile { path, shown: _, reported } = file;
        self.path(path);
        self.number(usize::from(*reported));
        match text {
            Ok(hash) => self.bytes(hash),
            Err(reason) => self.text(reason),
        }
        if !policy.overrides.is_empty() {
            let here = policy.in_file(path);
            let ignored: Vec<&str> = here.ignored().collect();
            self.texts(&ignored);
            let severities = here.severities();
            self.number(severities.len());
            for (rule, severity) in severities {
                self.text(rule);
                self.text(severity.as_str());
            }
        }
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn number(&mut self, number: usize) {
        self.0.update(&(number as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn texts(&mut self, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        let texts: Vec<_> = texts.into_iter().collect();
        self.number(texts.len());
        for text in &texts {
            self.text(text.as_ref());
        }
    }

    fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_encoded_bytes());
    }
}

fn target_kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Lib => "lib",
        TargetKind::ProcMacro => "proc-macro",
        TargetKind::Bin => "bin",
        TargetKind::Example => "example",
        TargetKind::Test => "test",
        TargetKind::Bench => "bench",
        TargetKind::BuildScript => "build-script",
    }
}
