//! Metrics as text for Prometheus.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::{Metric, Role, Sample, Value};

/// Begins every name.
const PREFIX: &str = "bikeshare";

/// Up to here each whole number is a different `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What the roles say now, and which build says it.
///
/// # Errors
/// If a name or a label cannot be written.
pub fn text(roles: &[Arc<dyn Role>], version: &'static str) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    let build = Info::new([("version", version)]);
    registry.register("build", "The build that says this", build);
    for role in roles {
        let of_role = registry.sub_registry_with_prefix(role.name());
        of_role.register_collector(Box::new(Snapshot(role.metrics())));
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Snapshot(Vec<Metric>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Metric {
            name,
            help,
            samples,
        } in &self.0
        {
            let Some(first) = samples.first() else {
                continue;
            };
            let kind = if first.value.is_counter() {
                ConstCounter::new(0_u64).metric_type()
            } else {
                ConstGauge::new(0_i64).metric_type()
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for Sample { labels, value } in samples {
                if labels.is_empty() {
                    value.encode(family)?;
                    break;
                }
                value.encode(family.encode_family(&labels.as_slice())?)?;
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(self, encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => ConstCounter::new(count).encode(encoder),
            Self::Seconds(seconds) => ConstCounter::new(seconds).encode(encoder),
            // Counts of things are written as such, to be read by people too.
            Self::Gauge(value) if value.fract() == 0.0 && value.abs() < WHOLE_MAX => {
                ConstGauge::new(value as i64).encode(encoder)
            }
            Self::Gauge(value) => ConstGauge::new(value).encode(encoder),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;

    struct Sink;

    impl Role for Sink {
        fn name(&self) -> &'static str {
            "sink"
        }

        fn metrics(&self) -> Vec<Metric> {
            let lag = (0..2).map(|partition: u32| {
                let labels = vec![("partition", partition.to_string())];
                (labels, Value::Gauge(f64::from(partition) / 2.0))
            });
            vec![
                Metric::count("records_written", "Rows of table records", 12),
                Metric::seconds(
                    "writing_seconds",
                    "In transactions",
                    Duration::from_millis(1500),
                ),
                Metric::gauge("clock_seconds", "Not known yet", None),
                Metric::labelled("lag_seconds", "Of event time", lag),
            ]
        }

        fn failures(&self) -> Vec<String> {
            Vec::new()
        }

        fn waits(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn metrics_are_named_as_prometheus_expects_and_unknown_ones_are_left_out() {
        let roles: [Arc<dyn Role>; 1] = [Arc::new(Sink)];
        expect![[r##"
            # HELP bikeshare_build The build that says this.
            # TYPE bikeshare_build info
            bikeshare_build_info{version="1.2.3"} 1
            # HELP bikeshare_sink_records_written Rows of table records
            # TYPE bikeshare_sink_records_written counter
            bikeshare_sink_records_written_total 12
            # HELP bikeshare_sink_writing_seconds In transactions
            # TYPE bikeshare_sink_writing_seconds counter
            bikeshare_sink_writing_seconds_total 1.5
            # HELP bikeshare_sink_lag_seconds Of event time
            # TYPE bikeshare_sink_lag_seconds gauge
            bikeshare_sink_lag_seconds{partition="0"} 0
            bikeshare_sink_lag_seconds{partition="1"} 0.5
            # EOF
        "##]]
        .assert_eq(&text(&roles, "1.2.3").unwrap());
    }
}
