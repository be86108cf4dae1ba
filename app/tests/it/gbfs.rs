//! The GBFS feed as other programs get it, and as the official schemas see it.

use std::path::{Path, PathBuf};
use std::process::Command;

use app::{AppConfig, AppError, AppState, Count, Dock, SharedBoard};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use domain::{Service, Stock};
use expect_test::{Expect, expect};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::{Answer, Page, dock, docks, reading};

const HOST: (&str, &str) = ("host", "bikes.test:3000");

async fn ask(page: &Page, path: &str) -> Answer {
    page.ask(path, &[HOST]).await
}

async fn check(page: &Page, path: &str, expected: Expect) {
    let answer = ask(page, path).await;
    assert_eq!(answer.status, StatusCode::OK);
    expected.assert_eq(&answer.text);
}

#[tokio::test]
async fn the_discovery_file_names_the_others_under_the_host_that_was_asked() {
    let page = Page::with(docks());
    let expected = expect![[
        r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":300,"version":"3.0","data":{"feeds":[{"name":"gbfs","url":"http://bikes.test:3000/gbfs/3.0/gbfs.json"},{"name":"system_information","url":"http://bikes.test:3000/gbfs/3.0/system_information.json"},{"name":"vehicle_types","url":"http://bikes.test:3000/gbfs/3.0/vehicle_types.json"},{"name":"station_information","url":"http://bikes.test:3000/gbfs/3.0/station_information.json"},{"name":"station_status","url":"http://bikes.test:3000/gbfs/3.0/station_status.json"}]}}"#
    ]];
    check(&page, "/gbfs/gbfs.json", expected).await;
    assert_eq!(
        ask(&page, "/gbfs/gbfs.json").await.text,
        ask(&page, "/gbfs/3.0/gbfs.json").await.text
    );
}

#[tokio::test]
async fn a_public_url_is_what_the_addresses_begin_with() {
    let config = AppConfig {
        public_url: Some("https://bikes.example/live/".to_owned()),
        ..AppConfig::default()
    };
    let page = Page::with(docks()).with_config(config);
    let answer = ask(&page, "/gbfs/gbfs.json").await;
    assert!(
        answer
            .text
            .contains("\"https://bikes.example/live/gbfs/3.0/station_status.json\""),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains("bikes.test"), "{}", answer.text);
}

