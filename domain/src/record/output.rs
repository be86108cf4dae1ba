//! Outputs of the SmartModule `trip-split`, written by it and read by `sink`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::{StationRef, Text, TripPieces};
use crate::{BikeKind, Reject, Status, System};

/// One output of the SmartModule `trip-split`.
///
/// Shape: a trip gives two (departure, then arrival), any other record one, so the offsets of the
/// outputs have no gap: a reader that sees one knows that the broker skipped something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitOutput<'a> {
    /// Offset of the record on the topic; Fluvio's own offset after a module is made up.
    pub offset: i64,
    /// Source of the record; empty for a record that could not be read.
    pub source: Text<'a>,
    /// Rank of the record in its source; 0 for a record that could not be read.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: SplitEvent<'a>,
}

/// What a record means to those who keep the docks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitEvent<'a> {
    /// A bike left a station.
    Departure(DockEvent<'a>),
    /// A bike was docked at a station; its time may lie ahead of the replay clock.
    Arrival(DockEvent<'a>),
    /// The bikes at a station were counted; a departure or an arrival may be inferred from it.
    Status(Status),
    /// A live feed described its system.
    System(System),
    /// The replay clock has reached this instant.
    Tick(DateTime<Utc>),
    /// A row or a record could not be used.
    Reject(Reject),
}

/// A bike at a station at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DockEvent<'a> {
    /// The bike, where it is known.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub bike_id: Option<Text<'a>>,
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// Where.
    #[serde(borrow)]
    pub station: StationRef<'a>,
    /// Which kind of bike it is, where the trip's file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bike_kind: Option<BikeKind>,
}

impl SplitOutput<'_> {
    /// Writes the output as one JSON object without line breaks.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an output has only string keys and finite numbers")
    }
}

/// Gives the outputs of a trip, departure first, each in pieces: most of them stand in the record.
///
/// They read back as what [`SplitOutput::to_json`] writes, at a fraction of its cost.
pub(crate) fn write_trip(offset: i64, trip: &TripPieces<'_>, output: &mut dyn FnMut(&[&[u8]])) {
    let mut digits = itoa::Buffer::new();
    let offset = digits.format(offset);
    let bike_id = match trip.bike_id {
        Some(bike_id) => ["\"bike_id\":", bike_id, ","],
        None => [""; 3],
    };
    let bike_kind = match trip.bike_kind {
        Some(bike_kind) => [",\"bike_kind\":", bike_kind],
        None => [""; 2],
    };
    let departure = ("\"departure\":{", trip.departed_at, trip.from);
    let arrival = ("\"arrival\":{", trip.arrived_at, trip.to);
    for (name, at, station) in [departure, arrival] {
        let pieces = [
            "{\"offset\":",
            offset,
            ",",
            trip.source_and_seq,
            name,
            bike_id[0],
            bike_id[1],
            bike_id[2],
            "\"at\":",
            at.text,
            ",\"station\":",
            station,
            bike_kind[0],
            bike_kind[1],
            "}}",
        ];
        output(&pieces.map(str::as_bytes));
    }
}

// Field by field: serde would copy a flattened enum into a buffer first, at several times the cost.
#[derive(Deserialize)]
struct SplitFields<'a> {
    offset: i64,
    #[serde(borrow)]
    source: Text<'a>,
    seq: u64,
    #[serde(borrow)]
    departure: Option<DockEvent<'a>>,
    #[serde(borrow)]
    arrival: Option<DockEvent<'a>>,
    status: Option<Status>,
    system: Option<System>,
    tick: Option<DateTime<Utc>>,
    reject: Option<Reject>,
}

impl<'de: 'a, 'a> Deserialize<'de> for SplitOutput<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = SplitFields::deserialize(deserializer)?;
        Self::try_from(fields).map_err(serde::de::Error::custom)
    }
}

impl<'a> TryFrom<SplitFields<'a>> for SplitOutput<'a> {
    type Error = &'static str;

    fn try_from(fields: SplitFields<'a>) -> Result<Self, Self::Error> {
        let trip = (fields.departure, fields.arrival);
        let feed = (fields.status, fields.system);
        let event = match (trip, feed, fields.tick, fields.reject) {
            ((Some(departure), None), (None, None), None, None) => SplitEvent::Departure(departure),
            ((None, Some(arrival)), (None, None), None, None) => SplitEvent::Arrival(arrival),
            ((None, None), (Some(status), None), None, None) => SplitEvent::Status(status),
            ((None, None), (None, Some(system)), None, None) => SplitEvent::System(system),
            ((None, None), (None, None), Some(at), None) => SplitEvent::Tick(at),
            ((None, None), (None, None), None, Some(reject)) => SplitEvent::Reject(reject),
            _ => {
                return Err(
                    "expected exactly one of departure, arrival, status, system, tick and reject",
                );
            }
        };
        Ok(Self {
            offset: fields.offset,
            source: fields.source,
            seq: fields.seq,
            event,
        })
    }
}
