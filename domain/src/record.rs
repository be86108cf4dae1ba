//! What one record on the topic `trips` says.
//!
//! JSON, so that `fluvio consume trips` is readable. A record is known by its `(source, seq)`:
//! Fluvio has no idempotent producer, so a resent record repeats them and readers drop it
//! (see [`crate::source`]).

mod plain;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use self::plain::PlainTrip;
use crate::{Reject, Status, System, Trip};

/// One record on the topic `trips`.
///
/// Order: within a source and partition `seq` grows from record to record, ticks aside.
/// Writer: `producer`. Readers: the SmartModules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Record {
    /// Where the row came from: `<file name>#<hash of its content>`, `simulate:<seed>` and what
    /// differs from the usual city, or `gbfs:<system id>@<run>` (see [`crate::source`]).
    pub source: String,
    /// Rank of the row in its source, ordered by departure, counted from 0. A live feed cannot be
    /// read again: its rows are ranked in the run that polled it, counted from 1. A tick carries the
    /// next row's.
    pub seq: u64,
    /// What happened.
    pub body: Body,
}

/// What a stored record is known by: its source and its `seq`; empty and 0 if it is no record.
#[must_use]
pub fn source_and_seq(bytes: &[u8]) -> (String, u64) {
    if let Some(trip) = PlainTrip::read(bytes) {
        return (trip.source.to_owned(), trip.seq);
    }
    let record = Record::from_json(bytes).ok();
    record.map_or_else(Default::default, |record| (record.source, record.seq))
}

/// The five things a record can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A trip was made.
    Trip(Trip),
    /// A live feed counted the bikes at a station.
    Status(Status),
    /// A live feed told of its system; never counted.
    System(System),
    /// The replay clock has reached this instant; sent to every partition, never counted.
    Tick(DateTime<Utc>),
    /// A row of the source could not become a trip.
    Reject(Reject),
}

/// A record that is not JSON of the shape above.
#[derive(Debug, thiserror::Error)]
#[error("not a record of topic trips")]
pub struct RecordError(#[from] serde_json::Error);

impl Record {
    /// Reads a record from its JSON text.
    ///
    /// # Errors
    /// [`RecordError`] if the bytes are not JSON, a field is missing or has another type, or the
    /// object holds not exactly one of `trip`, `status`, `system`, `tick` and `reject`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Writes the record as one JSON object without line breaks.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let wire = WireRef {
            source: &self.source,
            seq: self.seq,
            trip: if let Body::Trip(trip) = &self.body {
                Some(trip)
            } else {
                None
            },
            status: if let Body::Status(status) = &self.body {
                Some(status)
            } else {
                None
            },
            system: if let Body::System(system) = &self.body {
                Some(system)
            } else {
                None
            },
            tick: if let Body::Tick(at) = &self.body {
                Some(*at)
            } else {
                None
            },
            reject: if let Body::Reject(reject) = &self.body {
                Some(reject)
            } else {
                None
            },
        };
        serde_json::to_vec(&wire).expect("a record has only string keys and finite numbers")
    }
}

#[derive(Serialize)]
struct WireRef<'a> {
    source: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trip: Option<&'a Trip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a System>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tick: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject: Option<&'a Reject>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    source: String,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trip: Option<Trip>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<System>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tick: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reject: Option<Reject>,
}

impl TryFrom<Wire> for Record {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let feed = (wire.status, wire.system);
        let body = match (wire.trip, feed, wire.tick, wire.reject) {
            (Some(trip), (None, None), None, None) => Body::Trip(trip),
            (None, (Some(status), None), None, None) => Body::Status(status),
            (None, (None, Some(system)), None, None) => Body::System(system),
            (None, (None, None), Some(at), None) => Body::Tick(at),
            (None, (None, None), None, Some(reject)) => Body::Reject(reject),
            _ => {
                return Err(
                    "expected exactly one of `trip`, `status`, `system`, `tick` and `reject`",
                );
            }
        };
        Ok(Self {
            source: wire.source,
            seq: wire.seq,
            body,
        })
    }
}

impl From<Record> for Wire {
    fn from(record: Record) -> Self {
        let Record { source, seq, body } = record;
        let mut wire = Self {
            source,
            seq,
            trip: None,
            status: None,
            system: None,
            tick: None,
            reject: None,
        };
        match body {
            Body::Trip(trip) => wire.trip = Some(trip),
            Body::Status(status) => wire.status = Some(status),
            Body::System(system) => wire.system = Some(system),
            Body::Tick(at) => wire.tick = Some(at),
            Body::Reject(reject) => wire.reject = Some(reject),
        }
        wire
    }
}
