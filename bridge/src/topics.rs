//! A route's target topic: made like its source, or checked.

use partition_client::{Cluster, TopicRetention, TopicShape};
use tracing::{info, warn};

use crate::error::BridgeError;
use crate::headers;
use crate::kafka::Kafka;
use crate::route::{Route, Side};

const REMEDY_PARTITIONS: &str =
    "give it as many, or mirror into another topic, which the bridge creates";
const REMEDY_REPLICATION: &str =
    "change the replication of one of them, or mirror into another topic";

/// What to do about a target with fewer partitions than its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fewer {
    /// At the start: it may be somebody else's topic.
    Refuse,
    /// While mirroring: the source was given more.
    Add,
}

/// Makes sure that the target has the source's partitions and replication; gives the partitions.
///
/// # Errors
/// If there is no source, or a target that differs.
pub(crate) async fn prepare(
    cluster: &Cluster,
    kafka: &Kafka,
    route: &Route,
    fewer: Fewer,
) -> Result<u32, BridgeError> {
    let source = match route.from {
        Side::Kafka => kafka.shape(&route.source).await?,
        Side::Fluvio => cluster.topic_shape(&route.source).await?,
    };
    let source = source.ok_or_else(|| BridgeError::NoTopic {
        side: route.from,
        topic: route.source.clone(),
    })?;
    match route.from {
        Side::Kafka => {
            prepare_fluvio(cluster, &route.target, source, fewer).await?;
            prepare_fluvio(cluster, &headers::topic(&route.target), source, fewer).await?;
        }
        Side::Fluvio => prepare_kafka(cluster, kafka, &route.target, source, fewer).await?,
    }
    Ok(source.partitions)
}

async fn prepare_fluvio(
    cluster: &Cluster,
    topic: &str,
    source: TopicShape,
    fewer: Fewer,
) -> Result<(), BridgeError> {
    // One of everything is all that a single node has, whatever its topics were made to have.
    let single = cluster.spus_online().await? == 1;
    let found = cluster.topic_shape(topic).await?;
    let wanted = TopicShape {
        replication: match found {
            Some(found) if single => found.replication,
            None if single => 1,
            _ => source.replication,
        },
        ..source
    };
    match found {
        None => {
            if wanted.replication < source.replication {
                warn!(
                    topic,
                    "Fluvio has one SPU: topic {topic} has replication 1 there instead of {}",
                    source.replication
                );
            }
            info!(
                topic,
                "creating topic {topic} in Fluvio, {} partitions", wanted.partitions
            );
            {
                let retention = TopicRetention::default();
                Ok(cluster.create_topic(topic, wanted, retention).await?)
            }
        }
        Some(found) if fewer == Fewer::Add && found.partitions < wanted.partitions => {
            info!(
                topic,
                "topic {topic} in Fluvio gets {} partitions", wanted.partitions
            );
            Ok(cluster.add_partitions(topic, found, wanted).await?)
        }
        Some(found) => compare(Side::Fluvio, topic, found, wanted),
    }
}

async fn prepare_kafka(
    cluster: &Cluster,
    kafka: &Kafka,
    topic: &str,
    source: TopicShape,
    fewer: Fewer,
) -> Result<(), BridgeError> {
    // A single node's replication says nothing about what its mirror should have.
    let replication = match cluster.spus_online().await? {
        0 | 1 => None,
        _ => Some(source.replication),
    };
    let Some(found) = kafka.shape(topic).await? else {
        info!(
            topic,
            "creating topic {topic} in Kafka, {} partitions", source.partitions
        );
        return kafka
            .create(topic, source.partitions, replication, &[])
            .await;
    };
    if fewer == Fewer::Add && found.partitions < source.partitions {
        info!(
            topic,
            "topic {topic} in Kafka gets {} partitions", source.partitions
        );
        return kafka.add_partitions(topic, source.partitions).await;
    }
    let wanted = TopicShape {
        replication: replication.unwrap_or(found.replication),
        ..source
    };
    compare(Side::Kafka, topic, found, wanted)
}

fn compare(
    side: Side,
    topic: &str,
    found: TopicShape,
    source: TopicShape,
) -> Result<(), BridgeError> {
    let differs = |what: &str, found: u32, wanted: u32, remedy| {
        Err(BridgeError::Differs {
            side,
            topic: topic.to_owned(),
            difference: format!("it has {what} {found}, its source {wanted}"),
            remedy,
        })
    };
    if found.partitions != source.partitions {
        let wanted = source.partitions;
        return differs("partitions", found.partitions, wanted, REMEDY_PARTITIONS);
    }
    if found.replication != source.replication {
        let wanted = source.replication;
        return differs("replication", found.replication, wanted, REMEDY_REPLICATION);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_difference_says_what_differs_and_what_to_do() {
        let shape = |partitions, replication| TopicShape {
            partitions,
            replication,
        };
        let said = |found| {
            let compared = compare(Side::Fluvio, "trips", found, shape(3, 2));
            compared.map_or_else(|error| error.to_string(), |()| "the same".to_owned())
        };
        assert_eq!(said(shape(3, 2)), "the same");
        expect![[r#"fluvio's topic "trips" differs from its source: it has partitions 6, its source 3; give it as many, or mirror into another topic, which the bridge creates"#]]
            .assert_eq(&said(shape(6, 2)));
        expect![[r#"fluvio's topic "trips" differs from its source: it has replication 1, its source 2; change the replication of one of them, or mirror into another topic"#]]
            .assert_eq(&said(shape(3, 1)));
    }
}
