//! What a bridge shows to those who run it, per route and partition.

use std::sync::Arc;

use telemetry::{Metric, Role, Value};

use crate::counts::{AllCounts, Counts};

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

/// The bridge as a role that is watched.
#[derive(Debug)]
pub(crate) struct BridgeRole(pub(crate) Arc<AllCounts>);

impl Role for BridgeRole {
    fn name(&self) -> &'static str {
        "bridge"
    }

    fn metrics(&self) -> Vec<Metric> {
        let counters = COUNTERS.map(|(name, help, read)| {
            self.metric(name, help, |counts| read(counts).map(Value::Count))
        });
        let gauges = GAUGES.map(|(name, help, read)| {
            self.metric(name, help, |counts| {
                read(counts).map(|value| Value::Gauge(value as f64))
            })
        });
        counters.into_iter().chain(gauges).collect()
    }

    /// Each partition that is not connected to both sides.
    fn failures(&self) -> Vec<String> {
        self.0.outages()
    }

    fn waits(&self) -> Vec<String> {
        Vec::new()
    }
}

impl BridgeRole {
    fn metric(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn(&Counts) -> Option<Value>,
    ) -> Metric {
        let mut samples = Vec::new();
        for (route, counts) in self.0.routes() {
            for (partition, counts) in counts.partitions.iter().enumerate() {
                let labels = vec![
                    ("route", route.clone()),
                    ("partition", partition.to_string()),
                ];
                samples.extend(read(counts).map(|value| (labels, value)));
            }
        }
        Metric::labelled(name, help, samples)
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
        let role: Arc<dyn Role> = Arc::new(BridgeRole(Arc::clone(&all)));
        // Measured this moment.
        expect![[r##"
            # HELP bikeshare_build The build that says this.
            # TYPE bikeshare_build info
            bikeshare_build_info{version="1.2.3"} 1
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
        .assert_eq(&telemetry::text(&[role], "1.2.3").unwrap());
        assert_eq!(all.outages(), ["kafka:trips=trips/1: kafka is away"]);
    }
}
