//! The split: a trip becomes its departure and its arrival, all else passes through.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::record::PlainTrip;
use crate::{Body, Record, Reject, Station, Status, System};

/// One output of the SmartModule `trip-split`.
///
/// Shape: a trip gives two (departure, then arrival), any other record one, so the offsets of the
/// outputs have no gap: a reader that sees one knows that the broker skipped something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire")]
pub struct SplitOutput {
    /// Offset of the record on the topic; Fluvio's own offset after a module is made up.
    pub offset: i64,
    /// Source of the record; empty for a record that could not be read.
    pub source: String,
    /// Rank of the record in its source; 0 for a record that could not be read.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: SplitEvent,
}

/// What a record means to those who keep the docks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitEvent {
    /// A bike left a station.
    Departure(DockEvent),
    /// A bike was docked at a station; its time may lie ahead of the replay clock.
    Arrival(DockEvent),
    /// The bikes at a station were counted; a departure or an arrival may be inferred from it.
    Status(Status),
    /// A live feed told of its system.
    System(System),
    /// The replay clock has reached this instant.
    Tick(DateTime<Utc>),
    /// A row or a record could not be used.
    Reject(Reject),
}

/// A bike at a station at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DockEvent {
    /// The bike, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bike_id: Option<String>,
    /// When, in UTC.
    pub at: DateTime<Utc>,
    /// Where.
    pub station: Station,
}

/// Splits the record at `offset`; bytes that are no record become one reject.
///
/// Never fails: an error would stop the batch inside the broker.
#[must_use]
pub fn split(offset: i64, bytes: &[u8]) -> Vec<SplitOutput> {
    let record = match Record::from_json(bytes) {
        Ok(record) => record,
        Err(error) => return vec![unreadable(offset, bytes, &error)],
    };
    let Record { source, seq, body } = record;
    let output = |event| SplitOutput {
        offset,
        source: source.clone(),
        seq,
        event,
    };
    match body {
        Body::Tick(at) => vec![output(SplitEvent::Tick(at))],
        Body::Reject(reject) => vec![output(SplitEvent::Reject(reject))],
        Body::Status(status) => vec![output(SplitEvent::Status(status))],
        Body::System(system) => vec![output(SplitEvent::System(system))],
        Body::Trip(trip) => {
            let bike_id = trip.bike_id;
            let departure = DockEvent {
                bike_id: bike_id.clone(),
                at: trip.departed_at,
                station: trip.from,
            };
            let arrival = DockEvent {
                bike_id,
                at: trip.arrived_at,
                station: trip.to,
            };
            vec![
                output(SplitEvent::Departure(departure)),
                output(SplitEvent::Arrival(arrival)),
            ]
        }
    }
}

/// The JSON of each output of [`split()`].
///
/// A trip in the producer's own spelling is not read into a [`crate::Trip`] first: its outputs are
/// put together from pieces of the record. They read back as what [`split()`] gives.
#[must_use]
pub fn split_json(offset: i64, bytes: &[u8]) -> Vec<Vec<u8>> {
    let Some(trip) = PlainTrip::read(bytes) else {
        let outputs = split(offset, bytes);
        return outputs.iter().map(json).collect();
    };
    let departure = ("departure", trip.departed_at.text, trip.from);
    let arrival = ("arrival", trip.arrived_at.text, trip.to);
    [departure, arrival]
        .map(|(name, at, station)| event_json(offset, &trip, name, at, station))
        .into()
}

fn json(output: &SplitOutput) -> Vec<u8> {
    serde_json::to_vec(output).expect("an output has only string keys and finite numbers")
}

fn event_json(offset: i64, trip: &PlainTrip<'_>, name: &str, at: &str, station: &str) -> Vec<u8> {
    let PlainTrip {
        source,
        seq,
        bike_id,
        ..
    } = trip;
    let (offset, seq) = (offset.to_string(), seq.to_string());
    let mut json = String::with_capacity(source.len() + at.len() + station.len() + 128);
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| json.push_str(part));
    put(&["{\"offset\":", &offset, ",\"source\":\"", source]);
    put(&["\",\"seq\":", &seq, ",\"", name, "\":{"]);
    if let Some(bike_id) = bike_id {
        put(&["\"bike_id\":", bike_id, ","]);
    }
    put(&["\"at\":", at, ",\"station\":", station, "}}"]);
    json.into_bytes()
}

