//! Trip files prepared as Parquet, and read again.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use expect_test::{Expect, expect, expect_file};
use parquet::file::reader::{FileReader, SerializedFileReader};
use testkit::archives::{city, gzip, shuffled};
use testkit::s3::{Fault, S3Server};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trip_files::{FilesConfig, PrepareSummary, Progress, S3Config, Source, Target, TripFilesError};

use crate::support::{Rows, read, testdata};

async fn prepare(source: &str, to: &str, s3: S3Config) -> Result<PrepareSummary, TripFilesError> {
    let (progress, _) = watch::channel(Progress::default());
    let to: Target = to.parse().unwrap();
    let stop = CancellationToken::new();
    trip_files::prepare(source.parse().unwrap(), Some(to), s3, progress, stop).await
}

async fn prepare_here(source: &Path, to: &Path) -> PrepareSummary {
    let (source, to) = (source.to_str().unwrap(), to.to_str().unwrap());
    let summary = prepare(source, to, S3Config::default()).await.unwrap();
    assert_eq!(summary.rows_read, summary.written + summary.rejected);
    summary
}

async fn read_from(path: &Path) -> Rows {
    read(Source::Path(path.to_owned()), &FilesConfig::default()).await
}

/// The files of a folder, prepared ones with their rows.
fn check_folder(folder: &Path, expected: Expect) {
    let mut lines = Vec::new();
    for found in fs::read_dir(folder).unwrap() {
        let path = found.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let rows = match name.ends_with(".parquet") {
            true => format!(
                ": {} rows",
                opened(&path).metadata().file_metadata().num_rows()
            ),
            false => String::new(),
        };
        lines.push(format!("{name}{rows}"));
    }
    lines.sort();
    expected.assert_eq(&lines.join("\n"));
}

fn opened(path: &Path) -> SerializedFileReader<File> {
    SerializedFileReader::new(File::open(path).unwrap()).unwrap()
}

