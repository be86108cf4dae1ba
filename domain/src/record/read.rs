//! Reading any record, however its JSON is spelled.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Body, Record, TripPieces};
use crate::{Reject, Status, System, Trip};

/// A record that is not JSON of the shape of [`Record`].
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
}

/// What a stored record is known by: its source and its `seq`; empty and 0 if it is no record.
#[must_use]
pub fn source_and_seq(bytes: &[u8]) -> (String, u64) {
    if let Some(trip) = TripPieces::read(bytes) {
        return (trip.source.to_owned(), trip.seq);
    }
    let record = Record::from_json(bytes).ok();
    record.map_or_else(Default::default, |record| (record.source, record.seq))
}

// Field by field: serde would copy a flattened enum into a buffer first, at several times the cost.
#[derive(Deserialize)]
pub(super) struct RecordFields {
    source: String,
    seq: u64,
    trip: Option<Trip>,
    status: Option<Status>,
    system: Option<System>,
    tick: Option<DateTime<Utc>>,
    reject: Option<Reject>,
}

impl TryFrom<RecordFields> for Record {
    type Error = &'static str;

    fn try_from(fields: RecordFields) -> Result<Self, Self::Error> {
        let feed = (fields.status, fields.system);
        let body = match (fields.trip, feed, fields.tick, fields.reject) {
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
            source: fields.source,
            seq: fields.seq,
            body,
        })
    }
}
