//! The source beside what a running program tells: lines, and findings of the linter.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;

use super::args::Choosing;
use super::complain;
use super::lint;
use crate::catalog::families::holding;
use crate::finding::LintFinding;
use crate::join::{self, Place, Remap};
use crate::lint::fix::Overlay;
use crate::live::outcome::{OpenerOutcome, Outcome};

/// Bytes of a file whose line is shown.
const MOST_FILE: u64 = 4 << 20;
/// Characters of a line that are shown.
const MOST_LINE: usize = 200;

/// That the folder may be read, before a watch of hours relies on it.
///
/// # Errors
///
/// It is no folder, or may not be read.
pub(super) fn check(folder: &Path) -> anyhow::Result<()> {
    std::fs::read_dir(folder).with_context(|| format!("--source {}", folder.display())).map(drop)
}

/// Tells beside each place what its source says. Where that fails, the answer of the watch stays as
/// it is.
pub(super) fn join(folder: &Path, remaps: &[Remap], outcome: &mut Outcome) {
    let openers = outcome.targets.iter_mut().flat_map(|target| &mut target.resources);
    let mut places: Vec<&mut OpenerOutcome> = openers
        .filter_map(|resource| resource.openers.as_mut())
        .flat_map(|o| &mut o.places)
        .collect();
    if places.is_empty() {
        return;
    }
    let findings =
        match lint::look(&Choosing::default(), vec![folder.to_owned()], Overlay::default()) {
            Ok((report, _)) => report.findings,
            Err(error) => {
                complain(&format!("the source was not linted: {error:#}"));
                Vec::new()
            }
        };
    for place in &mut places {
        tell(place, folder, remaps, &findings);
    }
}

fn tell(place: &mut OpenerOutcome, folder: &Path, remaps: &[Remap], findings: &[LintFinding]) {
    let opener = &place.opener;
    let file = Remap::apply(remaps, &opener.file);
    let stack: Vec<&str> = opener.stack.iter().map(|name| &**name).collect();
    let families: Vec<&str> = opener.families.iter().map(|family| &**family).collect();
    place.linked = join::linked(
        findings,
        &Place {
            function: &opener.function,
            file: &file,
            line: opener.line,
            stack: &stack,
            families: &families,
        },
        holding(),
    );
    place.source_line = opener.line.and_then(|line| source_line(folder, &file, line));
}

/// The line of a file below `folder`: the longest end of its path that is there.
fn source_line(folder: &Path, file: &str, line: u32) -> Option<String> {
    let parts: Vec<Component<'_>> = Path::new(file)
        .components()
        .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
        .collect();
    // The path comes from the program: it must not lead out of the folder.
    parts.iter().all(|part| matches!(part, Component::Normal(_))).then_some(())?;
    let ends = (0..parts.len()).map(|at| parts[at..].iter().collect::<PathBuf>());
    let path = ends.map(|end| folder.join(end)).find(|path| path.is_file())?;
    let mut text = String::new();
    File::open(path).ok()?.take(MOST_FILE).read_to_string(&mut text).ok()?;
    let line = text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    Some(line.trim().chars().take(MOST_LINE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("api");
        std::fs::create_dir_all(inner.join("src")).unwrap();
        std::fs::write(inner.join("src/db.rs"), "one\n  two\n").unwrap();
        std::fs::write(folder.path().join("secret.rs"), "secret\n").unwrap();
        let line = |file, line| source_line(&inner, file, line);
        assert_eq!(line("/build/api/src/db.rs", 2).as_deref(), Some("two"));
        assert_eq!(line("src/db.rs", 1).as_deref(), Some("one"));
        for (file, at) in [("src/db.rs", 0), ("src/db.rs", 3), ("../secret.rs", 1), ("", 1)] {
            assert_eq!(line(file, at), None, "{file}:{at}");
        }
    }
}
