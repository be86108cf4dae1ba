//! The JSON that other programs get, and what its document says of it.

mod document;
mod schemathesis;

use app::{Database, Limits};
use axum::http::StatusCode;
use expect_test::{Expect, expect};
use testkit::{get, wait_until};

use crate::city::{City, Running};
use crate::gbfs::kinds;
use crate::past;
use crate::support::{Page, dock, docks, reading};

async fn check(page: &Page, path: &str, expected: Expect) {
    let answer = page.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    expected.assert_eq(&pretty(&answer.text));
}

/// JSON as people read it.
fn pretty(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect(json);
    serde_json::to_string_pretty(&value).unwrap()
}

/// A line for each dock: its number, bikes and, where it was asked for, distance.
async fn digest(page: &Page, path: &str) -> String {
    let answer = page.get(path).await;
    let value: serde_json::Value = serde_json::from_str(&answer.text).expect(&answer.text);
    let docks = value["docks"].as_array().expect(&answer.text).iter();
    let docks = docks.map(|dock| match &dock["distance_m"] {
        serde_json::Value::Null => format!("{}: {}", dock["id"], dock["bikes"]),
        metres => format!("{}: {} at {metres} m", dock["id"], dock["bikes"]),
    });
    let docks: Vec<_> = docks.collect();
    let full = if value["full"] == true {
        ""
    } else {
        " changed"
    };
    format!("version {}{full}: {}\n", value["version"], docks.join(", "))
}

async fn check_choice(page: &Page, queries: &[&str], expected: Expect) {
    let mut lines = String::new();
    for query in queries {
        let digest = digest(page, &format!("/api/v1/docks?{query}")).await;
        lines += &format!("{query} → {digest}");
    }
    expected.assert_eq(&lines);
}

/// A line for each refusal: its status, and what it says.
async fn check_refusals(page: &Page, paths: &[&str], expected: Expect) {
    let mut lines = String::new();
    for path in paths {
        let answer = page.get(path).await;
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&answer.text).expect(&answer.text);
        assert_eq!(problem["status"], answer.status.as_u16());
        let path = &path["/api/v1/".len()..path.len().min(80)];
        lines += &format!("{path} → {} {}\n", answer.status, problem["detail"]);
    }
    expected.assert_eq(&lines);
}

