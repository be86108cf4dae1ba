//! A city with a map of its own: Vinterhamn, which does not exist (`osm/tests/it/town.rs` draws it).

use std::path::{Path, PathBuf};

use app::{AppConfig, AppState, Outcome, SharedBoard};
use axum::http::StatusCode;
use basemap::{BaseMap, CityMap, Point, Street, StreetClass};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{Page, dock, docks};

fn vinterhamn() -> CityMap {
    let extract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/osm/vinterhamn.osm.pbf");
    osm::build(&extract, None, &mut |_| {}).unwrap().city_map
}

/// A page with this map, over docks at corners of Vinterhamn; the folder holds the map's file.
struct OwnCity {
    page: Page,
    _folder: TempDir,
}

impl OwnCity {
    fn of(map: &CityMap) -> Self {
        let docks = vec![
            dock(1, "Storgatan & Ågatan", (59.205_40, 19.507_02), 3),
            dock(2, "Main Street & 2nd Avenue", (59.207_19, 19.521_05), 0),
            dock(3, "Nyby", (59.213_04, 19.530_70), 7),
        ];
        Self::over(Page::with(docks), map)
    }

    fn over(page: Page, map: &CityMap) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("city.basemap");
        std::fs::write(&path, map.encode()).unwrap();
        let config = config(path);
        Self {
            page: page.with_config(config),
            _folder: folder,
        }
    }
}

fn config(base_map: PathBuf) -> AppConfig {
    AppConfig {
        base_map: Some(base_map),
        ..AppConfig::default()
    }
}

#[tokio::test]
async fn the_still_map_has_the_citys_land_streets_and_names_and_says_whose_they_are() {
    let city = OwnCity::of(&vinterhamn());
    let page = city.page.get("/").await.text;
    for part in [
        "<path class=\"land\"",
        "<path class=\"park\"",
        "<path class=\"street main\"",
        "<path class=\"street local\"",
        "Källsjön",
        "Slottsparken",
        "href=\"https://www.openstreetmap.org/copyright\"",
        "© OpenStreetMap contributors",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("NYC Planning"));
}

#[tokio::test]
async fn browsers_get_what_is_drawn_and_not_the_houses() {
    let map = vinterhamn();
    let city = OwnCity::of(&map);
    let page = city.page.get("/").await.text;
    let at = page.find("/city.basemap?v=").unwrap();
    let link: String = page[at..].chars().take_while(|c| *c != '"').collect();
    let file = city.page.get(&link).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(
        file.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let length: usize = file.headers["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(length, map.base_map.encode().len());
}

async fn search(city: &OwnCity, query: &str) -> String {
    let path = format!("/api/search?q={query}");
    let outcome: Outcome = serde_json::from_str(&city.page.get(&path).await.text).unwrap();
    match outcome {
        Outcome::Found(place) => format!("{}, {}", place.label, place.accuracy),
        Outcome::Flash(flash) => format!("flash: {flash}"),
    }
}

#[tokio::test]
async fn the_search_knows_its_houses_and_corners_and_manhattan_no_more() {
    let city = OwnCity::of(&vinterhamn());
    let mut answers = Vec::new();
    for query in [
        "12a+M%C3%BChlenstra%C3%9Fe",
        "Main+St+%26+2nd+Ave",
        "Main+Street",
        "1+Park+Avenue",
    ] {
        answers.push(search(&city, query).await);
    }
    expect_test::expect![[r#"
        12a Mühlenstraße, the house of this number
        Main Street & 2nd Avenue, the corner of these streets
        flash: "Main Street" is a street: add a building number, such as "1 Main Street", or add a street that it meets, such as "Main Street & 2nd Avenue"
        flash: "1 Park Avenue" is not known here, for the map has no such street: type a building number and a street name, such as "1 Main Street""#]].assert_eq(&answers.join("\n"));
    let suggested = city.page.get("/api/suggest?q=2+mai").await.text;
    assert_eq!(suggested, r#"[{"text":"2 Main Street","kind":"address"}]"#);
}

#[tokio::test]
async fn without_script_a_search_shows_the_place_its_streets_and_the_docks_near_it() {
    let city = OwnCity::of(&vinterhamn());
    let page = city.page.get("/?q=12+Storgatan,+Vinterhamn").await;
    assert!(
        page.text.contains("<circle class=\"place\""),
        "{}",
        page.text
    );
    assert!(page.text.contains("<path class=\"street local\""));
    assert_eq!(page.items("results").len(), 1);
    let flash = city.page.get("/?q=12+Storgatan").await.text;
    assert!(flash.contains("is in more than one place"), "{flash}");
}

#[tokio::test]
async fn docks_of_another_city_have_none_of_it_under_them() {
    let city = OwnCity::over(Page::with(docks()), &vinterhamn());
    let page = city.page.get("/").await.text;
    assert!(!page.contains("city.basemap") && !page.contains("OpenStreetMap"));
}

/// Far more than any city: 40,000 streets on the docks' few square kilometres.
fn overgrown() -> CityMap {
    let mut map = vinterhamn();
    let min = map.base_map.detail.min;
    let line = |index: i32| {
        let (north, east) = min.quanta();
        let from = (north + index % 700, east + index / 60);
        let points =
            (0..20).map(|step| Point::from_quanta(from.0 + step * 3, from.1 + step % 2 * 9));
        points.flatten().collect()
    };
    let street = |index: i32| Street {
        class: StreetClass::ALL[index as usize % 3],
        name: format!("Street {index}"),
        lines: vec![line(index)],
    };
    map.base_map.streets = (0..40_000).map(street).collect();
    map.base_map.land = (0..20_000).map(line).collect();
    map
}

#[tokio::test]
async fn however_much_a_map_has_the_still_one_is_bounded() {
    let city = OwnCity::of(&overgrown());
    for path in ["/", "/?q=59.2072,+19.5210"] {
        let page = city.page.get(path).await.text;
        assert!(page.len() < 150_000, "{path}: {} bytes", page.len());
        assert!(page.contains("<path class=\"street main\" d=\"M"), "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_map_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let stop = CancellationToken::new();
        let error = AppState::new(&config(path), SharedBoard::new(), stop).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        let folder = folder.path().display().to_string();
        format!("{error}: {cause}").replace(&folder, "")
    };
    let whole = vinterhamn().encode();
    let answers = [
        check("missing.basemap", None),
        check("picture.png", Some(b"\x89PNG")),
        check("new-york.basemap", Some(basemap::NEW_YORK)),
        check("cut.basemap", Some(&whole[..whole.len() / 2])),
    ];
    expect_test::expect![[r#"
        could not read the base map "/missing.basemap": No such file or directory (os error 2)
        "/picture.png" is no base map: make one with `bikeshare basemap build`: the file does not begin with "CITYMAP1"
        "/new-york.basemap" is no base map: make one with `bikeshare basemap build`: the file does not begin with "CITYMAP1"
        "/cut.basemap" is no base map: make one with `bikeshare basemap build`: the file ends too early, at byte 315"#]].assert_eq(&answers.join("\n"));
    assert!(
        BaseMap::decode(&whole).is_err(),
        "browsers get a part of it only"
    );
}
