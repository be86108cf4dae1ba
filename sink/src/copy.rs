//! Postgres' binary COPY format, for rows of `records`.
//!
//! Source: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use bytes::{Buf, BufMut, Bytes, BytesMut};
use domain::availability::BikeEvent;
use domain::{BikeKind, EventTime};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the header's extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 4 + 4;
const TRAILER: i16 = -1;
const NULL: i32 = -1;
/// Columns that are read, and always written.
const COLUMNS: i16 = 5;
/// Where Postgres begins to count microseconds: 2000-01-01.
const POSTGRES_EPOCH: EventTime = EventTime::from_micros(946_684_800_000_000);

/// Which columns are written beside `(id, time, bike_id, location_id, docked)`; what is left out of all
/// rows makes none of them wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RecordColumns {
    /// Some event is inferred.
    pub(crate) inferred: bool,
    /// Of some event the kind of bike is known.
    pub(crate) bike_kind: bool,
}

impl RecordColumns {
    /// The columns' names.
    pub(crate) fn names(self) -> &'static str {
        match (self.inferred, self.bike_kind) {
            (false, false) => "id, time, bike_id, location_id, docked",
            (true, false) => "id, time, bike_id, location_id, docked, inferred",
            (false, true) => "id, time, bike_id, location_id, docked, bike_kind",
            (true, true) => "id, time, bike_id, location_id, docked, inferred, bike_kind",
        }
    }

    fn count(self) -> i16 {
        COLUMNS + i16::from(self.inferred) + i16::from(self.bike_kind)
    }
}

/// A row of `records`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordRow<'a> {
    pub(crate) id: i64,
    pub(crate) at: EventTime,
    pub(crate) bike_id: Option<&'a str>,
    pub(crate) location_id: i32,
    pub(crate) docked: bool,
    /// Written with [`RecordColumns::inferred`] only.
    pub(crate) inferred: bool,
    /// Written with [`RecordColumns::bike_kind`] only.
    pub(crate) bike_kind: Option<BikeKind>,
}

/// As column `bike_kind` has it.
pub(crate) fn letter(kind: BikeKind) -> &'static str {
    match kind {
        BikeKind::Classic => "c",
        BikeKind::Electric => "e",
        BikeKind::Docked => "d",
    }
}

/// Writes rows of `records`.
pub(crate) struct RecordsEncoder {
    columns: RecordColumns,
    bytes: BytesMut,
}

impl RecordsEncoder {
    pub(crate) fn with_rows(rows: usize, columns: RecordColumns) -> Self {
        let mut bytes = BytesMut::with_capacity(rows * 56 + 32);
        bytes.put_slice(SIGNATURE);
        bytes.put_i32(0);
        bytes.put_i32(0);
        Self { columns, bytes }
    }

    pub(crate) fn push(&mut self, row: &RecordRow<'_>) {
        let bytes = &mut self.bytes;
        bytes.put_i16(self.columns.count());
        bytes.put_i32(8);
        bytes.put_i64(row.id);
        bytes.put_i32(8);
        bytes.put_i64(row.at.as_micros() - POSTGRES_EPOCH.as_micros());
        match row.bike_id {
            Some(bike_id) => {
                bytes.put_i32(i32::try_from(bike_id.len()).unwrap_or(i32::MAX));
                bytes.put_slice(bike_id.as_bytes());
            }
            None => bytes.put_i32(NULL),
        }
        bytes.put_i32(4);
        bytes.put_i32(row.location_id);
        bytes.put_i32(1);
        bytes.put_u8(u8::from(row.docked));
        if self.columns.inferred {
            bytes.put_i32(1);
            bytes.put_u8(u8::from(row.inferred));
        }
        match row.bike_kind {
            _ if !self.columns.bike_kind => {}
            Some(kind) => {
                bytes.put_i32(1);
                bytes.put_slice(letter(kind).as_bytes());
            }
            None => bytes.put_i32(NULL),
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
    let at_micros = i64::from_be_bytes(at?.try_into().ok()?);
    let at_micros = at_micros.checked_add(POSTGRES_EPOCH.as_micros())?;
    Some(Some(BikeEvent {
        at: EventTime::from_micros(at_micros).to_utc()?,
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
        let event = event.prop_map(|(at_micros, id, bike_id, location_id, docked)| BikeEvent {
            at: EventTime::from_micros(at_micros).to_utc().unwrap(),
            id,
            bike_id: bike_id.map(String::into_boxed_str),
            location_id,
            docked,
        });
        proptest::collection::vec(event, 0..20)
    }

    /// Bytes of one row beside those that all rows have.
    fn width(columns: RecordColumns, bike_kind: Option<BikeKind>) -> usize {
        let mut encoder = RecordsEncoder::with_rows(1, columns);
        encoder.push(&RecordRow {
            id: 1,
            at: POSTGRES_EPOCH,
            bike_id: None,
            location_id: 1,
            docked: true,
            inferred: false,
            bike_kind,
        });
        encoder.finish().len()
    }

    #[test]
    fn what_no_row_has_makes_none_wider() {
        let all = [(false, false), (true, false), (false, true), (true, true)];
        let [plain, inferred, kinds, both] = all.map(|(inferred, bike_kind)| RecordColumns {
            inferred,
            bike_kind,
        });
        let electric = Some(BikeKind::Electric);
        assert_eq!(width(plain, electric), width(plain, None));
        assert_eq!(width(inferred, None), width(plain, None) + 5);
        assert_eq!(width(kinds, electric), width(plain, None) + 5);
        assert_eq!(width(kinds, None), width(plain, None) + 4);
        assert_eq!(width(both, electric), width(plain, None) + 10);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_whatever_the_pieces(
            events in events(),
            piece in 1..200_usize,
        ) {
            let mut encoder = RecordsEncoder::with_rows(events.len(), RecordColumns::default());
            for event in &events {
                encoder.push(&RecordRow {
                    id: event.id,
                    at: EventTime::from(event.at),
                    bike_id: event.bike_id.as_deref(),
                    location_id: event.location_id,
                    docked: event.docked,
                    inferred: false,
                    bike_kind: None,
                });
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
