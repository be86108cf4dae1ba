//! Departures per window: golden scenarios and laws.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::record::{Counted, WindowState};
use domain::window::{WindowConfig, window_start};
use domain::{
    Body, Inferred, Record, Reject, Service, Station, Status, Stock, Trip, WindowOutput, Windows,
};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_583_020_800 + seconds, 0).unwrap()
}

fn trip(seq: u64, seconds: i64) -> Record {
    let station = |id: &str| Station {
        station_id: id.into(),
        street: "1 Ave & E 1 St".into(),
        lat: 40.7,
        lon: -74.0,
    };
    let trip = Trip {
        bike_id: None,
        departed_at: at(seconds),
        from: station("1"),
        arrived_at: at(seconds + 600),
        to: station("2"),
        rider: None,
        bike_kind: None,
    };
    Record {
        source: "s".into(),
        seq,
        body: Body::Trip(trip),
    }
}

/// The count of a live feed after a departure, an arrival, or for the first time.
fn status(seq: u64, seconds: i64, inferred: Option<Inferred>) -> Record {
    let station = Station {
        station_id: "1".into(),
        street: "1 Ave & E 1 St".into(),
        lat: 40.7,
        lon: -74.0,
    };
    let body = Body::Status(Status {
        station,
        at: at(seconds),
        bikes: 6,
        inferred,
        service: Service::default(),
        stock: Stock::default(),
        last_reported: None,
        missing: false,
    });
    Record {
        source: "s".into(),
        seq,
        body,
    }
}

fn tick(seconds: i64) -> Record {
    Record {
        source: "s".into(),
        seq: 0,
        body: Body::Tick(at(seconds)),
    }
}

fn reject(seq: u64) -> Record {
    Record {
        source: "s".into(),
        seq,
        body: Body::Reject(Reject::new("s.csv", seq, "too many fields", "a,b,c")),
    }
}

fn fresh(lateness_s: i64) -> Windows {
    let config = WindowConfig {
        lateness: TimeDelta::seconds(lateness_s),
        ..Default::default()
    };
    Windows::resume(config, 0, WindowState::default(), [])
}

fn push_all(windows: &mut Windows, first_offset: i64, records: &[Record]) -> Vec<WindowOutput> {
    (first_offset..)
        .zip(records)
        .filter_map(|(offset, record)| windows.push(offset, &record.to_json()).cloned())
        .collect()
}

