//! Export to a collector of OpenTelemetry, through the binary.

use std::process::{Command, Output, Stdio};

fn poolscan(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscan"));
    command.args(args).envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_without_it_says_how_to_get_one() {
    let output = poolscan(&["watch", "1", "--once", "--otlp", "http://127.0.0.1:4318"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--features otlp"), "{}", said(&output));
}

#[cfg(feature = "otlp")]
mod with_it {
    use std::collections::BTreeSet;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::Child;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use prost::Message;

    use super::*;

    /// A process with nearly as many open files as it may have: there is something to say of it at
    /// once.
    struct Full(Child);

    impl Full {
        fn start() -> Self {
            let script = "ulimit -n 20; i=3; while [ $i -lt 20 ]; do eval \"exec $i</dev/null\"; \
                          i=$((i+1)); done; echo all; read -r _";
            let mut child = Command::new("bash")
                .args(["-c", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // It has them all once it says so; then it waits for what never comes.
            let mut said = [0; 4];
            child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
            Self(child)
        }

        fn pid(&self) -> String {
            self.0.id().to_string()
        }
    }

    impl Drop for Full {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// One request as it came.
    struct Request {
        head: String,
        body: Vec<u8>,
    }

    fn read(stream: &mut TcpStream) -> Option<Request> {
        let mut bytes = Vec::new();
        let end = loop {
            let mut some = [0; 4096];
            let count = stream.read(&mut some).ok().filter(|&count| count > 0)?;
            bytes.extend_from_slice(&some[..count]);
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        let length: usize = length.parse().unwrap();
        let mut body = bytes.split_off(end);
        let mut rest = vec![0; length - body.len()];
        stream.read_exact(&mut rest).ok()?;
        body.extend(rest);
        Some(Request { head, body })
    }

    /// A collector that answers with this status; what it was sent comes out.
    fn collector(status: &'static str) -> (String, Receiver<Request>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}/otel/", listener.local_addr().unwrap());
        let (sent, received) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let sent = sent.clone();
                std::thread::spawn(move || {
                    while let Some(request) = read(&mut stream) {
                        let _ = sent.send(request);
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (at, received)
    }

    /// Nothing in it is unknown: written again, it is the same.
    fn strictly<M: Message + Default>(body: &[u8]) -> M {
        let message = M::decode(body).unwrap();
        assert_eq!(message.encode_to_vec(), body);
        message
    }

    fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
        let found = attributes.iter().find(|attribute| attribute.key == name)?;
        match found.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.clone()),
            _ => None,
        }
    }

    #[test]
    fn a_collector_gets_metrics_and_changes() {
        let full = Full::start();
        let (url, received) = collector("200 OK");
        let output = poolscan(
            &[
                "watch",
                &full.pid(),
                "--lifetime",
                "5s",
                "--for",
                "3s",
                "--fail-on",
                "never",
                "--otlp",
                &url,
            ],
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=team%20a"),
                ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
            ],
        );
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(!said(&output).contains("took nothing"), "{}", said(&output));
        let (mut sets, mut names, mut rules) = (0, Vec::new(), Vec::new());
        for Request { head, body } in received.try_iter() {
            assert!(head.contains("x-scope: team a"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf"), "{head}");
            let resource = if head.starts_with("post /otel/v1/metrics ") {
                let message: ExportMetricsServiceRequest = strictly(&body);
                sets += 1;
                let all = message.resource_metrics[0].scope_metrics[0].metrics.iter();
                names = all.map(|metric| metric.name.clone()).collect();
                message.resource_metrics[0].resource.clone()
            } else {
                assert!(head.starts_with("post /otel/v1/logs "), "{head}");
                let message: ExportLogsServiceRequest = strictly(&body);
                for record in &message.resource_logs[0].scope_logs[0].log_records {
                    rules.extend(text(&record.attributes, "rule"));
                    assert_eq!(text(&record.attributes, "pid"), Some(full.pid()));
                    assert!(record.time_unix_nano > 1_700_000_000_000_000_000);
                }
                message.resource_logs[0].resource.clone()
            };
            let resource = resource.unwrap().attributes;
            assert_eq!(text(&resource, "service.name").as_deref(), Some("poolscan"));
            assert_eq!(text(&resource, "deployment.environment").as_deref(), Some("test"));
        }
        assert!(sets >= 2, "{sets} sets of metrics");
        for name in
            ["poolscan_open_fds", "poolscan_handles", "poolscan_diagnoses", "poolscan_limit"]
        {
            assert!(names.iter().any(|n| n == name), "{name} is not among {names:?}");
        }
        assert!(!rules.is_empty(), "no diagnosis of a full process was told");
    }

    #[test]
    fn an_agent_exports_all_its_targets() {
        let full = [Full::start(), Full::start()];
        let (url, received) = collector("200 OK");
        let file = tempfile::NamedTempFile::new().unwrap();
        let targets = full.each_ref().map(Full::pid);
        let settings = format!("otlp = {url:?}\ninterval = \"200ms\"\ntargets = {targets:?}\n");
        std::fs::write(file.path(), settings).unwrap();
        let mut agent = Command::new(env!("CARGO_BIN_EXE_poolscan"))
            .args(["agent", "--config", file.path().to_str().unwrap()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let (mut told, mut changes) = (BTreeSet::new(), BTreeSet::new());
        // A collector that is never told everything would wait for ever; this test does not.
        while (told.len() < 2 || changes.len() < 2)
            && let Ok(Request { head, body }) = received.recv_timeout(Duration::from_secs(120))
        {
            if head.starts_with("post /otel/v1/metrics ") {
                let message: ExportMetricsServiceRequest = strictly(&body);
                for metric in &message.resource_metrics[0].scope_metrics[0].metrics {
                    if metric.name == "poolscan_target_up"
                        && let Some(Data::Gauge(gauge)) = &metric.data
                    {
                        let points = gauge.data_points.iter();
                        told.extend(points.filter_map(|point| text(&point.attributes, "pid")));
                    }
                }
            } else {
                let message: ExportLogsServiceRequest = strictly(&body);
                let records = message.resource_logs[0].scope_logs[0].log_records.iter();
                changes.extend(records.filter_map(|record| text(&record.attributes, "pid")));
            }
        }
        agent.kill().unwrap();
        agent.wait().unwrap();
        assert_eq!(told, BTreeSet::from(targets.clone()));
        assert_eq!(changes, BTreeSet::from(targets));
    }

    #[test]
    fn a_collector_that_hangs_or_refuses_delays_nothing_and_losses_are_told() {
        let full = Full::start();
        let beats = |url: &str| -> (u64, String) {
            let output = poolscan(
                &[
                    "watch",
                    &full.pid(),
                    "--lifetime",
                    "1s",
                    "--for",
                    "3s",
                    "--fail-on",
                    "never",
                    "--format",
                    "json",
                    "--otlp",
                    url,
                ],
                &[("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")],
            );
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            (document["cost"]["identity_beats"].as_u64().unwrap(), said(&output))
        };
        // It accepts by its backlog, and reads and answers nothing.
        let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
        let (told, stderr) = beats(&format!("http://{}", hanging.local_addr().unwrap()));
        assert!(told >= 10, "{told} beats in 3 s at one each 50 ms");
        assert!(stderr.contains("were not delivered"), "{stderr}");

        let (url, _received) = collector("400 Bad Request");
        let (told, stderr) = beats(&url);
        assert!(told >= 10, "{told} beats");
        assert!(stderr.contains("it answers with status 400"), "{stderr}");
        assert!(stderr.contains("were not delivered"), "{stderr}");
    }

    #[test]
    fn wrong_addresses_and_headers_are_refused_without_being_repeated() {
        for (url, headers, word) in [
            ("https://u:secret@example.org", "", "https is not supported"),
            ("nonsense\u{7}secret", "", "no URL"),
            ("http://127.0.0.1:1", "secret", "OTEL_EXPORTER_OTLP_HEADERS: entry 1"),
        ] {
            let environment = [("OTEL_EXPORTER_OTLP_HEADERS", headers)];
            let output = poolscan(&["watch", "1", "--once", "--otlp", url], &environment);
            assert_eq!(output.status.code(), Some(2), "{url}");
            assert!(said(&output).contains(word), "{}", said(&output));
            assert!(!said(&output).contains("secret"), "{}", said(&output));
        }
    }
}
