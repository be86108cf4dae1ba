//! What each kind of trip file becomes: small files of our own, and real ones where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{Body, Record, Station, Trip, error_chain};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use testkit::archives::{gzip, zip};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::FilesConfig;
use crate::encode::Encoder;
use crate::error::TripFilesError;
use crate::loader::HeldFiles;
use crate::order::{Merged, RowStream};
use crate::progress::{Progress, Reading};
use crate::row::Content;
use crate::simulate::{SimulateConfig, write_csv};
use crate::source::Source;
use crate::spill::Spill;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/trips")
}

fn load(path: &Path) -> Result<Months, TripFilesError> {
    load_within(path, &FilesConfig::default())
}

fn load_within(path: &Path, config: &FilesConfig) -> Result<Months, TripFilesError> {
    read(Source::Path(path.to_owned()), config)
}

/// All months of a source, one after the other.
fn read(source: Source, config: &FilesConfig) -> Result<Months, TripFilesError> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let spill = Arc::new(Spill::new(config)?);
        let (progress, _) = watch::channel(Progress::default());
        let reading = Reading::new(progress, CancellationToken::new());
        let opened = source.open(&config.s3, &spill, &reading).await?.unwrap();
        let mut months = Months::default();
        let mut receiver = opened.start(HeldFiles::default());
        while let Some(loaded) = receiver.recv().await {
            let loaded = loaded?;
            months.duplicate_files += loaded.duplicate_files;
            months.refused_files += loaded.refused_files;
            months.streams.extend(loaded.streams);
        }
        Ok(months)
    })
}

#[derive(Default)]
struct Months {
    streams: Vec<RowStream>,
    duplicate_files: u64,
    refused_files: u64,
}

/// The records of everything at `path`, as they would be sent.
fn records(loaded: Months) -> Vec<Record> {
    let mut rows = Merged::default();
    rows.add(loaded.streams);
    let mut records = Vec::new();
    while let Some((source, seq, row)) = rows.next_row().unwrap() {
        let stream = &rows.streams[source];
        let encoder = Encoder::new(&stream.source);
        let json = match &row.content {
            Content::Trip(trip) => encoder.trip(seq, trip, stream.names()),
            Content::Reject(reject) => encoder.reject(seq, reject),
        };
        records.push(Record::from_json(&json).unwrap());
    }
    records
}

fn line(record: &Record) -> String {
    let place = |s: &Station| format!("{} {:?} {} {}", s.station_id, s.street, s.lat, s.lon);
    let Record { seq, body, .. } = record;
    match body {
        Body::Trip(trip) => format!(
            "{seq} {} {} → {} {} bike {:?} {:?}{}",
            trip.departed_at.format("%d %H:%M:%S%.fZ"),
            place(&trip.from),
            trip.arrived_at.format("%d %H:%M:%S%.fZ"),
            place(&trip.to),
            trip.bike_id,
            trip.rider,
            trip.bike_kind
                .map(|kind| format!(" {kind:?}"))
                .unwrap_or_default(),
        ),
        Body::Reject(reject) => format!(
            "{seq} {}, line {}: {} | {}",
            reject.file, reject.line, reject.reason, reject.row
        ),
        Body::Tick(at) => format!("{seq} tick {at}"),
        Body::Status(_) | Body::System(_) => panic!("a file is no feed"),
    }
}

fn check(file: &str, expected: Expect) {
    let text = match load(&testdata().join(file)) {
        Ok(loaded) => records(loaded).iter().map(|r| line(r) + "\n").collect(),
        Err(error) => error_chain(&error),
    };
    expected.assert_eq(&text);
}

