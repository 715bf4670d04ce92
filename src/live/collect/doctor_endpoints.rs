//! Tries the sources that a program offers over HTTP, and tells how to switch each on and its cost.

use std::time::Duration;

use super::endpoint::Address;
use super::goroutines::Goroutines;
use super::metrics::Metrics;
use super::metrics::reading::Mappings;
use crate::live::checkup::{Check, Works};
use crate::live::target::Process;

/// For so long the first answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

const GOROUTINES: &str = "every goroutine of a Go program by the line that created it and by what it \
                          waits for. Costs the program a count of stacks every 10 s, and, once a \
                          minute below 20,000 goroutines, a pause while it writes all stacks";
const TO_SERVE_PROFILES: &str = "in the program: import _ \"net/http/pprof\" and go \
                                 http.ListenAndServe(\"127.0.0.1:6060\", nil); then --pprof \
                                 http://127.0.0.1:6060";
const METRICS: &str = "pools: in use, idle, maximum and who waits; counts of tasks. Costs the program \
                       one answer every 5 s";
const TO_SERVE_METRICS: &str = "in the program: the Prometheus endpoint of its metrics library (Spring \
                                Boot: management.endpoints.web.exposure.include=prometheus; Go: \
                                promhttp.Handler() and collectors.NewDBStatsCollector; Rust: \
                                metrics-exporter-prometheus); then --metrics URL";

/// Both, each where an address was given.
pub fn examine_endpoints(
    pprof: Option<&Address>,
    metrics: Option<(Address, Mappings)>,
    process: Option<&Process>,
) -> [Check; 2] {
    let goroutines = pprof.map(|address| Goroutines::tried(address, process, PATIENCE));
    let metrics = metrics.map(|(address, map)| Metrics::tried(&address, process, map, PATIENCE));
    [
        check("goroutines", goroutines, TO_SERVE_PROFILES, GOROUTINES),
        check("metrics", metrics, TO_SERVE_METRICS, METRICS),
    ]
}

/// `None`: no address was given, and unknown ports are not tried.
fn check(
    name: &'static str,
    tried: Option<Result<String, String>>,
    fix: &str,
    adds: &'static str,
) -> Check {
    let (works, detail) = match tried {
        Some(Ok(detail)) => (Works::Yes, detail),
        Some(Err(reason)) => (Works::No, reason),
        None => (Works::No, "no address was given, and ports are not tried".to_owned()),
    };
    let fix = (works != Works::Yes).then(|| fix.to_owned());
    Check { name, works, detail, fix, adds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_says_how_to_switch_it_on() {
        let nobody = Address::parse("http://127.0.0.1:1/").unwrap();
        for checks in [
            examine_endpoints(None, None, None),
            examine_endpoints(
                Some(&nobody),
                Some((nobody.clone(), Mappings::new(Vec::new()))),
                None,
            ),
        ] {
            for check in checks {
                assert_eq!(check.works, Works::No);
                assert!(check.fix.is_some_and(|fix| fix.contains("http")), "{}", check.detail);
                assert!(check.adds.contains("Costs"));
            }
        }
    }
}
