//! The event stream: what changed, for each browser.

use app::{Database, Delta, Limits};
use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt as _;
use testkit::within_patience;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::city::Running;
use crate::support::{Page, count, dock, docks, reading};

/// The next event of a stream, as text.
async fn next_event(events: &mut axum::body::BodyDataStream) -> String {
    let chunk = events.next().await.expect("the stream goes on").unwrap();
    String::from_utf8(chunk.to_vec()).unwrap()
}

async fn open(page: &Page, path: &str, last_event_id: Option<&str>) -> axum::body::BodyDataStream {
    let mut request = Request::get(path).header("accept-encoding", "br, gzip");
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    let response = page
        .router()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(
        !response.headers().contains_key("content-encoding"),
        "would be held back"
    );
    response.into_body().into_data_stream()
}

fn delta_of(event: &str) -> Delta {
    let data = event
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .expect(event);
    serde_json::from_str(data).expect(event)
}

#[tokio::test]
async fn a_browser_that_comes_back_to_a_server_that_has_read_nothing_keeps_what_it_shows() {
    let page = Page::waiting();
    page.board.set_database(Database::Down);
    let mut events = open(&page, "/live", Some("373")).await;
    let event = next_event(&mut events).await;
    assert!(event.starts_with("event: heartbeat"), "{event}");
    page.board.apply(reading(374, docks()));
    let event = next_event(&mut events).await;
    assert!(event.starts_with("event: docks\nid: 374\n"), "{event}");
    assert_eq!(delta_of(&event).docks.len(), docks().len());
}

#[tokio::test]
async fn a_browser_hears_changed_docks_only() {
    let page = Page::with(docks());
    let mut events = open(&page, "/live?since=1", None).await;
    assert!(delta_of(&next_event(&mut events).await).docks.is_empty());
    assert!(
        next_event(&mut events)
            .await
            .starts_with("event: heartbeat")
    );
    page.board.apply(reading(
        2,
        vec![dock(2, "E 33 St & 5 Ave", (40.7480, -73.9846), 2)],
    ));
    let event = next_event(&mut events).await;
    assert!(event.starts_with("event: docks\nid: 2\n"), "{event}");
    let delta = delta_of(&event);
    assert_eq!(delta.docks, [(2, count(2))]);
    assert_eq!(delta.local.as_deref(), Some("2020-03-02T08:14:06 New York"));
    assert!(delta.new.is_empty() && !delta.full);
}

#[tokio::test]
async fn a_browser_that_comes_back_hears_what_it_missed() {
    let page = Page::with(docks());
    page.board.apply(reading(
        2,
        vec![dock(1, "E 32 St & Park Ave", (40.7457, -73.9819), 6)],
    ));
    page.board.apply(reading(
        3,
        vec![dock(9, "Somewhere & New", (40.75, -73.98), 4)],
    ));
    // Its last event counts, not the version the page was rendered with.
    let mut events = open(&page, "/live?since=1", Some("2")).await;
    let delta = delta_of(&next_event(&mut events).await);
    assert_eq!(delta.docks, [(9, count(4))]);
    assert_eq!(
        delta.new,
        [(9, "Somewhere & New".to_owned(), 40.75, -73.98)]
    );
}

#[tokio::test]
async fn open_pages_hear_that_a_dock_was_renamed_or_moved_though_its_count_is_the_same() {
    let page = Page::with(docks());
    let mut events = open(&page, "/live?since=1", None).await;
    next_event(&mut events).await;
    next_event(&mut events).await;
    let renamed = dock(2, "W 33 St & Broadway", (40.7480, -73.9846), 3);
    let moved = dock(4, "Newport PATH", (40.7266, -74.0325), 12);
    page.board.apply(reading(2, vec![renamed, moved]));
    let delta = delta_of(&next_event(&mut events).await);
    assert_eq!(
        delta.new,
        [
            (2, "W 33 St & Broadway".to_owned(), 40.7480, -73.9846),
            (4, "Newport PATH".to_owned(), 40.7266, -74.0325),
        ]
    );
    assert_eq!(delta.docks, [(2, count(3)), (4, count(12))]);
}