#[tokio::test]
async fn a_dock_says_what_is_known_of_it_and_no_more() {
    let mut docks = kinds();
    docks.truncate(2);
    check(
        &Page::with(docks),
        "/api/v1/docks",
        expect![[r#"
        {
          "at": "2020-03-02T13:14:05Z",
          "docks": [
            {
              "bikes": 7,
              "broken_bikes": 1,
              "broken_docks": 0,
              "capacity": 20,
              "ebikes": 2,
              "estimated": false,
              "free_docks": 12,
              "id": 1,
              "installed": true,
              "lat": 40.7457,
              "lon": -73.9819,
              "name": "E 32 St & Park Ave",
              "renting": true,
              "returning": true,
              "station_id": "3201"
            },
            {
              "bikes": 3,
              "ebikes": 0,
              "estimated": false,
              "free_docks": 5,
              "id": 2,
              "installed": false,
              "lat": 40.748,
              "lon": -73.9846,
              "name": "E 33 St & 5 Ave",
              "renting": false,
              "returning": false,
              "station_id": "3202"
            }
          ],
          "full": true,
          "version": 1
        }"#]],
    )
    .await;
}

#[tokio::test]
async fn one_dock_is_found_by_its_number() {
    check(
        &Page::with(docks()),
        "/api/v1/docks/3",
        expect![[r#"
        {
          "at": "2020-03-02T13:14:05Z",
          "dock": {
            "bikes": 0,
            "estimated": false,
            "id": 3,
            "installed": true,
            "lat": 40.74445,
            "lon": -73.98303,
            "name": "E 30 St & Park Ave S",
            "renting": true,
            "returning": true,
            "station_id": "3203"
          },
          "version": 1
        }"#]],
    )
    .await;
}

#[tokio::test]
async fn docks_are_chosen_by_a_box_or_by_a_place() {
    check_choice(
        &Page::with(docks()),
        &[
            "",
            "bbox=-74.05,40.72,-74.0,40.75",
            "bbox=-74.0,40.7457,-73.9819,40.7457",
            "bbox=170,-90,-74,90",
            "near=40.7461,-73.9818",
            "near=40.7461,-73.9818&within=400",
            "near=40.7461,-73.9818&within=400&bbox=-73.9825,40,-73.98,41",
            "near=0,0",
        ],
        expect![[r#"
             → version 1: 1: 7, 2: 3, 3: 0, 4: 12
            bbox=-74.05,40.72,-74.0,40.75 → version 1: 4: 12
            bbox=-74.0,40.7457,-73.9819,40.7457 → version 1: 1: 7
            bbox=170,-90,-74,90 → version 1: 4: 12
            near=40.7461,-73.9818 → version 1: 1: 7 at 45 m, 3: 0 at 211 m
            near=40.7461,-73.9818&within=400 → version 1: 1: 7 at 45 m, 3: 0 at 211 m, 2: 3 at 317 m
            near=40.7461,-73.9818&within=400&bbox=-73.9825,40,-73.98,41 → version 1: 1: 7 at 45 m
            near=0,0 → version 1: 
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_program_that_says_its_version_hears_what_changed_after_it() {
    let page = Page::with(docks());
    page.board.apply(reading(
        2,
        vec![dock(2, "E 33 St & 5 Ave", (40.7480, -73.9846), 2)],
    ));
    page.board.apply(reading(
        3,
        vec![dock(9, "Somewhere & New", (40.75, -73.98), 4)],
    ));
    check_choice(
        &page,
        &["since=1", "since=2", "since=3", "since=4", "since=0"],
        expect![[r#"
            since=1 → version 3 changed: 2: 2, 9: 4
            since=2 → version 3 changed: 9: 4
            since=3 → version 3 changed: 
            since=4 → version 3: 1: 7, 2: 2, 3: 0, 4: 12, 9: 4
            since=0 → version 3 changed: 1: 7, 2: 2, 3: 0, 4: 12, 9: 4
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_refusal_says_what_is_expected() {
    check_refusals(
        &Page::with(docks()),
        &[
            "/api/v1/docks?at=yesterday",
            "/api/v1/docks?at=2020-03-02T07:15",
            "/api/v1/docks?at=2020-03-02T12:15:00Z",
            "/api/v1/docks?bbox=1,2,3",
            "/api/v1/docks?bbox=0,-91,0,0",
            "/api/v1/docks?near=nan,0",
            "/api/v1/docks?near=40.7,-74,500",
            "/api/v1/docks?near=40.7,-74&within=0",
            "/api/v1/docks?within=100",
            "/api/v1/docks?since=1&at=2020-03-02T12:15:00Z",
            "/api/v1/docks?since=-1",
            "/api/v1/docks?bikes=7",
            "/api/v1/docks?at=&at=",
            "/api/v1/docks/99",
            "/api/v1/docks/none",
            "/api/v1/docks/99/past",
            "/api/v1/docks/1/past",
            "/api/v1/windows?limit=1001",
            "/api/v1/windows?from=2020-03-02T12:00:01Z&to=2020-03-02T12:00:00Z",
            "/api/v1/bikes",
            &format!("/api/v1/docks?at={}", "9".repeat(5_000)),
        ],
        expect![[r#"
            docks?at=yesterday → 400 Bad Request "at: expected an instant such as 2020-03-01T13:30:00Z"
            docks?at=2020-03-02T07:15 → 400 Bad Request "at: expected an instant such as 2020-03-01T13:30:00Z"
            docks?at=2020-03-02T12:15:00Z → 404 Not Found "nothing of the past is stored yet"
            docks?bbox=1,2,3 → 400 Bad Request "bbox: expected west,south,east,north in degrees, such as -74.02,40.70,-73.95,40.77"
            docks?bbox=0,-91,0,0 → 400 Bad Request "bbox: expected west,south,east,north in degrees, such as -74.02,40.70,-73.95,40.77"
            docks?near=nan,0 → 400 Bad Request "near: expected latitude and longitude in degrees, such as 40.7461,-73.9818"
            docks?near=40.7,-74,500 → 400 Bad Request "near: expected latitude and longitude in degrees, such as 40.7461,-73.9818"
            docks?near=40.7,-74&within=0 → 400 Bad Request "within: expected a whole number from 1 to 50000"
            docks?within=100 → 422 Unprocessable Entity "\"within\" is metres around a place: \"near\" is missing"
            docks?since=1&at=2020-03-02T12:15:00Z → 422 Unprocessable Entity "what changed \"since\" a version is so now: leave out \"at\""
            docks?since=-1 → 400 Bad Request "since: expected a whole number from 0 to 9007199254740991"
            docks?bikes=7 → 400 Bad Request "bikes: unknown field `bikes`, expected one of `at`, `bbox`, `near`, `within`, `since`"
            docks?at=&at= → 400 Bad Request "at: expected an instant such as 2020-03-01T13:30:00Z"
            docks/99 → 404 Not Found "there is no dock 99: /api/v1/docks has all"
            docks/none → 400 Bad Request "Invalid URL: expected a whole number from 1 to 2147483647"
            docks/99/past → 404 Not Found "there is no dock 99: /api/v1/docks has all"
            docks/1/past → 404 Not Found "nothing of the past is stored yet"
            windows?limit=1001 → 400 Bad Request "limit: expected a whole number from 1 to 1000"
            windows?from=2020-03-02T12:00:01Z&to=2020-03-02T12:00:00Z → 422 Unprocessable Entity "\"from\" is later than \"to\""
            bikes → 404 Not Found "/api/v1/openapi.json says what is here"
            docks?at=999999999999999999999999999999999999999999999999999999999999999 → 414 URI Too Long "an address has at most 4096 bytes"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_nobody_may_do_here_is_told_as_a_problem_too() {
    let answer = Page::with(docks()).post("/api/v1/docks").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    expect![[
        r#"{"title":"Method Not Allowed","status":405,"detail":"this can only be read: GET"}"#
    ]]
    .assert_eq(&answer.text);
}

#[tokio::test]
async fn before_the_first_publish_a_program_is_told_when_to_come_back() {
    let page = Page::empty();
    page.board.set_database(Database::Up);
    for path in ["/api/v1/docks", "/api/v1/docks/1", "/api/v1/windows"] {
        let answer = page.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers["retry-after"], "2");
        assert!(
            answer.text.contains("nothing has been published yet"),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_program_hears_the_same_again_only_when_it_has_changed() {
    let page = Page::with(docks());
    let path = "/api/v1/docks?near=40.7461,-73.9818";
    let tag = page.get(path).await.headers["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let again = async || page.ask(path, &[("if-none-match", &tag)]).await.status;
    assert_eq!(again().await, StatusCode::NOT_MODIFIED);
    page.board.apply(reading(
        2,
        vec![dock(1, "E 32 St & Park Ave", (40.7457, -73.9819), 6)],
    ));
    assert_eq!(again().await, StatusCode::OK);
}

#[tokio::test]
async fn any_origin_may_read_also_why_it_is_refused() {
    let page = Page::with(docks());
    for path in [
        "/api/v1/docks",
        "/api/v1/docks?at=x",
        "/api/v1/x",
        "/api/v1/openapi.json",
    ] {
        let answer = page.ask(path, &[("origin", "https://maps.example")]).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
    }
}

/// A server whose past is known, and which has windows of two partitions.
async fn server() -> Option<(City, Running)> {
    let mut city = past::city().await?;
    city.run(
        "insert into frequency values
             ('2020-03-02T12:00:00Z', 0, 3), ('2020-03-02T12:00:00Z', 1, 2),
             ('2020-03-02T12:00:10Z', 1, 4), ('2020-03-02T13:14:00Z', 0, 1);
         insert into stream_cursor (topic, partition, module, next_offset, owner, generation, state)
         values ('trips', 0, 'dock-window', 9, 'a', 1, '{\"closed_until\": \"2020-03-02T13:14:05Z\"}'),
                ('trips', 1, 'dock-window', 9, 'a', 1, '{\"closed_until\": \"2020-03-02T13:14:00Z\"}')",
    )
    .await;
    let server = city.serve(Limits::default()).await;
    past::past_is_known(server.address).await;
    Some((city, server))
}

async fn check_served(server: &Running, path: &str, expected: Expect) {
    let answer = get(server.address, path).await;
    let (head, json) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    expected.assert_eq(&pretty(json));
}

#[tokio::test]
async fn an_instant_of_the_past_has_the_docks_that_were_there() {
    let Some((_city, server)) = server().await else {
        return;
    };
    check_served(
        &server,
        "/api/v1/docks?at=2020-03-02T07:15:00-05:00",
        expect![[r#"
            {
              "at": "2020-03-02T12:15:00Z",
              "docks": [
                {
                  "bikes": 1,
                  "estimated": false,
                  "id": 1,
                  "installed": true,
                  "lat": 40.7457,
                  "lon": -73.9819,
                  "name": "E 32 St & Park Ave",
                  "renting": true,
                  "returning": true,
                  "station_id": "A"
                }
              ],
              "full": true
            }"#]],
    )
    .await;
    check_served(
        &server,
        "/api/v1/docks/1?at=2020-03-02T13:10:00Z",
        expect![[r#"
            {
              "at": "2020-03-02T13:00:00Z",
              "dock": {
                "bikes": 0,
                "estimated": false,
                "id": 1,
                "installed": true,
                "lat": 40.7457,
                "lon": -73.9819,
                "name": "E 32 St & Park Ave",
                "renting": true,
                "returning": true,
                "station_id": "A"
              },
              "note": "the past is stored up to here so far"
            }"#]],
    )
    .await;
    let answer = get(server.address, "/api/v1/docks/2?at=2020-03-02T12:15:00Z").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(
        answer.contains("dock 2 was not there yet at 2020-03-02T12:15:00Z"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_docks_past_is_its_counts_as_they_changed() {
    let Some((_city, server)) = server().await else {
        return;
    };
    check_served(
        &server,
        "/api/v1/docks/1/past",
        expect![[r#"
        {
          "counts": [
            {
              "bikes": 1,
              "estimated": false,
              "installed": true,
              "renting": true,
              "returning": true,
              "since": "2020-03-02T12:10:00Z"
            },
            {
              "bikes": 0,
              "estimated": false,
              "installed": true,
              "renting": true,
              "returning": true,
              "since": "2020-03-02T12:20:00Z"
            }
          ],
          "dock": 1,
          "from": "2020-03-02T12:09:59Z",
          "until": "2020-03-02T13:00:00Z"
        }"#]],
    )
    .await;
    let path = "/api/v1/docks/1/past?from=2020-03-02T12:15:00Z&to=2020-03-02T12:16:00Z";
    check_served(
        &server,
        path,
        expect![[r#"
        {
          "counts": [
            {
              "bikes": 1,
              "estimated": false,
              "installed": true,
              "renting": true,
              "returning": true,
              "since": "2020-03-02T12:15:00Z"
            }
          ],
          "dock": 1,
          "from": "2020-03-02T12:15:00Z",
          "until": "2020-03-02T12:16:00Z"
        }"#]],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn windows_are_of_the_whole_city_and_come_in_pages() {
    let Some((_city, server)) = server().await else {
        return;
    };
    check_served(
        &server,
        "/api/v1/windows",
        expect![[r#"
        {
          "closed_until": "2020-03-02T13:14:00Z",
          "windows": [
            {
              "departures": 1,
              "start": "2020-03-02T13:14:00Z"
            }
          ]
        }"#]],
    )
    .await;
    let from = "/api/v1/windows?limit=1&from=2020-03-02T12:00:00Z";
    check_served(
        &server,
        from,
        expect![[r#"
        {
          "closed_until": "2020-03-02T13:14:00Z",
          "next": "2020-03-02T12:00:10Z",
          "windows": [
            {
              "departures": 5,
              "start": "2020-03-02T12:00:00Z"
            }
          ]
        }"#]],
    )
    .await;
    let next = "/api/v1/windows?limit=1&from=2020-03-02T12:00:10Z&to=2020-03-02T12:00:11Z";
    check_served(
        &server,
        next,
        expect![[r#"
        {
          "closed_until": "2020-03-02T13:14:00Z",
          "windows": [
            {
              "departures": 4,
              "start": "2020-03-02T12:00:10Z"
            }
          ]
        }"#]],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_window_is_not_called_closed_before_every_partition_has_closed_it() {
    let Some((mut city, server)) = server().await else {
        return;
    };
    city.run("update stream_cursor set state = '{}' where partition = 1")
        .await;
    wait_until("nothing is closed", async || {
        !get(server.address, "/api/v1/windows")
            .await
            .contains("closed_until")
    })
    .await;
    server.stop().await;
}