fn on_the_server(server: &S3Server) -> S3Config {
    S3Config {
        endpoint: Some(server.endpoint()),
        path_style: true,
        anonymous: true,
        ..S3Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_every_fixture_is_written_or_listed_in_the_report() {
    let to = tempfile::tempdir().unwrap();
    let summary = prepare_here(&testdata(""), to.path()).await;
    expect!["PrepareSummary { rows_read: 62, written: 48, rejected: 14, files: 20, unchanged: 0, duplicate_files: 0, refused_files: 1, stopped: false }"].assert_eq(&format!("{summary:?}"));
    check_folder(
        to.path(),
        expect![[r#"
        201307-unquoted.parquet: 2 rows
        201403-no-header.parquet: 3 rows
        201409-us-dates.parquet: 3 rows
        201505-arrival-first.parquet: 1 rows
        201505-bom-crlf-dirty-ids.parquet: 2 rows
        201505-not-utf8.parquet: 1 rows
        201610-title-case.parquet: 2 rows
        201708-zero-coordinates.parquet: 1 rows
        201805-extra-column.parquet: 2 rows
        201807-not-ordered.parquet: 4 rows
        201905-basic.parquet: 3 rows
        201905-cut-in-quotes.parquet: 2 rows
        201905-depots.parquet: 3 rows
        202003-dst-gap.parquet: 2 rows
        202011-dst-fold.parquet: 5 rows
        202107-new.parquet: 3 rows
        202111-dst-fold-new.parquet: 3 rows
        202208-missing-end-station.parquet: 1 rows
        202306-lost-zeros.parquet: 3 rows
        202306-new-quoted.parquet: 2 rows
        rejected.csv"#]],
    );
    let report = fs::read_to_string(to.path().join("rejected.csv")).unwrap();
    expect_file!["../../../testdata/rejected.csv"].assert_eq(&report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_file_is_a_table_that_anybody_can_read() {
    let to = tempfile::tempdir().unwrap();
    prepare_here(&testdata("basic.csv"), to.path()).await;
    let file = opened(&to.path().join("201905-basic.parquet"));
    let rows: Vec<_> = file
        .get_row_iter(None)
        .unwrap()
        .map(|row| row.unwrap().to_string())
        .collect();
    expect![[r#"
        {departed_at: 2019-05-06 12:00:00.000000 +00:00, from_station_id: "101", from_street: "Oak St & 1 Ave", from_lat: 40.7301, from_lon: -7.39901E1, arrived_at: 2019-05-06 12:10:00.500000 +00:00, to_station_id: "102", to_street: "Elm St & 2 Ave", to_lat: 40.7402, to_lon: -7.39802E1, bike_id: "9001", rider: "member", bike_kind: null}
        {departed_at: 2019-05-06 12:01:00.250000 +00:00, from_station_id: "102", from_street: "Elm St & 2 Ave", from_lat: 40.7402, from_lon: -7.39802E1, arrived_at: 2019-05-06 12:06:00.250000 +00:00, to_station_id: "103", to_street: "Ash St & 3 Ave", to_lat: 40.7503, to_lon: -7.39703E1, bike_id: "9002", rider: "casual", bike_kind: null}
        {departed_at: 2019-05-06 12:30:00.000000 +00:00, from_station_id: "102", from_street: "Elm St & 2 Ave", from_lat: 40.7402, from_lon: -7.39802E1, arrived_at: 2019-05-06 12:32:00.000000 +00:00, to_station_id: "101", to_street: "Oak St & 1 Ave", to_lat: 40.7301, to_lon: -7.39901E1, bike_id: "9001", rider: "member", bike_kind: null}"#]].assert_eq(&rows.join("\n"));
    let footer = file.metadata().file_metadata();
    let pairs = footer.key_value_metadata().unwrap().iter();
    let pairs: Vec<_> = pairs
        .map(|pair| {
            format!(
                "{} = {}",
                pair.key,
                pair.value.as_deref().unwrap_or_default()
            )
        })
        .collect();
    expect![[r#"
        bikeshare.format = 2
        bikeshare.sources = ["basic.csv#747e4525e0e18ea1"]
        bikeshare.sample = {"trips":3,"limit":null,"sampled":[[1557145800000000,1557145920000000,[42461158,40740200,-73980200],[3684553810,40730100,-73990100],2293632092],[1557144060250000,1557144360250000,[42461158,40740200,-73980200],[80141692,40750300,-73970300],373155358],[1557144000000000,1557144600500000,[3684553810,40730100,-73990100],[42461158,40740200,-73980200],2293632092]]}"#]]
    .assert_eq(&pairs.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_file_gives_the_trips_of_its_csv_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("202606-trips.csv");
    fs::write(
        &csv,
        shuffled(&city("trips=80000,stations=60,bikes=600,days=5,dirty=0.01")),
    )
    .unwrap();
    let to = folder.path().join("prepared");
    let summary = prepare_here(&csv, &to).await;
    assert!(summary.rejected > 500, "{summary:?}");

    let (from_csv, from_prepared) = (read_from(&csv).await, read_from(&to).await);
    assert_eq!(from_prepared.len() as u64, summary.written);
    assert_eq!(from_prepared.rejects().count(), 0);
    let trips = |rows: &Rows| {
        rows.trips()
            .map(|(_, trip)| trip.clone())
            .collect::<Vec<_>>()
    };
    assert!(trips(&from_csv) == trips(&from_prepared), "trips differ");
    let twice = read_from(&to).await;
    assert!(from_prepared.records == twice.records, "records differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn trips_of_another_month_than_the_name_says_go_to_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    fs::create_dir(&raw).unwrap();
    // New York's June ends at four o'clock in the morning, UTC.
    let jersey = city("seed=10,trips=4000,stations=60,bikes=600,start=2026-06-29,days=3");
    fs::write(raw.join("JC-202606-trips_1.csv"), jersey).unwrap();
    let text = city("trips=4000,stations=60,bikes=600,start=2026-06-29,days=3");
    fs::write(
        raw.join("JC-202606-trips_2.csv"),
        city("seed=8,trips=100,start=2026-06-02"),
    )
    .unwrap();
    fs::write(raw.join("city.csv"), &text).unwrap();
    fs::write(raw.join("copy.csv.gz"), gzip(&text)).unwrap();
    fs::write(
        raw.join("other.csv"),
        city("seed=9,trips=3000,start=2026-06-30,days=2"),
    )
    .unwrap();
    let to = folder.path().join("prepared");
    let summary = prepare_here(&raw, &to).await;
    assert_eq!((summary.rows_read, summary.duplicate_files), (11_100, 1));
    check_folder(
        &to,
        expect![[r#"
        202606-city.parquet: 2768 rows
        202606-other.parquet: 1574 rows
        202607-city.parquet: 1232 rows
        202607-from-JC-202606-trips.parquet: 1201 rows
        202607-other.parquet: 1426 rows
        JC-202606-trips.parquet: 2899 rows
        rejected.csv"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_is_tried_again_and_a_missing_bucket_is_an_error() {
    let server = S3Server::start().await;
    let mut failures = 3;
    server.fail(
        move |asked| match asked.key.ends_with(".parquet") && failures > 0 {
            true => {
                failures -= 1;
                Fault::Status(503)
            }
            false => Fault::None,
        },
    );
    let source = testdata("basic.csv");
    let source = source.to_str().unwrap();
    let s3 = on_the_server(&server);
    let summary = prepare(source, "s3://tripdata/a", s3.clone())
        .await
        .unwrap();
    assert_eq!(summary.written, 3);
    assert_eq!(
        opened(&server.path("a/201905-basic.parquet")).num_row_groups(),
        1
    );
    let missing = prepare(source, "s3://nowhere/a", s3).await.unwrap_err();
    assert_eq!(missing.to_string(), "cannot use s3://nowhere/a/");
}

#[tokio::test]
async fn what_cannot_be_prepared_is_an_error_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    fs::copy(testdata("basic.csv"), folder.path().join("basic.csv")).unwrap();
    let error = async |source: &str, to: &str| {
        let error = prepare(source, to, S3Config::default()).await.unwrap_err();
        error.to_string().replace(path, "FOLDER")
    };
    let file = format!("{path}/basic.csv");
    assert_eq!(
        error(path, path).await,
        r#""FOLDER" is a part of the source: choose another place for the prepared files"#
    );
    assert_eq!(
        error(&file, &format!("{file}/prepared")).await,
        r#"cannot write "FOLDER/basic.csv/prepared""#
    );
    assert_eq!(
        error("simulate", &format!("{path}/a")).await,
        "simulate:7 has no end: only files, or a city with a number of trips, can be prepared"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_prepared_one_is_refused_by_name_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("city.csv");
    fs::write(
        &csv,
        city("trips=20000,stations=60,bikes=600,start=2026-06-02"),
    )
    .unwrap();
    let to = folder.path().join("prepared");
    prepare_here(&csv, &to).await;
    let good = fs::read(to.join("202606-city.parquet")).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(to.join(name), bytes).unwrap();
    put("cut.parquet", &good[..good.len() / 2]);
    put("empty.parquet", b"");
    put("photo.parquet", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    put("newer.parquet", &of_format_3(&good));
    let foreign = File::create(to.join("foreign.parquet")).unwrap();
    let schema = "message recipe { required int64 minutes; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let writer = parquet::file::writer::SerializedFileWriter::new(foreign, schema, Arc::default());
    writer.unwrap().close().unwrap();
    let mut damaged =
        prepared_elsewhere("seed=8,trips=20000,stations=60,bikes=600,start=2026-06-02").await;
    let quarter = damaged.len() / 4;
    damaged[quarter..quarter + 60_000].fill(0xff);
    put("damaged.parquet", &damaged);

    let found = read_from(&to).await;
    assert_eq!((found.refused_files, found.rejects().count()), (5, 6));
    assert!(found.trips().count() >= 20_000);
    let mut rejects: Vec<_> = found.rejects().collect();
    rejects.sort();
    expect![[r#"
        cut.parquet, line 1: file refused: it is not a usable Parquet file: Parquet error: Invalid Parquet file. Corrupt footer
        damaged.parquet, line 1: file is damaged from here on: External: snappy: corrupt input (expected valid offset but got offset 4294967295; dst position: 65536)
        empty.parquet, line 1: file refused: it is not a usable Parquet file: EOF: Parquet file too small. Size is 0 but need 8
        foreign.parquet, line 1: file refused: it is a Parquet file, but none that `bikeshare prepare` has written
        newer.parquet, line 1: file refused: it has format 3, this bikeshare reads up to 2: use the newer bikeshare, or prepare the month again
        photo.parquet, line 1: file refused: it is not a usable Parquet file: Parquet error: Invalid Parquet file. Corrupt footer"#]].assert_eq(&rejects.join("\n"));
}

/// A city's trips as a prepared file.
async fn prepared_elsewhere(parameters: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("city.csv");
    fs::write(&csv, city(parameters)).unwrap();
    prepare_here(&csv, &folder.path().join("prepared")).await;
    fs::read(folder.path().join("prepared/202606-city.parquet")).unwrap()
}

/// The file with another number behind the key of its format.
fn of_format_3(file: &[u8]) -> Vec<u8> {
    let key = b"bikeshare.format";
    let at = file
        .windows(key.len())
        .rposition(|bytes| bytes == key)
        .unwrap();
    let mut file = file.to_vec();
    // A field's head and a length stand between key and value.
    let value = at + key.len() + 2;
    assert_eq!(file[value], b'2');
    file[value] = b'3';
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_lies_there_twice_is_taken_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("202606-trips.csv");
    fs::write(&csv, city("trips=500,start=2026-06-02")).unwrap();
    prepare_here(&csv, &folder.path().join("prepared")).await;
    let name = "202606-trips.parquet";
    fs::rename(
        folder.path().join("prepared").join(name),
        folder.path().join(name),
    )
    .unwrap();
    fs::copy(
        folder.path().join("prepared/rejected.csv"),
        folder.path().join("rejected.csv"),
    )
    .unwrap();
    let found = read_from(folder.path()).await;
    assert_eq!((found.len(), found.duplicate_files), (500, 1));
    assert_eq!(found.rejects().count(), 0);
}
