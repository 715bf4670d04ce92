//! docs/ci.md, followed as it stands in a fresh clone: its commands and the steps of its workflow.

use std::path::Path;
use std::process::{Command, Output};

use yaml_rust2::YamlLoader;

use crate::ci::Repository;

const PAGE: &str = include_str!("../../docs/ci.md");

/// One `run:` of the workflow.
struct Step {
    run: String,
    /// It runs although an earlier one failed.
    always: bool,
}

#[test]
fn the_page_can_be_followed_in_a_fresh_clone() {
    let origin = Repository::new();
    let folder = tempfile::Builder::new().prefix("poolscan-clone-").tempdir().unwrap();
    let clone = folder.path().join("clone");
    let (from, to) = (origin.path(""), clone.display().to_string());
    let cloned = shell(folder.path(), &format!("git clone -q '{}' '{to}'", from.display()));
    assert!(cloned.status.success(), "{}", text(&cloned));

    for commands in blocks("## 2.", "sh") {
        let followed = shell(&clone, commands);
        assert!(followed.status.success(), "{commands}\n{}", text(&followed));
    }
    let committed = shell(&clone, "git -c user.name=a -c user.email=a@b commit -qm baseline");
    assert!(committed.status.success(), "{}", text(&committed));

    let (failed, outputs) = run_workflow(&clone);
    assert!(!failed, "what is in the baseline does not fail a run: {outputs:?}");

    let leak = "pub fn new() { drop(std::process::Command::new(\"c\").spawn()); }\n";
    std::fs::write(clone.join("crate/src/lib.rs"), format!("pub mod jobs;\n{leak}")).unwrap();
    let (failed, outputs) = run_workflow(&clone);
    assert!(failed, "a new leak fails the run: {outputs:?}");
    let [lint, shown] = &outputs[..] else { panic!("two steps of the workflow run: {outputs:?}") };
    assert!(lint.contains("::warning file=crate/src/lib.rs,line=2"), "{lint}");
    assert!(shown.contains("crate/src/lib.rs:2"), "{shown}");
    let log = std::fs::read_to_string(clone.join("poolscan.sarif")).unwrap();
    let log: serde_json::Value = serde_json::from_str(&log).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let [result] = &results[..] else { panic!("one finding is new: {log}") };
    let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "crate/src/lib.rs");
}

/// Runs the steps as GitHub does; whether one failed, and what each printed that ran.
fn run_workflow(clone: &Path) -> (bool, Vec<String>) {
    let mut failed = false;
    let mut outputs = Vec::new();
    for step in steps() {
        if failed && !step.always {
            continue;
        }
        let output = shell(clone, &step.run);
        failed |= !output.status.success();
        outputs.push(text(&output));
    }
    (failed, outputs)
}

/// The steps that run something, but for the one that installs what is tested here.
fn steps() -> Vec<Step> {
    let workflow = blocks("## 5.", "yaml").next().unwrap();
    let workflow = &YamlLoader::load_from_str(workflow).unwrap()[0];
    let steps = workflow["jobs"]["lint"]["steps"].as_vec().unwrap();
    let (installs, others): (Vec<_>, Vec<_>) = steps
        .iter()
        .filter_map(|step| {
            let always = step["if"].as_str() == Some("always()");
            Some(Step { run: step["run"].as_str()?.to_owned(), always })
        })
        .partition(|step| step.run.starts_with("cargo install"));
    assert_eq!(installs.len(), 1);
    others
}

/// Code blocks of a language in the section that begins so.
fn blocks<'a>(section: &str, language: &'a str) -> impl Iterator<Item = &'a str> {
    let from = PAGE.find(&format!("\n{section}")).unwrap() + 1;
    let section = &PAGE[from..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    section.split("```").skip(1).step_by(2).filter_map(move |block| {
        block.split_once('\n').filter(|(tag, _)| *tag == language).map(|(_, code)| code)
    })
}

/// Runs commands as a workflow's step does, with the program under test in the path.
fn shell(folder: &Path, commands: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_poolscan")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", commands])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", program.display()))
        .env("XDG_CACHE_HOME", folder.join(".git/poolscan-cache"))
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(error))
}
