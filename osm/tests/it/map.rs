//! What a town's extract becomes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use basemap::{CityMap, Extent, Point, Ring};
use expect_test::{Expect, expect};
use osm::{Built, OsmError, build};

use crate::extract::{Extract, Metres, degrees};
use crate::town::{self, town};

/// Metres east and north, to the nearest five: the grid's step is about two.
fn metres(point: Point) -> Metres {
    let (south, west) = degrees((0, 0));
    let (up, right) = degrees((1, 1));
    let round = |metres: f64| (metres / 5.0).round() as i32 * 5;
    (
        round((point.lon() - west) / (right - west)),
        round((point.lat() - south) / (up - south)),
    )
}

pub(crate) fn build_of(extract: &Extract, bbox: Option<Extent>) -> Result<Built, OsmError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.osm.pbf");
    fs::write(&path, extract.encode()).unwrap();
    build(&path, bbox, &mut |_| {})
}

fn map_of(extract: &Extract) -> CityMap {
    build_of(extract, None).unwrap().city_map
}

/// Square metres that rings enclose in a box by the even-odd rule, holes being in what they are holes of.
fn area(rings: &[Ring], bbox: Extent) -> i64 {
    let (min, max) = (metres(bbox.min), metres(bbox.max));
    let signed = |ring: &Ring| -> i64 {
        let at = ring.iter().map(|point| {
            let (east, north) = metres(*point);
            (east.clamp(min.0, max.0), north.clamp(min.1, max.1))
        });
        let next = at.clone().cycle().skip(1);
        let twice = at
            .zip(next)
            .map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1));
        twice.sum::<i64>() / 2
    };
    rings.iter().map(signed).sum()
}

fn drawn(map: &CityMap) -> String {
    let mut text = String::new();
    for street in &map.base_map.streets {
        let lines: Vec<Vec<_>> = street
            .lines
            .iter()
            .map(|line| line.iter().map(|at| metres(*at)).collect())
            .collect();
        writeln!(text, "{:?} {:?} {lines:?}", street.class, street.name).unwrap();
    }
    for name in &map.base_map.names {
        writeln!(
            text,
            "{:?} {:?} {:?}",
            name.kind,
            name.text,
            metres(name.at)
        )
        .unwrap();
    }
    text
}

fn searched(map: &CityMap) -> String {
    let streets = &map.addresses.streets;
    let mut text = String::new();
    for street in streets {
        let houses = street
            .numbers
            .iter()
            .map(|house| format!(" {}{} {:?}", house.number, house.rest, metres(house.at)));
        writeln!(text, "{}:{}", street.name, houses.collect::<String>()).unwrap();
    }
    for corner in &map.addresses.corners {
        let [a, b] = corner.streets.map(|street| &streets[street as usize].name);
        writeln!(text, "{a} & {b} {:?}", metres(corner.at)).unwrap();
    }
    text
}

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(text);
}

#[test]
fn the_file_for_other_tests_is_what_this_makes() {
    let (path, bytes) = (town::path(), town().encode());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &bytes).unwrap();
    }
    assert!(
        fs::read(&path).unwrap() == bytes,
        "UPDATE_EXPECT=1 writes it anew"
    );
}

