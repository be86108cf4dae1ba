//! What a request, a client and all of them may cost, on real sockets.

use std::time::{Duration, Instant};

use app::Limits;
use axum::http::StatusCode;
use testkit::{get, wait_until, within_patience};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::city::{City, Running, head};
use crate::support::{Page, dock, docks, reading};

const ONE: [u8; 4] = [127, 0, 0, 1];
const OTHER: [u8; 4] = [127, 0, 0, 2];

/// Docks of the page below.
const DOCKS: usize = 2_000;

/// Bytes of a page whatever is asked: what is there once, and a dock in list and map.
const PAGE_BYTES_MAX: usize = (64 << 10) + DOCKS * (1 << 10);

fn big_page() -> Page {
    let ids = 1..=i32::try_from(DOCKS).unwrap();
    let at = |id: i32| (40.6 + f64::from(id) * 1e-4, -74.0);
    Page::with(
        ids.map(|id| dock(id, "E 32 St & Park Ave", at(id), 7))
            .collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_as_long_as_the_city_is_large_whatever_is_asked() {
    let page = big_page();
    let longest = "%F0%9F%9A%B2".repeat(300);
    for query in [
        "",
        "1+Park+Avenue",
        &format!("1+Park+Avenue+{}", "x".repeat(90)),
        &format!("1+Park+Avenue+{}", "%26".repeat(100)),
        &"%22".repeat(1_000),
        &longest,
    ] {
        for path in ["/", "/api/search"] {
            let answer = page.get(&format!("{path}?q={query}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}?q={query}");
            let bytes = answer.text.len();
            assert!(bytes <= PAGE_BYTES_MAX, "{path}?q={query}: {bytes} bytes");
        }
    }
    let answer = page.get(&format!("/?q={}", "x".repeat(65_000))).await;
    assert_eq!(answer.status, StatusCode::URI_TOO_LONG);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_a_limit_is_told_which() {
    let server = Running::without_database(Limits::default()).await;
    let long = "x".repeat(5_000);
    let headers = "a: b\r\n".repeat(65);
    let too_long = "x".repeat(20_000);
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "503"),
        (
            format!("GET /healthz?{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
            "414",
        ),
        (format!("GET /healthz HTTP/1.1\r\n{headers}\r\n"), "431"),
        (
            format!("GET /healthz HTTP/1.1\r\na: {too_long}\r\n\r\n"),
            "431",
        ),
        (
            "GET / HTTP/1.1\r\ncontent-length: 5000\r\n\r\n".to_owned(),
            "413",
        ),
        (
            "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            "413",
        ),
        (
            "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            "405",
        ),
    ] {
        let mut stream = server.connect_from(ONE).await;
        // The server may answer, and close, before it has heard all.
        drop(stream.write_all(request.as_bytes()).await);
        let head = head(&mut stream).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{status}: {head}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_slow_to_ask_is_cut_off_while_others_are_answered() {
    let limits = Limits {
        head_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = Running::without_database(limits).await;
    let mut slow = Vec::new();
    for begun in ["", "GET /hea", "GET / HTTP/1.1\r\nhost: a\r\n"].repeat(50) {
        let mut stream = server.connect_from(ONE).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // One that has asked once and never again is idle in the same way.
    slow.push(server.open_from(ONE, "/healthz").await.1);
    let asked = Instant::now();
    assert!(get(server.address, "/style.css").await.contains("200 OK"));
    assert!(asked.elapsed() < Duration::from_secs(2), "others wait");
    for mut stream in slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
        drop(ended.await.expect("the slow one is cut off"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_streams_of_one_peer_and_of_all_are_limited() {
    let limits = Limits {
        streams: 4,
        streams_per_peer: 3,
        ..Limits::default()
    };
    let server = Running::without_database(limits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let (head, stream) = server.open_from(ONE, "/live").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        open.push(stream);
    }
    let (refused, _) = server.open_from(ONE, "/live").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 2\r\n"), "{refused}");
    // Another has its own share, of what is left; and other answers are for all.
    let (head, _other) = server.open_from(OTHER, "/live").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (refused, _) = server.open_from(OTHER, "/live").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(get(server.address, "/style.css").await.contains("200 OK"));
    // A page that was closed makes room.
    open.pop();
    wait_until("a closed stream makes room", async || {
        let (head, _) = server.open_from(ONE, "/live").await;
        head.starts_with("HTTP/1.1 200")
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_one_peer_leave_room_for_others() {
    // Six connections for each stream.
    let limits = Limits {
        connections: 20,
        streams_per_peer: 2,
        ..Limits::default()
    };
    let server = Running::without_database(limits).await;
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(server.connect_from(ONE).await);
    }
    let mut refused = server.connect_from(ONE).await;
    let head = head(&mut refused).await;
    assert!(
        head.is_empty() || head.starts_with("HTTP/1.1 503"),
        "{head}"
    );
    let (head, _) = server.open_from(OTHER, "/style.css").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    open.clear();
    wait_until("closed connections make room", async || {
        let (head, _) = server.open_from(ONE, "/style.css").await;
        head.starts_with("HTTP/1.1 200")
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_many_requests_at_once_is_refused_and_others_are_answered() {
    let limits = Limits {
        requests: 2,
        requests_per_peer: 1,
        ..Limits::default()
    };
    let page = Page::waiting().with_config(app::AppConfig {
        limits,
        ..app::AppConfig::default()
    });
    let router = page.router();
    let ask = || {
        let request = axum::http::Request::get("/")
            .body(axum::body::Body::empty())
            .unwrap();
        tower::ServiceExt::oneshot(router.clone(), request)
    };
    // All of them are there before the first one can be answered.
    let answers = futures_util::future::join_all((0..8).map(|_| ask()));
    let there = async { page.board.apply(reading(1, docks())) };
    let (answers, ()) = tokio::join!(answers, there);
    let status: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().status())
        .collect();
    let answered = |wanted| status.iter().filter(|status| **status == wanted).count();
    assert_eq!(answered(StatusCode::OK), 1, "{status:?}");
    assert_eq!(answered(StatusCode::SERVICE_UNAVAILABLE), 7, "{status:?}");
    assert_eq!(
        ask().await.unwrap().status(),
        StatusCode::OK,
        "afterwards there is room"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_taken_is_given_up() {
    let Some(mut city) = City::start().await else {
        return;
    };
    city.add_docks(DOCKS).await;
    let limits = Limits {
        reading_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = city.serve(limits).await;
    get(server.address, "/").await;
    let (head, mut stream) = server.open_from(ONE, "/").await;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect(&head).parse().unwrap();
    // Slow on purpose: this is the client's wait, not the test's.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut taken = Vec::new();
    drop(within_patience("the connection is closed", stream.read_to_end(&mut taken)).await);
    assert!(
        taken.len() < length,
        "{} of {length} bytes came late",
        taken.len()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_whose_client_does_not_read_is_ended() {
    let Some(mut city) = City::start().await else {
        return;
    };
    city.add_docks(DOCKS).await;
    let limits = Limits {
        streams_per_peer: 1,
        reading_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = city.serve(limits).await;
    get(server.address, "/").await;
    let (head, _never_read) = server.open_from(ONE, "/live").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut version = 1;
    wait_until("the stream that is not read is ended", async || {
        version += 1;
        let change = format!("update availability set bikes = {version}, version = {version}");
        city.publish(version, &change).await;
        let (head, _) = server.open_from(ONE, "/live").await;
        head.starts_with("HTTP/1.1 200")
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_bounded_though_clients_are_slow() {
    let server = Running::without_database(Limits::default()).await;
    let mut silent: Vec<TcpStream> = Vec::new();
    for begun in ["", "GET / HTTP/1.1\r\nhost: a\r\n"].repeat(10) {
        let mut stream = server.connect_from(ONE).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    silent.push(server.open_from(ONE, "/live").await.1);
    silent.push(server.open_from(ONE, "/style.css").await.1);
    let asked = Instant::now();
    server.stop().await;
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
}
