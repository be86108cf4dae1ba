//! A city of one's own: its extract becomes a file, and the page shows it and finds its houses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use fantoccini::Locator;
use serde_json::Value;
use testkit::browser::{Browser, Scripts};

use crate::machine::Machine;
use crate::page::{City, PHONE, nothing_went_wrong_in_the_console};

/// Trips between docks of Vinterhamn, which does not exist; `osm/tests/it/town.rs` draws it.
const TRIPS: &str = "\
ride_id,rideable_type,started_at,ended_at,start_station_name,start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,member_casual
A1,classic_bike,2021-07-05 08:00:00,2021-07-05 08:10:00,Storgatan & Ågatan,1,Main Street & 2nd Avenue,2,59.20540,19.50702,59.20719,19.52105,member
A2,classic_bike,2021-07-05 08:01:00,2021-07-05 08:12:00,Nyby,3,Storgatan & Ågatan,1,59.21304,19.53070,59.20540,19.50702,member
A3,classic_bike,2021-07-05 08:20:00,2021-07-05 08:30:00,Nyby,3,Storgatan & Ågatan,1,59.21304,19.53070,59.20540,19.50702,member
";

fn extract() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/osm/vinterhamn.osm.pbf")
}

/// `bikeshare basemap build` in a folder.
fn build(folder: &Path, osm: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    command
        .args(["basemap", "build", "--osm"])
        .arg(osm)
        .args(more);
    command.current_dir(folder).output().unwrap()
}

#[test]
fn the_last_line_says_what_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = build(folder.path(), &extract(), &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wall_s = counts.as_object_mut().unwrap().remove("wall_s");
    assert!(wall_s.and_then(|it| it.as_f64()).is_some());
    expect![[r#"
        {
          "corners": 6,
          "drawn_bytes": 430,
          "file": "vinterhamn.basemap",
          "house_numbers": 13,
          "house_numbers_not_read": 1,
          "names": 6,
          "nodes_read": 75,
          "relations_read": 3,
          "searched_bytes": 188,
          "streets": 6,
          "ways_read": 22
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&counts).unwrap());
    let files: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(files, ["vinterhamn.basemap"]);

    let part = build(
        folder.path(),
        &extract(),
        &["--bbox", "19.5,59.2,19.52,59.21", "--to", "part"],
    );
    let part: Value = serde_json::from_slice(&part.stdout).unwrap();
    assert!(part["house_numbers"].as_u64() < counts["house_numbers"].as_u64());
}

fn check(output: &Output, folder: &Path, expected: &Expect) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    let line = stderr
        .lines()
        .find(|line| line.starts_with("error"))
        .unwrap_or_default();
    let line = line.replace(&extract().display().to_string(), "EXTRACT");
    expected.assert_eq(&line.replace(&folder.display().to_string(), "FOLDER"));
}

#[test]
fn what_makes_no_map_is_told_with_its_place_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let other = folder.join("trips.csv");
    std::fs::write(&other, TRIPS).unwrap();
    check(
        &build(folder, &other, &[]),
        folder,
        &expect![[
            r#"error: could not make a base map: caused by "FOLDER/trips.csv" cannot be read at byte 0, blob header is too big: 1919509605 bytes: it must be a whole extract of OpenStreetMap in PBF (.osm.pbf)"#
        ]],
    );
    check(
        &build(folder, &folder.join("missing.osm.pbf"), &[]),
        folder,
        &expect![[
            r#"error: could not make a base map: caused by could not read "FOLDER/missing.osm.pbf": caused by No such file or directory (os error 2)"#
        ]],
    );
    let own = folder.join("own.osm.pbf");
    std::fs::copy(extract(), &own).unwrap();
    check(
        &build(folder, &own, &["--to", "own.osm.pbf"]),
        folder,
        &expect![[r#"error: --to "own.osm.pbf" is the extract itself: name another file"#]],
    );
    assert_eq!(
        std::fs::read(&own).unwrap(),
        std::fs::read(extract()).unwrap()
    );
    std::fs::remove_file(&own).unwrap();
    std::fs::create_dir(folder.join("folder")).unwrap();
    check(
        &build(folder, &extract(), &["--to", "folder"]),
        folder,
        &expect![[r#"error: could not write "folder": caused by Is a directory (os error 21)"#]],
    );
    std::fs::remove_dir(folder.join("folder")).unwrap();
    check(
        &build(folder, &extract(), &["--bbox", "1,2,3"]),
        folder,
        &expect![
            "error: invalid value '1,2,3' for '--bbox <WEST,SOUTH,EAST,NORTH>': it must be four numbers, such as 10.60,59.82,10.95,60.00"
        ],
    );
    check(
        &build(folder, &extract(), &["--bbox", "1,2,3,4"]),
        folder,
        &expect![[
            r#"error: could not make a base map: caused by "EXTRACT" has no street with a name in the box asked for: take an extract of the city, or another --bbox"#
        ]],
    );
    check(
        &build(folder, &extract(), &["--to", "no/such/folder"]),
        folder,
        &expect![[
            r#"error: could not write "no/such/folder": caused by No such file or directory (os error 2)"#
        ]],
    );
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn a_base_map_that_is_none_starts_nothing() {
    let machine = Machine::new();
    let mut up = machine.up("simulate:trips=10");
    let output = up
        .arg("--once")
        .arg("--base-map")
        .arg(extract())
        .output()
        .unwrap();
    check(
        &output,
        &machine.data_dir(),
        &expect![[
            r#"error: "EXTRACT" is no base map: make one with `bikeshare basemap build`: caused by the file does not begin with "CITYMAP1""#
        ]],
    );
    assert!(!machine.data_dir().join("postgres").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_ones_own_city_shows_its_map_and_finds_its_houses() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (trips, map) = (
        folder.path().join("trips.csv"),
        folder.path().join("own.basemap"),
    );
    std::fs::write(&trips, TRIPS).unwrap();
    let built = build(folder.path(), &extract(), &["--to", "own.basemap"]);
    assert!(built.status.success());
    let machine = Machine::new();
    let mut command = machine.up(trips.to_str().unwrap());
    command.arg("--base-map").arg(&map);
    let city = City::run(machine, command);
    loop {
        browser.client.goto(&city.address).await.unwrap();
        if browser.texts("#docks li").await.len() == 3 {
            break;
        }
    }
    browser
        .wait_until("return document.querySelector('.map').classList.contains('is-live')")
        .await;
    let credit = browser
        .client
        .find(Locator::Css(".attribution a"))
        .await
        .unwrap();
    assert_eq!(credit.text().await.unwrap(), "© OpenStreetMap contributors");

    let field = browser.client.find(Locator::Css("#q")).await.unwrap();
    field.send_keys("2 mai").await.unwrap();
    browser
        .wait_until("return document.querySelector('#suggestions-0')?.textContent.includes('2 Main Street')")
        .await;
    // Down, and Enter.
    field.send_keys("\u{e015}\u{e007}").await.unwrap();
    let title = "return document.querySelector('#results-title')?.textContent";
    assert_eq!(browser.wait_until(title).await, "2 Main Street");
    nothing_went_wrong_in_the_console(&browser).await;
}