#[test]
fn streets_are_joined_and_named_and_places_waters_and_parks_have_their_names() {
    check(
        &drawn(&map_of(&town())),
        &expect![[r#"
            Main "" [[(1500, 600), (1550, 700), (2050, 700)]]
            Main "Storgatan" [[(-50, 600), (2050, 600)]]
            Middle "2nd Avenue" [[(1200, 600), (1200, 1400)], [(1220, 1400), (1220, 600)]]
            Local "Main Street" [[(400, 800), (1600, 800)], [(1200, 800), (1220, 800)]]
            Local "Mühlenstraße" [[(800, 350), (800, 800)]]
            Local "Storgatan" [[(1600, 1450), (1900, 1450)]]
            Local "Ågatan" [[(400, 350), (400, 800), (410, 1100), (400, 1500)]]
            Town "Vinterhamn" (800, 700)
            Town "Nyby" (1750, 1480)
            Water "Källsjön" (1500, 1100)
            Water "Lillån" (1000, 900)
            Park "Slottsparken" (625, 1100)
            Neighbourhood "Östra hamnen" (1500, 650)
        "#]],
    );
}

#[test]
fn houses_stand_on_their_streets_in_order_and_streets_meet_at_corners() {
    check(
        &searched(&map_of(&town())),
        &expect![[r#"
            2nd Avenue:
            Fyrholmen: 1 (820, 140)
            Main Street: 1 (450, 810) 2 (450, 790) 3 (500, 810) 4 (500, 790) 5a (550, 810) 7 (610, 810) 8 (600, 790) 12-14 (700, 790) 14 (700, 790)
            Mühlenstraße: 12a (810, 700)
            Storgatan: 12 (420, 610) 12 (1700, 1460)
            Ågatan:
            2nd Avenue & Main Street (1210, 800)
            2nd Avenue & Storgatan (1200, 600)
            Main Street & Mühlenstraße (800, 800)
            Main Street & Ågatan (400, 800)
            Mühlenstraße & Storgatan (800, 600)
            Storgatan & Ågatan (400, 600)
        "#]],
    );
}

#[test]
fn land_ends_at_the_coast_and_at_the_lake_and_a_park_has_a_hole() {
    let map = map_of(&town()).base_map;
    let rings = |rings: &[Ring]| -> Vec<Vec<_>> {
        rings
            .iter()
            .map(|ring| ring.iter().map(|at| metres(*at)).collect())
            .collect()
    };
    check(
        &format!("{:?}\n{:?}", rings(&map.land), rings(&map.parks)),
        &expect![[r#"
            [[(600, 280), (1000, 320), (1500, 280), (2000, 295), (87500, 295), (87500, 168390), (-85500, 168390), (-85500, 300), (0, 300)], [(1400, 1000), (1400, 1200), (1600, 1200), (1600, 1000)], [(800, 180), (800, 100), (900, 100), (900, 180)]]
            [[(300, 1300), (300, 900), (700, 900), (700, 1300)], [(450, 1050), (450, 1150), (550, 1150), (550, 1050)]]"#]],
    );
    assert_eq!(area(&map.parks, map.detail), 400 * 400 - 100 * 100);
}

#[test]
fn without_a_coastline_all_is_land() {
    let mut inland = Extract {
        ends: Some((1_000, 1_000)),
        ..Extract::default()
    };
    inland.way(&[(0, 500), (1_000, 500)], "highway=residential name=A");
    let map = map_of(&inland).base_map;
    assert_eq!(area(&map.land, map.detail), 1_000 * 1_000);
    assert!(
        map.detail
            .holds(degrees((999, 999)).0, degrees((999, 999)).1)
    );
}

#[test]
fn an_extract_that_does_not_say_what_it_shows_is_shown_as_far_as_it_goes() {
    let mut some = Extract::default();
    some.way(&[(100, 500), (900, 700)], "highway=residential name=A");
    let map = map_of(&some).base_map;
    assert_eq!(area(&map.land, map.detail), 800 * 200);
}

#[test]
fn with_a_box_what_lies_outside_is_left_out_but_not_the_rest_of_an_area() {
    let point = |at| Point::from_degrees(degrees(at).0, degrees(at).1).unwrap();
    let bbox = Extent {
        min: point((200, 700)),
        max: point((600, 1_000)),
    };
    let map = build_of(&town(), Some(bbox)).unwrap().city_map;
    check(
        &(drawn(&map) + &searched(&map)),
        &expect![[r#"
        Local "Main Street" [[(400, 800), (800, 800)]]
        Local "Ågatan" [[(400, 600), (400, 800), (410, 1100)]]
        Main Street: 1 (450, 810) 2 (450, 790) 3 (500, 810) 4 (500, 790) 5a (550, 810) 8 (600, 790)
        Ågatan:
        Main Street & Ågatan (400, 800)
    "#]],
    );
    assert_eq!(area(&map.base_map.land, map.base_map.detail), 400 * 300);
    assert_eq!(area(&map.base_map.parks, map.base_map.detail), 300 * 100);
}

#[test]
fn what_is_read_is_counted_and_told() {
    let mut told = Vec::new();
    let built = build(&town::path(), None, &mut |progress| told.push(progress)).unwrap();
    check(
        &format!(
            "{:?}, numbers not read: {}",
            built.read, built.numbers_not_read
        ),
        &expect!["Read { nodes: 75, ways: 22, relations: 3 }, numbers not read: 1"],
    );
    let mut passes: Vec<_> = told
        .iter()
        .map(|progress| format!("{:?}", progress.pass))
        .collect();
    passes.dedup();
    assert_eq!(passes, ["Areas", "Ways", "Nodes"]);
    let total = fs::metadata(town::path()).unwrap().len();
    assert!(
        told.iter()
            .all(|progress| progress.bytes <= progress.bytes_total)
    );
    assert_eq!(
        (told.last().unwrap().bytes, told[0].bytes_total),
        (total, total)
    );
}

#[test]
fn openstreetmap_is_named_as_its_licence_asks() {
    let attribution = map_of(&town()).base_map.attribution;
    assert_eq!(attribution.text, "© OpenStreetMap contributors");
    assert_eq!(attribution.url, "https://www.openstreetmap.org/copyright");
}

#[test]
fn the_file_is_the_same_each_time_and_can_be_read_again() {
    let map = map_of(&town());
    assert_eq!(map.encode(), map_of(&town()).encode());
    assert_eq!(CityMap::decode(&map.encode()), Ok(map));
}

fn error_of(path: &Path, bbox: Option<Extent>) -> String {
    let error = build(path, bbox, &mut |_| {}).unwrap_err();
    let folder = path.parent().unwrap().display().to_string();
    error.to_string().replace(&folder, "")
}

#[test]
fn an_extract_that_makes_no_map_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = BTreeMap::new();
    files.insert("empty.osm.pbf", Vec::new());
    files.insert("picture.png", b"\x89PNG\r\n\x1a\n0123456789".to_vec());
    files.insert("nothing.osm.pbf", Extract::default().encode());
    let history = Extract {
        feature: Some("HistoricalInformation"),
        ..town()
    };
    files.insert("history.osm.pbf", history.encode());
    let whole = town().encode();
    files.insert("cut.osm.pbf", whole[..whole.len() - 100].to_vec());
    let mut text = String::new();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        writeln!(text, "{}", error_of(&path, None)).unwrap();
    }
    let far = Point::from_degrees(10.0, 10.0).unwrap();
    let bbox = Extent { min: far, max: far };
    let path = folder.path().join("town.osm.pbf");
    fs::write(&path, whole).unwrap();
    writeln!(text, "{}", error_of(&path, Some(bbox))).unwrap();
    writeln!(
        text,
        "{}",
        error_of(&folder.path().join("missing.osm.pbf"), None)
    )
    .unwrap();
    check(
        &text,
        &expect![[r#"
        "/cut.osm.pbf" cannot be read at byte 1491, protobuf error at 'blob content': Unexpected end of file: it must be a whole extract of OpenStreetMap in PBF (.osm.pbf)
        "/empty.osm.pbf" cannot be read at byte 0, it is empty: it must be a whole extract of OpenStreetMap in PBF (.osm.pbf)
        "/history.osm.pbf" needs a reader for "HistoricalInformation": take an extract of the present, .osm.pbf
        "/nothing.osm.pbf" has no street with a name: take an extract of the city, or another --bbox
        "/picture.png" cannot be read at byte 0, blob header is too big: 2303741511 bytes: it must be a whole extract of OpenStreetMap in PBF (.osm.pbf)
        "/town.osm.pbf" has no street with a name in the box asked for: take an extract of the city, or another --bbox
        could not read "/missing.osm.pbf"
    "#]],
    );
}
