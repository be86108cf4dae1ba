//! The laws of the record's bytes: one spelling, and all readers agree.

use chrono::{DateTime, Utc};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::EventTime;

/// A record as serde writes it.
#[derive(Serialize)]
struct Reference<'a> {
    source: &'a str,
    seq: u64,
    #[serde(flatten)]
    body: ReferenceBody<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ReferenceBody<'a> {
    Trip(&'a Trip),
    Status(&'a Status),
    System(&'a System),
    Tick(DateTime<Utc>),
    Reject(&'a Reject),
}

fn reference(record: &Record) -> String {
    let body = match &record.body {
        Body::Trip(trip) => ReferenceBody::Trip(trip),
        Body::Status(status) => ReferenceBody::Status(status),
        Body::System(system) => ReferenceBody::System(system),
        Body::Tick(at) => ReferenceBody::Tick(*at),
        Body::Reject(reject) => ReferenceBody::Reject(reject),
    };
    let (source, seq) = (record.source.as_str(), record.seq);
    serde_json::to_string(&Reference { source, seq, body }).unwrap()
}

fn written(record: &Record) -> String {
    String::from_utf8(record.to_json()).unwrap()
}

/// What the pieces of a trip's record mean.
fn meaning(trip: &TripPieces<'_>) -> (String, u64, Trip) {
    let json = |text| serde_json::from_str(text).unwrap();
    let time = |piece: super::pieces::TimePiece<'_>| {
        let at: DateTime<Utc> = serde_json::from_str(piece.text).unwrap();
        assert_eq!(piece.at, at);
        at
    };
    let read = Trip {
        bike_id: trip
            .bike_id
            .map(|bike_id| serde_json::from_str(bike_id).unwrap()),
        departed_at: time(trip.departed_at),
        from: json(trip.from),
        arrived_at: time(trip.arrived_at),
        to: json(trip.to),
        rider: None,
        bike_kind: trip
            .bike_kind
            .map(|kind| serde_json::from_str(kind).unwrap()),
    };
    (trip.source.to_owned(), trip.seq, read)
}

/// Whatever has pieces is a record with just these; gives whether it has.
fn has_true_pieces(bytes: &[u8]) -> bool {
    let Some(pieces) = TripPieces::read(bytes) else {
        return false;
    };
    let record = Record::from_json(bytes).unwrap();
    let Body::Trip(trip) = record.body else {
        panic!("only trips have pieces")
    };
    let trip = Trip {
        rider: None,
        ..trip
    };
    assert_eq!(meaning(&pieces), (record.source, record.seq, trip));
    true
}

fn check_head(bytes: &[u8]) {
    let Ok(record) = Record::from_json(bytes) else {
        return;
    };
    let tick = match record.body {
        Body::Tick(at) => Some(EventTime::from(at)),
        _ => None,
    };
    let head = RecordHead::read(bytes).unwrap();
    assert_eq!(
        (&*head.source, head.seq, head.tick),
        (&*record.source, record.seq, tick)
    );
    assert_eq!(source_and_seq(bytes), (record.source, record.seq));
}

fn check_spelling(body: Body, expected: Expect) {
    let source = "202003 \"a\".csv#5f0c".to_owned();
    let record = Record {
        source,
        seq: 7,
        body,
    };
    expected.assert_eq(&written(&record));
    assert_eq!(Record::from_json(&record.to_json()).unwrap(), record);
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn station(station_id: &str) -> crate::Station {
    crate::Station {
        station_id: station_id.to_owned(),
        street: "Côte & 1 St".to_owned(),
        lat: 40.7,
        lon: -74.0,
    }
}

#[test]
fn records_are_spelled_as_they_always_were() {
    check_spelling(
        Body::Trip(Trip {
            bike_id: Some("42381".to_owned()),
            departed_at: at("2020-03-01T05:14:07Z"),
            from: station("3202"),
            arrived_at: at("2020-03-01T05:20:36.088Z"),
            to: station("HB\\103"),
            rider: Some(crate::Rider::Casual),
            bike_kind: None,
        }),
        expect![[
            r#"{"source":"202003 \"a\".csv#5f0c","seq":7,"trip":{"bike_id":"42381","departed_at":"2020-03-01T05:14:07Z","from":{"station_id":"3202","street":"Côte & 1 St","lat":40.7,"lon":-74.0},"arrived_at":"2020-03-01T05:20:36.088Z","to":{"station_id":"HB\\103","street":"Côte & 1 St","lat":40.7,"lon":-74.0},"rider":"casual"}}"#
        ]],
    );
    check_spelling(
        Body::Status(Status {
            station: station("3202"),
            at: at("2020-03-01T05:14:07.000001Z"),
            bikes: 6,
            inferred: Some(crate::Inferred::Arrival),
            service: crate::Service {
                renting: false,
                ..crate::Service::default()
            },
            stock: crate::Stock::default(),
            last_reported: None,
            missing: true,
        }),
        expect![[
            r#"{"source":"202003 \"a\".csv#5f0c","seq":7,"status":{"station":{"station_id":"3202","street":"Côte & 1 St","lat":40.7,"lon":-74.0},"at":"2020-03-01T05:14:07.000001Z","bikes":6,"inferred":"arrival","service":{"installed":true,"renting":false,"returning":true},"missing":true}}"#
        ]],
    );
    check_spelling(
        Body::Status(Status {
            station: station("3202"),
            at: at("2020-03-01T05:14:07Z"),
            bikes: 6,
            inferred: None,
            service: crate::Service::default(),
            stock: crate::Stock {
                ebikes: Some(2),
                free_docks: Some(12),
                broken_docks: Some(0),
                ..crate::Stock::default()
            },
            last_reported: Some(at("2020-03-01T05:13:59Z")),
            missing: false,
        }),
        expect![[
            r#"{"source":"202003 \"a\".csv#5f0c","seq":7,"status":{"station":{"station_id":"3202","street":"Côte & 1 St","lat":40.7,"lon":-74.0},"at":"2020-03-01T05:14:07Z","bikes":6,"stock":{"ebikes":2,"free_docks":12,"broken_docks":0},"last_reported":"2020-03-01T05:13:59Z"}}"#
        ]],
    );
    check_spelling(
        Body::System(System {
            timezone: "Europe/Paris".to_owned(),
            language: "fr".to_owned(),
        }),
        expect![[
            r#"{"source":"202003 \"a\".csv#5f0c","seq":7,"system":{"timezone":"Europe/Paris","language":"fr"}}"#
        ]],
    );
    check_spelling(
        Body::Tick(at("2020-03-01T05:14:10Z")),
        expect![[r#"{"source":"202003 \"a\".csv#5f0c","seq":7,"tick":"2020-03-01T05:14:10Z"}"#]],
    );
    check_spelling(
        Body::Reject(Reject::new("a.csv", 9, "no arrival", "x,\ty")),
        expect![[
            r#"{"source":"202003 \"a\".csv#5f0c","seq":7,"reject":{"file":"a.csv","line":9,"reason":"no arrival","row":"x,\ty"}}"#
        ]],
    );
}

#[test]
fn times_of_no_trip_file_are_written_as_well() {
    for text in [
        "+12020-03-01T05:14:10Z",
        "-0001-03-01T05:14:10Z",
        "2020-03-01T05:14:10.000000001Z",
    ] {
        let body = Body::Tick(at(text));
        let source = String::new();
        let record = Record {
            source,
            seq: 0,
            body,
        };
        assert_eq!(written(&record), reference(&record));
    }
}

proptest! {
    #[test]
    fn a_record_is_written_as_serde_would_write_it(
        record in prop_oneof![samples::any_record(), samples::trip_record()],
    ) {
        prop_assert_eq!(written(&record), reference(&record));
    }

    #[test]
    fn whatever_is_written_is_read_back(record in samples::any_record()) {
        let json = record.to_json();
        check_head(&json);
        prop_assert_eq!(Record::from_json(&json).unwrap(), record);
    }

    #[test]
    fn both_readers_read_the_same_of_a_written_trip(record in samples::trip_record()) {
        let json = record.to_json();
        let Body::Trip(trip) = &record.body else { unreachable!("only trips are made") };
        let texts = [&record.source, &trip.from.street, &trip.to.street].into_iter();
        let mut texts = texts.chain(&trip.bike_id);
        let is_escaped = texts.any(|text| text.contains(['"', '\\', '\n']));
        prop_assert_eq!(has_true_pieces(&json), !is_escaped);
    }

    #[test]
    fn both_readers_agree_on_broken_records(
        record in samples::trip_record(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, "[ -~é]{0,3}"), 1..3),
    ) {
        let mut bytes = record.to_json();
        for (at, taken, put) in cuts {
            let start = at.index(bytes.len());
            let end = (start + taken).min(bytes.len());
            bytes.splice(start..end, put.bytes());
        }
        has_true_pieces(&bytes);
        check_head(&bytes);
    }

    #[test]
    fn both_readers_agree_on_any_bytes(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            "(\\{|\\}|\"source\":|\"seq\":|\"trip\":|\"tick\":|\"a\"|,|7|\"2020-03-01T05:14:10Z\"){0,12}"
                .prop_map(String::into_bytes),
        ],
    ) {
        has_true_pieces(&bytes);
        check_head(&bytes);
    }

    #[test]
    fn outputs_are_read_back_as_they_were_written(
        offset in any::<i64>(),
        (from, seq) in (any::<i64>(), any::<u64>()),
        source in prop::option::of(".{0,5}"),
        windows in prop::collection::vec((samples::time(), any::<u64>()), 0..4),
        seen in prop::collection::vec((".{0,5}", any::<u64>()), 0..4),
        watermark in prop::option::of(samples::time()),
    ) {
        let state = WindowState { watermark, closed_until: watermark, open: windows.clone() };
        let (closed, late) = (windows.clone(), windows);
        let counted = Counted { offset, from, source, seq, closed, late, seen, state };
        let gap = WindowOutput::Gap { offset, gap: Gap { expected: from } };
        for output in [WindowOutput::Counted(counted), gap] {
            let read: WindowOutput = serde_json::from_slice(&output.to_json()).unwrap();
            prop_assert_eq!(read, output);
        }
    }
}
