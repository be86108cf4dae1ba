//! Outputs of `trip-split` → rows of `records`, `dock_status`, `location_history` and `rejected`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::location::{Location, LocationChange, LocationHistory};
use domain::record::StationRef;
use domain::{
    BikeKind, DockEvent, EventTime, Inferred, Ordinal, RecordId, Reject, Service, Sources,
    SplitEvent, SplitOutput, Status, Stock, System,
};

use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::last_record::LastRecord;
use crate::storable::{push_storable, storable};
use crate::stream_key::StreamKey;

/// Rows of one response of the broker, ready to be written.
#[derive(Debug, Default)]
pub struct SplitChunk {
    pub events: Vec<EventRow>,
    /// The bike ids of `events`, one after the other.
    bike_ids: String,
    /// Whether the kind of bike is known of any of `events`.
    pub tells_bike_kind: bool,
    pub statuses: Vec<StatusRow>,
    pub rejects: Vec<RejectRow>,
    /// What a feed said last of its system.
    pub system: Option<System>,
    /// Stations not met before in this stream; their numbers go on from those before.
    pub stations: Vec<StationRow>,
    /// Names and places that are new of a station.
    pub locations: Vec<LocationRow>,
    pub sources: Vec<(String, u64)>,
    pub duplicates: u64,
    /// Newest departure, status or tick, none if there was none.
    pub watermark: Option<DateTime<Utc>>,
    /// The record before `next_offset`; none if no record is in this chunk.
    pub last: Option<LastRecord>,
    /// Everything before it is in this chunk or in one before.
    pub next_offset: i64,
}

/// A departure or an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub id: RecordId,
    pub at: EventTime,
    bike_id: Option<(u32, u32)>,
    /// Number of the station in this stream.
    pub station: u32,
    pub docked: bool,
    /// Inferred from a status; false for a trip's event.
    pub inferred: bool,
    pub bike_kind: Option<BikeKind>,
}

/// A row of `dock_status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    pub id: RecordId,
    pub at: DateTime<Utc>,
    /// Number of the station in this stream.
    pub station: u32,
    pub bikes: i32,
    pub service: Service,
    pub missing: bool,
    pub stock: Stock,
    pub last_reported: Option<DateTime<Utc>>,
}

/// A row of `rejected`.
#[derive(Debug)]
pub struct RejectRow {
    pub id: RecordId,
    pub source: String,
    pub reject: Reject,
}

/// A row of `location`, as the station's first event has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StationRow {
    pub station_id: String,
    pub location: Location,
}

/// A row of `location_history`.
#[derive(Debug, Clone, PartialEq)]
pub struct LocationRow {
    /// Number of the station in this stream.
    pub station: u32,
    pub change: LocationChange,
}

/// A station that has a row in `location`, and where this partition's events saw it.
#[derive(Debug)]
pub struct KnownStation {
    pub station_id: String,
    pub history: LocationHistory,
}

impl SplitChunk {
    pub fn bike_id(&self, event: &EventRow) -> Option<&str> {
        let (start, end) = event.bike_id?;
        self.bike_ids.get(start as usize..end as usize)
    }

    /// When its events and statuses were.
    pub(crate) fn times(&self) -> impl Iterator<Item = EventTime> {
        let statuses = self.statuses.iter().map(|row| row.at.into());
        self.events.iter().map(|row| row.at).chain(statuses)
    }

    fn put_bike_id(&mut self, bike_id: &str) -> Option<(u32, u32)> {
        let start = u32::try_from(self.bike_ids.len()).ok()?;
        push_storable(&mut self.bike_ids, bike_id);
        Some((start, u32::try_from(self.bike_ids.len()).ok()?))
    }
}

/// Turns outputs into rows, and sees to it that no record is missing or taken twice.
#[derive(Debug)]
pub struct SplitDecoder {
    key: StreamKey,
    next_offset: i64,
    /// Added to an offset of the log it gives the offset in ids.
    id_shift: i64,
    sources: Sources,
    stations: HashMap<Box<str>, u32>,
    /// Where each station was, by its number: as in the tables once the chunks are.
    histories: Vec<LocationHistory>,
    departed: Option<DepartedTrip>,
}

