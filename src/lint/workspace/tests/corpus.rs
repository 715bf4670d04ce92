//! Real published packages, where they are at hand.

use std::path::PathBuf;
use std::time::Instant;

use super::super::{Request, Versions, load, read};

/// `POOLSCAN_CORPUS=/folder/of/packages cargo test --lib lint::workspace -- --ignored --nocapture`
#[test]
#[ignore = "needs a folder of unpacked packages in POOLSCAN_CORPUS"]
fn published_packages_load() {
    let cwd = PathBuf::from(std::env::var_os("POOLSCAN_CORPUS").unwrap());
    let begin = Instant::now();
    let workspace = load(&Request { paths: Vec::new(), cwd }).unwrap();
    let loaded = begin.elapsed();
    let files = workspace.packages.iter().flat_map(|package| &package.files);
    let (mut bytes, mut skips) = (0, Vec::new());
    for file in files.clone().chain(&workspace.loose) {
        match read(file) {
            Ok(read) => bytes += read.text.len(),
            Err(skip) => skips.push((file.shown.clone(), skip)),
        }
    }
    let dependencies = || workspace.packages.iter().flat_map(|package| &package.dependencies);
    let locked = dependencies().filter(|(_, d)| matches!(d.versions, Versions::Locked(_)));
    println!(
        "{} packages, {} files, {} loose, {} of {} dependencies locked, in {loaded:?}; {bytes} \
         bytes read in {:?}",
        workspace.packages.len(),
        files.count(),
        workspace.loose.len(),
        locked.count(),
        dependencies().count(),
        begin.elapsed() - loaded,
    );
    println!("{:#?}\n{:?}\n{skips:#?}", workspace.issues, workspace.skipped);
    for package in &workspace.packages {
        println!("PACKAGE {} {:?}", package.dir.display(), package.edition);
        for target in &package.targets {
            println!("TARGET {:?} {} {}", target.kind, target.name, target.root.display());
        }
        for (name, dependency) in &package.dependencies {
            println!("DEPENDENCY {name} {dependency:?}");
        }
    }
}
