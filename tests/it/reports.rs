//! Pages of HTML through the binary, and in a real browser where there is one.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn poolscan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_poolscan")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn recording(name: &str) -> String {
    format!("{}/fixtures/recordings/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The page of a recording.
fn page(recording: &str, folder: &Path) -> String {
    let file = folder.join("out.html");
    let shown = file.to_str().unwrap();
    let output = poolscan(&["replay", recording, "--report", shown, "--fail-on", "never"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(file).unwrap()
}

/// Charts and their parts, in page or in what a browser makes of it.
fn count(page: &str, part: &str) -> usize {
    page.matches(part).count()
}

/// A recording of names that would act in a page.
fn hostile(folder: &Path) -> String {
    let file = folder.join("hostile.jsonl");
    let names = [
        "</title></style></svg><script src='https://evil.example/x.js'></script>",
        "\\\"><img src='https://evil.example/x.png' onerror=alert(1)>",
        "<svg onload=alert(1)><style>@import 'https://evil.example/x.css'</style>",
        "javascript:alert(1)",
    ];
    let mut text = format!(
        "{{\"type\":\"target\",\"name\":\"{}\",\"command\":\"{}\",\"pids\":[7]}}\n",
        names[0], names[1]
    );
    for second in 0..400 {
        let name = names[second % names.len()];
        let at = second * 1000;
        text.push_str(&format!(
            "{{\"type\":\"open\",\"t_ms\":{at},\"id\":{second},\"kind\":\"socket\",\"role\":\"{name}\",\
             \"peer\":\"{name}\",\"label\":\"{name}\",\"silent_since_ms\":{at}}}\n\
             {{\"type\":\"gauge\",\"t_ms\":{at},\"name\":\"{name}\",\"value\":{second}}}\n"
        ));
        text.push_str(&format!(
            "{{\"type\":\"pool\",\"t_ms\":{at},\"name\":\"{name}\",\"numbers\":{{\"in_use\":9,\"max\":9,\"waiting\":1}}}}\n\
             {{\"type\":\"connections\",\"t_ms\":{at},\"basis\":\"traced\",\"role\":\"{name}\",\
             \"peer\":\"{name}\",\"opened\":{second},\"lives\":[1,{second}],\"lives_ms\":{second}}}\n"
        ));
        if second % 3 == 0 {
            text.push_str(&format!("{{\"type\":\"close\",\"t_ms\":{at},\"id\":{second}}}\n"));
        }
    }
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_recording_alone_makes_a_page_with_everything_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(&recording("live/close-wait.jsonl.gz"), folder.path());
    for part in [
        "<h3>Over time</h3>",
        "<h3>Water levels</h3>",
        "<h3>Handles held in the end</h3>",
        "<h3>Environment</h3>",
        "class=\"line\"",
        "class=\"band leaking\"",
        "CLOSE_WAIT",
        "prefers-color-scheme:dark",
        "name=\"viewport\"",
        "poolscan replay",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(count(&page, "class=\"x-label\""), count(&page, "class=\"y-label\""));
    assert!(count(&page, "class=\"chart\"") >= 4);
    // The same recording gives the same page.
    assert_eq!(page, self::page(&recording("live/close-wait.jsonl.gz"), folder.path()));
}

#[test]
fn healthy_connections_have_a_histogram() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(&recording("nginx-close.jsonl.gz"), folder.path());
    assert!(page.contains("How long connections lived") && page.contains("class=\"bar\""));
    assert!(!page.contains("class=\"band leaking\""));
    assert!(page.len() < 3_000_000, "{}", page.len());
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let ten = recording("ten-lines.jsonl");
    let nowhere = folder.path().join("no/such/folder.html");
    let output = poolscan(&["replay", &ten, "--report", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let damaged = folder.path().join("damaged.jsonl");
    std::fs::write(&damaged, "nonsense\n").unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, "of before").unwrap();
    let [damaged, shown] = [&damaged, &page].map(|path| path.to_str().unwrap());
    assert_eq!(poolscan(&["replay", damaged, "--report", shown]).status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "of before");
    assert_eq!(poolscan(&["replay", &ten, &ten, "--report", shown]).status.code(), Some(2));
}

#[test]
fn lint_makes_a_page_and_counts_for_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("a.rs");
    let text = "/// </pre><script>alert(1)</script>\nfn f() { std::process::Command::new(\"x\")\
                .spawn().unwrap(); }\n";
    std::fs::write(&source, text).unwrap();
    let [page, counts] = ["out.html", "lint.prom"].map(|name| folder.path().join(name));
    let format = format!("prometheus={}", counts.display());
    let output = poolscan(&[
        "lint",
        source.to_str().unwrap(),
        "--report",
        page.to_str().unwrap(),
        "--format",
        &format,
        "--fail-on",
        "never",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("child-not-waited") && page.contains("class=\"mark\""), "{page}");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    let counts = std::fs::read_to_string(counts).unwrap();
    assert!(counts.contains("poolscan_lint_files 1"), "{counts}");
    if accepted(&counts).is_none() {
        println!("SKIPPED: promtool is not installed");
    }
}

/// Asks the tool of Prometheus whether it takes these metrics; none without that tool.
fn accepted(text: &str) -> Option<()> {
    use std::io::Write as _;
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut tool = tool.ok()?;
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&said));
    Some(())
}

#[cfg(target_os = "linux")]
#[test]
fn promtool_takes_the_metrics_of_a_watch() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watch.prom");
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let (pid, shown) = (child.id().to_string(), file.to_str().unwrap());
    let output = poolscan(&["watch", &pid, "--once", "--textfile", shown]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&format!("poolscan_open_fds{{target=\"sleep\",pid=\"{pid}\"}}")),
        "{text}"
    );
    if accepted(&text).is_none() {
        println!("SKIPPED: promtool is not installed");
    }
}

