//! The real Citi Bike files, one per generation of the format, from file to tables.
//!
//! Their licence forbids to ship them: the tests look for them beside the checkout and are visibly
//! skipped where they are not.

use std::path::PathBuf;

use crate::machine::Machine;

fn real_file(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = folder.join(name);
    if !path.exists() {
        println!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// Loads the file twice and checks every promise about the three tables.
async fn check(name: &str, rows_read: u64, produced: u64) {
    let Some(path) = real_file(name) else { return };
    let source = path.to_str().unwrap();
    let machine = Machine::new();
    let first = machine.once(source);
    assert_eq!(first["rows_read"], rows_read, "{first}");
    assert_eq!(first["produced"], produced, "{first}");
    assert_eq!(first["rejected"], rows_read - produced, "{first}");
    assert_eq!(first["records"], 2 * produced, "{first}");
    assert_eq!(first["departures"], produced, "{first}");

    let mut tables = machine.tables().await;
    assert_eq!(tables.windows_that_differ().await, 0);
    assert_eq!(tables.docks_that_differ().await, 0);
    assert_eq!(
        tables.number("select count(*) from rejected").await,
        (rows_read - produced) as i64
    );
    let before = tables.digest().await;
    tables.close().await;

    let second = machine.once(source);
    for count in [
        "rows_read",
        "produced",
        "rejected",
        "records",
        "locations",
        "windows",
    ] {
        assert_eq!(
            second[count], first[count],
            "{count} after loading the file again"
        );
    }
    let mut tables = machine.tables().await;
    assert_eq!(
        tables.digest().await,
        before,
        "loading the file again adds nothing"
    );
    tables.close().await;
}

#[tokio::test]
async fn jersey_city_march_2020_is_stored_whole() {
    check("JC-202003-citibike-tripdata.csv", 17_719, 17_719).await;
}

#[tokio::test]
async fn new_york_july_2018_with_american_dates_is_stored_whole() {
    check("nyc-201807-sample10k-mdyy.csv", 10_000, 10_000).await;
}

#[tokio::test]
async fn new_york_july_2021_without_bike_ids_is_stored_whole() {
    check("nyc-202107-new-schema-sample.csv", 499, 499).await;
}

#[tokio::test]
async fn new_york_march_2014_without_a_header_is_stored_whole() {
    check("nyc-201403-unquoted-noheader-1011rows.csv", 1_012, 1_012).await;
}

#[tokio::test]
async fn new_york_july_2013_with_a_row_cut_in_the_middle_rejects_that_row_alone() {
    check("nyc-201307-excel-mdyyyy-backslashN.csv", 4, 3).await;
}
