//! The cache of the linter: an answer is the same with and without it, whatever happens to its files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use jiff::civil::date;
use poolscan::lint::{Cache, Options, Report, Store, run};

use super::linted::Tree;

/// Everything that a package can have to tell: findings in two files, one of them with places in
/// both; suppressions that are used, unused, unknown, wrong and about to expire; a file that is no
/// Rust, one in parts, one that a program wrote, and one that is no text.
fn package(tree: &Tree, name: &str) {
    tree.package(
        name,
        &BTreeMap::new(),
        "pub mod broken;\npub mod made;\npub mod other;\nuse std::process::Command;\n\
         pub fn one() -> std::io::Result<()> {\n    let mut child = Command::new(\"a\").spawn()?;\n    \
         if other::quick() { return Ok(()); }\n    child.wait()?;\n    Ok(())\n}\n\
         // poolscan: allow(child-not-waited, reason = \"w\", until = \"2027-01-31\")\n\
         pub fn two() { Command::new(\"b\").spawn().unwrap(); }\n\
         // poolscan: allow(child-not-waited)\npub fn three() {}\n\
         // poolscan: allow(no-such-rule): why\npub fn four() {}\n// poolscan: alow(x)\n",
    );
    tree.write(
        &format!("{name}/src/other.rs"),
        "pub fn quick() -> bool { true }\npub fn start() {\n    \
         std::process::Command::new(\"c\").spawn().unwrap();\n}\n",
    );
    tree.write(&format!("{name}/src/broken.rs"), "fn fine() {}\nfn 3() {}\nfn also_fine() {}\n");
    tree.write(&format!("{name}/src/made.rs"), "// @generated\nfn f() {}\n");
    tree.write(&format!("{name}/src/bytes.rs"), b"// \xff");
    tree.write(&format!("{name}/snippets/part.rs"), "{ what is this }");
}

/// A cache in memory that counts.
#[derive(Default)]
struct Memory {
    kept: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    hits: AtomicU64,
}

impl Store for Memory {
    fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let found = self.kept.lock().unwrap().get(key).cloned();
        self.hits.fetch_add(u64::from(found.is_some()), Ordering::Relaxed);
        found
    }

    fn put(&self, key: &[u8; 32], value: &[u8]) {
        self.kept.lock().unwrap().insert(*key, value.to_vec());
    }
}

impl Memory {
    fn hits(&self) -> u64 {
        self.hits.swap(0, Ordering::Relaxed)
    }
}

fn assert_same(one: &Report, other: &Report) {
    assert_eq!(one.findings, other.findings);
    assert_eq!(one.issues, other.issues);
    assert_eq!(one.sources, other.sources);
    assert_eq!(one.skipped, other.skipped);
    assert_eq!(one.scope, other.scope);
    let counts = |r: &Report| {
        let stats = &r.stats;
        (stats.packages, stats.files, stats.lines, stats.bodies, stats.suppressed)
    };
    assert_eq!(counts(one), counts(other));
}

/// Lints with a cache and without one, and returns whether all came from it.
fn from_cache(memory: &Arc<Memory>, options: &Options) -> (Report, bool) {
    let cache = Some(Cache(Arc::clone(memory) as Arc<dyn Store>));
    let report = run(&Options { cache, ..options.clone() }).unwrap();
    assert_same(&report, &run(options).unwrap());
    let packages = report.scope.packages.len() as u64;
    let hits = memory.hits();
    (report, hits == packages)
}