fn check(lateness_s: i64, records: &[Record], expected: Expect) {
    let outputs = push_all(&mut fresh(lateness_s), 0, records);
    let lines: Vec<_> = outputs
        .iter()
        .map(|output| serde_json::to_string(output).unwrap())
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_window_closes_when_a_departure_reaches_its_end() {
    check(
        0,
        &[trip(0, 1), trip(1, 4), trip(2, 5)],
        expect![[
            r#"{"offset":2,"from":0,"source":"s","seq":2,"closed":[["2020-03-01T00:00:00Z",2]],"seen":[["s",2]],"state":{"watermark":"2020-03-01T00:00:05Z","closed_until":"2020-03-01T00:00:05Z","open":[["2020-03-01T00:00:05Z",1]]}}"#
        ]],
    );
}

#[test]
fn a_tick_closes_the_last_window_and_always_gives_an_output() {
    check(
        0,
        &[trip(0, 1), tick(5), tick(6)],
        expect![[r#"
            {"offset":1,"from":0,"source":"s","seq":0,"closed":[["2020-03-01T00:00:00Z",1]],"seen":[["s",0]],"state":{"watermark":"2020-03-01T00:00:05Z","closed_until":"2020-03-01T00:00:05Z","open":[]}}
            {"offset":2,"from":2,"source":"s","seq":0,"closed":[],"seen":[],"state":{"watermark":"2020-03-01T00:00:06Z","closed_until":"2020-03-01T00:00:05Z","open":[]}}"#]],
    );
}

#[test]
fn a_late_departure_is_an_increment_of_its_closed_window() {
    check(
        0,
        &[trip(0, 1), trip(1, 12), trip(2, 3)],
        expect![[r#"
            {"offset":1,"from":0,"source":"s","seq":1,"closed":[["2020-03-01T00:00:00Z",1]],"seen":[["s",1]],"state":{"watermark":"2020-03-01T00:00:12Z","closed_until":"2020-03-01T00:00:10Z","open":[["2020-03-01T00:00:10Z",1]]}}
            {"offset":2,"from":2,"source":"s","seq":2,"closed":[],"late":[["2020-03-01T00:00:00Z",1]],"seen":[["s",2]],"state":{"watermark":"2020-03-01T00:00:12Z","closed_until":"2020-03-01T00:00:10Z","open":[["2020-03-01T00:00:10Z",1]]}}"#]],
    );
}

#[test]
fn a_departure_within_the_allowed_lateness_is_in_time() {
    check(
        10,
        &[trip(0, 1), trip(1, 12), trip(2, 3), tick(15)],
        expect![[
            r#"{"offset":3,"from":0,"source":"s","seq":0,"closed":[["2020-03-01T00:00:00Z",2]],"seen":[["s",2]],"state":{"watermark":"2020-03-01T00:00:15Z","closed_until":"2020-03-01T00:00:05Z","open":[["2020-03-01T00:00:10Z",1]]}}"#
        ]],
    );
}

#[test]
fn an_inferred_departure_counts_and_any_status_moves_the_watermark() {
    let [departure, arrival] = [Inferred::Departure, Inferred::Arrival].map(Some);
    check(
        0,
        &[
            status(0, 1, departure),
            status(1, 2, arrival),
            status(2, 4, departure),
            status(3, 5, None),
        ],
        expect![[
            r#"{"offset":3,"from":0,"source":"s","seq":3,"closed":[["2020-03-01T00:00:00Z",2]],"seen":[["s",3]],"state":{"watermark":"2020-03-01T00:00:05Z","closed_until":"2020-03-01T00:00:05Z","open":[]}}"#
        ]],
    );
}

#[test]
fn a_resent_record_counts_once() {
    check(
        0,
        &[trip(0, 1), trip(0, 1), trip(1, 2), trip(0, 1), tick(5)],
        expect![[
            r#"{"offset":4,"from":0,"source":"s","seq":0,"closed":[["2020-03-01T00:00:00Z",2]],"seen":[["s",1]],"state":{"watermark":"2020-03-01T00:00:05Z","closed_until":"2020-03-01T00:00:05Z","open":[]}}"#
        ]],
    );
}

#[test]
fn a_gap_in_the_offsets_is_reported() {
    let mut windows = fresh(0);
    windows.push(0, &trip(0, 1).to_json());
    let output = windows.push(7, &trip(1, 2).to_json()).unwrap();
    expect![[r#"{"offset":7,"gap":{"expected":1}}"#]]
        .assert_eq(&serde_json::to_string(&output).unwrap());
}

#[test]
fn bytes_that_are_no_record_count_as_no_departure() {
    let output = fresh(0).push(0, b"hello").cloned().unwrap();
    expect![[
        r#"{"offset":0,"from":0,"source":"","seq":0,"closed":[],"seen":[],"state":{"open":[]}}"#
    ]]
    .assert_eq(&serde_json::to_string(&output).unwrap());
}

#[test]
fn a_reject_counts_as_no_departure_and_always_gives_an_output() {
    check(
        0,
        &[trip(0, 1), reject(1)],
        expect![[
            r#"{"offset":1,"from":0,"source":"s","seq":1,"closed":[],"seen":[["s",1]],"state":{"watermark":"2020-03-01T00:00:01Z","closed_until":"2020-03-01T00:00:00Z","open":[["2020-03-01T00:00:00Z",1]]}}"#
        ]],
    );
}

/// What a sink keeps of the outputs: counts by window, the state, the last `seq` of each source.
#[derive(Default)]
struct Stored {
    frequency: BTreeMap<DateTime<Utc>, u64>,
    next_offset: i64,
    state: WindowState,
    seen: BTreeMap<String, u64>,
}

impl Stored {
    fn commit(&mut self, counted: Counted) {
        for (start, count) in counted.closed {
            let before = self.frequency.insert(start, count);
            assert_eq!(before, None, "window {start} closed twice");
        }
        for (start, count) in counted.late {
            *self.frequency.entry(start).or_default() += count;
        }
        self.seen.extend(counted.seen);
        self.next_offset = counted.offset + 1;
        self.state = counted.state;
    }

    fn reopen(&self, config: WindowConfig) -> Windows {
        Windows::resume(
            config,
            self.next_offset,
            self.state.clone(),
            self.seen.clone(),
        )
    }
}

fn group_by(records: &[Record]) -> BTreeMap<DateTime<Utc>, u64> {
    let mut counts = BTreeMap::new();
    let mut last_seq = None;
    for record in records {
        let departed_at = match &record.body {
            Body::Trip(trip) => trip.departed_at,
            Body::Status(status) if status.is_departure() => status.at,
            Body::Status(_) | Body::System(_) | Body::Tick(_) | Body::Reject(_) => continue,
        };
        if Some(record.seq) <= last_seq {
            continue;
        }
        last_seq = Some(record.seq);
        let start = window_start(departed_at, WindowConfig::default().width);
        *counts.entry(start).or_default() += 1;
    }
    counts
}

/// Records as a partition may hold them: late ones, ticks and resent ones among them.
fn records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec((0_i64..120, 0_u8..10), 0..80).prop_map(|draws| {
        let mut seq = 0;
        let mut records: Vec<Record> = Vec::new();
        for (seconds, kind) in draws {
            match kind {
                0 => records.push(tick(seconds)),
                1 if !records.is_empty() => records.push(records[records.len() - 1].clone()),
                2..=4 => {
                    let kinds = [Some(Inferred::Departure), Some(Inferred::Arrival), None];
                    records.push(status(seq, seconds, kinds[usize::from(kind) - 2]));
                    seq += 1;
                }
                _ => {
                    records.push(trip(seq, seconds));
                    seq += 1;
                }
            }
        }
        records.push(tick(1_000));
        records
    })
}

#[test]
fn a_source_under_another_name_counts_once() {
    let renamed = |source: &str| Record {
        source: source.into(),
        ..trip(0, 1)
    };
    check(
        0,
        &[renamed("a.csv#1"), renamed("copy of a.csv#1"), tick(5)],
        expect![[
            r#"{"offset":2,"from":0,"source":"s","seq":0,"closed":[["2020-03-01T00:00:00Z",1]],"seen":[["a.csv#1",0]],"state":{"watermark":"2020-03-01T00:00:05Z","closed_until":"2020-03-01T00:00:05Z","open":[]}}"#
        ]],
    );
}

/// What runs of a producer leave on a partition: rows with a time or without, and at the end a tick,
/// unless no row of the run had a time.
fn runs() -> impl Strategy<Value = Vec<Record>> {
    let run = prop::collection::vec((0_i64..40, any::<bool>()), 0..6);
    prop::collection::vec(run, 0..5).prop_map(|runs| {
        let mut records = Vec::new();
        for run in runs {
            let mut newest = None;
            for (seconds, is_trip) in run {
                let seq = records.len() as u64;
                records.push(if is_trip {
                    trip(seq, seconds)
                } else {
                    reject(seq)
                });
                newest = newest.max(is_trip.then_some(seconds));
            }
            records.extend(newest.map(|seconds| tick(seconds + 5)));
        }
        records
    })
}

proptest! {
    /// So a reader knows that it has read all, without waiting for more.
    #[test]
    fn the_last_record_that_a_run_leaves_gives_an_output(records in runs()) {
        let outputs = push_all(&mut fresh(0), 0, &records);
        let last = outputs.last().map(|output| match output {
            WindowOutput::Counted(counted) => counted.offset,
            WindowOutput::Gap { .. } => -1,
        });
        prop_assert_eq!(last.unwrap_or(-1), records.len() as i64 - 1);
    }

    /// A broker drops the outputs of a batch that did not fit into its answer and runs it again.
    #[test]
    fn a_batch_that_is_run_twice_gives_the_same_outputs(
        records in records(),
        batches in prop::collection::vec((1_usize..12, any::<bool>()), 1..20),
    ) {
        let once = push_all(&mut fresh(0), 0, &records);
        let mut windows = fresh(0);
        let mut outputs = Vec::new();
        let (mut start, mut batches) = (0, batches.into_iter().cycle());
        while start < records.len() {
            let (length, is_run_twice) = batches.next().unwrap();
            let end = (start + length).min(records.len());
            let batch = &records[start..end];
            let first = push_all(&mut windows, start as i64, batch);
            if is_run_twice {
                prop_assert_eq!(&push_all(&mut windows, start as i64, batch), &first);
            }
            outputs.extend(first);
            start = end;
        }
        prop_assert_eq!(outputs, once);
    }

    /// After all input, the windows equal GROUP BY over the departures, whatever the lateness and
    /// wherever the stream was cut and opened again at a committed output.
    #[test]
    fn windows_equal_group_by_however_often_the_stream_is_reopened(
        records in records(),
        cuts in prop::collection::vec(1_usize..20, 1..8),
        lateness_s in 0_i64..60,
    ) {
        let config =
            WindowConfig { lateness: TimeDelta::seconds(lateness_s), ..Default::default() };
        let mut stored = Stored::default();
        for cut in cuts.iter().cycle() {
            // The broker replays a stored batch from its start: up to three records too early.
            let from = (stored.next_offset - 3).max(0);
            let mut windows = stored.reopen(config);
            let outputs = push_all(&mut windows, from, &records[from as usize..]);
            for output in outputs.into_iter().take(*cut) {
                match output {
                    WindowOutput::Counted(counted) => stored.commit(counted),
                    WindowOutput::Gap { .. } => prop_assert!(false, "no record was skipped"),
                }
            }
            if stored.next_offset == records.len() as i64 { break }
        }
        prop_assert_eq!(stored.frequency, group_by(&records));
    }

    /// Order within the allowed lateness does not matter, and nothing is late then.
    #[test]
    fn order_within_the_lateness_does_not_matter(
        mut seconds in prop::collection::vec(0_i64..30, 1..40),
    ) {
        let run = |seconds: &[i64]| {
            let mut stored = Stored::default();
            let mut trips: Vec<_> =
                (0..).zip(seconds).map(|(seq, seconds)| trip(seq, *seconds)).collect();
            trips.push(tick(1_000));
            for output in push_all(&mut fresh(40), 0, &trips) {
                let WindowOutput::Counted(counted) = output else { panic!("gap") };
                assert_eq!(counted.late, []);
                stored.commit(counted);
            }
            stored.frequency
        };
        let shuffled = run(&seconds);
        seconds.sort_unstable();
        prop_assert_eq!(shuffled, run(&seconds));
    }
}