/// A trip whose departure has come and whose arrival comes next.
#[derive(Debug, Clone, Copy)]
struct DepartedTrip {
    offset: i64,
    duplicate: bool,
}

impl SplitDecoder {
    /// Goes on at the cursor; `stations` are those that have a row in `location`, by number.
    pub fn resume(key: StreamKey, cursor: &Cursor, stations: Vec<KnownStation>) -> Self {
        let stations = stations.into_iter();
        let (ids, histories): (Vec<_>, Vec<_>) = stations
            .map(|station| (station.station_id.into_boxed_str(), station.history))
            .unzip();
        Self {
            key,
            next_offset: cursor.next_offset,
            id_shift: cursor.id_shift,
            sources: Sources::resume(cursor.sources.iter().cloned()),
            stations: ids.into_iter().zip(0..).collect(),
            histories,
            departed: None,
        }
    }

    /// The record that should come next.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Turns the outputs of one response into rows.
    ///
    /// # Errors
    /// [`SinkError::Gap`] if records are missing, [`SinkError::Output`] if an output is not one.
    pub fn decode<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a [u8]>,
        epoch: Option<i32>,
    ) -> Result<SplitChunk, SinkError> {
        let mut chunk = SplitChunk::default();
        let mut last = None;
        for value in values {
            let output: SplitOutput<'_> =
                serde_json::from_slice(value).map_err(|error| self.unusable(error))?;
            let before = self.next_offset;
            self.push(&output, &mut chunk)?;
            if self.next_offset > before {
                last = Some((output.source, output.seq));
            }
        }
        chunk.last = last.map(|(source, seq)| LastRecord {
            epoch,
            source: storable(&source),
            seq,
        });
        if self.departed.is_some() {
            return Err(self.unusable("a departure came without its arrival"));
        }
        chunk.sources = self.sources.take_changed();
        chunk.next_offset = self.next_offset;
        Ok(chunk)
    }

    fn push(&mut self, output: &SplitOutput<'_>, chunk: &mut SplitChunk) -> Result<(), SinkError> {
        let SplitOutput {
            offset,
            ref source,
            seq,
            ref event,
        } = *output;
        if let Some(departed) = self.departed.take() {
            return self.arrival(departed, offset, event, chunk);
        }
        if offset < self.next_offset {
            return Ok(()); // The broker runs the module over the whole stored batch.
        }
        if offset > self.next_offset {
            let position = self.key.at(offset);
            return Err(SinkError::Gap {
                position,
                expected: self.next_offset,
            });
        }
        let is_new = match event {
            SplitEvent::Departure(departure) => self.departure(output, departure, chunk),
            SplitEvent::Arrival(_) => {
                return Err(self.unusable("an arrival came without its departure"));
            }
            SplitEvent::Status(status) => {
                let is_new = self.sources.admit(source, seq);
                if is_new {
                    self.status(offset, status, chunk);
                }
                is_new
            }
            SplitEvent::Reject(reject) => {
                // A record that could not be read has no source, so it cannot be a repeated one.
                let is_new = source.is_empty() || self.sources.admit(source, seq);
                if is_new {
                    self.reject(output, reject, chunk);
                }
                is_new
            }
            SplitEvent::Tick(at) => {
                let is_new = self.sources.admit_tick(source, seq);
                if is_new {
                    chunk.watermark = chunk.watermark.max(Some(*at));
                }
                is_new
            }
            SplitEvent::System(system) => {
                // Its `seq` is that of the next record, as a tick's.
                let is_new = self.sources.admit_tick(source, seq);
                if is_new {
                    chunk.system = Some(System {
                        timezone: storable(&system.timezone),
                        language: storable(&system.language),
                    });
                }
                is_new
            }
        };
        chunk.duplicates += u64::from(!is_new);
        self.next_offset = offset + 1;
        Ok(())
    }

    /// Takes a departure, and expects the arrival of its trip next; false if it is a duplicate.
    fn departure(
        &mut self,
        output: &SplitOutput<'_>,
        departure: &DockEvent<'_>,
        chunk: &mut SplitChunk,
    ) -> bool {
        let offset = output.offset;
        let is_new = self.sources.admit(&output.source, output.seq);
        if is_new {
            chunk.watermark = chunk.watermark.max(Some(departure.at));
            self.event(offset, Ordinal::Departure, departure, chunk);
        }
        let duplicate = !is_new;
        self.departed = Some(DepartedTrip { offset, duplicate });
        is_new
    }

    fn arrival(
        &mut self,
        departed: DepartedTrip,
        offset: i64,
        event: &SplitEvent<'_>,
        chunk: &mut SplitChunk,
    ) -> Result<(), SinkError> {
        let arrival = match event {
            SplitEvent::Arrival(arrival) if offset == departed.offset => arrival,
            _ => return Err(self.unusable("expected an arrival")),
        };
        if !departed.duplicate {
            self.event(offset, Ordinal::Arrival, arrival, chunk);
        }
        Ok(())
    }

    fn status(&mut self, offset: i64, status: &Status, chunk: &mut SplitChunk) {
        chunk.watermark = chunk.watermark.max(Some(status.at));
        let docked = status.inferred == Some(Inferred::Arrival);
        let ordinal = if docked {
            Ordinal::Arrival
        } else {
            Ordinal::Departure
        };
        let id = self.id(offset, ordinal);
        let station = StationRef::from(&status.station);
        let station = self.station(&station, (id, status.at), chunk);
        chunk.statuses.push(StatusRow {
            id,
            at: status.at,
            station,
            bikes: i32::try_from(status.bikes).unwrap_or(i32::MAX),
            service: status.service,
            missing: status.missing,
            stock: status.stock,
            last_reported: status.last_reported,
        });
        if status.inferred.is_some() {
            chunk.events.push(EventRow {
                id,
                at: EventTime::from(status.at),
                bike_id: None,
                station,
                docked,
                inferred: true,
                bike_kind: None,
            });
        }
    }

    fn reject(&mut self, output: &SplitOutput<'_>, reject: &Reject, chunk: &mut SplitChunk) {
        chunk.rejects.push(RejectRow {
            id: self.id(output.offset, Ordinal::Departure),
            source: output.source.to_string(),
            reject: reject.clone(),
        });
    }

    fn event(
        &mut self,
        offset: i64,
        ordinal: Ordinal,
        event: &DockEvent<'_>,
        chunk: &mut SplitChunk,
    ) {
        let id = self.id(offset, ordinal);
        let station = self.station(&event.station, (id, event.at), chunk);
        let bike_id = event.bike_id.as_deref();
        let bike_id = bike_id.and_then(|bike_id| chunk.put_bike_id(bike_id));
        chunk.events.push(EventRow {
            id,
            at: EventTime::from(event.at),
            bike_id,
            station,
            docked: ordinal == Ordinal::Arrival,
            inferred: false,
            bike_kind: event.bike_kind,
        });
        chunk.tells_bike_kind |= event.bike_kind.is_some();
    }

    /// The station's number in this stream; notes where the event saw it, if that is new.
    fn station(
        &mut self,
        station: &StationRef<'_>,
        (id, at): (RecordId, DateTime<Utc>),
        chunk: &mut SplitChunk,
    ) -> u32 {
        let number = self.number(station, chunk);
        let history = &mut self.histories[number as usize];
        if history.knows(at, &station.location()) {
            return number;
        }
        let location = storable_location(station);
        if let Some(change) = history.observe(id.0, at, &location) {
            chunk.locations.push(LocationRow {
                station: number,
                change,
            });
        }
        number
    }

    fn number(&mut self, station: &StationRef<'_>, chunk: &mut SplitChunk) -> u32 {
        if let Some(number) = self.stations.get(&*station.station_id) {
            return *number;
        }
        let number = u32::try_from(self.stations.len()).unwrap_or(u32::MAX);
        self.stations.insert((*station.station_id).into(), number);
        self.histories.push(LocationHistory::default());
        chunk.stations.push(StationRow {
            station_id: storable(&station.station_id),
            location: storable_location(station),
        });
        number
    }

    fn id(&self, offset: i64, ordinal: Ordinal) -> RecordId {
        RecordId::pack(offset + self.id_shift, self.key.partition, ordinal)
    }

    fn unusable(&self, reason: impl ToString) -> SinkError {
        SinkError::Output {
            position: self.key.at(self.next_offset),
            module: self.key.module.name(),
            reason: reason.to_string(),
        }
    }
}