#[tokio::test]
async fn a_host_that_is_no_host_is_not_repeated() {
    let page = Page::with(docks());
    for host in ["a\"b", "a/b", ""] {
        let answer = page.ask("/gbfs/gbfs.json", &[("host", host)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{host}");
    }
}

#[tokio::test]
async fn a_status_says_what_is_known_and_no_more() {
    let mut docks = docks();
    docks.truncate(2);
    docks[1].count = Count {
        bikes: 3,
        estimated: true,
        ..Count::default()
    };
    check(
        &Page::with(docks),
        "/gbfs/3.0/station_status.json",
        expect![[
            r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":5,"version":"3.0","data":{"stations":[{"station_id":"3201","num_vehicles_available":7,"vehicle_types_available":[{"vehicle_type_id":"bike","count":7}],"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-02T13:14:05Z"},{"station_id":"3202","num_vehicles_available":3,"vehicle_types_available":[{"vehicle_type_id":"bike","count":3}],"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-02T13:14:05Z","_estimated":true}]}}"#
        ]],
    )
    .await;
}

#[tokio::test]
async fn what_a_live_feed_says_of_a_dock_is_passed_on_and_of_others_nothing_is_made_up() {
    let page = Page::with(kinds());
    check(&page, "/gbfs/3.0/vehicle_types.json", expect![[r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":300,"version":"3.0","data":{"vehicle_types":[{"vehicle_type_id":"bike","form_factor":"bicycle","propulsion_type":"human","name":[{"text":"Bike","language":"en"}]},{"vehicle_type_id":"ebike","form_factor":"bicycle","propulsion_type":"electric_assist","max_range_meters":50000,"name":[{"text":"E-bike","language":"en"}]}]}}"#]]).await;
    check(
        &page,
        "/gbfs/3.0/station_information.json",
        expect![[r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":60,"version":"3.0","data":{"stations":[{"station_id":"3201","name":[{"text":"E 32 St & Park Ave","language":"en"}],"lat":40.7457,"lon":-73.9819,"capacity":20},{"station_id":"3202","name":[{"text":"E 33 St & 5 Ave","language":"en"}],"lat":40.748,"lon":-73.9846},{"station_id":"3203","name":[{"text":"E 30 St & Park Ave S","language":"en"}],"lat":40.74445,"lon":-73.98303}]}}"#]],
    )
    .await;
    check(&page, "/gbfs/3.0/station_status.json", expect![[r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":5,"version":"3.0","data":{"stations":[{"station_id":"3201","num_vehicles_available":7,"vehicle_types_available":[{"vehicle_type_id":"bike","count":5},{"vehicle_type_id":"ebike","count":2}],"num_vehicles_disabled":1,"num_docks_available":12,"num_docks_disabled":0,"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-02T13:14:05Z"},{"station_id":"3202","num_vehicles_available":3,"vehicle_types_available":[{"vehicle_type_id":"bike","count":3},{"vehicle_type_id":"ebike","count":0}],"num_docks_available":5,"is_installed":false,"is_renting":false,"is_returning":false,"last_reported":"2020-03-02T13:14:05Z"},{"station_id":"3203","num_vehicles_available":0,"vehicle_types_available":[],"is_installed":true,"is_renting":true,"is_returning":true,"last_reported":"2020-03-02T13:14:05Z"}]}}"#]]).await;
}

/// A dock of which all is known, a closed one, and one of which nothing is.
pub(crate) fn kinds() -> Vec<Dock> {
    let mut docks = docks();
    docks.truncate(3);
    docks[0].count.stock = Stock::from_numbers([Some(2), Some(12), Some(20), Some(1), Some(0)]);
    docks[1].count = Count {
        bikes: 3,
        service: Service {
            installed: false,
            renting: false,
            returning: false,
        },
        stock: Stock::from_numbers([Some(0), Some(5), None, None, None]),
        ..Count::default()
    };
    docks
}

#[tokio::test]
async fn a_station_has_its_operators_id_its_name_and_its_place() {
    let page = Page::with(vec![dock(
        1,
        "E 32 St & \"Park\" Ave",
        (40.7457, -73.9819),
        7,
    )]);
    check(
        &page,
        "/gbfs/3.0/station_information.json",
        expect![[
            r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":60,"version":"3.0","data":{"stations":[{"station_id":"3201","name":[{"text":"E 32 St & \"Park\" Ave","language":"en"}],"lat":40.7457,"lon":-73.9819}]}}"#
        ]],
    )
    .await;
}

#[tokio::test]
async fn a_station_that_was_renamed_or_moved_makes_the_list_of_stations_new() {
    let page = Page::with(docks());
    let information = "/gbfs/3.0/station_information.json";
    let head = async || ask(&page, information).await.text[..60].to_owned();
    // A count is no news of the station.
    page.board.apply(reading(
        2,
        vec![dock(4, "Newport PATH", (40.7272, -74.0338), 9)],
    ));
    expect![[r#"{"last_updated":"2020-03-02T13:14:05Z","ttl":60,"version":"3"#]]
        .assert_eq(&head().await);
    page.board.apply(reading(
        7,
        vec![dock(4, "Newport PATH", (40.7266, -74.0325), 9)],
    ));
    expect![[r#"{"last_updated":"2020-03-02T13:14:11Z","ttl":60,"version":"3"#]]
        .assert_eq(&head().await);
    let station = r#"{"station_id":"3204","name":[{"text":"Newport PATH","language":"en"}],"lat":40.7266,"lon":-74.0325}"#;
    assert!(ask(&page, information).await.text.contains(station));
}

#[tokio::test]
async fn a_poller_hears_a_file_again_only_when_it_has_changed() {
    let page = Page::with(docks());
    let tag = async |path: &str| {
        let answer = ask(&page, path).await;
        answer.headers["etag"].to_str().unwrap().to_owned()
    };
    let again = async |path: &str, tag: &str| {
        let headers = [HOST, ("if-none-match", tag)];
        page.ask(path, &headers).await.status
    };
    let (status, information) = (
        "/gbfs/3.0/station_status.json",
        "/gbfs/3.0/station_information.json",
    );
    let (status_tag, information_tag) = (tag(status).await, tag(information).await);
    for known in [&status_tag, "*", &format!("\"x\", {status_tag}")] {
        assert_eq!(again(status, known).await, StatusCode::NOT_MODIFIED);
    }
    assert_eq!(again(status, &information_tag).await, StatusCode::OK);

    // The counts of the whole city stand in one file, the list of stations in another.
    let changed = dock(2, "E 33 St & 5 Ave", (40.7480, -73.9846), 2);
    page.board.apply(reading(2, vec![changed]));
    assert_eq!(again(status, &status_tag).await, StatusCode::OK);
    assert_eq!(
        again(information, &information_tag).await,
        StatusCode::NOT_MODIFIED
    );
    page.board.apply(reading(
        3,
        vec![dock(9, "Somewhere & New", (40.75, -73.98), 4)],
    ));
    assert_eq!(again(information, &information_tag).await, StatusCode::OK);
}

#[tokio::test]
async fn any_origin_may_read_the_feed_and_keep_it_for_its_ttl() {
    let page = Page::with(docks());
    let path = "/gbfs/3.0/station_status.json";
    let answer = page
        .ask(path, &[HOST, ("origin", "https://maps.example")])
        .await;
    let header = |name: &str| answer.headers[name].to_str().unwrap();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("cache-control"), "public, max-age=5");
    assert_eq!(header("content-type"), "application/json");

    // A page elsewhere that asks by tag asks for leave first.
    let request = Request::options(path)
        .header("origin", "https://maps.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "if-none-match")
        .body(Body::empty())
        .unwrap();
    let leave = page.router().oneshot(request).await.unwrap();
    assert_eq!(leave.status(), StatusCode::OK);
    assert_eq!(leave.headers()["access-control-allow-headers"], "*");
}

#[tokio::test]
async fn what_the_asked_host_changes_is_kept_by_no_cache() {
    let page = Page::with(vec![dock(1, "A & B", (40.7, -74.0), 1)]);
    for file in [
        "gbfs.json",
        "system_information.json",
        "vehicle_types.json",
        "station_information.json",
        "station_status.json",
    ] {
        let path = format!("/gbfs/3.0/{file}");
        let ask = async |host| page.ask(&path, &[("host", host)]).await;
        let (one, other) = (ask("one.example").await, ask("other.example").await);
        let caching = one.headers["cache-control"].to_str().unwrap();
        let is_kept = caching.starts_with("public");
        assert!(
            is_kept || caching == "private, no-store",
            "{file}: {caching}"
        );
        assert_eq!(is_kept, one.text == other.text, "{file}");
    }
}

#[tokio::test]
async fn a_feed_that_knows_nothing_yet_says_when_to_come_back() {
    let answer = ask(&Page::empty(), "/gbfs/gbfs.json").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "5");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn a_file_the_feed_does_not_have_is_not_found() {
    let page = Page::with(docks());
    for path in [
        "/gbfs/3.0/vehicle_status.json",
        "/gbfs/3.0/station_status",
        "/gbfs/2.3/gbfs.json",
    ] {
        assert_eq!(
            ask(&page, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_page_tells_programs_and_people_of_the_feed() {
    let answer = Page::with(docks()).get("/").await;
    assert!(
        answer
            .text
            .contains("<link rel=\"gbfs\" type=\"application/json\" href=\"/gbfs/3.0/gbfs.json\"")
    );
    assert!(answer.text.contains("<a href=\"/gbfs/gbfs.json\""));
}

#[test]
fn a_setting_that_would_make_the_feed_invalid_is_refused() {
    let check = |config: AppConfig, expected: Expect| {
        let stop = CancellationToken::new();
        let error: AppError = AppState::new(&config, SharedBoard::new(), stop).unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    let default = AppConfig::default;
    check(
        AppConfig {
            public_url: Some("bikes.example".to_owned()),
            ..default()
        },
        expect![[
            r#"public url "bikes.example" must start with http:// or https:// and a host, without ? and #"#
        ]],
    );
    check(
        AppConfig {
            system_id: "my bikes".to_owned(),
            ..default()
        },
        expect![[r#"system id "my bikes" must be printable ASCII without blanks and %"#]],
    );
    check(
        AppConfig {
            contact_email: "me".to_owned(),
            ..default()
        },
        expect![[r#"contact "me" is not an e-mail address such as gbfs@bikes.example"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_validator_from_pypi_finds_no_error_in_the_served_feed() {
    let Some(python) = testkit::python("gbfs-validator") else {
        return;
    };
    let mut docks = docks();
    docks.push(dock(5, "Café \"Ω\" <b>&</b>", (40.71, -74.01), 0));
    docks[0].count.estimated = true;
    let feeds = [docks, kinds()];
    for docks in feeds {
        validate_served(&python, docks).await;
    }
}

async fn validate_served(python: &Path, docks: Vec<Dock>) {
    let python = python.to_owned();
    let page = Page::with(docks);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/gbfs/gbfs.json", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, page.router()).into_future());
    let seen = tokio::task::spawn_blocking(move || {
        // The last line shows that the validator can find errors here.
        let files = validate(&python, &url, &[]);
        let other_version = validate(&python, &url, &["--feed-version", "2.3"]);
        (files, other_version.map(drop).is_err())
    });
    let (files, finds_errors) = seen.await.unwrap();
    server.abort();
    expect![[r#"
        gbfs.json, 0 errors
        system_information.json, 0 errors
        vehicle_types.json, 0 errors
        station_information.json, 0 errors
        station_status.json, 0 errors"#]]
    .assert_eq(&files.unwrap());
    assert!(finds_errors, "a 3.0 feed is no 2.3 feed");
}

/// The files that were found with their errors; the whole report if there was an error.
fn validate(python: &PathBuf, url: &str, more: &[&str]) -> Result<String, String> {
    let output = Command::new("timeout")
        .arg("60")
        .arg(python)
        // The feed is on this machine, where no proxy goes.
        .env("NO_PROXY", "127.0.0.1")
        .args(["-m", "gbfs_validator.cli", "-u", url])
        .args(["--docked", "--fail-on-error"])
        .args(more)
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() {
        return Err(report + &String::from_utf8_lossy(&output.stderr));
    }
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let files = report["files"].as_array().unwrap().iter();
    let lines = files.filter(|file| file["exists"] == true).map(|file| {
        format!(
            "{}, {} errors",
            file["file"].as_str().unwrap(),
            file["errorsCount"]
        )
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
