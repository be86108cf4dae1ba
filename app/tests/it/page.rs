//! The page without any script.

use std::time::Duration;

use app::{AppConfig, Count, Database};
use axum::http::StatusCode;
use domain::{Service, Stock};

use crate::support::{Page, dock, docks, reading};

#[tokio::test]
async fn the_list_holds_every_dock_with_its_bikes() {
    let answer = Page::with(docks()).get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    let items = answer.items("docks");
    assert_eq!(items.len(), 4);
    assert!(
        items[1].starts_with("data-dock=\"1\" data-bikes=\"7\""),
        "{items:?}"
    );
    assert!(answer.text.contains("E 32 St &amp; Park Ave"));
    assert_eq!(
        answer.element("<p id=\"summary\"").unwrap(),
        "3 of 4 docks have bikes, 22 bikes in all"
    );
}

#[tokio::test]
async fn the_still_map_has_a_circle_for_every_dock() {
    let answer = Page::with(docks()).get("/").await;
    let circles = |class: &str| {
        answer
            .text
            .matches(&format!("<circle class=\"{class}\""))
            .count()
    };
    assert_eq!(
        (circles("some"), circles("none"), circles("place")),
        (3, 1, 0)
    );
}

#[tokio::test]
async fn the_clock_is_the_replay_clock_in_new_york() {
    let answer = Page::with(docks()).get("/").await;
    assert_eq!(
        answer.element("<p id=\"clock\"").unwrap(),
        "as of Mon 2 Mar 2020, 08:14:05 New York time"
    );
    assert!(answer.text.contains("datetime=\"2020-03-02T13:14:05Z\""));
}

#[tokio::test]
async fn an_estimated_count_says_so() {
    let mut docks = docks();
    docks[0].count = Count {
        bikes: 7,
        estimated: true,
        ..Count::default()
    };
    let answer = Page::with(docks).get("/").await;
    assert!(answer.text.contains("about 7 bikes"));
    assert!(answer.items("docks")[1].contains("data-estimated"));
}

#[tokio::test]
async fn bikes_are_told_by_kind_with_the_free_docks_and_a_closed_dock_has_neither() {
    let mut docks = docks();
    docks[0].count.stock = Stock::from_numbers([Some(2), Some(12), Some(20), Some(1), Some(0)]);
    docks[3].count.stock = Stock::from_numbers([Some(5), Some(8), Some(20), Some(1), Some(3)]);
    docks[3].count.service = Service {
        installed: false,
        renting: false,
        returning: false,
    };
    let answer = Page::with(docks).get("/").await;
    let item = |name: &str| {
        let mut items = answer.text.split("<li ");
        items.find(|item| item.contains(name)).unwrap()
    };
    let open = item("E 32 St &amp; Park Ave<");
    for said in [
        "7 bikes, 2 of them electric · 12 free docks<",
        "<span class=\"broken\">1 broken bike<",
        "data-stock=\"2,12,20,1,0\"",
    ] {
        assert!(open.contains(said), "{said} {open}");
    }
    let closed = item("Newport PATH<");
    let (closed, _) = closed.split_once("</li>").unwrap();
    for said in ["no bikes to take<", "closed<", ">–<"] {
        assert!(closed.contains(said), "{said} {closed}");
    }
    for unsaid in ["free dock", "broken", "electric"] {
        assert!(!closed.contains(unsaid), "{unsaid} {closed}");
    }
    let circles = |class: &str| {
        let circle = format!("<circle class=\"{class}\"");
        answer.text.matches(&circle).count()
    };
    assert_eq!((circles("some"), circles("none")), (2, 2));
    let summary = answer.element("<p id=\"summary\"").unwrap();
    assert_eq!(summary, "2 of 4 docks have bikes, 10 bikes in all");
}

#[tokio::test]
async fn a_city_without_docks_says_what_it_waits_for() {
    let answer = Page::empty().get("/").await;
    assert_eq!(answer.status, StatusCode::OK);
    let summary = answer.element("<p id=\"summary\"").unwrap();
    assert_eq!(summary, "no docks yet: waiting for the first trips");
    assert_eq!(
        answer.element("<p id=\"clock\"").unwrap(),
        "the clock has not started yet"
    );
}

