//! What recorded metrics say of pools, and what a user's own mapping adds.

use super::*;
use crate::catalog::pools;
use crate::live::collect::endpoint::Lines;
use crate::live::facts::PoolReading;

fn readings(mappings: &Mappings, text: &str) -> Readings {
    let mut collecting = mappings.collect();
    exposition::read(&mut Lines::new(text.as_bytes()), |sample| collecting.take(sample)).unwrap();
    collecting.end()
}

fn ours(text: &str) -> Readings {
    readings(&Mappings::new(pools::mappings().to_vec()), text)
}

fn wire(name: &str) -> Readings {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/wire");
    ours(&std::fs::read_to_string(format!("{folder}/{name}.prom")).unwrap())
}

fn names(told: &Readings) -> Vec<&str> {
    told.pools.keys().map(|name| &**name).collect()
}

#[test]
fn hikaricp_speaks_for_the_data_source_and_threads_for_nobody() {
    let told = wire("hikaricp");
    assert_eq!(names(&told), ["HikariCP HikariPool-1"]);
    assert_eq!(
        told.pools["HikariCP HikariPool-1"],
        PoolReading {
            in_use: Some(10.0),
            idle: Some(0.0),
            max: Some(10.0),
            waiting: Some(7.0),
            timeouts: Some(3.0),
            taken: Some(4123.0),
            wait_seconds: Some(96.5),
            returned: Some(4113.0),
            held_seconds: Some(820.25),
            waits: None,
        }
    );
}

#[test]
fn database_sql_of_go() {
    let told = wire("go-sql");
    let expected = PoolReading {
        in_use: Some(3.0),
        idle: Some(2.0),
        max: Some(25.0),
        waits: Some(12.0),
        wait_seconds: Some(0.75),
        ..PoolReading::default()
    };
    assert_eq!(told.pools["sql.DB billing"], expected);
    assert_eq!(told.gauges["exported_open_fds"], 23.0);
    let goroutines = told.counts.iter().find(|((kind, _), _)| &**kind == "goroutine");
    assert_eq!(goroutines.map(|(_, count)| *count), Some(41));
}

#[test]
fn states_in_labels_and_other_units() {
    let told = wire("opentelemetry");
    assert_eq!(names(&told), ["db client orders"]);
    let pool = told.pools["db client orders"];
    assert_eq!((pool.in_use, pool.idle, pool.max), (Some(8.0), Some(2.0), Some(10.0)));
    assert_eq!((pool.returned, pool.held_seconds), (Some(50.0), Some(2.5)));
}

#[test]
fn real_exporters() {
    let redis = wire("redis-exporter").pools["redis clients"];
    assert_eq!((redis.in_use, redis.max), (Some(1.0), Some(10_000.0)));
    let postgres = wire("postgres-exporter");
    let pool = postgres.pools["postgres connections 127.0.0.1:15432"];
    // All states and databases of the server.
    assert_eq!((pool.in_use, pool.max), (Some(2.0), Some(100.0)));
    let node = wire("node-exporter");
    assert!(node.pools.is_empty() && node.gauges["exported_open_fds"] == 11.0);
}

#[test]
fn what_is_open_and_idle_tells_what_is_in_use() {
    let text = "db_pool_size 10\ndb_pool_idle 4\ndb_pool_max_connections 20\n";
    let pool = ours(text).pools["pool"];
    assert_eq!((pool.in_use, pool.idle, pool.max), (Some(6.0), Some(4.0), Some(20.0)));
    // Half of it is no pool.
    assert!(ours("db_pool_size 10\n").pools.is_empty());
    // A number that is none is not known.
    assert!(ours("db_pool_in_use NaN\ndb_pool_idle 1\n").pools.is_empty());
}

#[test]
fn names_of_the_user_come_first() {
    let own = r#"
        id = "mine"
        summary = "the pool of the shop"
        [[pool]]
        called = "shop"
        by = ["shard"]
        in_use = { metric = "shop_conns", with = { what = ["busy", "stuck"] } }
        idle = { metric = "shop_conns", without = { what = ["busy", "stuck"] } }
        max = "shop_conns_max"
        [[count]]
        kind = "job"
        called = "jobs"
        metric = "shop_jobs"
    "#;
    let mappings = Mappings::new(pools::parse("mine.toml", own).unwrap());
    let text = concat!(
        "shop_conns{shard=\"1\",what=\"busy\"} 3\nshop_conns{shard=\"1\",what=\"stuck\"} 1\n",
        "shop_conns{shard=\"1\",what=\"idle\"} 5\nshop_conns{shard=\"2\",what=\"busy\"} 9\n",
        "shop_conns_max{shard=\"1\"} 10\nshop_jobs 12\n"
    );
    let told = readings(&mappings, text);
    assert_eq!(names(&told), ["shop 1", "shop 2"]);
    let first = told.pools["shop 1"];
    assert_eq!((first.in_use, first.idle, first.max), (Some(4.0), Some(5.0), Some(10.0)));
    assert_eq!(
        told.counts.iter().map(|((kind, _), n)| (&**kind, *n)).next_back(),
        Some(("job", 12))
    );
}

#[test]
fn pools_are_bounded() {
    let text: String =
        (0..1000).map(|n| format!("go_sql_in_use_connections{{db_name=\"{n}\"}} 1\n")).collect();
    let told = ours(&text);
    assert!(told.cut && told.pools.len() == 256);
    let long = format!("go_sql_in_use_connections{{db_name=\"{}\"}} 1\n", "ü".repeat(4000));
    assert!(ours(&long).pools.keys().all(|name| name.len() <= 200));
}
