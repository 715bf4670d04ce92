//! Whatever stands in a manifest or a lock file, the Rust files stay known.

use proptest::prelude::*;

use super::{Tree, shown};

const MANIFEST: &str = "[package]\nname = \"p\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
    [lib]\npath = \"src/lib.rs\"\n[dependencies]\nrand = { version = \"0.8\", optional = true }\n\
    [workspace]\n[workspace.dependencies]\nserde = \"1\"\n[features]\na = [\"rand\"]\n";

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"p\"\nversion = \"1.0.0\"\ndependencies = [\n \
    \"rand 0.8.5\",\n]\n\n[[package]]\nname = \"rand\"\nversion = \"0.8.5\"\nsource = \"x\"\n";

/// `text` with some of its bytes replaced by others.
fn damaged(text: &str, at: usize, length: usize, by: &[u8]) -> Vec<u8> {
    let start = at % text.len();
    let end = (start + length).min(text.len());
    [&text.as_bytes()[..start], by, &text.as_bytes()[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_files_never_hide_the_source(
        at in any::<usize>(),
        length in 0..40usize,
        by in prop_oneof!["[ -~\n]{0,12}".prop_map(String::into_bytes), any::<[u8; 3]>().prop_map(Vec::from)],
        lock in any::<bool>(),
    ) {
        let tree = Tree::new(&[("p/src/lib.rs", "")]);
        let (manifest, lock) = match lock {
            true => (MANIFEST.into(), damaged(LOCK, at, length, &by)),
            false => (damaged(MANIFEST, at, length, &by), LOCK.into()),
        };
        tree.write("p/Cargo.toml", &manifest);
        tree.write("p/Cargo.lock", &lock);
        let workspace = tree.try_load(&["p"]).unwrap();
        let packages = workspace.packages.iter().flat_map(|package| &package.files);
        let files: Vec<_> = packages.chain(&workspace.loose).cloned().collect();
        prop_assert!(shown(&files).contains(&"+p/src/lib.rs".to_owned()));
    }
}
