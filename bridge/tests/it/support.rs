//! Bridges for the tests, and what topics hold on both sides.

use bridge::{BridgeConfig, BridgeError, Route, Summary};
use testkit::broker::FluvioNode;
use testkit::kafka::KafkaCluster;
use testkit::{Seen, within_patience};
use tokio_util::sync::CancellationToken;

pub(crate) const PARTITIONS: u32 = 3;

/// A record as Fluvio's own client shows it.
fn as_in_fluvio(record: &Seen) -> Seen {
    Seen {
        value: Some(record.value.clone().unwrap_or_default()),
        headers: Vec::new(),
        ..record.clone()
    }
}

/// What a bridge of this cluster is told.
pub(crate) trait BridgeOf {
    /// Mirrors what is there, then ends.
    fn config(&self, name: &str, routes: &[&str]) -> BridgeConfig;
}

impl BridgeOf for KafkaCluster {
    fn config(&self, name: &str, routes: &[&str]) -> BridgeConfig {
        config(self.brokers(), name, routes)
    }
}

/// The same at these brokers.
pub(crate) fn config(brokers: String, name: &str, routes: &[&str]) -> BridgeConfig {
    let parse = |text: &&str| Route::parse(text, None).unwrap();
    BridgeConfig {
        kafka: brokers,
        routes: routes.iter().map(parse).collect(),
        name: name.to_owned(),
        once: true,
        ..BridgeConfig::default()
    }
}

/// Mirrors what is there.
pub(crate) async fn mirror(
    fluvio: &FluvioNode,
    config: BridgeConfig,
) -> Result<Summary, BridgeError> {
    let running = bridge::run(fluvio.config(), config, CancellationToken::new());
    within_patience("everything is mirrored", Box::pin(running)).await
}

/// Fails at the first record that differs.
pub(crate) fn assert_same(what: &str, found: &[Vec<Seen>], expected: &[Vec<Seen>]) {
    for (partition, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found
            .iter()
            .zip(expected)
            .take_while(|(a, b)| a == b)
            .count();
        let (found_len, len) = (found.len(), expected.len());
        assert!(
            same == len && same == found_len,
            "{what}, partition {partition}: {same} records are the same, then they differ; \
             {found_len} records of {len}"
        );
    }
}

/// The same, with what Fluvio's own client cannot see left out.
pub(crate) fn assert_same_in_fluvio(found: &[Vec<Seen>], expected: &[Vec<Seen>]) {
    let expected: Vec<Vec<Seen>> = expected
        .iter()
        .map(|records| records.iter().map(as_in_fluvio).collect())
        .collect();
    assert_same("fluvio", found, &expected);
}

/// The values as text.
pub(crate) fn values(records: &[Seen]) -> Vec<String> {
    let text = |seen: &Seen| String::from_utf8(seen.value.clone().unwrap().to_vec()).unwrap();
    records.iter().map(text).collect()
}
