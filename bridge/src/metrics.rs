//! How a long run is watched: metrics for Prometheus, health, and a line in the log for each route.
//!
//! ```text
//! GET /metrics   OpenMetrics text, per route and partition
//! GET /healthz   200 while every partition is connected to both sides; else 503 and what is not
//! ```

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::counts::{AllCounts, Counts};
use crate::error::BridgeError;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Begins every name: `bikeshare_bridge_records_copied_total`.
const PREFIX: &str = "bikeshare_bridge";

/// How a metric is read from a partition's counts; none while it is not known.
type Read<T> = fn(&Counts) -> Option<T>;

const COUNTERS: [(&str, &str, Read<u64>); 4] = [
    (
        "records_copied",
        "Records stored on the other side and known to be there",
        |counts| Some(counts.summary().copied),
    ),
    (
        "offsets_passed_over",
        "Source offsets without a record: markers, aborted or compacted records",
        |counts| Some(counts.summary().passed_over),
    ),
    (
        "records_deleted",
        "Records deleted in the source before they could be copied",
        |counts| Some(counts.summary().deleted),
    ),
    (
        "retries",
        "Failures after which the partition was tried again",
        |counts| Some(counts.retries()),
    ),
];

const GAUGES: [(&str, &str, Read<i64>); 5] = [
    (
        "source_next_offset",
        "Offset in the source of the next record to copy",
        |counts| counts.standing_now().next_offset,
    ),
    (
        "source_end_offset",
        "Offset after the source's last committed record, when last measured",
        |counts| counts.standing_now().end,
    ),
    (
        "lag_records",
        "Source offsets still to be copied, when last measured",
        |counts| counts.standing_now().lag(),
    ),
    (
        "lag_age_seconds",
        "Seconds since the source's end was last measured",
        |counts| {
            let age = counts.standing_now().measured_at?.elapsed();
            Some(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
        },
    ),
    (
        "connected",
        "1 while the partition is connected to both sides, else 0",
        |counts| Some(i64::from(counts.standing_now().outage().is_none())),
    ),
];

/// The metrics, read where they are counted, at each scrape.
#[derive(Debug)]
struct Metrics(Arc<AllCounts>);

impl Metrics {
    /// Gives each partition's value of one metric to `encode_one`, with its labels.
    fn each<T>(
        &self,
        read: Read<T>,
        mut encode_one: impl FnMut(&[(&str, String)], T) -> fmt::Result,
    ) -> fmt::Result {
        for (route, counts) in self.0.routes() {
            for (partition, counts) in counts.partitions.iter().enumerate() {
                let labels = [
                    ("route", route.clone()),
                    ("partition", partition.to_string()),
                ];
                if let Some(value) = read(counts) {
                    encode_one(&labels, value)?;
                }
            }
        }
        Ok(())
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, read) in COUNTERS {
            let kind = ConstCounter::new(0_u64).metric_type();
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            self.each(read, |labels, value| {
                ConstCounter::new(value).encode(family.encode_family(&labels)?)
            })?;
        }
        for (name, help, read) in GAUGES {
            let kind = ConstGauge::new(0_i64).metric_type();
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            self.each(read, |labels, value| {
                ConstGauge::new(value).encode(family.encode_family(&labels)?)
            })?;
        }
        Ok(())
    }
}

fn text(counts: &Arc<AllCounts>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Metrics(Arc::clone(counts))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

async fn metrics(State(counts): State<Arc<AllCounts>>) -> Response {
    match text(&counts) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthz(State(counts): State<Arc<AllCounts>>) -> Response {
    let outages = counts.outages();
    if outages.is_empty() {
        return "ok\n".into_response();
    }
    let text = outages.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// Serves at the address for as long as what is returned lives.
///
/// # Errors
/// If the address is taken.
pub(crate) async fn serve(
    address: SocketAddr,
    counts: Arc<AllCounts>,
) -> Result<JoinSet<()>, BridgeError> {
    let taken = |source| BridgeError::Metrics { address, source };
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    info!("metrics at http://{address}/metrics");
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .with_state(counts);
    // A task of its own, so that a scrape need not wait for a batch.
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            warn!(error = %error, "metrics are no longer served at {address}");
        }
    });
    Ok(serving)
}

