//! An audit finds what is wrong in the tables, and nothing where nothing is.

use std::time::Duration;

use sink::audit;
use testkit::{PATIENCE, postgres};

use crate::city::City;
use crate::support::{Cluster, Database};

/// What is done to right tables, and the law that it breaks.
///
/// Trips and windows are chosen in the middle, where nothing is special.
const DAMAGES: [(&str, &str); 15] = [
    (
        "delete from records where id = (select max(id) from records where docked)",
        "pairs",
    ),
    (
        "delete from records where id = (select min(id) from records where not docked)",
        "pairs, windows",
    ),
    (
        "update records set id = id + (1 << 30) where id >> 11 = (select max(id) >> 11 from records)",
        "cursors, windows",
    ),
    (
        "update records set docked = true where id = (select min(id) from records where not docked)",
        "docked, windows",
    ),
    (
        "update records set time = time - interval '1 hour'
         where id = (select min(id) from records where not docked and bike_id is not null)",
        "windows",
    ),
    (
        "select make_month(time + interval '1 year') from records;
         update records set time = time + interval '1 year'
         where id = (select min(id) from records where not docked and bike_id is not null)",
        "watermarks, windows",
    ),
    (
        "update records set location_id = 9999 where id = (select max(id) from records where docked)",
        "history, locations",
    ),
    (
        "insert into rejected values ((select min(id) from records), 'a.csv', 1, 'no', 'row', 'a')",
        "rejects",
    ),
    (
        "update frequency set amount = amount + 1 where (time, partition) =
             (select time, partition from frequency order by 1, 2 limit 1)",
        "windows",
    ),
    (
        "delete from frequency where (time, partition) =
             (select time, partition from frequency order by 1, 2 limit 1)",
        "windows",
    ),
    (
        "update availability set bikes = bikes + 1
         where location_id = (select min(location_id) from availability)",
        "availability",
    ),
    (
        "update replay_clock set at = at + interval '1 second'",
        "clock",
    ),
    (
        "update source_cursor set seq = seq - 1 where module = 'dock-window' and partition = 0",
        "sources",
    ),
    (
        "update stream_cursor set failure = 'no such module' where partition = 0",
        "streams",
    ),
    (
        "update partition_lease set generation = -1 where partition = 0",
        "leases",
    ),
];

async fn right_tables() -> Database {
    let cluster = Cluster::start().await;
    let city = City {
        seed: 5,
        rows: 600,
        ..City::default()
    };
    cluster.produce(&city.records()).await;
    cluster.drain().await
}

pub(crate) async fn broken_laws(url: &str) -> Vec<String> {
    let findings = audit(url, PATIENCE).await.unwrap();
    let broken = findings
        .into_iter()
        .filter(|finding| finding.violations > 0);
    broken.map(|finding| finding.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_damage_breaks_its_law_and_right_tables_break_none() {
    let database = right_tables().await;
    let none: [String; 0] = [];
    assert_eq!(broken_laws(&database.url()).await, none);

    let mut audits = tokio::task::JoinSet::new();
    let copy = format!("template {}", database.name);
    for (damage, laws) in DAMAGES {
        let damaged = postgres::Database::empty_with(&copy).await;
        damaged.execute(damage).await;
        audits.spawn(async move { (damage, laws, broken_laws(&damaged.url()).await) });
    }
    while let Some(audited) = audits.join_next().await {
        let (damage, laws, broken) = audited.unwrap();
        let mut found: Vec<_> = broken
            .iter()
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        found.sort_unstable();
        for law in laws.split(", ") {
            assert!(
                found.contains(&law),
                "{damage}: {law} is not among {broken:#?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_falls_silent_ends_the_audit_with_the_law_it_was_at() {
    let database = Database::migrated().await;
    let url = database.url();
    let law_max = Duration::from_millis(500);
    assert_eq!(audit(&url, law_max).await.unwrap().len(), 13);

    // Who waits for a lock hears nothing.
    let mut holder = database.connect().await;
    let lock = "begin; lock table rejected in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
    let error = audit(&url, law_max).await.unwrap_err();
    let text = domain::error_chain(&error);
    assert!(text.contains("law \"cursors\""), "{text}");
    assert!(text.contains("no response for 500ms"), "{text}");
}
