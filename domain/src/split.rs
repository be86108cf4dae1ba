//! The split: a trip becomes its departure and its arrival, all else passes through.

use crate::record::{self, RecordError, StationRef, Text, TripPieces};
use crate::{Body, DockEvent, Record, Reject, SplitEvent, SplitOutput};

/// Splits the record at `offset`; bytes that are no record become one reject.
///
/// Never fails: an error would stop the batch inside the broker.
#[must_use]
pub fn split(offset: i64, bytes: &[u8]) -> Vec<SplitOutput<'static>> {
    let record = match Record::from_json(bytes) {
        Ok(record) => record,
        Err(error) => return vec![unreadable(offset, bytes, &error)],
    };
    let Record { source, seq, body } = record;
    let output = |event| SplitOutput {
        offset,
        source: Text::from(source.clone()),
        seq,
        event,
    };
    match body {
        Body::Tick(at) => vec![output(SplitEvent::Tick(at))],
        Body::Reject(reject) => vec![output(SplitEvent::Reject(reject))],
        Body::Status(status) => vec![output(SplitEvent::Status(status))],
        Body::System(system) => vec![output(SplitEvent::System(system))],
        Body::Trip(trip) => {
            let bike_id = trip.bike_id.map(Text::from);
            let departure = DockEvent {
                bike_id: bike_id.clone(),
                at: trip.departed_at,
                station: StationRef::from(trip.from),
                bike_kind: trip.bike_kind,
            };
            let arrival = DockEvent {
                bike_id,
                at: trip.arrived_at,
                station: StationRef::from(trip.to),
                bike_kind: trip.bike_kind,
            };
            vec![
                output(SplitEvent::Departure(departure)),
                output(SplitEvent::Arrival(arrival)),
            ]
        }
    }
}

/// Gives the JSON of each output of [`split()`], in pieces to be put together.
///
/// A trip as the producer spells it is not read into a [`crate::Trip`] first: its outputs are
/// pieces of the record. They read back as what [`split()`] gives.
pub fn split_json(offset: i64, bytes: &[u8], output: &mut dyn FnMut(&[&[u8]])) {
    match TripPieces::read(bytes) {
        Some(trip) => record::write_trip(offset, &trip, output),
        None => split(offset, bytes)
            .iter()
            .for_each(|event| output(&[&event.to_json()])),
    }
}

fn unreadable(offset: i64, bytes: &[u8], error: &RecordError) -> SplitOutput<'static> {
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
        source: Text::from(""),
        seq: 0,
        event: SplitEvent::Reject(reject),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::record::samples;

    fn lines(record: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        split_json(12, record, &mut |pieces| {
            lines.push(String::from_utf8(pieces.concat()).unwrap());
        });
        lines
    }

    fn read_back(lines: &[String]) -> Vec<SplitOutput<'_>> {
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
    fn the_kind_of_bike_is_that_of_both_events() {
        check(
            &PLAIN.replace(
                r#""rider":"member""#,
                r#""rider":"member","bike_kind":"electric""#,
            ),
            expect![[r#"
                {"offset":12,"source":"a.csv#1","seq":7,"departure":{"bike_id":"42381","at":"2020-03-01T05:14:07Z","station":{"station_id":"3202","street":"Newport PATH","lat":40.7,"lon":-74.0},"bike_kind":"electric"}}
                {"offset":12,"source":"a.csv#1","seq":7,"arrival":{"bike_id":"42381","at":"2020-03-01T05:20:36.088Z","station":{"station_id":"3203","street":"Hamilton Park","lat":40.8,"lon":-74.1},"bike_kind":"electric"}}"#]],
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
        assert!(TripPieces::read(PLAIN.as_bytes()).is_some());
        assert!(TripPieces::read(TRIP.as_bytes()).is_none());
        assert_eq!(lines(PLAIN.as_bytes()), lines(TRIP.as_bytes()));
    }

    proptest! {
        #[test]
        fn pieces_of_a_record_read_back_as_the_rule_says(trip in samples::trip_record()) {
            let json = trip.to_json();
            let lines = lines(&json);
            prop_assert_eq!(read_back(&lines), split(12, &json));
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
            let lines = lines(&bytes);
            prop_assert_eq!(read_back(&lines), split(12, &bytes));
        }
    }
}
