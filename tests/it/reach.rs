//! What leads to a place decides how much it matters: in a command that somebody waits for a
//! missing limit is a note.

use poolscan::finding::Severity;
use poolscan::lint::example::manifest;

use super::linted::Tree;

/// Severities by line of what one rule finds in the program.
fn severities(rule: &str, source: &str) -> Vec<(u32, Severity)> {
    in_package("main.rs", "", rule, source)
}

/// The same of a library.
fn library(rule: &str, source: &str) -> Vec<(u32, Severity)> {
    in_package("lib.rs", "", rule, source)
}

/// The same of a file of a package, of which the manifest says something more.
fn in_package(file: &str, about: &str, rule: &str, source: &str) -> Vec<(u32, Severity)> {
    let tree = Tree::new();
    let deps = [
        ("tokio", "1.40.0"),
        ("reqwest", "0.12.9"),
        ("tokio-native-tls", "0.3.1"),
        ("tower", "0.5.0"),
        ("dashmap", "6.0.0"),
    ];
    let deps = deps.map(|(name, version)| (name.to_owned(), version.to_owned()));
    let manifest = manifest("a", &deps.into_iter().collect());
    tree.write("a/Cargo.toml", manifest.replacen("[package]", &format!("[package]\n{about}"), 1));
    tree.write(&format!("a/src/{file}"), source);
    let report = tree.lint("a", &[rule]);
    report.findings.iter().map(|found| (found.region.line, found.severity)).collect()
}

const NOTE: Severity = Severity::Note;
const WARNING: Severity = Severity::Warning;

