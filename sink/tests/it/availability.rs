//! What is shown is what a brute-force question to `records` gives, at every clock.

use chrono::TimeDelta;
use domain::Body;

use crate::city::{City, morning, placed, split_behind_ticks, tick, trip};
use crate::support::{Cluster, Database, PARTITIONS};

/// Docks whose count is not that of the definition.
///
/// A bike is where its latest event at or before the clock is an arrival. Trips without bike ids
/// count as net flow over the least baseline that never is negative. A dock with a status at or
/// before the clock has the count of the latest one.
const WRONG_DOCKS: &str = "
    with due as (select r.* from records r, replay_clock c
                 where r.time <= c.at and not r.inferred),
        truth as (select distinct on (location_id) location_id, bikes
                  from dock_status s, replay_clock c where s.time <= c.at
                  order by location_id, s.time desc, s.id desc),
        latest as (select distinct on (bike_id) location_id, docked from due
                   where bike_id is not null order by bike_id, time desc, id desc),
        parked as (select location_id, count(*) as bikes from latest where docked group by 1),
        flows as (select location_id, time, id, sum(case when docked then 1 else -1 end)
                      over (partition by location_id order by time, id) as flow
                  from due where bike_id is null),
        net as (select location_id, (array_agg(flow order by time desc, id desc))[1]
                    - least(0, min(flow)) as bikes from flows group by 1),
        right_docks as (select location_id,
                            coalesce(t.bikes, coalesce(p.bikes, 0) + coalesce(n.bikes, 0)) as bikes,
                            t.bikes is null and n.location_id is not null as estimated
                        from (select location_id from due union select location_id from truth) d
                        left join parked p using (location_id) left join net n using (location_id)
                        left join truth t using (location_id))
    select location_id as a, a.bikes as b, r.bikes as c, a.estimated as d, r.estimated as e
    from availability a full join right_docks r using (location_id)
    where (a.bikes, a.estimated) is distinct from (r.bikes, r.estimated)";

/// Docks that show something else beside their count than their latest status says.
const WRONG_STOCK: &str = "
    select location_id from (
        select distinct on (location_id) location_id, ebikes, free_docks, capacity, broken_bikes,
            broken_docks, last_reported, is_installed, is_renting, is_returning
        from dock_status s, replay_clock c where s.time <= c.at
        order by location_id, s.time desc, s.id desc) s
    join availability a using (location_id)
    where (a.ebikes, a.free_docks, a.capacity, a.broken_bikes, a.broken_docks, a.last_reported)
        is distinct from (s.ebikes, s.free_docks, s.capacity, s.broken_bikes, s.broken_docks, s.last_reported)
      or (a.is_installed, a.is_renting, a.is_returning) is distinct from
        (s.is_installed, s.is_renting, s.is_returning)";

