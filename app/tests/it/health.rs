//! `/healthz` and the page when something has stopped.

use std::time::{Duration, Instant};

use app::{AppConfig, Database, Limits};
use axum::http::StatusCode;
use expect_test::expect;
use testkit::{BlackHole, get, wait_until};

use crate::city::{City, Running, hear, listen};
use crate::support::{Page, docks, reading};

#[tokio::test]
async fn a_city_whose_clock_goes_is_fine_and_one_without_a_clock_waits() {
    let answer = Page::with(docks()).get("/healthz").await;
    assert_eq!(answer.status, StatusCode::OK);
    expect![[r#"
        ok: version 1 at 2020-03-02T13:14:05Z
    "#]]
    .assert_eq(&answer.text);
    let answer = Page::empty().get("/healthz").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text, "ok: nothing has been published yet\n");
}

#[tokio::test]
async fn every_cause_is_a_line_of_its_own() {
    let page = Page::empty();
    let mut old = reading(1, docks());
    if let Some(clock) = &mut old.clock {
        clock.age = Duration::from_secs(600);
    }
    page.board.apply(old);
    page.board.set_database(Database::Down);
    page.board
        .set_failures(vec!["stream trips/0 trip-split: no such column".to_owned()]);
    let answer = page.get("/healthz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    expect![[r#"
        database: postgres does not respond
        stream trips/0 trip-split: no such column
        clock: nothing was published for 600 s
    "#]]
    .assert_eq(&answer.text);
}

#[tokio::test]
async fn the_page_and_the_health_call_the_same_clock_stale() {
    for (seconds, is_stale) in [(9, false), (11, true)] {
        let page = Page::empty();
        let mut old = reading(1, docks());
        if let Some(clock) = &mut old.clock {
            clock.age = Duration::from_secs(seconds);
        }
        page.board.apply(old);
        let status = page.get("/healthz").await.status;
        assert_eq!(
            status == StatusCode::SERVICE_UNAVAILABLE,
            is_stale,
            "{seconds} s"
        );
        let shown = page.get("/").await.text.contains("data-state=\"stale\"");
        assert_eq!(shown, is_stale, "{seconds} s");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stopped_for_good_makes_the_health_bad_until_it_is_taken_over() {
    let Some(mut city) = City::start().await else {
        return;
    };
    let server = city.serve(Limits::default()).await;
    wait_until("all is fine", async || {
        get(server.address, "/healthz").await.contains("200 OK")
    })
    .await;
    city.run(
        "insert into stream_cursor (topic, partition, module, next_offset, owner, generation, failure)
         values ('trips', 1, 'trip-split', 7, 'me', 1, E'no column \"x\":\\n\\x1b[31mok: version 9')",
    )
    .await;
    wait_until("the failure is told", async || {
        let health = get(server.address, "/healthz").await;
        health.contains("503 Service Unavailable")
            && health.contains("stream trips/1 trip-split: no column \"x\":  [31mok: version 9\n")
    })
    .await;
    city.run(
        "update stream_cursor set failure = null; update replay_clock set published_at = now()",
    )
    .await;
    city.publish(2, "select 1").await;
    wait_until("all is fine again", async || {
        get(server.address, "/healthz").await.contains("200 OK")
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_without_failures_is_told_and_the_page_lives() {
    let Some(mut city) = City::start().await else {
        return;
    };
    city.run("alter table stream_cursor drop column failure")
        .await;
    let server = city.serve(Limits::default()).await;
    wait_until("the health says so", async || {
        let health = get(server.address, "/healthz").await;
        health.contains("streams: could not read table \"stream_cursor\": column \"failure\"")
    })
    .await;
    let page = get(server.address, "/").await;
    assert!(page.contains("data-dock=\"1\" data-bikes=\"7\""));
    assert!(!page.contains("data-state=\"down\""));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_answers_nothing_hangs_no_request_and_is_found_again() {
    let Some(mut city) = City::start().await else {
        return;
    };
    let port: u16 = sqlx::query_scalar::<_, String>("show port")
        .fetch_one(&mut city.connection)
        .await
        .unwrap()
        .parse()
        .unwrap();
    let hole = BlackHole::before(([127, 0, 0, 1], port).into()).await;
    let through = city.postgres.url().replace(
        &format!(":{port}/"),
        &format!(":{}/", hole.address().port()),
    );
    assert_ne!(through, city.postgres.url());
    let server = Running::start(AppConfig {
        database_url: through,
        ..AppConfig::default()
    })
    .await;
    let mut live = listen(server.address, "/live").await;
    hear(&mut live, "\"version\":1").await;

    hole.swallow();
    wait_until("the health says so", async || {
        let asked = Instant::now();
        let health = get(server.address, "/healthz").await;
        let page = get(server.address, "/").await;
        assert!(page.contains("data-dock=\"1\" data-bikes=\"7\""));
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "{:?}",
            asked.elapsed()
        );
        health.contains("database: postgres does not respond")
    })
    .await;
    hear(&mut live, "\"database\":\"down\"").await;

    hole.pass();
    city.publish(
        2,
        "update availability set bikes = 6, version = 2 where location_id = 1",
    )
    .await;
    hear(&mut live, "[1,[6,0,1,1,1,null]]").await;

    // Neither does the stop wait for it.
    hole.swallow();
    let asked = Instant::now();
    server.stop().await;
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
}