// Read field by field: a flattened enum would be buffered first, at several times the cost.
#[derive(Deserialize)]
struct Wire {
    offset: i64,
    source: String,
    seq: u64,
    departure: Option<DockEvent>,
    arrival: Option<DockEvent>,
    status: Option<Status>,
    system: Option<System>,
    tick: Option<DateTime<Utc>>,
    reject: Option<Reject>,
}

impl TryFrom<Wire> for SplitOutput {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let Wire {
            offset,
            source,
            seq,
            ..
        } = wire;
        let trip = (wire.departure, wire.arrival);
        let feed = (wire.status, wire.system);
        let event = match (trip, feed, wire.tick, wire.reject) {
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
            offset,
            source,
            seq,
            event,
        })
    }
}

fn unreadable(offset: i64, bytes: &[u8], error: &crate::record::RecordError) -> SplitOutput {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    let reject = Reject::new(
        format!("offset {offset}"),
        1,
        format!("{error}: {cause}"),
        &String::from_utf8_lossy(bytes),
    );
    SplitOutput {
        offset,
        source: String::new(),
        seq: 0,
        event: SplitEvent::Reject(reject),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::Trip;

    fn lines(record: &[u8]) -> Vec<String> {
        let outputs = split_json(12, record).into_iter();
        outputs
            .map(|json| String::from_utf8(json).unwrap())
            .collect()
    }

    fn read_back(lines: &[String]) -> Vec<SplitOutput> {
        let lines = lines.iter();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn check(record: &str, expected: Expect) {
        let lines = lines(record.as_bytes());
        let outputs = split(12, record.as_bytes());
        assert_eq!(
            read_back(&lines),
            outputs,
            "what is written reads back the same"
        );
        expected.assert_eq(&lines.join("\n"));
    }

    const TRIP: &str = r#"{"source":"a.csv#1","seq":7,"trip":{"bike_id":"42381",
        "departed_at":"2020-03-01T05:14:07Z","from":{"station_id":"3202","street":"Newport PATH","lat":40.7,"lon":-74.0},
        "arrived_at":"2020-03-01T05:20:36.088Z","to":{"station_id":"3203","street":"Hamilton Park","lat":40.8,"lon":-74.1}}}"#;

    #[test]
    fn a_trip_becomes_its_departure_and_its_arrival() {
        check(
            TRIP,
            expect![[r#"
            {"offset":12,"source":"a.csv#1","seq":7,"departure":{"bike_id":"42381","at":"2020-03-01T05:14:07Z","station":{"station_id":"3202","street":"Newport PATH","lat":40.7,"lon":-74.0}}}
            {"offset":12,"source":"a.csv#1","seq":7,"arrival":{"bike_id":"42381","at":"2020-03-01T05:20:36.088Z","station":{"station_id":"3203","street":"Hamilton Park","lat":40.8,"lon":-74.1}}}"#]],
        );
    }

    #[test]
    fn a_tick_passes_through() {
        check(
            r#"{"source":"a.csv#1","seq":7,"tick":"2020-03-01T05:14:10Z"}"#,
            expect![[r#"{"offset":12,"source":"a.csv#1","seq":7,"tick":"2020-03-01T05:14:10Z"}"#]],
        );
    }

    #[test]
    fn a_status_passes_through_with_what_is_inferred_from_it() {
        check(
            r#"{"source":"gbfs:a","seq":7,"status":{"station":{"station_id":"3202","street":"Newport PATH","lat":40.7,"lon":-74.0},"at":"2020-03-01T05:14:10Z","bikes":6,"inferred":"departure"}}"#,
            expect![[
                r#"{"offset":12,"source":"gbfs:a","seq":7,"status":{"station":{"station_id":"3202","street":"Newport PATH","lat":40.7,"lon":-74.0},"at":"2020-03-01T05:14:10Z","bikes":6,"inferred":"departure"}}"#
            ]],
        );
    }

    #[test]
    fn a_reject_passes_through() {
        check(
            r#"{"source":"a.csv#1","seq":7,"reject":{"file":"a.csv","line":9,"reason":"no arrival","row":"x"}}"#,
            expect![[
                r#"{"offset":12,"source":"a.csv#1","seq":7,"reject":{"file":"a.csv","line":9,"reason":"no arrival","row":"x"}}"#
            ]],
        );
    }

    #[test]
    fn bytes_that_are_no_record_become_one_reject_and_never_an_error() {
        check(
            "hello",
            expect![[
                r#"{"offset":12,"source":"","seq":0,"reject":{"file":"offset 12","line":1,"reason":"not a record of topic trips: expected value at line 1 column 1","row":"hello"}}"#
            ]],
        );
        check(
            r#"{"source":"a","seq":1}"#,
            expect![[
                r#"{"offset":12,"source":"","seq":0,"reject":{"file":"offset 12","line":1,"reason":"not a record of topic trips: expected exactly one of `trip`, `status`, `system`, `tick` and `reject`","row":"{\"source\":\"a\",\"seq\":1}"}}"#
            ]],
        );
    }

    const PLAIN: &str = r#"{"source":"a.csv#1","seq":7,"trip":{"bike_id":"42381","departed_at":"2020-03-01T05:14:07Z","from":{"station_id":"3202","street":"Newport PATH","lat":40.7,"lon":-74.0},"arrived_at":"2020-03-01T05:20:36.088Z","to":{"station_id":"3203","street":"Hamilton Park","lat":40.8,"lon":-74.1},"rider":"member"}}"#;

    #[test]
    fn the_producers_own_spelling_gives_the_same_outputs_as_any_other() {
        assert!(PlainTrip::read(PLAIN.as_bytes()).is_some());
        assert!(PlainTrip::read(TRIP.as_bytes()).is_none());
        assert_eq!(lines(PLAIN.as_bytes()), lines(TRIP.as_bytes()));
    }

    fn station() -> impl Strategy<Value = Station> {
        let texts = ("[0-9.]{1,7}", "[A-Z \"\\\\é&\n]{0,12}");
        (texts, -90.0..90.0, -180.0..180.0).prop_map(|((station_id, street), lat, lon)| Station {
            station_id,
            street,
            lat,
            lon,
        })
    }

    fn time() -> impl Strategy<Value = DateTime<Utc>> {
        let micros = prop_oneof![
            Just(0),
            (0_i64..1_000).prop_map(|ms| ms * 1_000),
            0_i64..1_000_000
        ];
        (0_i64..4_000_000_000, micros).prop_map(|(seconds, micros)| {
            DateTime::from_timestamp_micros(seconds * 1_000_000 + micros).unwrap()
        })
    }

    fn trip() -> impl Strategy<Value = Record> {
        let bike_id = prop::option::of("[0-9\"é]{0,5}");
        let rider = prop::option::of(prop_oneof![
            Just(crate::Rider::Member),
            Just(crate::Rider::Casual)
        ]);
        let trip = (bike_id, time(), station(), time(), station(), rider).prop_map(
            |(bike_id, departed_at, from, arrived_at, to, rider)| Trip {
                bike_id,
                departed_at,
                from,
                arrived_at,
                to,
                rider,
            },
        );
        let source = "[a-z#\"\\\\é]{0,5}";
        (source, 0..=u64::MAX, trip).prop_map(|(source, seq, trip)| Record {
            source,
            seq,
            body: Body::Trip(trip),
        })
    }

    proptest! {
        #[test]
        fn pieces_of_a_record_read_back_as_the_rule_says(trip in trip()) {
            let json = trip.to_json();
            prop_assert_eq!(read_back(&lines(&json)), split(12, &json));
        }

        #[test]
        fn a_broken_record_is_no_trip_in_either_reading(
            place in 0..PLAIN.len(),
            taken in 0_usize..4,
            put in prop::sample::select(vec!["", "0", "00", "9", ".", "-", "e1", "\"", "\\", " ", ",", "}", "{}", "Z"]),
        ) {
            let mut bytes = PLAIN.as_bytes().to_vec();
            let end = (place + taken).min(bytes.len());
            bytes.splice(place..end, put.bytes());
            prop_assert_eq!(read_back(&lines(&bytes)), split(12, &bytes));
        }
    }
}
