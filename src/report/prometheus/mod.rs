//! The numbers of a watch or of a lint run as Prometheus metrics.

mod connections;
mod exposition;
mod lint;
mod pools;
mod watch;

use std::io;

pub use exposition::classic;
#[cfg(feature = "otlp")]
pub(super) use exposition::{Description, Kind, Labels, Value};
#[cfg(feature = "otlp")]
pub(super) use watch::metrics as exposition;

use crate::lint::Report;
use crate::live::outcome::Outcome;

/// The metrics of a watch, in OpenMetrics 1.0.
///
/// # Errors
/// None that depend on the data.
pub fn watch_metrics(outcome: &Outcome) -> io::Result<String> {
    watch::metrics(outcome).text().map_err(io::Error::other)
}

/// Writes the metrics of a lint run in the text format 0.0.4, which the textfile collector reads.
///
/// # Errors
/// What `out` returns.
pub fn lint_metrics(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let text = lint::metrics(report).text().map_err(io::Error::other)?;
    out.write_all(classic(&text).as_bytes())
}

/// The names of all metrics, as queries use them; those of histograms without their endings.
pub fn metric_names() -> Vec<String> {
    watch::all().chain(lint::ALL).map(|description| description.shown()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::live::life_spans::LifeSpans;
    use crate::live::outcome::{
        ConnectionOutcome, OpenedEstimate, PoolLevel, PoolOutcome, SourceOutcome,
    };
    use crate::report::samples;

    fn lines(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn a_leak_is_told_with_its_rate_and_place() {
        let mut outcome = samples::full();
        outcome.targets.truncate(1);
        outcome.targets[0].durations =
            BTreeMap::from([("tcp client".to_owned(), LifeSpans::default())]);
        let text = watch_metrics(&outcome).expect("a text");
        let group = "socket > tcp client > 10.0.3.7:5432 > CLOSE_WAIT";
        let place = format!("target=\"api\",pid=\"10\",resource=\"fds\",group=\"{group}\"");
        for want in [
            format!("poolscan_verdict{{{place}}} 7.0"),
            format!("poolscan_leak_rate{{{place}}} 0.09"),
            format!("poolscan_seconds_to_limit{{{place}}} 11000.0"),
            "poolscan_verdict{target=\"api\",pid=\"10\",resource=\"fds\",group=\"\"} 3.0"
                .to_owned(),
            "poolscan_source_status{target=\"api\",pid=\"10\",source=\"sockets\"} 0.0".to_owned(),
        ] {
            assert!(lines(&text).contains(&want.as_str()), "{want} in {text}");
        }
        // What is unknown is absent, not 0.
        assert!(!text.contains("poolscan_open_fds{") && !text.contains("NaN"));
    }

    #[test]
    fn the_number_of_series_is_bounded_and_the_rest_is_counted() {
        let mut outcome = samples::full();
        let target = &mut outcome.targets[0];
        let leak = samples::leak();
        target.resources = (0..1_000)
            .flat_map(|n| {
                let mut kind = samples::unknown();
                kind.kind = Some(format!("kind {n}"));
                kind.now = Some(1.0);
                let mut leak = leak.clone();
                leak.group = vec![format!("peer {n}")];
                [kind, leak]
            })
            .collect();
        target.sources = (0..1_000)
            .map(|n| SourceOutcome { name: n.to_string(), ..target.sources[0].clone() })
            .collect();
        target.gauges = (0..1_000).map(|n| (n.to_string(), 1.0)).collect();
        let text = watch_metrics(&outcome).expect("a text");
        assert!(lines(&text).len() < 400, "{}", lines(&text).len());
        let other = "poolscan_handles{target=\"api\",pid=\"10\",kind=\"other\"} 976.0";
        assert!(lines(&text).contains(&other), "{text}");
        assert!(lines(&text).contains(&"poolscan_label_overflow 3904.0"), "{text}");
    }

    #[test]
    fn pools_and_connections_are_told_as_they_are_known() {
        let text = watch_metrics(&samples::full()).expect("a text");
        let who = "target=\"api\",pid=\"10\"";
        let pool = format!("{{{who},pool=\"HikariCP \\\\u{{1b}}[31mmain\"}}");
        let place = "role=\"tcp client\",peer=\"10.0.3.7:5432\"";
        let lives = |le: &str| {
            let le = format!("le=\"{le}\",{who},{place}");
            format!("poolscan_connection_traced_duration_seconds_bucket{{{le}}}")
        };
        for want in [
            format!("poolscan_pool_in_use{pool} 10.0"),
            format!("poolscan_pool_level{pool} 3.0"),
            format!("poolscan_pool_waiting_seconds{pool} 45.0"),
            format!("poolscan_pool_wait_seconds_total{pool} 812.5"),
            format!("poolscan_connections_active{{{who},{place}}} 23.0"),
            format!("poolscan_connections_seen_opened_total{{{who},{place}}} 61.0"),
            format!("poolscan_connections_opened_estimate{{{who},{place}}} 59600.0"),
            format!("poolscan_connections_opened_estimate_upper{{{who},{place}}} 60700.0"),
            format!("poolscan_connections_traced_opened_total{{{who},{place}}} 60001.0"),
            format!("{} 0", lives("0.005")),
            format!("{} 2", lives("0.01")),
            format!("{} 2", lives("5.0")),
            format!("{} 3", lives("10.0")),
            format!("poolscan_connection_traced_duration_seconds_sum{{{who},{place}}} 7.01"),
        ] {
            assert!(lines(&text).contains(&want.as_str()), "{want} in {text}");
        }
        // It does not count its waits, so it has none.
        assert!(!text.contains("poolscan_pool_waits_total{"));
        let mut outcome = samples::full();
        outcome.targets.iter_mut().flat_map(|t| &mut t.connections).for_each(|connection| {
            connection.traced = None;
            connection.estimate =
                connection.estimate.map(|estimate| OpenedEstimate { opened: None, ..estimate });
        });
        let text = watch_metrics(&outcome).expect("a text");
        assert!(text.contains("poolscan_connections_opened_estimate_lower{"));
        assert!(!text.contains("poolscan_connections_opened_estimate{"));
        assert!(!text.contains("poolscan_connections_traced_opened_total{"));
        assert!(!text.contains("poolscan_connection_traced_duration_seconds_bucket{"));
    }

    #[test]
    fn further_pools_and_peers_are_counted_and_counters_never_run_backwards() {
        let mut outcome = samples::full();
        outcome.targets.truncate(1);
        let target = &mut outcome.targets[0];
        target.pools = (0..300)
            .map(|n| PoolOutcome {
                name: format!("pool {n}"),
                level: if n == 299 { PoolLevel::Exhausted } else { PoolLevel::Low },
                ..samples::pool()
            })
            .collect();
        let one = target.connections[0].clone();
        let peers = |role: &str, many: usize| -> Vec<ConnectionOutcome> {
            let peer = |n| ConnectionOutcome {
                role: role.to_owned(),
                peer: format!("10.0.0.{n}:5432"),
                active: 2,
                ..one.clone()
            };
            (0..many).map(peer).collect()
        };
        let rest = ConnectionOutcome { peer: crate::live::facts::OTHER.into(), ..one.clone() };
        target.connections = [peers("tcp client", 64), peers("tcp server", 3), vec![rest]].concat();
        let text = watch_metrics(&outcome).expect("a text");
        let count = |start: &str| lines(&text).iter().filter(|l| l.starts_with(start)).count();
        assert_eq!(count("poolscan_pool_in_use{"), 24);
        assert!(text.contains("pool=\"pool 299\"") && !text.contains("pool=\"pool 298\""));
        assert_eq!(count("poolscan_connections_active{"), 24 + 3 + 1);
        let other = "role=\"tcp client\",peer=\"other\"} 103.0";
        assert!(lines(&text).iter().any(|line| line.ends_with(other)), "{text}");
        // A sum over peers that come and go is no counter.
        assert_eq!(count("poolscan_connections_traced_opened_total{"), 24 + 3);
        let overflow = format!("poolscan_label_overflow {}.0", (300 - 24) + (64 - 24) + 1);
        assert!(lines(&text).contains(&overflow.as_str()), "{overflow} in {text}");
    }

    #[test]
    fn every_name_is_described_whether_or_not_it_has_samples() {
        let mut lint = Vec::new();
        lint_metrics(&crate::report::lint::samples::full(), &mut lint).expect("a text");
        let lint = String::from_utf8(lint).expect("UTF-8");
        assert!(lint.contains(
            "poolscan_lint_findings{package=\"jobs\",family=\"process\",severity=\"warning\"} 1"
        ));
        let all = classic(&watch_metrics(&samples::empty()).expect("a text")) + &lint;
        let described = all.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let described: Vec<&str> = described.filter_map(|l| l.split(' ').next()).collect();
        assert_eq!(described, metric_names());
    }
}