#[test]
fn everything_that_goes_in_is_in_the_key() {
    let tree = Tree::new();
    package(&tree, "one");
    let memory = Arc::new(Memory::default());
    let today = date(2027, 1, 31);
    let options = Options { today, paths: vec![tree.path("one")], ..Options::default() };
    let (cold, hit) = from_cache(&memory, &options);
    assert!(!hit);
    assert_eq!((cold.findings.len(), cold.stats.suppressed), (2, 1));
    assert_eq!((cold.issues.len(), cold.skipped.len()), (6, 3), "{:#?}", cold.issues);
    assert!(from_cache(&memory, &options).1);
    // The day is not: what is kept is not yet judged by it.
    let (late, hit) = from_cache(&memory, &Options { today: date(2027, 2, 1), ..options.clone() });
    assert_eq!((hit, late.findings.len(), late.stats.suppressed), (true, 3, 0));
    // Each change is a miss once, and then a hit.
    let changed = |what: &str, options: &Options| {
        assert!(!from_cache(&memory, options).1, "{what}");
        assert!(from_cache(&memory, options).1, "{what}");
    };
    let rules = |select: &[&str], ignore: &[&str]| Options {
        select: select.iter().map(|&id| id.to_owned()).collect(),
        ignore: ignore.iter().map(|&id| id.to_owned()).collect(),
        ..options.clone()
    };
    changed("select", &rules(&["child-not-waited"], &[]));
    changed("ignore", &rules(&[], &["child-not-waited"]));
    changed("paths", &Options { paths: vec![tree.path("one/src/lib.rs")], ..options.clone() });
    let edit = |name: &str, from: &str, to: &str| {
        let text = fs::read_to_string(tree.path(name)).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        tree.write(name, text.replacen(from, to, 1));
    };
    edit("one/src/other.rs", "\"c\"", "\"d\"");
    changed("text", &options);
    tree.write("one/src/new.rs", "");
    changed("new file", &options);
    fs::rename(tree.path("one/src/new.rs"), tree.path("one/src/newer.rs")).unwrap();
    changed("name of a file", &options);
    edit("one/Cargo.toml", "2021", "2024");
    changed("edition", &options);
    edit("one/Cargo.toml", "[dependencies]", "[features]\na = []\n[dependencies]\nredis = \"1\"");
    changed("dependencies and features", &options);
    tree.write(
        "one/Cargo.lock",
        "version = 4\n[[package]]\nname = \"one\"\nversion = \"0.1.0\"\ndependencies = [\"redis\"]\n\
         [[package]]\nname = \"redis\"\nversion = \"1.0.3\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
    );
    changed("lock file", &options);
    fs::rename(tree.path("one"), tree.path("two")).unwrap();
    changed("folder", &Options { paths: vec![tree.path("two")], ..options.clone() });
    // Files of no package.
    tree.write("loose/a.rs", "fn f() { std::process::Command::new(\"a\").spawn().unwrap(); }");
    changed("loose", &Options { paths: vec![tree.path("loose")], ..options.clone() });
}

#[test]
fn fixes_are_kept_and_what_stands_for_a_file_is_not() {
    let text = "pub fn f(m: &std::sync::Mutex<u32>) {\n    let _ = m.lock();\n    \
        std::thread::yield_now();\n}\n";
    let tree = Tree::new();
    tree.package("one", &BTreeMap::new(), text);
    let memory = Arc::new(Memory::default());
    let options = Options { paths: vec![tree.path("one")], ..Options::default() };
    let first_byte = |report: &Report| {
        let fix = report.findings[0].fix.as_ref().unwrap();
        fix.edits[0].file_bytes.0
    };
    let (report, hit) = from_cache(&memory, &options);
    let at = first_byte(&report);
    assert!(!hit && from_cache(&memory, &options).1);
    // A byte order mark moves nothing but the places in the file.
    tree.write("one/src/lib.rs", format!("\u{feff}{text}"));
    let (report, hit) = from_cache(&memory, &options);
    assert_eq!((hit, first_byte(&report)), (false, at + 3));
    assert!(from_cache(&memory, &options).1);
    let kept = memory.kept.lock().unwrap().len();
    let overlay = BTreeMap::from([(tree.path("one/src/lib.rs"), Arc::from(text))]);
    let options = Options { overlay, ..options };
    for _ in 0..2 {
        let (report, hit) = from_cache(&memory, &options);
        assert_eq!((hit, first_byte(&report)), (false, at));
    }
    assert_eq!(memory.kept.lock().unwrap().len(), kept);
    // Packages beside it are kept.
    package(&tree, "two");
    let cache = Some(Cache(Arc::clone(&memory) as Arc<dyn Store>));
    let options = Options { paths: vec![tree.path("")], cache, ..options };
    for hits in [0, 1] {
        run(&options).unwrap();
        assert_eq!(memory.hits(), hits);
    }
    assert_eq!(memory.kept.lock().unwrap().len(), kept + 1);
}

#[test]
fn what_is_kept_may_be_anything() {
    let tree = Tree::new();
    package(&tree, "one");
    let memory = Arc::new(Memory::default());
    let options = Options { paths: vec![tree.path("one")], ..Options::default() };
    from_cache(&memory, &options);
    let whole = memory.kept.lock().unwrap().clone();
    let (key, value) = whole.iter().next().unwrap();
    let text = String::from_utf8(value.clone()).unwrap();
    let path = "\"path\":\"";
    let missing = text.replace(path, "\"path\":\"9");
    let reason = text.replace("generated", "something else");
    assert!(missing != text && reason != text, "{text}");
    for harmed in ["", "{}", "[1", &text[..text.len() / 2], &missing, &reason] {
        memory.put(key, harmed.as_bytes());
        // It is worked out anew, and put right.
        from_cache(&memory, &options);
        assert_eq!(memory.kept.lock().unwrap()[key], *value);
    }
}