/// Logs rate and lag of each route, regularly and for ever.
pub(crate) async fn report(counts: &AllCounts, every: Duration) -> Infallible {
    let mut copied = vec![0; counts.routes().len()];
    loop {
        tokio::time::sleep(every).await;
        let routes = counts.routes();
        for ((route, counts), last) in routes.iter().zip(&mut copied) {
            let progress = RouteTotals::of(&counts.partitions);
            let rate = (progress.copied - *last) / every.as_secs().max(1);
            *last = progress.copied;
            info!(
                route,
                copied = progress.copied,
                lag_records = progress.lag,
                "{route}: {rate} records/s, {} behind, {} of {} partitions connected",
                progress.lag,
                progress.connected,
                counts.partitions.len()
            );
        }
    }
}

/// Sums over a route's partitions.
#[derive(Debug, Default)]
struct RouteTotals {
    copied: u64,
    lag: i64,
    connected: usize,
}

impl RouteTotals {
    fn of(partitions: &[Arc<Counts>]) -> Self {
        partitions.iter().fold(Self::default(), |sum, counts| {
            let standing = counts.standing_now();
            Self {
                copied: sum.copied + counts.summary().copied,
                lag: sum.lag + standing.lag().unwrap_or_default(),
                connected: sum.connected + usize::from(standing.outage().is_none()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::route::Route;

    #[test]
    fn metrics_are_named_as_prometheus_expects_and_unknown_ones_are_left_out() {
        let route = Route::parse("kafka:trips", None).unwrap();
        let all = Arc::new(AllCounts::new(std::slice::from_ref(&route)));
        all.prepared(&route, None);
        let busy = all.of(&route, 0);
        busy.connected(5);
        busy.add_copied(3);
        busy.moved(8);
        busy.measured(10);
        all.of(&route, 1).failed("kafka is away".to_owned());
        // Measured this moment.
        expect![[r##"
            # HELP bikeshare_bridge_records_copied Records stored on the other side and known to be there
            # TYPE bikeshare_bridge_records_copied counter
            bikeshare_bridge_records_copied_total{route="kafka:trips=trips",partition="0"} 3
            bikeshare_bridge_records_copied_total{route="kafka:trips=trips",partition="1"} 0
            # HELP bikeshare_bridge_offsets_passed_over Source offsets without a record: markers, aborted or compacted records
            # TYPE bikeshare_bridge_offsets_passed_over counter
            bikeshare_bridge_offsets_passed_over_total{route="kafka:trips=trips",partition="0"} 0
            bikeshare_bridge_offsets_passed_over_total{route="kafka:trips=trips",partition="1"} 0
            # HELP bikeshare_bridge_records_deleted Records deleted in the source before they could be copied
            # TYPE bikeshare_bridge_records_deleted counter
            bikeshare_bridge_records_deleted_total{route="kafka:trips=trips",partition="0"} 0
            bikeshare_bridge_records_deleted_total{route="kafka:trips=trips",partition="1"} 0
            # HELP bikeshare_bridge_retries Failures after which the partition was tried again
            # TYPE bikeshare_bridge_retries counter
            bikeshare_bridge_retries_total{route="kafka:trips=trips",partition="0"} 0
            bikeshare_bridge_retries_total{route="kafka:trips=trips",partition="1"} 1
            # HELP bikeshare_bridge_source_next_offset Offset in the source of the next record to copy
            # TYPE bikeshare_bridge_source_next_offset gauge
            bikeshare_bridge_source_next_offset{route="kafka:trips=trips",partition="0"} 8
            # HELP bikeshare_bridge_source_end_offset Offset after the source's last committed record, when last measured
            # TYPE bikeshare_bridge_source_end_offset gauge
            bikeshare_bridge_source_end_offset{route="kafka:trips=trips",partition="0"} 10
            # HELP bikeshare_bridge_lag_records Source offsets still to be copied, when last measured
            # TYPE bikeshare_bridge_lag_records gauge
            bikeshare_bridge_lag_records{route="kafka:trips=trips",partition="0"} 2
            # HELP bikeshare_bridge_lag_age_seconds Seconds since the source's end was last measured
            # TYPE bikeshare_bridge_lag_age_seconds gauge
            bikeshare_bridge_lag_age_seconds{route="kafka:trips=trips",partition="0"} 0
            # HELP bikeshare_bridge_connected 1 while the partition is connected to both sides, else 0
            # TYPE bikeshare_bridge_connected gauge
            bikeshare_bridge_connected{route="kafka:trips=trips",partition="0"} 1
            bikeshare_bridge_connected{route="kafka:trips=trips",partition="1"} 0
            # EOF
        "##]]
        .assert_eq(&text(&all).unwrap());
        assert_eq!(all.outages(), ["kafka:trips=trips/1: kafka is away"]);
    }
}