#[test]
fn legacy_quoted() {
    check(
        "basic.csv",
        expect![[r#"
        0 06 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:10:00.500Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 06 12:01:00.250Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 06 12:06:00.250Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Casual)
        2 06 12:30:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 06 12:32:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9001") Some(Member)
    "#]],
    );
}

#[test]
fn legacy_unquoted() {
    check(
        "unquoted.csv",
        expect![[r#"
        0 01 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 01 12:10:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 01 12:01:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 01 12:06:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Casual)
    "#]],
    );
}

#[test]
fn legacy_title_case() {
    check(
        "title-case.csv",
        expect![[r#"
        0 03 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 03 12:10:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 03 12:01:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 03 12:06:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Casual)
    "#]],
    );
}

#[test]
fn legacy_without_header() {
    check(
        "no-header.csv",
        expect![[r#"
        0 03 12:00:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 → 03 12:01:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9003") Some(Casual)
        1 03 13:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 03 13:10:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        2 03 13:01:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 03 13:06:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Casual)
    "#]],
    );
}

#[test]
fn since_2021_without_bikes() {
    check(
        "new.csv",
        expect![[r#"
            0 05 11:59:00Z HB103 "Ash St & 3 Ave" 40.7503 -73.9703 → 05 12:06:00Z 6101.01 "Oak St & 1 Ave" 40.7301 -73.9901 bike None Some(Casual) Docked
            1 05 12:00:00Z 6101.01 "Oak St & 1 Ave" 40.7301 -73.9901 → 05 12:10:00Z 6102.10 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Classic
            2 05 12:01:00.970Z 6102.10 "Elm St & 2 Ave" 40.74021 -73.98018 → 05 12:06:00.250Z HB103 "Ash St & 3 Ave" 40.7503 -73.9703 bike None Some(Casual) Electric
        "#]],
    );
}

#[test]
fn since_2021_quoted() {
    check(
        "new-quoted.csv",
        expect![[r#"
            0 05 12:00:00Z JC101 "Oak St & 1 Ave" 40.7301 -73.9901 → 05 12:10:00Z JC102 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Classic
            1 05 12:01:00Z JC102 "Elm St & 2 Ave, North" 40.7402 -73.9802 → 05 12:06:00Z HB103 "Ash \"Park\" & 3 Ave" 40.7503 -73.9703 bike None Some(Casual) Electric
        "#]],
    );
}

#[test]
fn rows_are_ordered_by_departure_and_a_reject_follows_the_good_row_before_it() {
    check(
        "not-ordered.csv",
        expect![[r#"
        0 03 12:00:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 → 03 12:01:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9005") Some(Member)
        1 03 13:00:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 03 13:01:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Member)
        2 03 21:48:39Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 03 21:49:39Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        3 03 21:48:39Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 → 03 21:49:39Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9003") Some(Member)
        4 not-ordered.csv, line 5: stoptime "" is blank | 60,2018-07-03 12:00:00,,103,Ash St & 3 Ave,40.7503,-73.9703,101,Oak St & 1 Ave,40.7301,-73.9901,9004,Subscriber,1980,1
    "#]],
    );
}

#[test]
fn a_trip_without_a_station_or_a_place_is_rejected() {
    check(
        "missing-end-station.csv",
        expect![[r#"
            0 missing-end-station.csv, line 2: end_station_id "" is blank | CC01,electric_bike,2022-08-01 08:00:00,2022-08-01 08:10:00,Oak St & 1 Ave,6101.01,,,40.7301,-73.9901,40.74,-73.98,member
            1 01 12:01:00Z 6101.01 "Oak St & 1 Ave" 40.7301 -73.9901 → 01 12:11:00Z 6102.10 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Electric
            2 missing-end-station.csv, line 4: start_station_id "" is blank | CC03,electric_bike,2022-08-01 08:02:00,2022-08-01 08:12:00,,,Elm St & 2 Ave,6102.10,40.7301,-73.9901,40.7402,-73.9802,member
            3 missing-end-station.csv, line 5: end_lat "" is blank | CC04,electric_bike,2022-08-01 08:03:00,2022-08-01 08:13:00,Oak St & 1 Ave,6101.01,Elm St & 2 Ave,6102.10,40.7301,-73.9901,,,member
        "#]],
    );
}

#[test]
fn a_row_cut_inside_quotes_is_rejected_alone() {
    check(
        "cut-in-quotes.csv",
        expect![[r#"
        0 06 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:10:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 cut-in-quotes.csv, line 3: row has 9 fields, the header has 15 | 600,"2019-05-06 08:01:00.0000","2019-05-06 08:11:00.0000",101,"Oak St & 1 Ave",40.7301,-73.9901,102,"Elm St & 2
        2 06 12:02:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:12:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9002") Some(Member)
        3 cut-in-quotes.csv, line 5: row has 9 fields, the header has 15 | 600,"2019-05-06 08:03:00.0000","2019-05-06 08:13:00.0000",101,"Oak St & 1 Ave",40.7301,-73.9901,102,"Elm St
    "#]],
    );
}

#[test]
fn a_time_the_clocks_skipped_is_rejected() {
    check(
        "dst-gap.csv",
        expect![[r#"
        0 08 06:58:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 08 07:03:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 dst-gap.csv, line 3: starttime "2020-03-08 02:30:00" does not exist in America/New_York: the clocks went forward | 300,2020-03-08 02:30:00,2020-03-08 03:35:00,102,Elm St & 2 Ave,40.7402,-73.9802,103,Ash St & 3 Ave,40.7503,-73.9703,9002,Subscriber,1980,1
        2 dst-gap.csv, line 4: stoptime "2020-03-08 02:04:00" does not exist in America/New_York: the clocks went forward | 300,2020-03-08 01:59:00,2020-03-08 02:04:00,102,Elm St & 2 Ave,40.7402,-73.9802,103,Ash St & 3 Ave,40.7503,-73.9703,9003,Subscriber,1980,1
        3 08 07:00:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 → 08 07:05:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9004") Some(Member)
    "#]],
    );
}

#[test]
fn the_doubled_hour_is_told_apart_by_the_duration() {
    check(
        "dst-fold.csv",
        expect![[r#"
        0 01 05:10:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 → 01 05:30:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9004") Some(Member)
        1 01 05:10:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 01 06:30:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9005") Some(Member)
        2 01 05:30:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 01 07:10:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        3 01 05:50:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 01 06:10:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9003") Some(Member)
        4 01 06:30:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 01 07:10:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Member)
    "#]],
    );
}

#[test]
fn the_doubled_hour_without_a_duration_gives_the_shortest_trip() {
    check(
        "dst-fold-new.csv",
        expect![[r#"
            0 07 05:10:00Z 6101.01 "Oak St & 1 Ave" 40.7301 -73.9901 → 07 05:30:00Z 6102.10 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Classic
            1 07 05:50:00Z 6101.01 "Oak St & 1 Ave" 40.7301 -73.9901 → 07 06:10:00Z 6102.10 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Classic
            2 07 06:30:00Z 6101.01 "Oak St & 1 Ave" 40.7301 -73.9901 → 07 07:10:00Z 6102.10 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Classic
        "#]],
    );
}

#[test]
fn a_place_at_zero_is_rejected() {
    check(
        "zero-coordinates.csv",
        expect![[r#"
        0 01 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 01 12:10:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 zero-coordinates.csv, line 3: end station latitude "0" is zero: the station's place is not known | 600,2017-08-01 08:01:00,2017-08-01 08:11:00,101,Oak St & 1 Ave,40.7301,-73.9901,3183,Exchange Place,0,0,9002,Subscriber,1980,1
        2 zero-coordinates.csv, line 4: start station latitude "0.0" is zero: the station's place is not known | 600,2017-08-01 08:02:00,2017-08-01 08:12:00,3183,Exchange Place,0.0,0.0,102,Elm St & 2 Ave,40.7402,-73.9802,9003,Subscriber,1980,1
    "#]],
    );
}

#[test]
fn a_file_with_an_unknown_column_is_refused() {
    check(
        "unknown-header.csv",
        expect![[
            r#"file "unknown-header.csv" is refused: its columns are unknown: header of generation "legacy" has unknown columns "departure"; lacks columns "starttime""#
        ]],
    );
}

#[test]
fn dates_as_spreadsheets_write_them() {
    check(
        "us-dates.csv",
        expect![[r#"
        0 01 04:00:25Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 01 04:10:25Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 01 04:01:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 01 04:11:00Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Member)
        2 01 04:02:39Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 → 01 04:12:39Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9003") Some(Member)
        3 us-dates.csv, line 5: starttime "31/12/2014 0:03" is not a time | 600,31/12/2014 0:03,31/12/2014 0:13,103,Ash St & 3 Ave,40.7503,-73.9703,101,Oak St & 1 Ave,40.7301,-73.9901,9004,Subscriber,1980,1
    "#]],
    );
}

#[test]
fn dirty_values_are_cleaned() {
    check(
        "bom-crlf-dirty-ids.csv",
        expect![[r#"
        0 06 12:00:00Z 497 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:10:00Z Shop Morgan "Morgan Shop" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 06 12:01:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:11:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike None None
    "#]],
    );
}

#[test]
fn a_trip_that_ends_before_it_begins_is_rejected() {
    check(
        "arrival-first.csv",
        expect![[r#"
        0 arrival-first.csv, line 2: stoptime "2015-05-06 07:59:59" is before the departure "2015-05-06 08:00:00" | 600,2015-05-06 08:00:00,2015-05-06 07:59:59,101,Oak St & 1 Ave,40.7301,-73.9901,102,Elm St & 2 Ave,40.7402,-73.9802,9001,Subscriber,1980,1
        1 06 12:01:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:01:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 bike Some("9002") Some(Member)
    "#]],
    );
}

#[test]
fn a_row_that_is_not_utf8_is_rejected() {
    check(
        "not-utf8.csv",
        expect![[r#"
        0 not-utf8.csv, line 2: row is not UTF-8 | 600,2015-05-06 08:00:00,2015-05-06 08:10:00,101,Caf� St,40.7301,-73.9901,102,Elm St & 2 Ave,40.7402,-73.9802,9001,Subscriber,1980,1
        1 06 12:01:00Z 101 "Café St" 40.7301 -73.9901 → 06 12:11:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9002") Some(Member)
    "#]],
    );
}

#[test]
fn legacy_with_an_extra_column() {
    check(
        "extra-column.csv",
        expect![[r#"
        0 06 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:10:00.500Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        1 06 12:01:00.250Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 06 12:06:00.250Z 103 "Ash St & 3 Ave" 40.7503 -73.9703 bike Some("9002") Some(Casual)
    "#]],
    );
}

#[test]
fn depots_are_stations() {
    check(
        "depots.csv",
        expect![[r#"
        0 06 12:00:00Z 101 "Oak St & 1 Ave" 40.7301 -73.9901 → 06 12:10:00Z 3240 "NYCBS DEPOT - DELANCEY" 40.7165 -73.9816 bike Some("9001") Some(Member)
        1 06 12:20:00Z 3240 "NYCBS DEPOT - DELANCEY" 40.7165 -73.9816 → 06 12:30:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 bike Some("9001") Some(Member)
        2 06 12:40:00Z 102 "Elm St & 2 Ave" 40.7402 -73.9802 → 06 12:50:00Z 3250 "JCBS Depot" 40.7097 -74.0683 bike Some("9001") Some(Member)
    "#]],
    );
}

#[test]
fn a_zero_that_an_id_has_lost_is_put_back() {
    check(
        "lost-zeros.csv",
        expect![[r#"
            0 05 12:00:00Z 5343.10 "Oak St & 1 Ave" 40.7301 -73.9901 → 05 12:10:00Z 6102.01 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Member) Classic
            1 05 12:01:00Z 6102.01 "Elm St & 2 Ave" 40.7402 -73.9802 → 05 12:11:00Z 5343.10 "Oak St & 1 Ave" 40.7301 -73.9901 bike None Some(Member) Classic
            2 05 12:02:00Z 20645 "Ash St & 3 Ave" 40.7503 -73.9703 → 05 12:12:00Z 6102.01 "Elm St & 2 Ave" 40.7402 -73.9802 bike None Some(Casual) Classic
        "#]],
    );
}

#[test]
fn every_row_of_every_fixture_is_produced_or_rejected_with_reason_file_and_line() {
    let mut fixtures = 0;
    for entry in std::fs::read_dir(testdata()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "unknown-header.csv" {
            continue;
        }
        fixtures += 1;
        let text = std::fs::read(&path).unwrap();
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
            .count();
        let rows = lines - usize::from(name != "no-header.csv");
        let records = records(load(&path).unwrap());
        assert_eq!(records.len(), rows, "{name}");
        for record in records {
            if let Body::Reject(reject) = record.body {
                assert!(reject.line > 1 && !reject.reason.is_empty(), "{reject:?}");
                assert_eq!(reject.file, name);
            }
        }
    }
    assert!(fixtures > 15);
}

/// Rows, trips and reasons of a real file, values left out.
fn check_real(file: &str, expected: Expect) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(file);
    if !path.exists() {
        #[expect(clippy::print_stdout, reason = "a skip must be seen")]
        {
            println!("SKIPPED: {} is not there", path.display());
        }
        return;
    }
    let records = records(load(&path).unwrap());
    let mut reasons = BTreeMap::new();
    for record in &records {
        if let Body::Reject(reject) = &record.body {
            let (line, mut reason) = (reject.line, reject.reason.clone());
            if let (Some(start), Some(end)) = (reason.find('"'), reason.find("\" ")) {
                reason.replace_range(start..=end, "…");
            }
            let (count, first) = reasons.entry(reason).or_insert((0, line));
            *count += 1;
            *first = line.min(*first);
        }
    }
    let rejected: u64 = reasons.values().map(|(count, _)| count).sum();
    let produced = records.len() as u64 - rejected;
    let mut text = format!(
        "read {}, produced {produced}, rejected {rejected}\n",
        records.len()
    );
    for (reason, (count, first)) in reasons {
        text += &format!("{count} × {reason} (first in line {first})\n");
    }
    expected.assert_eq(&text);
}

#[test]
fn real_jersey_city_march_2020() {
    check_real(
        "JC-202003-citibike-tripdata.csv",
        expect![[r#"
        read 17719, produced 17719, rejected 0
    "#]],
    );
}

#[test]
fn real_new_york_july_2018_us_dates() {
    check_real(
        "nyc-201807-sample10k-mdyy.csv",
        expect![[r#"
        read 10000, produced 10000, rejected 0
    "#]],
    );
}

#[test]
fn real_new_york_july_2021() {
    check_real(
        "nyc-202107-new-schema-sample.csv",
        expect![[r#"
        read 499, produced 499, rejected 0
    "#]],
    );
}

#[test]
fn real_new_york_march_2014_without_header() {
    check_real(
        "nyc-201403-unquoted-noheader-1011rows.csv",
        expect![[r#"
            read 1012, produced 1012, rejected 0
        "#]],
    );
}

#[test]
fn real_new_york_july_2013_cut_in_quotes() {
    check_real(
        "nyc-201307-excel-mdyyyy-backslashN.csv",
        expect![[r#"
        read 4, produced 3, rejected 1
        1 × end station latitude … is blank (first in line 5)
    "#]],
    );
}

/// A folder with these files, which are copies of testdata.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, original) in files {
        std::fs::copy(testdata().join(original), folder.path().join(name)).unwrap();
    }
    folder
}

fn check_folder(folder: &Path, expected: Expect) {
    let text = match load(folder) {
        Err(error) => error_chain(&error).replace(&folder.display().to_string(), "FOLDER"),
        Ok(loaded) => {
            let (duplicates, refused) = (loaded.duplicate_files, loaded.refused_files);
            let mut text = format!("duplicates {duplicates}, refused {refused}\n");
            for stream in &loaded.streams {
                let name = stream.source.split('#').next().unwrap();
                text += &format!("{name} {:?}\n", stream.total().unwrap());
            }
            for record in records(loaded) {
                if let Body::Reject(_) = record.body {
                    text += &format!("{}\n", line(&record));
                }
            }
            text
        }
    };
    expected.assert_eq(&text);
}

#[test]
fn a_folder_is_read_by_name_and_the_same_content_once_however_it_is_packed() {
    let folder = folder(&[
        ("b.csv", "unquoted.csv"),
        ("a.csv", "basic.csv"),
        (".hidden.csv", "new.csv"),
        ("note.txt", "new.csv"),
    ]);
    let basic = std::fs::read(testdata().join("basic.csv")).unwrap();
    let new = std::fs::read(testdata().join("new.csv")).unwrap();
    std::fs::write(folder.path().join("c.csv.gz"), gzip(&basic)).unwrap();
    let members: [(&str, &[u8]); 4] = [
        ("1_January/x.csv", &new),
        ("__MACOSX/1_January/._x.csv", b"not a trip file"),
        (".DS_Store", b"\0"),
        ("copy of a.csv", &basic),
    ];
    std::fs::write(folder.path().join("d.zip"), zip(&members)).unwrap();
    check_folder(
        folder.path(),
        expect![[r#"
        duplicates 2, refused 0
        a.csv 3
        b.csv 2
        x.csv 3
    "#]],
    );
}

#[test]
fn files_with_other_trips_are_all_taken_whatever_their_names_say() {
    let folder = folder(&[("201905-trips.csv", "basic.csv")]);
    let [cut, depots] = ["cut-in-quotes.csv", "depots.csv"]
        .map(|file| std::fs::read(testdata().join(file)).unwrap());
    let year: [(&str, &[u8]); 2] = [
        ("2019/201905-trips.csv", &depots),
        ("2019/201905-trips_1.csv", &cut),
    ];
    std::fs::write(folder.path().join("2019.zip"), zip(&year)).unwrap();
    check_folder(
        folder.path(),
        expect![[r#"
            duplicates 0, refused 0
            201905-trips.csv 3
            201905-trips_1.csv 4
            201905-trips.csv 3
            1 2019.zip/2019/201905-trips_1.csv, line 3: row has 9 fields, the header has 15 | 600,"2019-05-06 08:01:00.0000","2019-05-06 08:11:00.0000",101,"Oak St & 1 Ave",40.7301,-73.9901,102,"Elm St & 2
            3 2019.zip/2019/201905-trips_1.csv, line 5: row has 9 fields, the header has 15 | 600,"2019-05-06 08:03:00.0000","2019-05-06 08:13:00.0000",101,"Oak St & 1 Ave",40.7301,-73.9901,102,"Elm St
        "#]],
    );
}

/// A simulated city's file in the legacy form.
fn city(parameters: &str) -> String {
    let mut text = Vec::new();
    write_csv(&parameters.parse().unwrap(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The same trips as they were published again: another header, no bikes, other station ids, places
/// a bit off, and times by `change`.
fn published_again(text: &str, change: impl Fn(DateTime<Utc>) -> DateTime<Utc>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.csv");
    std::fs::write(&path, text).unwrap();
    let mut again = "ride_id,rideable_type,started_at,ended_at,start_station_name,\
        start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,\
        member_casual\n"
        .to_owned();
    for record in records(load(&path).unwrap()) {
        let Body::Trip(trip) = record.body else {
            continue;
        };
        let at = |at| {
            domain::time::to_new_york(change(at))
                .format("%F %T%.3f")
                .to_string()
        };
        let Station {
            station_id: from,
            street: from_street,
            lat,
            lon,
        } = trip.from;
        let Station {
            station_id: to,
            street: to_street,
            lat: to_lat,
            lon: to_lon,
        } = trip.to;
        again += &format!(
            "{:016X},classic_bike,{},{},{from_street},HB{from},{to_street},HB{to},{},{},{},{},member\n",
            record.seq,
            at(trip.departed_at),
            at(trip.arrived_at),
            lat + 0.000_2,
            lon - 0.000_2,
            to_lat - 0.000_2,
            to_lon + 0.000_2,
        );
    }
    again
}

fn first_lines(text: &str, count: usize) -> String {
    text.split_inclusive('\n').take(count).collect()
}

#[test]
fn a_month_is_taken_once_under_whatever_names_and_in_whatever_form_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let month = |month: u32| {
        city(&format!(
            "seed={month},trips=3000,start=2019-{month:02}-01,days=28,stations=60,bikes=300"
        ))
    };
    let (may, june) = (month(5), month(6));
    let seconds = |at: DateTime<Utc>| DateTime::from_timestamp(at.timestamp(), 0).unwrap();
    let millis = |at: DateTime<Utc>| at + chrono::TimeDelta::milliseconds(at.timestamp() % 9 - 4);
    let year: [(&str, &[u8]); 2] = [
        ("2019/201905-citibike-tripdata_1.csv", may.as_bytes()),
        ("2019/201906-citibike-tripdata_1.csv", june.as_bytes()),
    ];
    write("2019-citibike-tripdata.zip", &zip(&year));
    // In turn: a typing mistake, what a browser makes of a second download, and no name at all.
    write(
        "201905-citbike-tripdata.csv",
        published_again(&may, seconds).as_bytes(),
    );
    write(
        "201905-citibike-tripdata (1).csv",
        &may.replace("\n", "\r\n").into_bytes(),
    );
    write(
        "download.csv.gz",
        &gzip(published_again(&may, millis).as_bytes()),
    );
    check_folder(
        folder.path(),
        expect![[r#"
            duplicates 3, refused 0
            download.csv.gz 3000
            201906-citibike-tripdata_1.csv 3000
        "#]],
    );
}

#[test]
fn a_file_that_holds_more_is_taken_instead_of_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let may = city("trips=900,start=2019-05-01,days=28,stations=60,bikes=300");
    let header = first_lines(&may, 1);
    let last: String = may.split_inclusive('\n').skip(801).collect();
    write("201905-a.csv", &first_lines(&may, 501));
    write("201905-b.csv", &(header + &last));
    write("201905-whole.csv", &may);
    check_folder(
        folder.path(),
        expect![[r#"
            duplicates 2, refused 0
            201905-whole.csv 900
        "#]],
    );
}

#[test]
fn a_file_that_holds_a_part_of_another_ones_trips_is_refused_with_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let may = city("trips=900,start=2019-05-01,days=28,stations=60,bikes=300");
    let header = first_lines(&may, 1);
    let rest: String = may.split_inclusive('\n').skip(401).collect();
    write("201905-a.csv", &first_lines(&may, 601));
    write("201905-b.csv", &(header + &rest));
    check_folder(
        folder.path(),
        expect![[r#"
        duplicates 0, refused 1
        201905-a.csv 600
        201905-b.csv 1
        0 201905-b.csv, line 1: file refused: 200 of its 500 trips are in "201905-a.csv", which is taken: take one of the two away, or the trips that both have out of this one | 
    "#]],
    );
}

#[test]
fn a_row_dated_far_outside_its_files_month_is_rejected_with_its_line() {
    let folder = folder(&[("202107-trips.csv", "new.csv")]);
    let text = std::fs::read_to_string(testdata().join("new.csv")).unwrap();
    let last = text.lines().last().unwrap();
    let rows = [
        last.replacen("2021", "2037", 2),
        last.replacen("2021", "0021", 2),
    ];
    std::fs::write(
        folder.path().join("202107-trips.csv"),
        format!("{text}{}\n", rows.join("\n")),
    )
    .unwrap();
    check_folder(
        folder.path(),
        expect![[r#"
        duplicates 0, refused 0
        202107-trips.csv 5
        1 202107-trips.csv, line 6: started_at "0021-07-05 07:59:00" is not of the years 2000 to 2099 | AA03,docked_bike,0021-07-05 07:59:00,0021-07-05 08:06:00,Ash St & 3 Ave,HB103,Oak St & 1 Ave,6101.01,40.7503,-73.9703,40.7301,-73.9901,casual
        2 202107-trips.csv, line 5: started_at "2037-07-05 07:59:00" is more than 31 days away from 2021-07, the month in the file's name | AA03,docked_bike,2037-07-05 07:59:00,2037-07-05 08:06:00,Ash St & 3 Ave,HB103,Oak St & 1 Ave,6101.01,40.7503,-73.9703,40.7301,-73.9901,casual
    "#]],
    );
}

#[test]
fn a_bad_file_in_a_folder_is_refused_counted_and_kept_as_one_reject() {
    let folder = folder(&[("a.csv", "basic.csv"), ("b.csv", "unknown-header.csv")]);
    let [basic, new] =
        ["basic.csv", "new.csv"].map(|file| std::fs::read(testdata().join(file)).unwrap());
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("c.csv", b"");
    write("d.csv", b"\0\x01\x02binary");
    write("e.csv.gz", &gzip(&basic)[..60]);
    write("f.zip", b"PK not a zip");
    write("g.zip", &zip(&[("inner.zip", b"PK"), ("readme.txt", b"")]));
    write(
        "h.zip",
        &zip(&[("x.csv", &new[..new.len() - 1]), ("y.csv", b"")]),
    );
    write("i.csv.gz", b"plain text");
    check_folder(
        folder.path(),
        expect![[r#"
        duplicates 0, refused 8
        a.csv 3
        b.csv 1
        c.csv 1
        d.csv 1
        e.csv.gz 1
        f.zip 1
        inner.zip 1
        x.csv 3
        y.csv 1
        i.csv.gz 1
        0 b.csv, line 1: file refused: its columns are unknown: header of generation "legacy" has unknown columns "departure"; lacks columns "starttime" | 
        0 c.csv, line 1: file refused: it is empty | 
        0 d.csv, line 1: file refused: it is not a text file | 
        0 e.csv.gz, line 1: file refused: it cannot be read or decompressed: incomplete deflate stream | 
        0 f.zip, line 1: file refused: it is not a usable zip archive: invalid Zip archive: Could not find EOCD | 
        0 g.zip/inner.zip, line 1: file refused: it is not a usable zip archive: invalid Zip archive: Could not find EOCD | 
        0 h.zip/y.csv, line 1: file refused: it is empty | 
        0 i.csv.gz, line 1: file refused: it cannot be read or decompressed: invalid gzip header | 
    "#]],
    );
}

#[test]
fn an_empty_folder_and_a_missing_path_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    check_folder(
        folder.path(),
        expect![[r#"no .csv, .csv.gz, .zip or .parquet file in folder "FOLDER""#]],
    );
    check_folder(
        &folder.path().join("nowhere.csv"),
        expect![[r#"cannot read "FOLDER": No such file or directory (os error 2)"#]],
    );
}

/// Line, reason and row of each, in the order of their lines.
fn rejects(records: &[Record]) -> BTreeSet<(u64, &str, &str)> {
    let rejects = records.iter().filter_map(|record| match &record.body {
        Body::Reject(reject) => Some((reject.line, &*reject.reason, &*reject.row)),
        _ => None,
    });
    rejects.collect()
}

/// The trips in their order, without those that departed in the hour that autumn has twice: one
/// wholly inside is taken for its twin, which moves it and the rejects behind it.
fn trips_at_sure_times(records: &[Record]) -> Vec<&Trip> {
    let trips = records.iter().filter_map(|record| match &record.body {
        Body::Trip(trip) => Some(trip),
        _ => None,
    });
    let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let twice = utc("2026-11-01T05:00:00Z")..utc("2026-11-01T07:00:00Z");
    trips
        .filter(|trip| !twice.contains(&trip.departed_at))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_city_written_as_a_file_and_read_back_gives_the_same_trips(
        seed in any::<u64>(),
        // The weeks of both clock changes of 2026, and a summer week.
        start in prop::sample::select(vec!["2026-03-07", "2026-10-31", "2026-06-05"]),
        dirty in prop::sample::select(vec![0.0, 0.02]),
    ) {
        let text = format!("seed={seed},trips=3000,days=3,start={start},stations=30,bikes=200,dirty={dirty}");
        let config: SimulateConfig = text.parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.csv");
        write_csv(&config, &mut std::fs::File::create(&path).unwrap()).unwrap();
        let from_file = records(load(&path).unwrap());
        let city = read(Source::Simulate(config), &FilesConfig::default());
        let made = records(city.unwrap());
        prop_assert_eq!(from_file.len(), made.len());
        prop_assert_eq!(rejects(&from_file), rejects(&made));
        prop_assert_eq!(trips_at_sure_times(&from_file), trips_at_sure_times(&made));
    }

    #[test]
    fn every_row_of_any_file_is_produced_or_rejected(
        rows in prop::collection::vec(prop_oneof![
            Just("600,2019-05-06 08:00:00,2019-05-06 08:10:00,1,A,40.7,-73.9,2,B,40.8,-73.8,9,Subscriber,1980,1".to_owned()),
            "[a-z0-9,\" ]{1,40}[a-z]",
        ], 0..30),
    ) {
        let header = std::fs::read_to_string(testdata().join("unquoted.csv")).unwrap();
        let header = header.lines().next().unwrap().to_owned();
        let text = format!("{header}\n{}\n", rows.join("\n"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, &text).unwrap();
        // A few rows, and all of them, in memory.
        let small = FilesConfig { sort_bytes: 500, ..FilesConfig::default() };
        let loaded = load_within(&path, &small).unwrap();
        let counted = loaded.streams[0].total().unwrap();
        let ordered = records(loaded);
        prop_assert_eq!(&ordered, &records(load(&path).unwrap()));
        prop_assert_eq!(ordered.len() as u64, counted);
        // A whole row is never lost to a broken one before it.
        let trips = ordered.iter().filter(|record| matches!(record.body, Body::Trip(_))).count();
        let whole = rows.iter().filter(|row| row.starts_with("600,2019")).count();
        prop_assert!(trips >= whole, "{trips} of {whole}: {text}");
        prop_assert!(ordered.iter().map(|record| record.seq).eq(0..counted));
    }
}
