//! The records of a trial: one of each kind that may stand in topic `trips`, then many trips at once.

use chrono::{DateTime, TimeDelta, Utc};
use domain::window::RECORDS_BETWEEN_OUTPUTS_MAX;
use domain::{
    BikeKind, Body, Inferred, Record, Reject, Rider, Service, Station, Status, Stock, System, Trip,
};

const FILE: &str = "202407-citibike-tripdata.csv#5a3e";
const OLDER_FILE: &str = "201907-citibike-tripdata.csv#77c1";
const FEED: &str = "gbfs:trial@1-00000000000000a7";
/// 2024-07-01T12:00:00Z, where the sample's seconds are counted from.
const START_S: i64 = 1_719_835_200;
/// Bytes of the longest record that is none (chosen: more than an output quotes).
const LONG_BYTES: usize = 10_000;

/// Records as they stand one behind the other in a partition.
pub(super) struct Sample {
    pub(super) records: Vec<SampleRecord>,
    /// How many of the first ones are of a kind each.
    pub(super) kinds: usize,
    /// So many are before the middle; the last of them gives an output of each module.
    pub(super) middle: usize,
}

/// One record.
pub(super) struct SampleRecord {
    /// For people.
    pub(super) what: &'static str,
    pub(super) value: Vec<u8>,
}

impl Sample {
    pub(super) fn new() -> Self {
        let mut records = feed();
        records.extend(trips());
        let middle = records.len();
        records.extend(late_and_resent());
        records.extend(no_records());
        let kinds = records.len();
        records.extend(many());
        Self {
            records,
            kinds,
            middle,
        }
    }
}

fn feed() -> Vec<SampleRecord> {
    let status = |seconds, bikes, inferred| Status {
        station: station("6926.01", "Broadway & W 58 St"),
        at: at(seconds),
        bikes,
        inferred,
        service: Service::default(),
        stock: Stock::default(),
        last_reported: None,
        missing: false,
    };
    let full = Status {
        stock: Stock::from_numbers([Some(3), Some(20), Some(31), Some(1), Some(0)]),
        last_reported: Some(at(0)),
        service: Service {
            renting: false,
            ..Service::default()
        },
        ..status(1, 7, None)
    };
    let missing = Status {
        missing: true,
        ..status(4, 7, None)
    };
    let system = System {
        timezone: "America/New_York".to_owned(),
        language: "en".to_owned(),
    };
    let departure = status(2, 6, Some(Inferred::Departure));
    let arrival = status(3, 7, Some(Inferred::Arrival));
    vec![
        record("a live feed's system", FEED, 1, Body::System(system)),
        record("a station's first status", FEED, 1, Body::Status(full)),
        record("a status of a departure", FEED, 2, Body::Status(departure)),
        record("a status of an arrival", FEED, 3, Body::Status(arrival)),
        record(
            "a status of a missing station",
            FEED,
            4,
            Body::Status(missing),
        ),
    ]
}

/// Trips of each generation of files, up to a tick.
fn trips() -> Vec<SampleRecord> {
    let of_2021 = Trip {
        bike_id: None,
        bike_kind: Some(BikeKind::Electric),
        rider: Some(Rider::Casual),
        ..trip(12, 600)
    };
    let bare = Trip {
        bike_id: None,
        rider: None,
        ..trip(13, 0)
    };
    let text = Trip {
        bike_id: Some("\"é\\".to_owned()),
        from: station("HB\"103\"", "São João \\ \u{1F6B2}\n& 9 Av"),
        ..trip(14, 86_400)
    };
    let mut otherwise = record(
        "a trip in JSON of another program",
        FILE,
        3,
        Body::Trip(trip(15, 60)),
    );
    otherwise.value = indented(&otherwise.value);
    vec![
        record(
            "a trip of a file before 2021",
            OLDER_FILE,
            0,
            Body::Trip(trip(11, 300)),
        ),
        record("a trip of a file since 2021", FILE, 0, Body::Trip(of_2021)),
        record("a trip of which least is known", FILE, 1, Body::Trip(bare)),
        record("a trip with unusual letters", FILE, 2, Body::Trip(text)),
        otherwise,
        record("a tick", FILE, 4, Body::Tick(at(60))),
    ]
}

fn late_and_resent() -> Vec<SampleRecord> {
    let row = "123,2024-07-01 08:00:00,,\"Newport, PATH\"";
    let reject = Reject::new("202407.csv", 17, "no arrival: ended_at is empty", row);
    vec![
        record(
            "a trip that was sent before",
            FILE,
            2,
            Body::Trip(trip(14, 60)),
        ),
        record(
            "a trip of a window that is closed",
            FILE,
            4,
            Body::Trip(trip(20, 60)),
        ),
        record("a reject", FILE, 5, Body::Reject(reject)),
        record("a tick that was sent before", FILE, 4, Body::Tick(at(60))),
    ]
}

/// Bytes that are no record: anybody may write into a topic.
fn no_records() -> Vec<SampleRecord> {
    let of = |what, value: &[u8]| SampleRecord {
        what,
        value: value.to_vec(),
    };
    vec![
        of("an empty value", b""),
        of("a text", b"some text"),
        of("bytes that are no text", &[0, 0xff, 0x80]),
        of("JSON that is no record", br#"{"source":"x","seq":1}"#),
        of("a number", b"42"),
        of("a long text", "x".repeat(LONG_BYTES).as_bytes()),
    ]
}

/// More trips of one window than may pass without an output of `dock-window`, and the tick that ends all
/// that a producer sends.
fn many() -> Vec<SampleRecord> {
    let mut many: Vec<_> = (6..6 + RECORDS_BETWEEN_OUTPUTS_MAX + 100)
        .map(|seq| record("one of many trips", FILE, seq, Body::Trip(trip(100, 900))))
        .collect();
    let seq = 6 + RECORDS_BETWEEN_OUTPUTS_MAX + 100;
    many.push(record("the last tick", FILE, seq, Body::Tick(at(2_000))));
    many
}

fn record(what: &'static str, source: &str, seq: u64, body: Body) -> SampleRecord {
    let source = source.to_owned();
    SampleRecord {
        what,
        value: Record { source, seq, body }.to_json(),
    }
}

/// With its members in another order, and blanks.
fn indented(json: &[u8]) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_slice(json).expect("a record is JSON");
    serde_json::to_vec_pretty(&value).expect("JSON can be written")
}

fn trip(departed_s: i64, lasted_s: i64) -> Trip {
    Trip {
        bike_id: Some("42381".to_owned()),
        departed_at: at(departed_s),
        from: station("3202", "Newport PATH"),
        arrived_at: at(departed_s + lasted_s),
        to: station("3199", "Newport Pkwy"),
        rider: Some(Rider::Member),
        bike_kind: None,
    }
}

fn station(station_id: &str, street: &str) -> Station {
    Station {
        station_id: station_id.to_owned(),
        street: street.to_owned(),
        lat: 40.727_224,
        lon: -74.033_759,
    }
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(START_S + seconds)
}