pub(crate) async fn assert_right(database: &Database) {
    let wrong = database.lines(WRONG_STOCK).await;
    assert!(wrong.is_empty(), "wrong stock: {wrong:#?}");
    let wrong = database.lines(WRONG_DOCKS).await;
    assert!(wrong.is_empty(), "wrong docks: {wrong:#?}");
    let docks = database.value("select count(*) from availability").await;
    assert_ne!(docks, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dock_is_right_at_the_end_of_random_cities() {
    for seed in 10..14 {
        let cluster = Cluster::start().await;
        cluster
            .produce(
                &City {
                    seed,
                    rows: 400,
                    ..City::default()
                }
                .records(),
            )
            .await;
        assert_right(&cluster.drain().await).await;
    }
}

/// Lets a stream of trips begin no cursor until another one, if it is there, has stored rows.
const LATE_CURSORS: &str = "
    create function wait_for_the_other() returns trigger language plpgsql as $$ begin
        for tries in 1..100 loop
            exit when not exists (select from stream_cursor where module = 'trip-split'
                and partition <> new.partition and next_offset = 0);
            perform pg_sleep(0.02);
        end loop;
        return new;
    end $$;
    create trigger late_cursors before insert on stream_cursor for each row
        when (new.module = 'trip-split') execute function wait_for_the_other()";

#[tokio::test(flavor = "multi_thread")]
async fn no_dock_is_counted_before_all_partitions_hold_the_clock_back() {
    let cluster = Cluster::start().await;
    let city = City {
        seed: 20,
        rows: 400,
        nameless: 0.8,
        ..City::default()
    };
    cluster.produce(&city.records()).await;
    let database = Database::migrated().await;
    database.execute(LATE_CURSORS).await;
    let sink = cluster.sink(&database);
    sink.finish(&cluster).await;
    assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dock_is_right_at_every_clock_on_the_way() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    let records = City {
        rows: 300,
        seed: 5,
        ..City::default()
    }
    .records();
    for part in
        records.split_inclusive(|(p, r)| *p == PARTITIONS - 1 && matches!(r.body, Body::Tick(_)))
    {
        cluster.produce(part).await;
        sink.drained(&cluster).await;
        assert_right(&database).await;
    }
    sink.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_that_of_the_slowest_partition() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut sink = cluster.sink(&database);
    let ticks = tick("a.csv#1", 0, morning());
    cluster.produce(&ticks).await;
    sink.drained(&cluster).await;
    let later = tick("a.csv#1", 0, morning() + TimeDelta::hours(1));
    // A trip and a tick for one partition; the other one has heard nothing since.
    let trip = trip(Some("1"), (0, morning() + TimeDelta::minutes(59)), (4, 6));
    cluster
        .produce(&[placed("a.csv#1", 0, trip), later[0].clone()])
        .await;
    sink.drained(&cluster).await;
    assert_eq!(sink.state.borrow().availability.clock, Some(morning()));
    cluster.produce(&later).await;
    sink.drained(&cluster).await;
    assert_eq!(
        sink.state.borrow().availability.clock,
        Some(morning() + TimeDelta::hours(1))
    );
    sink.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_is_announced_with_its_version_and_writes_changed_docks_only() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let mut listener = sqlx::postgres::PgListener::connect(&database.url())
        .await
        .unwrap();
    listener.listen("availability").await.unwrap();
    let mut sink = cluster.sink(&database);
    let mut now = morning();
    for seq in 0..3 {
        now += TimeDelta::hours(1);
        let station = u32::try_from(seq).unwrap();
        let trip = trip(Some("1"), (station, now), (station + 1, 6));
        cluster.produce(&[placed("a.csv#1", seq, trip)]).await;
        cluster
            .produce(&tick("a.csv#1", seq + 1, now + TimeDelta::minutes(10)))
            .await;
        sink.drained(&cluster).await;
    }
    sink.stop().await.unwrap();
    let last: i64 = database
        .value("select version from replay_clock")
        .await
        .parse()
        .unwrap();
    for version in 1..=last {
        let heard = Box::pin(listener.recv());
        let heard = testkit::within_patience("a version is heard", heard).await;
        assert_eq!(heard.unwrap().payload(), version.to_string());
    }
    // Bike 1 went 0 → 1, 1 → 2, 2 → 3: dock 0 has not changed since the first publishes.
    let docks = "select a.station_id as a, a.bikes as b from availability_view a order by 1";
    assert_eq!(
        database.lines(docks).await,
        ["3200 0", "3201 0", "3202 0", "3203 1"]
    );
    let versions = "select version from availability_view order by station_id";
    let versions: Vec<i64> = database
        .lines(versions)
        .await
        .iter()
        .map(|version| version.parse().unwrap())
        .collect();
    assert!(
        versions.is_sorted() && versions[0] < versions[3],
        "{versions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_checkpoint_is_rebuilt_from_the_records() {
    let cluster = Cluster::start().await;
    let records = City {
        rows: 300,
        ..City::default()
    }
    .records();
    let (before, after) = split_behind_ticks(&records, 200);
    cluster.produce(before).await;
    let database = cluster.drain().await;
    for damage in ["format = 1000", "state = 'x'", "next_offsets = '[]'"] {
        database
            .execute(&format!("update availability_checkpoint set {damage}"))
            .await;
        let sink = cluster.sink(&database);
        sink.finish(&cluster).await;
        assert_right(&database).await;
    }
    cluster.produce(after).await;
    let sink = cluster.sink(&database);
    sink.finish(&cluster).await;
    assert_right(&database).await;
}
