//! Sinks share the partitions, and one writes each; a database belongs to one topic and one log.

use std::time::Duration;

use expect_test::expect;
use sink::{SinkError, StreamStatus};

use crate::city::{City, split_behind_ticks};
use crate::delivery::assert_complete;
use crate::support::{Cluster, Database};

#[tokio::test(flavor = "multi_thread")]
async fn sinks_share_the_partitions_and_whoever_leaves_or_dies_gives_its_own_up() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City::default().records();
    let (first_part, rest) = split_behind_ticks(&records, records.len() / 3);
    let (second_part, last_part) = rest.split_at(records.len() / 3);
    let mut first = cluster.sink(&database);
    first.owns(2).await;
    let mut second = cluster.sink(&database);
    second.owns(1).await;
    first.owns(1).await;
    cluster.produce(first_part).await;
    first.drained(&cluster).await;
    second.drained(&cluster).await;
    assert!(first.state.borrow().records() > 0 && second.state.borrow().records() > 0);

    first.kill().await;
    second.owns(2).await;
    cluster.produce(second_part).await;
    let mut third = cluster.sink(&database);
    third.owns(1).await;
    second.stop().await.unwrap();
    third.owns(2).await;
    cluster.produce(last_part).await;
    third.finish(&cluster).await;
    assert_complete(&database, &records).await;
    let left = "select count(*) from sink_member
                union all select count(member) from partition_lease";
    assert_eq!(database.lines(left).await, ["0", "0"]);
}

/// Gives all partitions to somebody else, as members do with those of one that is frozen.
const FENCE: &str = "
    delete from sink_member;
    update partition_lease set member = 'other', generation = generation + 1;
    update stream_cursor set owner = 'other', generation = generation + 1;";

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_was_fenced_writes_nothing_and_joins_again() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City::default().records();
    let (before, after) = split_behind_ticks(&records, 500);
    // No heartbeat tells it what has happened.
    let mut zombie = cluster.sink_with(&database, |config| {
        config.member = "zombie".to_owned();
        config.heartbeat_interval = Duration::from_secs(3_600);
    });
    zombie.runs().await;
    cluster.produce(before).await;
    zombie.drained(&cluster).await;
    database.execute(FENCE).await;
    let stored = "select count(*) from records";
    let stored_before = database.value(stored).await;
    cluster.produce(after).await;
    zombie
        .wait_for("all streams are fenced", |state| {
            let mut streams = state.streams.values();
            streams.all(|stream| stream.status == StreamStatus::Stopped)
        })
        .await;
    assert_eq!(database.value(stored).await, stored_before);
    zombie.kill().await;
    let mut heir = cluster.sink(&database);
    heir.owns(2).await;
    heir.drained(&cluster).await;
    // The heartbeats of this one tell it.
    database.execute(FENCE).await;
    heir.wait_for("it owns all partitions again", |state| {
        state.membership.rebalances == 2 && state.membership.owned() == 2
    })
    .await;
    heir.finish(&cluster).await;
    assert_complete(&database, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_leaves_lets_its_publisher_save_what_it_knows() {
    let cluster = Cluster::start().await;
    cluster.produce(&City::default().records()).await;
    for _ in 0..6 {
        let database = Database::migrated().await;
        let mut sink = cluster.sink(&database);
        sink.drained(&cluster).await;
        sink.stop().await.unwrap();
        let saved = "select (select date_trunc('second', at) from replay_clock)
                = (select max(end_at) from past_period)";
        assert_eq!(database.value(saved).await, "true");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_are_gone_or_older_than_their_streams_are_given_anew() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City::default().records();
    let (before, after) = split_behind_ticks(&records, 500);
    let mut sink = cluster.sink(&database);
    sink.owns(2).await;
    cluster.produce(before).await;
    sink.drained(&cluster).await;
    database
        .execute(
            "delete from partition_lease where partition = 0;
             update partition_lease set generation = -1 where partition = 1",
        )
        .await;
    cluster.produce(after).await;
    sink.finish(&cluster).await;
    assert_complete(&database, &records).await;
}

/// As after a crash of the database that lost a lease of which its owner had heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_stream_another_sink_took_is_given_anew() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City::default().records();
    let (before, after) = split_behind_ticks(&records, 500);
    let mut sink = cluster.sink(&database);
    sink.owns(2).await;
    cluster.produce(before).await;
    sink.drained(&cluster).await;
    database
        .execute("update stream_cursor set owner = 'another' where partition = 0")
        .await;
    cluster.produce(after).await;
    sink.finish(&cluster).await;
    assert_complete(&database, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_availability_is_taken_over_when_its_publisher_ends() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City {
        rows: 200,
        ..City::default()
    }
    .records();
    let (before, after) = split_behind_ticks(&records, 100);
    cluster.produce(before).await;
    let mut first = cluster.sink(&database);
    first
        .wait_for("it publishes", |state| state.availability.publishes)
        .await;
    let mut second = cluster.sink(&database);
    second.owns(1).await;
    first.drained(&cluster).await;
    first.stop().await.unwrap();
    cluster.produce(after).await;
    second
        .wait_for("it publishes", |state| state.availability.publishes)
        .await;
    second.finish(&cluster).await;
    crate::availability::assert_right(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_topic_is_refused() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    database
        .execute(
            "insert into stream_cursor (topic, partition, module, next_offset, owner, generation)
             values ('rides', 0, 'trip-split', 0, 'somebody', 1)",
        )
        .await;
    let error = cluster.sink(&database).end().await.unwrap_err();
    expect![[
        r#"the database belongs to topic "rides", not "trips": give each topic its own database"#
    ]]
    .assert_eq(&error.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_created_anew_is_refused() {
    let cluster = Cluster::start().await;
    cluster
        .produce(
            &City {
                rows: 100,
                ..City::default()
            }
            .records(),
        )
        .await;
    let database = cluster.drain().await;
    let anew = Cluster::start().await;
    let sink = anew.sink_with(&database, |config| {
        config.beyond_end_max = Duration::from_millis(100);
    });
    let state = sink.state.clone();
    let error = sink.end().await.unwrap_err();
    assert!(
        matches!(error, SinkError::BeyondEnd { end: 0, .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("it was created anew, or lost its tail"),
        "{text}"
    );
    assert!(
        state
            .borrow()
            .streams
            .values()
            .all(|stream| stream.status == StreamStatus::Failed)
    );
}
