//! Names of stations, searches and headers are strangers' texts: they stay texts.

use app::Limits;
use axum::http::StatusCode;
use testkit::get;

use crate::city::{City, hear, listen};
use crate::support::{Page, docks};

/// What would end a line, colour a terminal, turn the order around, or end a script.
const HOSTILE: &str = "a\nb\r\u{1b}[31mc\u{7}\u{202e}d\u{2028}e</script><!--\"'&";

#[tokio::test(flavor = "multi_thread")]
async fn a_stations_name_is_one_line_of_text_wherever_it_is_shown() {
    let Some(mut city) = City::start().await else {
        return;
    };
    sqlx::query("update location set street = $1, station_id = $2 where location_id = 1")
        .bind(HOSTILE.repeat(1_000))
        .bind(HOSTILE.repeat(1_000))
        .execute(&mut city.connection)
        .await
        .unwrap();
    let server = city.serve(Limits::default()).await;
    hear(
        &mut listen(server.address, "/live").await,
        "a b  [31mc  d e</script><!--\\\"'&",
    )
    .await;
    let page = get(server.address, "/?q=hello").await;
    assert!(
        page.contains("a b  [31mc  d e&lt;/script&gt;&lt;!--"),
        "{page}"
    );
    assert!(!page.contains("e</script>"), "{page}");
    let feed = get(server.address, "/gbfs/3.0/station_information.json").await;
    let body = feed.split("\r\n\r\n").nth(1).unwrap();
    let feed: serde_json::Value = serde_json::from_str(body).unwrap();
    let name = feed["data"]["stations"][0]["name"][0]["text"]
        .as_str()
        .unwrap();
    assert_eq!(name.chars().count(), 200);
    for text in [page.as_str(), name] {
        let is_hidden =
            |c: char| c.is_control() && !"\r\n".contains(c) || "\u{202e}\u{2028}".contains(c);
        assert!(!text.contains(is_hidden), "{text:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_is_one_line_of_text() {
    let page = Page::with(docks());
    let asked = "a%0Ab%0D%1B%5B31mc%07%E2%80%AEd%E2%80%A8e%3C/script%3E%3C!--";
    for path in ["/", "/api/search"] {
        let answer = page.get(&format!("{path}?q={asked}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.text.contains("a b  [31mc  d e"),
            "{path}: {}",
            answer.text
        );
        assert!(
            path != "/" || !answer.text.contains("e</script>"),
            "{}",
            answer.text
        );
        assert!(
            !answer
                .text
                .contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{2028}'])
        );
    }
}

#[tokio::test]
async fn a_search_sends_nobody_elsewhere() {
    let page = Page::with(docks());
    let headers = [
        ("host", "evil.example"),
        ("referer", "https://evil.example/"),
        ("origin", "https://evil.example"),
        ("accept", "text/html"),
    ];
    for (path, status) in [
        ("/api/search?q=1+Park+Avenue", StatusCode::OK),
        ("/api/search", StatusCode::BAD_REQUEST),
        ("/?q=hello", StatusCode::OK),
    ] {
        let answer = page.ask(path, &headers).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(!answer.headers.contains_key("location"), "{path}");
        assert!(!answer.text.contains("evil"), "{path}");
    }
}