#[tokio::test]
async fn a_browser_of_another_database_hears_everything() {
    let page = Page::with(docks());
    for path in ["/live", "/live?since=4711"] {
        let delta = delta_of(&next_event(&mut open(&page, path, None).await).await);
        assert!(delta.full, "{path}");
        assert_eq!((delta.docks.len(), delta.new.len()), (4, 4), "{path}");
    }
}

#[tokio::test]
async fn a_database_made_anew_is_told_to_open_pages() {
    let page = Page::with(docks());
    let mut events = open(&page, "/live?since=1", None).await;
    next_event(&mut events).await;
    next_event(&mut events).await;
    page.board
        .replace(reading(1, vec![dock(1, "Other & City", (40.7, -74.0), 1)]));
    let delta = delta_of(&next_event(&mut events).await);
    assert!(delta.full);
    assert_eq!(delta.new.len(), 1);
}

#[tokio::test]
async fn a_lost_database_is_told_at_once() {
    let page = Page::with(docks());
    let mut events = open(&page, "/live?since=1", None).await;
    next_event(&mut events).await;
    next_event(&mut events).await;
    page.board.set_database(Database::Down);
    let event = next_event(&mut events).await;
    assert!(event.contains("\"database\":\"down\""), "{event}");
}

#[tokio::test]
async fn a_browser_that_fell_behind_is_brought_up_in_one_step() {
    let page = Page::with(docks());
    let mut subscriber = page.board.subscribe(Some(1));
    // The beginning: docks, and a heartbeat.
    subscriber.next().await.unwrap();
    subscriber.next().await.unwrap();
    for version in 2..=1_001 {
        let bikes = i32::try_from(version).unwrap();
        page.board.apply(reading(
            version,
            vec![dock(1, "E 32 St & Park Ave", (40.7457, -73.9819), bikes)],
        ));
    }
    let event = subscriber.next().await.expect("the stream goes on");
    let delta = delta_of(str::from_utf8(&event).unwrap());
    assert_eq!(
        (delta.version, &*delta.docks),
        (1_001, &[(1, count(1_001))][..])
    );
}

/// Sends requests over one connection; gives what comes until an event has begun.
async fn begin(server: &Running, requests: &str) -> (TcpStream, String) {
    let mut stream = server.connect_from([127, 0, 0, 1]).await;
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"event: heartbeat") {
        text.push(stream.read_u8().await.expect("the stream begins"));
    }
    (stream, String::from_utf8(text).unwrap())
}

async fn rest(mut stream: TcpStream) -> String {
    let mut rest = String::new();
    let read = stream.read_to_string(&mut rest);
    within_patience("the stream ends", read).await.unwrap();
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_follows_the_responses_before_it_and_ends_as_one_when_the_server_stops() {
    let server = Running::without_database(Limits::default()).await;
    let style = "GET /style.css HTTP/1.1\r\nhost: a\r\n\r\n";
    // All asked for before the first is taken.
    let live = "GET /live HTTP/1.1\r\nhost: a\r\n\r\n";
    let (stream, text) = begin(&server, &format!("{style}{style}{live}")).await;
    let responses: Vec<_> = text.split("HTTP/1.1 200 OK").skip(1).collect();
    let [first, second, events] = responses[..] else {
        panic!("{text}");
    };
    assert_eq!(first.split_once("\r\n\r\n"), second.split_once("\r\n\r\n"));
    assert!(
        events.contains("transfer-encoding: chunked\r\n"),
        "{events}"
    );
    let (rest, ()) = tokio::join!(rest(stream), server.stop());
    assert!(rest.ends_with("\n\n\r\n0\r\n\r\n"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_no_chunks_gets_events_as_they_are() {
    let server = Running::without_database(Limits::default()).await;
    let (_stream, text) = begin(&server, "GET /live HTTP/1.0\r\n\r\n").await;
    assert!(text.ends_with("\r\n\r\nevent: heartbeat"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_on_talking_behind_an_event_stream_ends_it() {
    let server = Running::without_database(Limits::default()).await;
    let live = "GET /live HTTP/1.1\r\nhost: a\r\n\r\n";
    let (mut stream, _) = begin(&server, live).await;
    stream.write_all(live.as_bytes()).await.unwrap();
    // What was not read is answered by a reset: that is an end as well.
    let mut rest = Vec::new();
    drop(within_patience("the stream ends", stream.read_to_end(&mut rest)).await);
    server.stop().await;
}
