//! Outputs of the SmartModule `dock-window`, written by it and read by `sink`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A departure count of one window: its start and how many.
pub type WindowCount = (DateTime<Utc>, u64);

/// What a counter has to know to go on after a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowState {
    /// Newest departure, status or tick seen; nothing before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<DateTime<Utc>>,
    /// Windows that start before this instant are closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_until: Option<DateTime<Utc>>,
    /// Windows still open, by start.
    #[serde(default)]
    pub open: Vec<WindowCount>,
}

/// One output of the SmartModule `dock-window`.
///
/// Shape: one where a window closed, a late departure, a tick or a reject came, and at least one
/// every [`crate::window::RECORDS_BETWEEN_OUTPUTS_MAX`] records. What a producer sends ends in a tick,
/// or in a reject where no row had a time: so the last record always gives one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "WindowFields")]
pub enum WindowOutput {
    /// All records from the output before up to this one are counted.
    Counted(Counted),
    /// The broker skipped records: counting cannot go on.
    Gap {
        /// Offset of the record that came.
        offset: i64,
        /// What should have come.
        gap: Gap,
    },
}

/// What changed since the output before, and the state after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Offset of the last record counted.
    pub offset: i64,
    /// Offset of the first one: behind the output before. An output that got lost shows here.
    pub from: i64,
    /// Source of the record at `offset`: empty for one that could not be read; none from modules
    /// that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Rank of the record at `offset` in its source; 0 for one that could not be read.
    pub seq: u64,
    /// Windows that closed: absolute counts of this partition, by start.
    pub closed: Vec<WindowCount>,
    /// Departures that came for windows already closed: increments, by start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<WindowCount>,
    /// Sources that advanced: the last `seq` counted of each; of a live feed that of its newest run.
    pub seen: Vec<(String, u64)>,
    /// The state after `offset`.
    pub state: WindowState,
}

/// Where the broker skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Offset of the first record that is missing.
    pub expected: i64,
}

impl WindowOutput {
    /// Offset of the record that gave it.
    #[must_use]
    pub fn offset(&self) -> i64 {
        match self {
            Self::Counted(Counted { offset, .. }) | Self::Gap { offset, .. } => *offset,
        }
    }

    /// Writes the output as one JSON object without line breaks.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an output has only string keys and whole numbers")
    }
}

#[derive(Deserialize)]
struct WindowFields {
    offset: i64,
    from: Option<i64>,
    source: Option<String>,
    #[serde(default)]
    seq: u64,
    gap: Option<Gap>,
    #[serde(default)]
    closed: Vec<WindowCount>,
    #[serde(default)]
    late: Vec<WindowCount>,
    #[serde(default)]
    seen: Vec<(String, u64)>,
    state: Option<WindowState>,
}

impl TryFrom<WindowFields> for WindowOutput {
    type Error = &'static str;

    fn try_from(fields: WindowFields) -> Result<Self, Self::Error> {
        let offset = fields.offset;
        if let Some(gap) = fields.gap {
            return Ok(Self::Gap { offset, gap });
        }
        let (Some(from), Some(state)) = (fields.from, fields.state) else {
            return Err("it lacks `from` or `state`");
        };
        Ok(Self::Counted(Counted {
            offset,
            from,
            source: fields.source,
            seq: fields.seq,
            closed: fields.closed,
            late: fields.late,
            seen: fields.seen,
            state,
        }))
    }
}