/// The command line on a folder of packages, with a cache in another one.
struct Site {
    tree: Tree,
    cache: PathBuf,
}

impl Site {
    fn new(packages: usize) -> Self {
        let tree = Tree::new();
        tree.write(".git/HEAD", "");
        for number in 0..packages {
            package(&tree, &format!("p{number}"));
        }
        let cache = tree.path("kept/here");
        Self { tree, cache }
    }

    fn command(&self, folder: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
        command.arg("lint").args(args).current_dir(self.tree.path(folder)).stdin(Stdio::null());
        command
    }

    /// Code and output with these arguments.
    fn answer(&self, folder: &str, args: &[&str]) -> (Option<i32>, String) {
        let output = self.command(folder, args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
    }

    fn cached(&self, folder: &str, args: &[&str]) -> (Option<i32>, String) {
        self.answer(folder, &[args, &["--cache-dir", self.cache.to_str().unwrap()]].concat())
    }

    fn plain(&self, folder: &str, args: &[&str]) -> (Option<i32>, String) {
        self.answer(folder, &[args, &["--no-cache"]].concat())
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.cache) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn unfinished(&self) -> usize {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        self.files().iter().filter(|path| name(path).starts_with("unfinished-")).count()
    }
}

fn age(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3 * 60 * 60);
    fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn warm_and_cold_say_the_same() {
    let site = Site::new(3);
    for args in [
        &["--format", "json"][..],
        &["--format", "sarif"],
        &["--format", "agent", "--notes"],
        &["--format", "github"],
        &["--format", "json", "p1/src/lib.rs", "p2"],
        &["--format", "json", "--select", "process"],
    ] {
        let plain = site.plain("", args);
        assert_eq!(
            (site.cached("", args), site.cached("", args)),
            (plain.clone(), plain),
            "{args:?}"
        );
    }
    // From another folder the same is found under other paths, and from the same files.
    let files = site.files();
    files.iter().for_each(|path| age(path));
    let before = files.iter().map(|path| path.metadata().unwrap().modified().unwrap());
    let before: Vec<SystemTime> = before.collect();
    for (format, named) in [("json", "\"lib.rs\""), ("sarif", "\"fixes\"")] {
        let args = ["--format", format, "../.."];
        let cached = site.cached("p0/src", &args);
        assert_eq!(cached, site.plain("p0/src", &args));
        assert!(cached.1.contains(named), "{}", cached.1);
    }
    let after = site.files().into_iter().map(|path| path.metadata().unwrap().modified().unwrap());
    assert_eq!(after.collect::<Vec<_>>(), before);

    // Baselines: what is known, and what is gone; only of what was read whole.
    for name in ["src/broken", "src/bytes", "snippets/part"] {
        site.tree.write(&format!("p1/{name}.rs"), "");
    }
    let baseline = ["--baseline", "known.json", "--format", "json"];
    site.cached("", &["--baseline", "known.json", "--write-baseline"]);
    assert_eq!(site.cached("", &baseline), site.plain("", &baseline));
    assert_eq!(site.cached("", &baseline).0, Some(0));
    site.tree.write("p1/src/other.rs", "pub fn quick() -> bool { false }\n");
    for _ in 0..2 {
        let cached = site.cached("", &baseline);
        assert!(cached.1.contains("1 finding is gone"), "{}", cached.1);
        assert_eq!(cached, site.plain("", &baseline));
    }
    // Settings that hold in some files only.
    let paths = "[[override]]\npaths = [\"p0/src/other.rs\"]\nignore = [\"all\"]\n";
    for text in [paths.to_owned(), paths.replace("p0", "p2"), "severity.process = \"note\"".into()]
    {
        site.tree.write("poolscan.toml", text);
        let plain = site.plain("", &["--format", "json"]);
        for _ in 0..2 {
            assert_eq!(site.cached("", &["--format", "json"]), plain);
        }
    }
    // What only a whole run knows is not kept.
    let count = site.files().len();
    site.tree.write("p0/src/more.rs", "");
    assert_eq!(site.cached("", &["--stats"]).0, Some(0));
    assert_eq!(site.files().len(), count);
}

#[test]
fn harmed_files_change_nothing() {
    let site = Site::new(4);
    let args = ["--format", "json"];
    let plain = site.plain("", &args);
    assert_eq!(site.cached("", &args), plain);
    assert_eq!(site.files().len(), 4);
    for round in 0..8 {
        for (number, path) in site.files().iter().enumerate() {
            let mut bytes = fs::read(path).unwrap();
            let at = bytes.len() * (round + 1) / 9 - 1;
            match (round + number) % 4 {
                0 => bytes[at] ^= 1,
                1 => bytes.truncate(at),
                2 => bytes.extend(bytes.clone()),
                _ => bytes.clear(),
            }
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(site.cached("", &args), plain, "{round}");
    }
    // Files of one package under the names of others.
    let files = site.files();
    fs::rename(&files[0], site.tree.path("spare")).unwrap();
    fs::rename(&files[1], &files[0]).unwrap();
    fs::rename(site.tree.path("spare"), &files[1]).unwrap();
    assert_eq!(site.cached("", &args), plain);
    // No place for it, or one that is none.
    fs::remove_dir_all(&site.cache).unwrap();
    fs::write(&site.cache, "a file").unwrap();
    assert_eq!(site.cached("", &args), plain);
    assert_eq!(site.answer("", &[&args[..], &["--cache-dir", "/dev/null/x"]].concat()), plain);
}

#[test]
fn ten_at_once_agree() {
    let site = Site::new(5);
    let cache = site.cache.to_str().unwrap();
    let args = ["--format", "json", "--cache-dir", cache];
    let plain = site.plain("", &["--format", "json"]);
    for _ in 0..2 {
        let start = |_| {
            let mut command = site.command("", &args);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let all: Vec<Child> = (0..10).map(start).collect();
        for child in all {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), text + &stderr), plain);
        }
        assert_eq!((site.files().len(), site.unfinished()), (5, 0));
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing_wrong() {
    let site = Site::new(12);
    let cache = site.cache.to_str().unwrap();
    let plain = site.plain("", &["--format", "json"]);
    for after in [1, 3, 6, 11] {
        let _ = fs::remove_dir_all(&site.cache);
        let args = ["--threads", "1", "--cache-dir", cache];
        let mut child = site.command("", &args).stdout(Stdio::null()).spawn().unwrap();
        // Killed while it writes, unless it was faster: both must do.
        while site.files().len() < after && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(site.cached("", &["--format", "json"]), plain);
        assert_eq!(site.cached("", &["--format", "json"]), plain);
    }
}

#[test]
fn who_depends_on_a_package_is_asked_again_when_its_interface_changes() {
    let tree = Tree::new();
    tree.write("Cargo.toml", "[workspace]\nmembers = ['base', 'app']\n");
    let manifest = |name: &str, deps: &str| {
        format!("[package]\nname = '{name}'\nedition = '2021'\n[dependencies]\n{deps}")
    };
    tree.write("base/Cargo.toml", manifest("base", ""));
    let base = |body: &str| {
        let start = "pub fn start() -> std::process::Child {\n    \
                     std::process::Command::new(\"a\").spawn().unwrap()\n}\n";
        tree.write("base/src/lib.rs", format!("{start}{body}"));
    };
    let reap = |how: &str| format!("pub fn reap(child: &mut std::process::Child) {{\n{how}\n}}\n");
    base(&reap("child.wait().unwrap();"));
    tree.write("app/Cargo.toml", manifest("app", "base = { path = '../base' }\n"));
    let app = "pub fn f() { let mut child = base::start(); base::reap(&mut child); }\n";
    tree.write("app/src/lib.rs", app);

    let memory = Arc::new(Memory::default());
    let options = Options { paths: vec![tree.path("")], ..Options::default() };
    let hits = || {
        let cache = Some(Cache(Arc::clone(&memory) as Arc<dyn Store>));
        let report = run(&Options { cache, ..options.clone() }).unwrap();
        assert_same(&report, &run(&options).unwrap());
        (memory.hits(), report.findings.len())
    };
    assert_eq!(hits(), (0, 0));
    assert_eq!(hits(), (2, 0));
    base(&reap("println!(); child.wait().unwrap();"));
    assert_eq!(hits(), (1, 0), "the body of one package is nothing to the other");
    base(&reap("println!(\"{}\", child.id());"));
    assert_eq!(hits(), (0, 1), "what the function does with its argument is");
    assert_eq!(hits(), (2, 1), "a finding that points into another package is kept");
    // By itself, the first one is only read for what it tells.
    let cache = Some(Cache(Arc::clone(&memory) as Arc<dyn Store>));
    let narrow = Options { paths: vec![tree.path("app")], cache, ..options.clone() };
    assert_eq!(run(&narrow).unwrap().findings.len(), 1);
    assert_eq!(memory.hits(), 1);
}