#[test]
fn a_child_of_a_command_is_milder_than_one_of_a_service() {
    let shared = "
use std::process::Command;
fn open(url: &str) {
    let _ = Command::new(\"xdg-open\").arg(url).spawn();
}
";
    let mains = [
        // Each of a list that ends, by a trait of its own, by a closure that runs in place.
        ("fn main() { for url in std::env::args() { open(&url); } }", NOTE),
        (
            "trait Run { fn run(&self); }
          struct Open(String);
          impl Run for Open { fn run(&self) { for _ in 0..2 { open(&self.0) } } }
          fn main() { let all: Vec<Box<dyn Run>> = Vec::new(); for one in &all { one.run(); } }",
            NOTE,
        ),
        ("fn main() { std::env::args().for_each(|url| { open(&url); open(&url); }); }", NOTE),
        (
            "fn main() {
              let one = std::thread::spawn(|| for _ in 0..2 { open(\"a\") });
              one.join().unwrap();
          }",
            NOTE,
        ),
        (
            "fn main() { std::env::args().for_each(each); }
          fn each(url: String) { for _ in 0..2 { open(&url) } }",
            NOTE,
        ),
        // Without an end, behind the back of who waits, from others.
        ("fn main() { loop { open(\"a\"); } }", WARNING),
        (
            "fn main() { std::thread::spawn(|| for _ in 0..2 { open(\"a\") }); other(); }
          fn other() {}",
            WARNING,
        ),
        (
            "fn main() {
              let at = std::net::TcpListener::bind(\"0.0.0.0:80\").unwrap();
              for _ in at.incoming() { open(\"a\"); }
          }",
            WARNING,
        ),
        (
            "fn main() { on_click(|| { for _ in 0..2 { open(\"a\") } }); }
          fn on_click(run: impl Fn() + 'static) { let _kept = Box::new(run); }",
            WARNING,
        ),
        (
            "struct Reader;
          impl std::io::Read for Reader {
              fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> { open(\"a\"); Ok(0) }
          }
          fn main() {}",
            WARNING,
        ),
        (
            "struct A;
          impl A { fn spawn(self) { self.a() } fn a(self) { open(\"a\"); b().spawn() } }
          fn b() -> impl Sized { A }
          fn main() {}",
            WARNING,
        ),
        // Nobody can say.
        ("fn main() {}", WARNING),
    ];
    for (main, severity) in mains {
        let found = severities("child-not-waited", &format!("{shared}{main}"));
        assert_eq!(found, [(4, severity)], "{main}");
    }
}

#[test]
fn a_client_beside_a_person_is_milder() {
    let source = |before: &str, after: &str| {
        format!(
            "pub async fn run(name: &mut String) {{
    {before}
    let client = reqwest::Client::new();
    {after}
}}
fn ask(name: &mut String) {{ let _ = std::io::stdin().read_line(name); }}"
        )
    };
    let found = |before, after| library("http-client-without-timeout", &source(before, after));
    let get = "let _ = client.get(name.as_str()).send().await;";
    assert_eq!(found("", get), [(3, WARNING)]);
    assert_eq!(found("ask(name);", get), [(3, NOTE)]);
    // Lines that come one after the other are a protocol.
    let lines = "for _ in 0..2 { let _ = std::io::stdin().read_line(name); }";
    assert_eq!(found(lines, get), [(3, WARNING)]);
}

#[test]
fn what_may_be_dead_and_nobody_calls_is_milder() {
    let source = |attribute: &str, visible: &str, caller: &str| {
        format!(
            "mod inner {{
    {attribute}
    {visible} fn client() -> reqwest::Client {{
        made()
    }}
    fn made() -> reqwest::Client {{
        reqwest::Client::new()
    }}
    {caller}
}}"
        )
    };
    let found = |attribute, visible, caller| {
        let found = library("http-client-without-timeout", &source(attribute, visible, caller));
        found.into_iter().map(|(_, severity)| severity).collect::<Vec<_>>()
    };
    let allowed = "#[allow(dead_code)]";
    assert_eq!(found(allowed, "pub(crate)", ""), [NOTE]);
    // Nobody is seen, but nothing says that there is nobody.
    assert_eq!(found("", "pub(crate)", ""), [WARNING]);
    assert_eq!(found(allowed, "pub(crate)", "fn run() -> reqwest::Client { client() }"), [WARNING]);
    let tested = "#[test] fn works() { client(); }";
    assert_eq!(found(allowed, "pub(crate)", tested), [NOTE]);
}

#[test]
fn what_no_program_of_the_package_calls_is_milder() {
    let offered = "pub async fn install(from: &str) -> Option<String> {
    reqwest::Client::new().get(from).send().await.ok()?.text().await.ok()
}
";
    let found = |main: &str| {
        let tree = Tree::new();
        let deps = [("reqwest".to_owned(), "0.12.9".to_owned())];
        tree.write("a/Cargo.toml", manifest("a", &deps.into_iter().collect()));
        tree.write("a/src/lib.rs", offered);
        if !main.is_empty() {
            tree.write("a/src/main.rs", main);
        }
        let report = tree.lint("a", &["http-client-without-timeout"]);
        report.findings.iter().map(|found| found.severity).collect::<Vec<_>>()
    };
    assert_eq!(found(""), [WARNING]);
    assert_eq!(found("fn main() {}"), [NOTE]);
    assert_eq!(found("fn main() { loop { tokio::spawn(a::install(\"\")); } }"), [WARNING]);
}

#[test]
fn a_part_of_a_map_is_held_while_something_known_is_awaited() {
    let source = |of: &str, receiver: &str, value: &str| {
        format!(
            "use dashmap::DashMap;
use tokio::sync::mpsc::Sender;
pub struct Rooms {{ rooms: {of} }}
impl Rooms {{
    pub async fn tell({receiver}) {{
        for room in self.rooms.iter() {{ room.{value}.send(1).await.ok(); }}
    }}
}}"
        )
    };
    let (known, shared) =
        ("DashMap<u64, Sender<u32>>", "std::sync::Arc<DashMap<u64, Sender<u32>>>");
    let found =
        |of, receiver, value| library("shard-guard-across-await", &source(of, receiver, value));
    assert_eq!(found(known, "&self", "value()"), [(6, WARNING)]);
    assert_eq!(found(known, "&self", "pair().1"), [(6, WARNING)]);
    // Nobody knows what a mixer of another crate does when it sends.
    assert_eq!(found("DashMap<u64, mixing::Mixer>", "&self", "value()"), [(6, NOTE)]);
    assert_eq!(found(known, "&mut self", "value()"), []);
    assert_eq!(found(shared, "&mut self", "value()"), [(6, WARNING)]);
}

#[test]
fn a_client_counts_where_it_is_used() {
    let mains = [
        ("#[tokio::main] async fn main() { let one = Api::new(); one.get().await; }", NOTE),
        (
            "#[tokio::main] async fn main() { let one = Api::new(); loop { one.get().await; } }",
            WARNING,
        ),
        (
            "#[tokio::main] async fn main() {
              let one = Api::new();
              tokio::spawn(async move { one.get().await; });
          }",
            WARNING,
        ),
    ];
    for (main, severity) in mains {
        let source = format!(
            "
struct Api {{ client: reqwest::Client }}
impl Api {{
    fn new() -> Self {{
        Self {{ client: reqwest::Client::new() }}
    }}
    async fn get(&self) {{ let _ = self.client.get(\"https://example.org\").send().await; }}
}}
{main}"
        );
        let found = severities("http-client-without-timeout", &source);
        assert_eq!(found, [(5, severity)], "{main}");
    }
}

#[test]
fn a_peer_on_this_machine_is_seen_through_the_package() {
    let connect = "
use tokio::net::TcpStream;
struct Config { control: std::net::SocketAddr }
async fn dial(config: &Config) { let _ = TcpStream::connect(config.control).await; }
#[tokio::main] async fn main() {
    let given = std::env::args().nth(1);
";
    let ends = [
        ("let control = \"127.0.0.1:80\".parse().unwrap();", None),
        (
            "let control = match given {
              Some(given) => given.parse().unwrap(),
              None => \"127.0.0.1:80\".parse().unwrap(),
          };",
            Some(WARNING),
        ),
        ("let control = given.unwrap().parse().unwrap();", Some(WARNING)),
    ];
    for (made, severity) in ends {
        let source = format!(
            "{connect}{made} let config = Config {{ control }}; loop {{ dial(&config).await; }} }}"
        );
        let found = severities("tcp-connect-without-deadline", &source);
        let want: Vec<_> = severity.map(|severity| (4, severity)).into_iter().collect();
        assert_eq!(found, want, "{made}");
    }
}

#[test]
fn a_decision_that_is_written_down_is_heeded() {
    let source = "
use std::process::Command;
fn main() { loop { work() } }
fn work() {
    // Not waited on: it may take for ever.
    let _ = Command::new(\"a\").spawn();
    // TODO: this is not waited on.
    let _ = Command::new(\"b\").spawn();
    let _ = Command::new(\"c\").spawn(); // left alone on purpose
    let _ = Command::new(\"d\").spawn();
}
";
    let found = severities("child-not-waited", source);
    assert_eq!(found, [(6, NOTE), (8, WARNING), (9, NOTE), (10, WARNING)]);
}

#[test]
fn callers_of_a_constructor_are_known_among_many_of_its_name() {
    let others: String = (0..200)
        .map(|n| format!("struct A{n}; impl A{n} {{ fn new() -> A{n} {{ A{n} }} fn make() {{ A{n}::new(); }} }}\n"))
        .collect();
    let source = |limit: &str| {
        format!(
            "use std::time::Duration;
use tokio::net::TcpStream;
struct Link(TcpStream);
type Line = Link;
impl Link {{
    async fn new(address: &str) -> std::io::Result<Link> {{
        Ok(Link(TcpStream::connect(address).await?))
    }}
}}
async fn open(address: &str) {{
    loop {{
        let _ = {limit};
    }}
}}
#[tokio::main] async fn main() {{ open(\"example.org:80\").await }}
{others}"
        )
    };
    let rule = "tcp-connect-without-deadline";
    for name in ["Link", "Line"] {
        let plain = source(&format!("{name}::new(address).await"));
        assert_eq!(severities(rule, &plain), [(7, WARNING)], "{name}");
        let bounded =
            format!("tokio::time::timeout(Duration::from_secs(1), {name}::new(address)).await");
        assert_eq!(severities(rule, &source(&bounded)), [], "{name}");
    }
}

#[test]
fn a_transaction_that_rolls_back_when_dropped_is_one() {
    let source = |dropped: &str| {
        format!(
            "pub struct Store;
pub struct Work {{ open: bool }}
impl Store {{ pub fn begin(&self) -> Work {{ Work {{ open: true }} }} }}
impl Work {{
    pub fn put(&mut self, _: u32) {{}}
    pub fn commit(&mut self) {{ self.open = false }}
    pub fn rollback(&mut self) {{ self.open = false }}
}}
{dropped}
pub fn write(store: &Store) {{
    let mut work = store.begin();
    work.put(1);
}}
fn main() {{ loop {{ write(&Store) }} }}
"
        )
    };
    let rule = "transaction-never-ended";
    let undoes =
        source("impl Drop for Work { fn drop(&mut self) { if self.open { self.rollback() } } }");
    assert_eq!(severities(rule, &undoes), [(11, WARNING)]);
    // Around one that does.
    let inner = "struct Inner; impl Drop for Inner { fn drop(&mut self) { rollback_now() } } fn rollback_now() {}";
    let around = source(inner).replace("Work { open: bool }", "Work { open: bool, _inner: Inner }");
    let around = around.replace("Work { open: true }", "Work { open: true, _inner: Inner }");
    assert_eq!(severities(rule, &around), [(11, WARNING)]);
    assert_eq!(severities(rule, &source("")), [(11, NOTE)]);
}

#[test]
fn what_a_function_of_a_trait_is_brought_is_bounded_by_who_brings_it() {
    let source = |before: &str, service: &str| {
        format!(
            "use std::future::Future;
use std::pin::Pin;
use tokio_native_tls::TlsConnector;
pub struct Tls(TlsConnector);
pub type Made = Pin<Box<dyn Future<Output = bool>>>;
{before}
impl Service<Connection> for Tls {{
    fn call(&self, stream: Connection) -> Made {{
        let (io, stream) = {service};
        let connector = self.0.clone();
        Box::pin(async move {{
            connector.connect(stream.name(), io).await.is_ok()
        }})
    }}
}}
"
        )
    };
    let foreign = "use tower::Service;";
    let own = "pub trait Service<T> { fn call(&self, stream: T) -> Made; }";
    let brought = "stream.into_parts()";
    let rule = "client-handshake-without-deadline";
    for (before, service, severity) in [
        (foreign, brought, NOTE),
        (own, brought, NOTE),
        (foreign, "(self.dial(stream.name()), stream)", WARNING),
    ] {
        assert_eq!(library(rule, &source(before, service)), [(12, severity)], "{service}");
    }
}

#[test]
fn what_only_tests_use_is_milder() {
    let source = |name: &str| {
        format!("pub fn {name}() -> reqwest::Client {{\n    reqwest::Client::new()\n}}\n")
    };
    let rule = "http-client-without-timeout";
    let about = "description = \"Mocking of servers\"\nkeywords = [\"mock\", \"http\"]\n";
    let found = |about: &str, name: &str| in_package("lib.rs", about, rule, &source(name));
    assert_eq!(found("", "client"), [(2, WARNING)]);
    assert_eq!(found(about, "client"), [(2, NOTE)]);
    assert_eq!(found("", "client_for_tests"), [(2, NOTE)]);
    // Nothing is left over that would end with the tests.
    let unguarded = "pub fn run(gate: &std::sync::Mutex<()>) {
    let _ = gate.lock();
    println!();
}
";
    let found = in_package("lib.rs", about, "guard-dropped-at-once", unguarded);
    assert_eq!(found, [(2, WARNING)]);
}

#[test]
fn a_client_has_the_limit_of_all_its_uses() {
    let source = |limit: &str| {
        format!(
            "use std::future::Future;
use std::time::Duration;
pub struct Resolver {{ client: reqwest::Client }}
impl Resolver {{
    pub fn new() -> Self {{ Self {{ client: reqwest::Client::new() }} }}
    pub async fn ask(&self) -> Option<String> {{ {limit} }}
}}
async fn query(client: &reqwest::Client) -> Option<String> {{
    client.get(\"https://example.org\").send().await.ok()?.text().await.ok()
}}
async fn within<T>(limit: Duration, work: impl Future<Output = Option<T>>) -> Option<T> {{
    tokio::time::timeout(limit, work).await.ok()?
}}
"
        )
    };
    let rule = "http-client-without-timeout";
    let bounded = source("within(Duration::from_secs(5), query(&self.client)).await");
    assert_eq!(library(rule, &bounded), []);
    assert_eq!(library(rule, &source("query(&self.client).await")), [(5, WARNING)]);
}

#[test]
fn a_caller_known_by_the_name_of_a_method_alone_is_no_proof() {
    let source = |kind: &str| {
        format!(
            "use tokio::net::TcpStream;
trait Connector {{ async fn dial(&self) -> std::io::Result<TcpStream>; }}
struct Plain(std::net::SocketAddr);
impl Connector for Plain {{
    async fn dial(&self) -> std::io::Result<TcpStream> {{
        TcpStream::connect(self.0).await
    }}
}}
async fn keep<T: other::Dial>(connector: {kind}) {{ loop {{ let _ = connector.dial().await; }} }}
fn main() {{}}
"
        )
    };
    let rule = "tcp-connect-without-deadline";
    assert_eq!(severities(rule, &source("Plain")), [(6, WARNING)]);
    assert_eq!(severities(rule, &source("T")), [(6, NOTE)]);
}

#[test]
fn a_command_of_a_library_leaves_what_the_library_offers_to_its_users() {
    let offered = "
pub async fn open(address: &str) -> std::io::Result<tokio::net::TcpStream> {
    tokio::net::TcpStream::connect(address).await
}
pub async fn open_twice(address: &str) -> std::io::Result<()> {
    open(address).await?;
    open(address).await.map(drop)
}
";
    let mains = [
        ("#[tokio::main] async fn main() { a::open(\"peer.example:1\").await.ok(); }", NOTE),
        (
            "#[tokio::main] async fn main() { loop { a::open(\"peer.example:1\").await.ok(); } }",
            WARNING,
        ),
    ];
    for (main, severity) in mains {
        let tree = Tree::new();
        let deps = [("tokio".to_owned(), "1.40.0".to_owned())];
        tree.write("a/Cargo.toml", manifest("a", &deps.into_iter().collect()));
        tree.write("a/src/lib.rs", offered);
        tree.write("a/src/main.rs", main);
        let report = tree.lint("a", &["tcp-connect-without-deadline"]);
        let found: Vec<_> = report.findings.iter().map(|found| found.severity).collect();
        assert_eq!(found, [severity], "{main}");
    }
}

#[test]
fn a_pointer_of_which_no_path_shows_an_owner_may_have_one() {
    let given_up = "
pub fn make(text: Vec<u8>) -> *mut u8 {
    let mut text = text.into_boxed_slice();
    let first = text.as_mut_ptr();
    let _whole = Box::into_raw(text);
    first
}
pub unsafe fn free(first: *mut u8) {
    drop(unsafe { Box::from_raw(first) });
}
";
    let found = library("raw-box-lost-on-some-path", given_up);
    assert!(found.iter().all(|(_, severity)| *severity == NOTE), "{found:?}");
}

#[test]
fn a_module_below_a_file_that_no_mod_leads_to_is_not_compiled_either() {
    let connect = "
pub async fn dial() { loop { tokio::net::TcpStream::connect(\"peer.example:1\").await.ok(); } }
";
    let tree = Tree::new();
    let deps = [("tokio".to_owned(), "1.40.0".to_owned())];
    tree.write("a/Cargo.toml", manifest("a", &deps.into_iter().collect()));
    tree.write("a/src/lib.rs", "");
    tree.write("a/src/net/mod.rs", "mod tun;");
    tree.write("a/src/net/tun.rs", connect);
    let report = tree.lint("a", &["tcp-connect-without-deadline"]);
    assert!(report.findings.iter().all(|found| found.severity == NOTE));
}
