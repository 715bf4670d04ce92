//! Both formats: what real exporters send, what the specifications allow, and what nobody should.

use proptest::prelude::*;

use super::*;

fn told(text: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut lines = Lines::new(text.as_bytes());
    let _ = read(&mut lines, |sample| {
        let labels: Vec<String> =
            sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        told.push(format!("{}[{}] {}", sample.name, labels.join(";"), sample.value));
    });
    told
}

#[test]
fn recorded_expositions_are_read_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wire");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "prom") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = read(&mut Lines::new(text.as_bytes()), |_| {}).unwrap();
        let expected = Read { samples: samples.count() as u64, malformed: 0 };
        assert_eq!(read, expected, "{}", path.display());
    }
    assert!(seen >= 6, "{seen} files");
}

#[test]
fn escapes_timestamps_and_exemplars() {
    let text = concat!(
        "# HELP x y\n",
        "a 1\n",
        "a{} +Inf 1700000000000\n",
        "a {x=\"1\"} 2e3\r\n",
        "a{ x = \"q\\\"uote\" , y=\"back\\\\slash\", z=\"two\\nlines\",} -0.5\n",
        "a{x=\"\\d{1}\",y=\"},{\"} NaN\n",
        "a_bucket{le=\"5.0\"} 7 # {trace_id=\"a\"} 3.1 1700000000.0\n",
        "{\"a.b\",\"l m\"=\"n\"} 3\n",
        "\ta\t4\n",
        "a{x=\"ü\u{1F980}\"} 5",
    );
    assert_eq!(
        told(text),
        [
            "a[] 1",
            "a[] inf",
            "a[x=1] 2000",
            "a[x=q\"uote;y=back\\slash;z=two\nlines] -0.5",
            "a[x=\\d{1};y=},{] NaN",
            "a_bucket[le=5.0] 7",
            "a.b[l m=n] 3",
            "a[] 4",
            "a[x=ü\u{1F980}] 5",
        ]
    );
}

#[test]
fn malformed_lines_are_counted_and_the_rest_is_read() {
    let bad = [
        "a",
        "a{",
        "a{x} 1",
        "a{x=1} 1",
        "a{x=\"1} 1",
        "a{x=\"1\"",
        "a one",
        "{} 1",
        "{x=\"1\"} 1",
        "a{\"b\"} 1",
        "a{=\"1\"} ",
        "\u{0}",
    ];
    let text = format!("{}\ngood 1\n", bad.join("\n"));
    let mut names = Vec::new();
    let read = read(&mut Lines::new(text.as_bytes()), |s| names.push(s.name.to_string())).unwrap();
    assert_eq!(names, ["good"]);
    assert_eq!(read, Read { samples: 1, malformed: bad.len() as u64 });
}

#[test]
fn what_holds_no_metrics_is_refused() {
    let html = "<html><body>hello</body></html>\n".repeat(3);
    for text in ["", "# EOF\n", &html] {
        let refused = read(&mut Lines::new(text.as_bytes()), |_| {}).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
    // One that never ends is not read to its end.
    let mut garbage = Lines::new(io::BufReader::new(Garbage(0)));
    assert!(read(&mut garbage, |_| {}).is_err());
}

/// Lines that are no metrics, without end.
struct Garbage(u64);

impl io::Read for Garbage {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        assert!(self.0 < 100_000, "it is read on and on");
        let line = b"no metric here!\n";
        let length = line.len().min(buffer.len());
        buffer[..length].copy_from_slice(&line[..length]);
        Ok(length)
    }
}

#[test]
fn labels_are_bounded() {
    let labels: String = (0..1000).map(|n| format!("l{n}=\"{n}\",")).collect();
    let line = format!("a{{{labels}}} 1");
    assert_eq!(sample(&line).unwrap().labels.len(), MAX_LABELS);
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}",
        labels in proptest::collection::vec(("[a-zA-Z_][a-zA-Z0-9_]{0,9}", ".{0,20}"), 0..5),
        value in any::<f64>(),
    ) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let written: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let line = format!("{name}{{{}}} {value:?}", written.join(","));
        let read = sample(&line);
        prop_assert!(read.is_some(), "{line}");
        let read = read.unwrap();
        prop_assert_eq!(&*read.name, &name);
        prop_assert!(read.value == value || (read.value.is_nan() && value.is_nan()));
        let read: Vec<(String, String)> =
            read.labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        prop_assert_eq!(read, labels);
    }

    #[test]
    fn nothing_makes_it_panic(text in "(a|\\{|\\}|\"|\\\\|=|,| |\t|#|1|\n|NaN|ü|.){0,60}") {
        let samples = told(&text);
        prop_assert!(samples.len() <= text.lines().count());
    }
}