#[tokio::test]
async fn a_page_without_database_shows_the_last_numbers_and_says_so() {
    let page = Page::with(docks());
    page.board.set_database(Database::Down);
    let answer = page.get("/").await;
    assert_eq!(answer.items("docks").len(), 4);
    let status = answer.element("<p id=\"status\"").unwrap();
    assert_eq!(
        status,
        "the database does not respond: these are the last numbers known"
    );
    assert_eq!(
        page.get("/healthz").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_feed_that_stopped_shows_itself() {
    let page = Page::empty();
    let mut old = reading(1, docks());
    if let Some(clock) = &mut old.clock {
        clock.age = Duration::from_secs(600);
    }
    page.board.apply(old);
    let status = page.get("/").await.element("<p id=\"status\"").unwrap();
    assert_eq!(status, "stale: no news for 10 minutes");
}

#[tokio::test]
async fn a_dock_named_like_markup_is_text() {
    let hostile = "<script>alert(1)</script> & \"co\"";
    let answer = Page::with(vec![dock(1, hostile, (40.7, -74.0), 1)])
        .get("/")
        .await;
    assert!(!answer.text.contains("<script>alert"));
    assert!(answer.text.contains("&lt;script&gt;alert(1)"));
}

#[tokio::test]
async fn the_selected_dock_is_marked() {
    let answer = Page::with(docks()).get("/?dock=1").await;
    let marked: Vec<_> = answer
        .items("docks")
        .into_iter()
        .filter(|item| item.contains("aria-current"))
        .collect();
    assert_eq!(marked.len(), 1);
    assert!(marked[0].contains("data-dock=\"1\""), "{marked:?}");
}

#[tokio::test]
async fn any_address_gives_a_page() {
    let page = Page::with(docks());
    for path in [
        "/?dock=x",
        "/?dock=99999999999",
        "/?q=%FF%FE",
        "/?q=a&q=b",
        "/?&&=&",
    ] {
        assert_eq!(page.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_policy_allows_only_the_pages_own_files() {
    let answer = Page::with(docks()).get("/").await;
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("img-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    // Every inline script carries the nonce of this answer.
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let scripts = answer.text.matches("<script").count();
    assert_eq!(
        answer.text.matches(&format!("nonce=\"{nonce}\"")).count(),
        scripts
    );
    assert!(
        !answer.text.contains(" style=\""),
        "an inline style would be blocked"
    );
    assert!(
        !answer.text.contains("https://"),
        "the page asks no third party"
    );
}

#[tokio::test]
async fn a_tile_server_is_allowed_by_its_origin() {
    let config = AppConfig {
        tile_url: Some("https://tiles.example/{z}/{x}/{y}.png".to_owned()),
        tile_attribution: "© the mappers".to_owned(),
        ..AppConfig::default()
    };
    let answer = Page::with(docks()).with_config(config).get("/").await;
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("img-src 'self' https://tiles.example;"),
        "{policy}"
    );
    assert!(answer.text.contains("© the mappers"));
}

#[tokio::test]
async fn the_style_may_be_kept_under_the_name_of_its_content() {
    let page = Page::with(docks());
    let answer = page.get("/").await;
    let at = answer.text.find("/style.css?v=").unwrap();
    let link: String = answer.text[at..]
        .chars()
        .take_while(|c| *c != '"')
        .collect();
    let style = page.get(&link).await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    assert!(
        style.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let tag = style.headers["etag"].to_str().unwrap();
    let again = page.ask("/style.css", &[("if-none-match", tag)]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers["cache-control"], "no-cache");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_found() {
    let page = Page::with(docks());
    for path in ["/pkg/none.js", "/pkg/../Cargo.toml", "/api/none", "/none"] {
        assert!(page.get(path).await.status.is_client_error(), "{path}");
    }
}
