//! What a role counts or measures, at one moment.

/// A name and its value, such as `("partition", "0")`.
pub type Label = (&'static str, String);

/// One metric with a sample for each set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Without prefix, and without the `_total` that counters get.
    pub name: &'static str,
    /// One line, without a full stop.
    pub help: &'static str,
    /// All counters or all gauges; one that is not known now is left out.
    pub samples: Vec<Sample>,
}

/// A value with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// In the same order in all samples of a metric.
    pub labels: Vec<Label>,
    /// What it is now.
    pub value: Value,
}

/// What a sample says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// How many since the process started; never falls.
    Count(u64),
    /// How many seconds since the process started; never falls.
    Seconds(f64),
    /// What is now.
    Gauge(f64),
}

impl Value {
    pub(crate) fn is_counter(self) -> bool {
        matches!(self, Self::Count(_) | Self::Seconds(_))
    }
}

impl Metric {
    /// A counter without labels.
    #[must_use]
    pub fn count(name: &'static str, help: &'static str, count: u64) -> Self {
        Self::one(name, help, Value::Count(count))
    }

    /// A counter of seconds without labels.
    #[must_use]
    pub fn seconds(name: &'static str, help: &'static str, time: std::time::Duration) -> Self {
        Self::one(name, help, Value::Seconds(time.as_secs_f64()))
    }

    /// A gauge without labels; no sample where the value is not known.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: Option<f64>) -> Self {
        let samples = value.map(|value| Sample {
            labels: Vec::new(),
            value: Value::Gauge(value),
        });
        Self {
            name,
            help,
            samples: samples.into_iter().collect(),
        }
    }

    /// A metric with labels.
    #[must_use]
    pub fn labelled(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Vec<Label>, Value)>,
    ) -> Self {
        let samples = samples.into_iter();
        Self {
            name,
            help,
            samples: samples
                .map(|(labels, value)| Sample { labels, value })
                .collect(),
        }
    }

    fn one(name: &'static str, help: &'static str, value: Value) -> Self {
        Self::labelled(name, help, [(Vec::new(), value)])
    }
}