#[test]
fn dashboards_and_alerts_name_only_metrics_that_exist() {
    let known = poolscan::report::metric_names();
    let mut seen = std::collections::BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let names = ["grafana/fleet.json", "grafana/process.json", "grafana/lint.json"];
    for name in names.into_iter().chain(["prometheus/alerts.yml", "prometheus/alerts_test.yml"]) {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        if name.ends_with("json") {
            let board: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(board["panels"].as_array().unwrap().len() > 5, "{name}");
        }
        for start in text.match_indices("poolscan_").map(|(at, _)| at) {
            let rest = &text[start..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let metric = &rest[..end.unwrap_or(rest.len())];
            let base = metric.strip_suffix("_bucket").unwrap_or(metric);
            assert!(known.iter().any(|name| name == base), "{name} names {metric}");
            seen.insert(base.to_owned());
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
    // Every metric is explained.
    let docs = std::fs::read_to_string(folder.join("../docs/prometheus.md")).unwrap();
    for name in known {
        assert!(docs.contains(&format!("`{name}`")), "docs/prometheus.md does not explain {name}");
    }
}

#[test]
fn the_other_files_are_what_their_readers_take() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    for name in [
        "prometheus/prometheus.yml",
        "prometheus/alerts.yml",
        "prometheus/alerts_test.yml",
        "kubernetes/daemonset.yaml",
        "docker/docker-compose.yml",
        "docker/grafana-datasource.yml",
        "docker/grafana-dashboards.yml",
    ] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let documents = yaml_rust2::YamlLoader::load_from_str(&text).unwrap();
        for document in &documents {
            assert!(document.as_hash().is_some(), "{name}");
        }
        if name.starts_with("kubernetes") {
            let spec = &documents[1]["spec"]["template"]["spec"];
            assert_eq!(spec["hostPID"].as_bool(), Some(true));
            let rights = &spec["containers"][0]["securityContext"]["capabilities"];
            assert_eq!(rights["drop"][0].as_str(), Some("ALL"));
            // What stands in its ConfigMap is read as the agent reads it, up to its end.
            agent_takes(documents[0]["data"]["agent.toml"].as_str().unwrap());
        }
    }
    agent_takes(&std::fs::read_to_string(folder.join("agent.toml")).unwrap());
    for (program, args) in [
        ("promtool", &["check", "rules", "prometheus/alerts.yml"][..]),
        ("promtool", &["test", "rules", "prometheus/alerts_test.yml"]),
        ("promtool", &["check", "config", "prometheus/prometheus.yml"]),
    ] {
        match Command::new(program).args(args).current_dir(&folder).output() {
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
            }
            Err(_) => println!("SKIPPED: {program} is not installed"),
        }
    }
}

/// The agent reads this configuration: it only fails at what is added to it.
fn agent_takes(config: &str) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.toml");
    std::fs::write(&file, format!("{config}\nnonsense = 1\n")).unwrap();
    let output = poolscan(&["agent", "--config", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("unknown field `nonsense`"), "{said}");
}

/// What a browser makes of a page.
struct Browsed {
    dom: String,
    /// Its log of the network.
    network: String,
    /// What it said, complaints of pages included.
    said: String,
}

/// Opens a page in a browser; none without one.
fn browse(page: &Path, folder: &Path) -> Option<Browsed> {
    let log = folder.join("net.json");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
            "--enable-logging=stderr",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--no-first-run"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg("--window-size=390,844")
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output();
    let output = output.ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let dom = String::from_utf8(output.stdout).unwrap();
    let network = std::fs::read_to_string(log).unwrap();
    Some(Browsed { dom, network, said })
}

#[test]
fn a_browser_shows_the_page_fetches_nothing_and_hostile_names_are_inert() {
    let folder = tempfile::tempdir().unwrap();
    // That it would be seen when a page did what ours must not.
    let control = folder.path().join("control.html");
    let acting = "<img src='http://evil.example/x.png'><script>console.log('control')</script>";
    std::fs::write(&control, acting).unwrap();
    let Some(seen) = browse(&control, folder.path()) else {
        return println!("SKIPPED: chromium is not installed");
    };
    assert!(seen.network.contains("evil.example") && seen.said.contains("CONSOLE"));

    let file = folder.path().join("out.html");
    for recording in [recording("live/close-wait.jsonl.gz"), hostile(folder.path())] {
        let own = page(&recording, folder.path());
        let Browsed { dom, network, said } = browse(&file, folder.path()).unwrap();
        assert!(!said.contains("CONSOLE"), "the page made the browser complain: {said}");
        for part in ["class=\"chart\"", "class=\"line\"", "class=\"x-tick\"", "class=\"y-label\""] {
            assert_eq!(count(&dom, part), count(&own, part), "{part}");
            assert!(count(&dom, part) > 0, "{part}");
        }
        let acting = ["<script", "<img", "<svg onload", "onerror=\"", "onload=\"", "href=\"java"];
        for acting in acting {
            assert!(!dom.contains(acting), "{acting}");
        }
        assert!(!network.contains("evil.example"), "something was fetched");
        assert_eq!(recording.contains("hostile"), dom.contains("evil.example"));
        assert_eq!(recording.contains("hostile"), dom.contains("class=\"fill-exhausted\""));
        assert_eq!(recording.contains("hostile"), dom.contains("class=\"histogram\""));
    }
}
