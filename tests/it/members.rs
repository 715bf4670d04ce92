//! What packages of a workspace know of each other, and what they do not.

use std::collections::BTreeSet;

use poolscan::finding::{LintFinding, Role};
use poolscan::lint::{Options, Report, run};

use super::linted::Tree;

const ROOT: &str = "[workspace]\nmembers = ['base', 'facade', 'app']\n";

/// Opens, starts and builds for others.
const BASE: &str = "\
mod inner;
pub mod deep;
pub use inner::{Jobs, start};
use std::os::fd::RawFd;
use std::process::Child;

pub fn open(path: &std::ffi::CStr) -> std::io::Result<RawFd> {
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(fd)
}
pub fn close(fd: RawFd) {
    unsafe { libc::close(fd) };
}
pub fn is_terminal(fd: RawFd) -> bool {
    unsafe { libc::isatty(fd) == 1 }
}
pub fn reap(child: &mut Child) -> std::io::Result<()> {
    child.wait()?;
    Ok(())
}
pub fn keep(child: &mut Child) {
    inner::register(child)
}
pub fn id(child: &Child) -> u32 {
    child.id()
}
pub fn bounded() -> reqwest::ClientBuilder {
    reqwest::Client::builder().timeout(std::time::Duration::from_secs(3))
}
pub fn bare() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
}
pub struct Client(tonic::transport::Channel);
impl Client {
    pub fn new(channel: tonic::transport::Channel) -> Self {
        Self(channel)
    }
    pub fn limited(self, _size: usize) -> Self {
        self
    }
}
pub fn endpoint() -> tonic::transport::Endpoint {
    let limit = std::time::Duration::from_secs(3);
    tonic::transport::Endpoint::from_static(\"http://a\").timeout(limit).connect_timeout(limit)
}
pub fn fail() -> ! {
    panic!()
}
";

const INNER: &str = "\
use std::process::{Child, Command};
pub fn start() -> std::io::Result<Child> {
    let child = Command::new(\"a\").spawn()?;
    Ok(child)
}
pub fn register(child: &mut Child) {
    crate::elsewhere::hand_over(child)
}
pub struct Jobs {
    pub lock: std::sync::Mutex<u32>,
}
";

const DEEP: &str = "\
pub type Shared = std::sync::Arc<std::sync::Mutex<u32>>;
pub static QUEUE: std::sync::Mutex<u32> = std::sync::Mutex::new(0);
pub struct Guarded(std::sync::Mutex<u32>);
impl std::ops::Deref for Guarded {
    type Target = std::sync::Mutex<u32>;
    fn deref(&self) -> &Self::Target { &self.0 }
}
pub struct Held<T> {
    pub inner: T,
}
impl<T> Held<T> {
    pub fn get(&self) -> &T { &self.inner }
}
pub fn same<T>(value: T) -> T { value }
";

/// Passes on what the first one has, under names of its own.
const FACADE: &str = "\
pub use base_of_all::*;
pub mod jobs {
    pub use base_of_all::Jobs as Work;
}
pub struct State {
    pub jobs: jobs::Work,
}
impl State {
    pub fn shared(&self) -> base_of_all::deep::Shared {
        todo!()
    }
    pub fn held(&self) -> base_of_all::deep::Held<std::sync::Mutex<u32>> {
        todo!()
    }
    pub fn guarded(&self) -> base_of_all::deep::Guarded {
        todo!()
    }
}
";

const APP: &str = "\
use std::time::Duration;
fn main() {}
pub fn loses_child(quick: bool) -> std::io::Result<()> {
    let mut child = base::start()?; //~ child-lost-on-some-path
    println!(\"{}\", base::id(&child));
    if quick {
        return Ok(());
    }
    base::reap(&mut child)
}
pub fn only_looks() -> std::io::Result<()> {
    let child = std::process::Command::new(\"x\").spawn()?; //~ child-not-waited
    println!(\"{}\", facade::id(&child));
    Ok(())
}
pub fn reaps() -> std::io::Result<()> {
    let mut child = facade::start()?;
    base::reap(&mut child)
}
pub fn may_be_kept() -> std::io::Result<()> {
    let mut child = facade::start()?;
    base::keep(&mut child);
    Ok(())
}
pub fn loses_descriptor(p: &std::ffi::CStr, quick: bool) -> std::io::Result<()> {
    let fd = base::open(p)?; //~ raw-fd-not-closed
    if quick && base::is_terminal(fd) {
        return Ok(());
    }
    base::is_terminal(fd);
    Ok(())
}
pub fn closes(p: &std::ffi::CStr) -> std::io::Result<()> {
    let fd = facade::open(p)?;
    base::is_terminal(fd);
    facade::close(fd);
    Ok(())
}
pub fn ends(p: &std::ffi::CStr, quick: bool) -> std::io::Result<()> {
    let fd = base::open(p)?;
    if quick {
        base::fail();
    }
    base::close(fd);
    Ok(())
}
pub async fn field(state: facade::State) {
    let guard = state.jobs.lock.lock().unwrap(); //~ sync-guard-across-await
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(guard);
}
pub async fn alias(state: &facade::State) {
    let shared = state.shared();
    let guard = shared.lock().unwrap(); //~ sync-guard-across-await
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(guard);
}
pub async fn pointed_to(state: &facade::State) {
    let guarded = state.guarded();
    let guard = guarded.lock().unwrap(); //~ sync-guard-across-await
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(guard);
}
pub async fn argument(state: &facade::State) {
    let held = base::deep::same(state.held());
    let guard = held.get().lock().unwrap(); //~ sync-guard-across-await
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(guard);
}
pub async fn value() {
    let guard = facade::deep::QUEUE.lock().unwrap(); //~ sync-guard-across-await
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(guard);
}
pub async fn kept(map: &mut Vec<base::Client>) {
    let channel = base::endpoint().connect().await.unwrap();
    let client = base::Client::new(channel).limited(3);
    map.push(client);
}
pub async fn thrown_away() {
    let channel = base::endpoint().connect().await.unwrap();
    base::Client::new(channel).limited(3);
}
pub async fn builders() -> reqwest::Result<()> {
    let one = base::bounded().build()?;
    let other = base::bare().build()?; //~ http-client-without-timeout
    one.get(\"x\").send().await?;
    other.get(\"x\").send().await?;
    Ok(())
}
";

fn manifest(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = '{name}'\nedition = '2021'\n[dependencies]\n{dependencies}")
}

/// The three of them.
fn workspace() -> Tree {
    let tree = Tree::new();
    tree.write("Cargo.toml", ROOT);
    tree.write(
        "base/Cargo.toml",
        manifest("base-of-all", "libc = '0.2'\nreqwest = '0.12'\ntonic = '0.12'\n"),
    );
    tree.write("base/src/lib.rs", BASE);
    tree.write("base/src/inner.rs", INNER);
    tree.write("base/src/deep.rs", DEEP);
    tree.write("facade/Cargo.toml", manifest("facade", "base-of-all = { path = '../base' }\n"));
    tree.write("facade/src/lib.rs", FACADE);
    let app = "facade = { path = '../facade' }\n\
               base = { package = 'base-of-all', path = '../base' }\n\
               tokio = '1.40'\nreqwest = '0.12'\ntonic = '0.12'\n";
    tree.write("app/Cargo.toml", manifest("app", app));
    tree.write("app/src/main.rs", APP);
    tree
}

/// Lines of the program with a finding above a note, as `line rule`.
fn in_app(report: &Report) -> BTreeSet<(u32, String)> {
    let of_app = |finding: &&LintFinding| finding.region.path.ends_with("app/src/main.rs");
    let loud = report.findings.iter().filter(of_app).filter(|finding| {
        finding.severity > poolscan::finding::Severity::Note
            || finding.rule == "http-client-without-timeout"
    });
    loud.map(|finding| (finding.region.line, finding.rule.clone())).collect()
}

fn expected() -> BTreeSet<(u32, String)> {
    let marked = (1..)
        .zip(APP.lines())
        .filter_map(|(number, line)| Some((number, line.split_once("//~ ")?.1.to_owned())));
    marked.collect()
}

#[test]
fn facts_flow_from_member_to_member() {
    let tree = workspace();
    let report = tree.lint("", &[]);
    assert_eq!(in_app(&report), expected());
    assert_eq!(report.stats.packages, 3);
}

#[test]
fn a_path_leads_through_both_packages() {
    let tree = workspace();
    let report = tree.lint("", &["child-lost-on-some-path"]);
    let [finding] = report.findings.as_slice() else { panic!("{:#?}", report.findings) };
    let places: Vec<(Role, bool, u32)> = finding
        .related
        .iter()
        .map(|step| (step.role, step.region.path.ends_with("base/src/inner.rs"), step.region.line))
        .collect();
    assert!(places.contains(&(Role::Step, true, 3)), "{places:?}");
    assert!(places.contains(&(Role::Exit, false, 7)), "{places:?}");
}

#[test]
fn a_path_narrows_what_is_reported_and_nothing_else() {
    let tree = workspace();
    let whole = tree.lint("", &[]);
    let narrow = tree.lint("app", &[]);
    assert_eq!(in_app(&narrow), expected());
    let of_app = |finding: &&LintFinding| finding.region.path.contains("/app/");
    let of_whole: Vec<_> = whole.findings.iter().filter(of_app).collect();
    assert_eq!(narrow.findings.iter().collect::<Vec<_>>(), of_whole);
    assert_eq!((narrow.stats.packages, narrow.scope.packages.len()), (1, 1));
    assert_eq!(tree.lint("app/src/main.rs", &[]).findings, narrow.findings);
}

#[test]
fn the_answer_does_not_depend_on_threads() {
    let tree = workspace();
    let with = |threads| {
        let paths = vec![tree.path("")];
        run(&Options { paths, threads: Some(threads), ..Options::default() }).unwrap().findings
    };
    assert_eq!(with(1), with(2));
    assert_eq!(with(2), with(7));
}

#[test]
fn who_depends_on_nothing_of_a_member_is_told_nothing() {
    let tree = workspace();
    // For its tests alone, and in a circle.
    let base = "libc = '0.2'\nreqwest = '0.12'\ntonic = '0.12'\n[dev-dependencies]\napp = { path = '../app' }\n";
    tree.write("base/Cargo.toml", manifest("base-of-all", base));
    assert_eq!(in_app(&tree.lint("", &[])), expected());
    let base = "libc = '0.2'\nreqwest = '0.12'\ntonic = '0.12'\nfacade = { path = '../facade' }\n";
    tree.write("base/Cargo.toml", manifest("base-of-all", base));
    let blind = in_app(&tree.lint("", &[]));
    assert!(blind.is_empty(), "{blind:?}");
}

#[test]
fn what_is_written_down_counts_before_what_is_worked_out() {
    let tree = workspace();
    let facts = "crate = 'base-of-all'\n[[api]]\npath = 'base_of_all::start'\nreturns = '_'\n";
    let ours = poolscan::catalog::Text::file("facts.toml", facts);
    let catalog = poolscan::catalog::Catalog::extended(&[ours]).unwrap();
    let options = Options {
        paths: vec![tree.path("app")],
        catalog: Some(std::sync::Arc::new(catalog)),
        ..Options::default()
    };
    let found = in_app(&run(&options).unwrap());
    let rest: BTreeSet<_> =
        expected().into_iter().filter(|(_, rule)| rule != "child-lost-on-some-path").collect();
    assert_eq!(found, rest);
}

#[test]
fn a_file_of_two_packages_is_reported_once() {
    let tree = Tree::new();
    tree.write("Cargo.toml", "[workspace]\nmembers = ['one', 'two']\n");
    let source = "pub fn f() { std::process::Command::new(\"a\").spawn().unwrap(); }\n";
    tree.write("one/Cargo.toml", manifest("one", ""));
    tree.write("one/src/lib.rs", source);
    let two = format!("{}[lib]\npath = '../one/src/lib.rs'\n", manifest("two", ""));
    tree.write("two/Cargo.toml", two);
    tree.write("two/src/main.rs", "fn main() {}\n");
    let report = tree.lint("", &["child-not-waited"]);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
}