fn storable_location(station: &StationRef<'_>) -> Location {
    Location {
        street: storable(&station.street),
        lat: station.lat,
        lon: station.lon,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::module::Module;

    fn key() -> StreamKey {
        StreamKey {
            topic: "trips".to_owned(),
            partition: 1,
            module: Module::TripSplit,
        }
    }

    fn trip(source: &str, seq: u64) -> String {
        let (station, minute) = (seq % 5, seq % 60);
        let dock = |station| {
            format!(r#"{{"station_id":"{station}","street":"\u0041 St","lat":40.7,"lon":-74}}"#)
        };
        format!(
            r#"{{"source":"{source}","seq":{seq},"trip":{{"bike_id":"b{seq}","departed_at":"2020-03-01T05:{minute:02}:00Z","from":{},"arrived_at":"2020-03-01T06:00:00Z","to":{}}}}}"#,
            dock(station),
            dock(station + 1)
        )
    }

    fn status(source: &str, seq: u64) -> String {
        let inferred = ["", r#","inferred":"departure""#, r#","inferred":"arrival""#];
        let (station, minute, inferred) = (seq % 5, seq % 60, inferred[seq as usize % 3]);
        format!(
            r#"{{"source":"{source}","seq":{seq},"status":{{"station":{{"station_id":"{station}","street":"A St","lat":40.7,"lon":-74}},"at":"2020-03-01T05:{minute:02}:00Z","bikes":{seq}{inferred}}}}}"#
        )
    }

    /// The module's outputs for the records, from an offset on.
    fn outputs(records: &[String], from: usize) -> Vec<Vec<u8>> {
        let split = records
            .iter()
            .enumerate()
            .skip(from)
            .flat_map(|(offset, record)| {
                domain::split(i64::try_from(offset).unwrap(), record.as_bytes())
            });
        split.map(|output| output.to_json()).collect()
    }

    fn decode(decoder: &mut SplitDecoder, outputs: &[Vec<u8>]) -> Result<Vec<String>, SinkError> {
        let chunk = decoder.decode(outputs.iter().map(Vec::as_slice), None)?;
        let row = |event: &EventRow| {
            let EventRow {
                id,
                at,
                station,
                docked,
                inferred,
                ..
            } = event;
            format!(
                "{} {} {:?} {station} {docked} {inferred}",
                id.0,
                at.as_micros(),
                chunk.bike_id(event)
            )
        };
        let rejects = chunk
            .rejects
            .iter()
            .map(|row| format!("{} {}", row.id.0, row.source));
        let statuses = chunk.statuses.iter().map(|row| format!("{row:?}"));
        let rows = chunk.events.iter().map(row).chain(statuses);
        Ok(rows.chain(rejects).collect())
    }

    fn fresh() -> SplitDecoder {
        SplitDecoder::resume(key(), &Cursor::default(), Vec::new())
    }

    fn records() -> impl Strategy<Value = Vec<String>> {
        let record = prop_oneof![
            8 => (0..3_u64, 0..20_u64).prop_map(|(source, seq)| trip(&format!("f#{source}"), seq)),
            4 => ("(@[12]-000000000000000[ab])?", 0..20_u64)
                .prop_map(|(run, seq)| status(&format!("gbfs:a{run}"), seq)),
            1 => "@[12]-000000000000000[ab]".prop_map(|run| format!(
                r#"{{"source":"gbfs:a{run}","seq":1,"tick":"2020-03-01T05:00:00Z"}}"#
            )),
            1 => Just(r#"{"source":"f#0","seq":1,"tick":"2020-03-01T05:00:00Z"}"#.to_owned()),
            1 => Just("no record".to_owned()),
        ];
        proptest::collection::vec(record, 1..40)
    }

    proptest! {
        #[test]
        fn outputs_that_come_again_change_nothing(
            records in records(),
            responses in proptest::collection::vec((0..40_usize, 1..10_usize), 0..20),
        ) {
            let mut whole = fresh();
            let expected = decode(&mut whole, &outputs(&records, 0)).unwrap();
            // Each response starts somewhere at or before where the one before ended.
            let mut decoder = fresh();
            let mut rows = Vec::new();
            let mut at = 0;
            for (back, ahead) in responses {
                let start = at - back.min(at);
                let end = (at + ahead).min(records.len());
                rows.extend(decode(&mut decoder, &outputs(&records[..end], start)).unwrap());
                at = end;
            }
            rows.extend(decode(&mut decoder, &outputs(&records, at)).unwrap());
            let sorted = |mut rows: Vec<String>| { rows.sort(); rows };
            prop_assert_eq!(sorted(rows), sorted(expected));
            prop_assert_eq!(decoder.next_offset(), i64::try_from(records.len()).unwrap());
        }
    }

    #[test]
    fn a_status_gives_its_count_and_the_event_inferred_from_it() {
        let records = [0, 1, 2, 2].map(|seq| status("gbfs:a", seq));
        let mut decoder = fresh();
        let chunk = decode(&mut decoder, &outputs(&records, 0)).unwrap();
        expect![[r#"
            2050 1583038860000000 None 1 false true
            4099 1583038920000000 None 2 true true
            StatusRow { id: RecordId(2), at: 2020-03-01T05:00:00Z, station: 0, bikes: 0, service: Service { installed: true, renting: true, returning: true }, missing: false, stock: Stock { ebikes: None, free_docks: None, capacity: None, broken_bikes: None, broken_docks: None }, last_reported: None }
            StatusRow { id: RecordId(2050), at: 2020-03-01T05:01:00Z, station: 1, bikes: 1, service: Service { installed: true, renting: true, returning: true }, missing: false, stock: Stock { ebikes: None, free_docks: None, capacity: None, broken_bikes: None, broken_docks: None }, last_reported: None }
            StatusRow { id: RecordId(4099), at: 2020-03-01T05:02:00Z, station: 2, bikes: 2, service: Service { installed: true, renting: true, returning: true }, missing: false, stock: Stock { ebikes: None, free_docks: None, capacity: None, broken_bikes: None, broken_docks: None }, last_reported: None }"#]]
        .assert_eq(&chunk.join("\n"));
    }

    #[test]
    fn a_missing_record_is_a_gap_that_names_both_offsets() {
        let records = [trip("f#1", 0), trip("f#1", 1), trip("f#1", 2)];
        let mut decoder = fresh();
        decode(&mut decoder, &outputs(&records[..1], 0)).unwrap();
        let error = decode(&mut decoder, &outputs(&records, 2)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "trips/1@2: records are missing, 1 should have come: the broker skipped them"
        );
    }

    #[test]
    fn a_departure_without_its_arrival_is_refused() {
        let mut outputs = outputs(&[trip("f#1", 0), trip("f#1", 1)], 0);
        let error = decode(&mut fresh(), &outputs[..3]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("a departure came without its arrival"),
            "{error}"
        );
        outputs.remove(1);
        let error = decode(&mut fresh(), &outputs).unwrap_err();
        assert!(
            error.to_string().ends_with("expected an arrival"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_output_is_refused_with_its_position() {
        let error = decode(&mut fresh(), &[b"hello".to_vec()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "trips/1@0: module trip-split gave no usable output: expected value at line 1 column 1"
        );
    }
}
