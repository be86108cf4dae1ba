//! Postgres' binary COPY format, for rows of `records`.
//!
//! Source: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use bytes::{Buf, BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use domain::availability::BikeEvent;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the header's extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 4 + 4;
const TRAILER: i16 = -1;
const NULL: i32 = -1;
/// Columns that are read.
const COLUMNS: i16 = 5;
/// Postgres counts from 2000-01-01, Unix from 1970-01-01: microseconds between them.
const EPOCH_US: i64 = 946_684_800_000_000;

/// Which columns are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columns {
    /// `(id, time, bike_id, location_id, docked)`: no event is inferred.
    OfTrips,
    /// The same and `inferred`.
    WithInferred,
}

impl Columns {
    /// The columns' names.
    pub(crate) fn names(self) -> &'static str {
        match self {
            Self::OfTrips => "id, time, bike_id, location_id, docked",
            Self::WithInferred => "id, time, bike_id, location_id, docked, inferred",
        }
    }

    fn count(self) -> i16 {
        match self {
            Self::OfTrips => 5,
            Self::WithInferred => 6,
        }
    }
}

/// Where an event was, and what kind it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) location_id: i32,
    pub(crate) docked: bool,
    /// Written with [`Columns::WithInferred`] only.
    pub(crate) inferred: bool,
}

/// Writes rows of `records`.
pub(crate) struct RecordsEncoder {
    columns: Columns,
    bytes: BytesMut,
}

impl RecordsEncoder {
    pub(crate) fn with_rows(rows: usize, columns: Columns) -> Self {
        let mut bytes = BytesMut::with_capacity(rows * 56 + 32);
        bytes.put_slice(SIGNATURE);
        bytes.put_i32(0);
        bytes.put_i32(0);
        Self { columns, bytes }
    }

    /// `at_us` counts from 1970 in microseconds.
    pub(crate) fn row(&mut self, id: i64, at_us: i64, bike_id: Option<&str>, place: Place) {
        let bytes = &mut self.bytes;
        bytes.put_i16(self.columns.count());
        bytes.put_i32(8);
        bytes.put_i64(id);
        bytes.put_i32(8);
        bytes.put_i64(at_us - EPOCH_US);
        match bike_id {
            Some(bike_id) => {
                bytes.put_i32(i32::try_from(bike_id.len()).unwrap_or(i32::MAX));
                bytes.put_slice(bike_id.as_bytes());
            }
            None => bytes.put_i32(NULL),
        }
        bytes.put_i32(4);
        bytes.put_i32(place.location_id);
        bytes.put_i32(1);
        bytes.put_u8(u8::from(place.docked));
        if self.columns == Columns::WithInferred {
            bytes.put_i32(1);
            bytes.put_u8(u8::from(place.inferred));
        }
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.bytes.put_i16(TRAILER);
        self.bytes.freeze()
    }
}

/// Reads rows `(id, time, bike_id, location_id, docked)` as they arrive, in pieces of any size.
#[derive(Default)]
pub(crate) struct RecordsDecoder {
    rest: BytesMut,
    header_read: bool,
}

impl RecordsDecoder {
    /// Takes a piece and gives the rows that are whole now; none on malformed data.
    pub(crate) fn push(&mut self, piece: &[u8], rows: &mut Vec<BikeEvent>) -> Option<()> {
        self.rest.extend_from_slice(piece);
        if !self.header_read {
            if self.rest.len() < HEADER_BYTES {
                return Some(());
            }
            if !self.rest.starts_with(SIGNATURE) {
                return None;
            }
            self.rest.advance(HEADER_BYTES);
            self.header_read = true;
        }
        loop {
            let mut row = &self.rest[..];
            let before = row.len();
            match read_row(&mut row)? {
                Some(event) => rows.push(event),
                None => return Some(()),
            }
            let read = before - row.len();
            self.rest.advance(read);
        }
    }
}

/// Reads one row; `Some(None)` if it is not all there yet or the trailer came, `None` if malformed.
fn read_row(bytes: &mut &[u8]) -> Option<Option<BikeEvent>> {
    let Some(columns) = take(bytes, 2) else {
        return Some(None);
    };
    let columns = i16::from_be_bytes(columns.try_into().ok()?);
    if columns == TRAILER {
        return Some(None);
    }
    if columns != COLUMNS {
        return None;
    }
    let mut fields: [Option<&[u8]>; 5] = [None; 5];
    for field in &mut fields {
        let Some(length) = take(bytes, 4) else {
            return Some(None);
        };
        let length = i32::from_be_bytes(length.try_into().ok()?);
        if length != NULL {
            let Some(value) = take(bytes, usize::try_from(length).ok()?) else {
                return Some(None);
            };
            *field = Some(value);
        }
    }
    let [id, at, bike_id, location_id, docked] = fields;
    let at_us = i64::from_be_bytes(at?.try_into().ok()?);
    Some(Some(BikeEvent {
        at: at_from_us(at_us.checked_add(EPOCH_US)?)?,
        id: i64::from_be_bytes(id?.try_into().ok()?),
        bike_id: match bike_id {
            Some(bytes) => Some(std::str::from_utf8(bytes).ok()?.into()),
            None => None,
        },
        location_id: i32::from_be_bytes(location_id?.try_into().ok()?),
        docked: docked? == [1],
    }))
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    bytes.split_off(..length)
}

fn at_from_us(at_us: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at_us)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events() -> impl Strategy<Value = Vec<BikeEvent>> {
        let event = (
            -4_000_000_000_000_000_i64..8_000_000_000_000_000,
            any::<i64>(),
            proptest::option::of("\\PC{0,12}"),
            any::<i32>(),
            any::<bool>(),
        );
        let event = event.prop_map(|(at_us, id, bike_id, location_id, docked)| BikeEvent {
            at: at_from_us(at_us).unwrap(),
            id,
            bike_id: bike_id.map(String::into_boxed_str),
            location_id,
            docked,
        });
        proptest::collection::vec(event, 0..20)
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_whatever_the_pieces(
            events in events(),
            piece in 1..200_usize,
        ) {
            let mut encoder = RecordsEncoder::with_rows(events.len(), Columns::OfTrips);
            for event in &events {
                let place = Place {
                    location_id: event.location_id,
                    docked: event.docked,
                    inferred: false,
                };
                encoder.row(event.id, event.at.timestamp_micros(), event.bike_id.as_deref(), place);
            }
            let mut decoder = RecordsDecoder::default();
            let mut rows = Vec::new();
            for piece in encoder.finish().chunks(piece) {
                decoder.push(piece, &mut rows).unwrap();
            }
            prop_assert_eq!(rows, events);
        }
    }
}
