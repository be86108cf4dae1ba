//! One sink writes a partition; a database belongs to one topic and one log.

use expect_test::expect;
use sink::{SinkError, StreamStatus};

use crate::city::{City, split_behind_ticks};
use crate::delivery::assert_complete;
use crate::support::{Cluster, Database};

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_was_taken_over_writes_no_more() {
    let cluster = Cluster::start().await;
    let database = Database::migrated().await;
    let records = City::default().records();
    let (before, after) = records.split_at(500);
    cluster.produce(before).await;
    let mut zombie = cluster.sink_with(&database, |config| config.owner = "old".to_owned());
    zombie.runs().await;
    let mut heir = cluster.sink_with(&database, |config| config.owner = "new".to_owned());
    heir.runs().await;
    cluster.produce(after).await;
    let error = zombie.end().await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Fenced { owner, .. } if owner == "new (generation 2)"),
        "{error}"
    );
    heir.finish(&cluster).await;
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
    first.runs().await;
    let mut second = cluster.sink(&database);
    second.runs().await;
    // A sink that was taken over finds out when it writes.
    cluster.produce(after).await;
    first.end().await.unwrap_err();
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
        config.beyond_end_max = std::time::Duration::from_millis(100);
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
