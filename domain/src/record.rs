//! What one record on the topic `trips` says, and the bytes of it.
//!
//! JSON, so that `fluvio consume trips` is readable. A record is known by its `(source, seq)`:
//! Fluvio has no idempotent producer, so a resent record repeats them and readers drop it
//! (see [`crate::source`]).
//!
//! ```text
//! Body ──┐                                  ┌─▶ Record          (any record, owned)
//!        ├─▶ BodyRef ─ write ─▶ bytes on ───┼─▶ RecordHead      (source, seq and tick only)
//! names ─┘                     `trips`      └─▶ TripPieces ─▶ bytes of outputs ─▶ SplitOutput
//! ```
//!
//! Nothing outside this module knows how a record or an output is spelled: `producer` writes, the
//! SmartModules read and write, `sink` reads through it.

mod head;
mod output;
mod pieces;
mod read;
mod text;
mod window_output;
mod write;

use chrono::{DateTime, Utc};
use serde::Deserialize;

pub use self::head::RecordHead;
pub(crate) use self::output::write_trip;
pub use self::output::{DockEvent, SplitEvent, SplitOutput};
pub(crate) use self::pieces::TripPieces;
use self::read::RecordFields;
pub use self::read::{RecordError, source_and_seq};
pub use self::text::{StationRef, Text};
pub use self::window_output::{Counted, Gap, WindowCount, WindowOutput, WindowState};
pub use self::write::{BodyRef, TripRef, write};
use crate::{Reject, Status, System, Trip};

/// One record on the topic `trips`.
///
/// Order: within a source and partition `seq` grows from record to record, ticks aside.
/// Writer: `producer`. Readers: the SmartModules.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RecordFields")]
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

/// The five things a record can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A trip was made.
    Trip(Trip),
    /// A live feed counted the bikes at a station.
    Status(Status),
    /// A live feed described its system; never counted.
    System(System),
    /// The replay clock has reached this instant; sent to every partition, never counted.
    Tick(DateTime<Utc>),
    /// A row of the source could not become a trip.
    Reject(Reject),
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
