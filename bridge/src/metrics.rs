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

    /// A line for each sample.
    fn shown(role: &BridgeRole) -> String {
        let metrics = role.metrics();
        let samples = metrics
            .iter()
            .flat_map(|metric| metric.samples.iter().map(|sample| (metric.name, sample)));
        let lines = samples.map(|(name, sample)| {
            let labels = sample.labels.iter();
            let labels: Vec<_> = labels
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("{name} {} {:?}\n", labels.join(","), sample.value)
        });
        lines.collect()
    }

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
        expect![[r#"
            records_copied route=kafka:trips=trips,partition=0 Count(3)
            records_copied route=kafka:trips=trips,partition=1 Count(0)
            offsets_passed_over route=kafka:trips=trips,partition=0 Count(0)
            offsets_passed_over route=kafka:trips=trips,partition=1 Count(0)
            records_deleted route=kafka:trips=trips,partition=0 Count(0)
            records_deleted route=kafka:trips=trips,partition=1 Count(0)
            retries route=kafka:trips=trips,partition=0 Count(0)
            retries route=kafka:trips=trips,partition=1 Count(1)
            source_next_offset route=kafka:trips=trips,partition=0 Gauge(8.0)
            source_end_offset route=kafka:trips=trips,partition=0 Gauge(10.0)
            lag_records route=kafka:trips=trips,partition=0 Gauge(2.0)
            lag_age_seconds route=kafka:trips=trips,partition=0 Gauge(0.0)
            connected route=kafka:trips=trips,partition=0 Gauge(1.0)
            connected route=kafka:trips=trips,partition=1 Gauge(0.0)
        "#]]
        .assert_eq(&shown(&BridgeRole(Arc::clone(&all))));
        assert_eq!(all.outages(), ["kafka:trips=trips/1: kafka is away"]);
    }
}
