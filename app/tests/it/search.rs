//! The search, as a page and as the script asks for it.

use app::Outcome;
use axum::http::StatusCode;

use crate::support::{Page, docks};

#[tokio::test]
async fn an_address_lists_the_docks_within_three_blocks_by_distance() {
    let answer = Page::with(docks()).get("/?q=1+Park+Avenue").await;
    assert_eq!(answer.status, StatusCode::OK);
    let items = answer.items("results");
    let ids: Vec<_> = items
        .iter()
        .map(|item| item.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(ids, ["1", "3"], "{items:?}");
    let metres: Vec<f64> = items
        .iter()
        .map(|item| {
            item.split("data-metres=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
        })
        .map(|metres| metres.parse().unwrap())
        .collect();
    assert!(
        metres.is_sorted() && metres.iter().all(|m| *m <= 241.0),
        "{metres:?}"
    );
    assert!(answer.element("<p id=\"flash\"").is_none());
    assert!(
        answer
            .text
            .contains("7 bikes at 1 dock within three blocks.")
    );
    assert!(answer.text.contains("value=\"1 Park Avenue\""));
}

#[tokio::test]
async fn an_address_is_a_red_circle_with_a_ring_on_the_still_map() {
    let answer = Page::with(docks()).get("/?q=1+Park+Avenue").await;
    for class in ["place", "ring"] {
        assert_eq!(
            answer
                .text
                .matches(&format!("<circle class=\"{class}\""))
                .count(),
            1,
            "{class}"
        );
    }
    // Only the dock with bikes within the ring stays blue.
    assert_eq!(answer.text.matches("<circle class=\"some\"").count(), 1);
}

#[tokio::test]
async fn anything_else_says_what_is_expected_and_is_no_error() {
    let page = Page::with(docks());
    for query in [
        "hello",
        "Park+Avenue",
        "42",
        "%27%3B+drop+table+location",
        "12+Nowhere+Lane",
        "12+Park+Ave,+Brooklyn",
        "Park+Ave+%26+E+32+St,+Hoboken",
    ] {
        let answer = page.get(&format!("/?q={query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        let flash = answer.element("<p id=\"flash\"").expect(query);
        assert!(
            flash.contains("such as \"1 Park Avenue\""),
            "{query}: {flash}"
        );
        assert!(answer.text.contains("role=\"alert\""));
        assert!(answer.items("results").is_empty());
        assert_eq!(answer.items("docks").len(), 4);
    }
}

#[tokio::test]
async fn no_search_is_no_flash() {
    for path in ["/", "/?q=", "/?q=+++"] {
        let answer = Page::with(docks()).get(path).await;
        assert!(answer.element("<p id=\"flash\"").is_none(), "{path}");
    }
}

#[tokio::test]
async fn a_search_of_markup_comes_back_as_text() {
    let answer = Page::with(docks())
        .get("/?q=%3Cscript%3Ealert(1)%3C/script%3E")
        .await;
    assert!(!answer.text.contains("<script>alert"));
    assert!(
        answer
            .element("<p id=\"flash\"")
            .unwrap()
            .contains("<script>alert(1)</script>")
    );
}

#[tokio::test]
async fn the_script_gets_the_same_answer_as_json() {
    let page = Page::with(docks());
    let found = page.get("/api/search?q=1+Park+Avenue").await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.text);
    let Outcome::Found(place) = serde_json::from_str(&found.text).unwrap() else {
        panic!("{}", found.text);
    };
    assert!((place.lat - 40.7457).abs() < 0.001, "{place:?}");
    let flash = page.get("/api/search?q=hello").await;
    assert!(matches!(
        serde_json::from_str(&flash.text).unwrap(),
        Outcome::Flash(_)
    ));
}

#[tokio::test]
async fn a_request_without_a_search_is_told_what_is_missing() {
    let page = Page::with(docks());
    for path in ["/api/search", "/api/search?dock=1", "/api/search?q=a&q=b"] {
        let answer = page.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(
            answer.text.contains("/api/search?q="),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_content() {
    let page = Page::with(docks());
    for path in [
        "/",
        "/?q=1+Park+Avenue",
        "/api/search?q=1+Park+Avenue",
        "/api/search",
        "/style.css",
        "/gbfs/3.0/station_status.json",
    ] {
        let (head, get) = (page.head(path).await, page.get(path).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(
            head.headers.get("content-type"),
            get.headers.get("content-type"),
            "{path}"
        );
        assert!(
            head.text.is_empty() && !get.text.is_empty(),
            "{path}: {}",
            head.text
        );
    }
}
