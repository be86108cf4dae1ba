//! The past: any instant that is stored, as a page, as JSON and as the periods of a film.

use std::net::SocketAddr;

use app::Limits;
use chrono::{DateTime, Utc};
use domain::Availability;
use domain::availability::BikeEvent;
use domain::past::{Period, Recorder};
use expect_test::{Expect, expect};
use testkit::{get, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::city::{City, head};

/// The first instant of the past: 7:00 in New York.
const MORNING: &str = "2020-03-02T12:00:00Z";

/// A bike comes to dock 1 at 7:10, leaves at 7:20 and comes to dock 2 at 7:40; the clock stands at 8:14.
pub(crate) async fn city() -> Option<City> {
    let mut city = City::start().await?;
    let mut availability = Availability::default();
    availability.record(Some(Recorder::default()));
    let morning: DateTime<Utc> = MORNING.parse().unwrap();
    for (id, minutes, location_id, docked) in
        [(0, 10, 1, true), (1, 20, 1, false), (3, 40, 2, true)]
    {
        availability.apply(BikeEvent {
            at: morning + chrono::TimeDelta::minutes(minutes),
            id,
            bike_id: Some("7".into()),
            location_id,
            docked,
        });
    }
    availability.advance(morning + chrono::TimeDelta::hours(1));
    let clock = availability.clock().unwrap();
    for period in availability.recorder().unwrap().take(clock) {
        let bytes: String = period
            .bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        city.run(&format!(
            "insert into past_period values (to_timestamp({}), to_timestamp({}), {}, '\\x{bytes}')",
            period.start, period.end, period.events
        ))
        .await;
    }
    Some(city)
}

/// What a page says of the past: its clock, each dock's count, and what stands in the way.
fn digest(page: &str) -> String {
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from)?;
        Some(rest.split_once(to)?.0.to_owned())
    };
    let clock = between("<p id=\"clock\"", "</time>").unwrap_or_default();
    let clock = clock.rsplit('>').next().unwrap_or_default().to_owned();
    let docks: Vec<_> = page
        .split("data-dock=\"")
        .skip(1)
        .filter_map(|item| {
            let (dock, rest) = item.split_once('"')?;
            let (_, rest) = rest.split_once("class=\"amount")?;
            let (_, rest) = rest.split_once('>')?;
            Some(format!("{dock}: {}", rest.split('<').next()?))
        })
        .collect();
    let flash = between("class=\"flash\">", "</p>").unwrap_or_default();
    let note = between("class=\"note\">", "</p>").unwrap_or_default();
    format!("{clock}\n{}\n{flash}{note}\n", docks.join(", "))
}

async fn check(address: SocketAddr, path: &str, expected: Expect) {
    let answer = get(address, path).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    expected.assert_eq(&digest(&answer));
}

/// Head and content of an answer.
pub(crate) async fn ask(address: SocketAddr, path: &str, header: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{header}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(&mut stream).await;
    let mut content = Vec::new();
    stream.read_to_end(&mut content).await.unwrap();
    (head, content)
}

pub(crate) async fn past_is_known(address: SocketAddr) {
    wait_until("the past is known", async || {
        get(address, "/").await.contains("class=\"past\"")
    })
    .await;
}

#[tokio::test]
async fn a_docks_day_tells_when_bikes_came_and_went() {
    let Some(city) = city().await else { return };
    let server = city.serve(Limits::default()).await;
    past_is_known(server.address).await;
    let mut days = String::new();
    for path in [
        "/dock/past?dock=1",
        "/dock/past?dock=1&at=2020-03-02T07:15",
        "/dock/past?dock=2",
        "/dock/past?dock=3",
        "/dock/past?dock=none",
        "/dock/past?dock=1&at=2030-03-02T07:15",
        "/dock/past?dock=1&at=today",
    ] {
        let answer = get(server.address, path).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        days += &format!("{path}: {status} {}\n", text_of(body));
    }
    expect![[r#"
        /dock/past?dock=1: 200 Last taken 07:20 6:00 12:00 18:00 5 Today 1 taken, 0 returned.
        /dock/past?dock=1&at=2020-03-02T07:15: 200 No bike was taken or returned for a day. 6:00 12:00 18:00 5 Today 0 taken, 0 returned.
        /dock/past?dock=2: 200 No bike was taken or returned for a day. 6:00 12:00 18:00 5 Today 0 taken, 0 returned.
        /dock/past?dock=3: 200 No bike was taken or returned for a day.
        /dock/past?dock=none: 400 "dock" is the number of a dock
        /dock/past?dock=1&at=2030-03-02T07:15: 404 this has not come yet: these are the docks as they are now
        /dock/past?dock=1&at=today: 400 this is no instant: type an instant such as 2020-03-01T08:30, by the city's clocks
    "#]].assert_eq(&days);
    // The same stands on the page of the dock.
    let page = get(server.address, "/?dock=1").await;
    assert!(page.contains("Last taken 07:20"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_day_of_the_city_tells_how_many_bikes_were_taken_and_when() {
    let Some(mut city) = city().await else { return };
    city.run(
        "insert into frequency values
            ('2020-03-02T04:59:55Z', 0, 9),
            ('2020-03-02T12:30:00Z', 0, 3), ('2020-03-02T12:30:00Z', 1, 1),
            ('2020-03-02T12:34:55Z', 2, 2), ('2020-03-02T12:35:00Z', 2, 5)",
    )
    .await;
    let server = city.serve(Limits::default()).await;
    past_is_known(server.address).await;
    let mut days = String::new();
    for path in [
        "/city/day",
        "/city/day?at=2020-03-02T07:31",
        "/city/day?at=2020-03-02T07:40",
        "/city/day?at=2030-03-02T07:15",
    ] {
        let answer = get(server.address, path).await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        days += &format!("{path}: {}\n", text_of(body));
    }
    expect![[r#"
        /city/day: 6:00 12:00 18:00 11 bikes taken on this day, 0 of them in the five minutes shown
        /city/day?at=2020-03-02T07:31: 6:00 12:00 18:00 11 bikes taken on this day, 6 of them in the five minutes shown
        /city/day?at=2020-03-02T07:40: 6:00 12:00 18:00 11 bikes taken on this day, 0 of them in the five minutes shown
        /city/day?at=2030-03-02T07:15: this has not come yet: these are the docks as they are now
    "#]]
    .assert_eq(&days);
    // The same stands on the page of an instant.
    let page = get(server.address, "/?at=2020-03-02T07:31").await;
    assert!(
        page.contains("6 of them in the five minutes shown"),
        "{page}"
    );
    server.stop().await;
}

/// What a reader sees of HTML, in one line.
fn text_of(html: &str) -> String {
    let parts = html
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    let text: Vec<_> = parts.flat_map(str::split_whitespace).collect();
    text.join(" ")
}

#[tokio::test]
async fn a_page_of_the_past_shows_that_instant_and_the_way_back() {
    let Some(city) = city().await else { return };
    let server = city.serve(Limits::default()).await;
    past_is_known(server.address).await;
    check(
        server.address,
        "/?at=2020-03-02T07:15",
        expect![[r#"
        as it was on Mon 2 Mar 2020, 07:15:00 New York time
        1: 1, 2: –

    "#]],
    )
    .await;
    check(
        server.address,
        "/?at=2020-03-02T07:40",
        expect![[r#"
        as it was on Mon 2 Mar 2020, 07:40:00 New York time
        1: 0, 2: 1

    "#]],
    )
    .await;
    check(
        server.address,
        "/?at=2020-03-02T12:39:59Z",
        expect![[r#"
        as it was on Mon 2 Mar 2020, 07:39:59 New York time
        1: 0, 2: –

    "#]],
    )
    .await;
    let page = get(
        server.address,
        "/?at=2020-03-02T07:15&dock=1&q=1+Park+Avenue",
    )
    .await;
    for expected in [
        "data-state=\"past\"",
        "href=\"/?q=1+Park+Avenue&amp;dock=1\"",
        "dock=2&amp;at=2020-03-02T07:15",
        "value=\"2020-03-02T07:15\"",
        "<details open class=\"past\"",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_instant_of_the_past_is_told_and_never_an_error() {
    let Some(mut city) = city().await else { return };
    let server = city.serve(Limits::default()).await;
    past_is_known(server.address).await;
    check(
        server.address,
        "/?at=yesterday",
        expect![[r#"
        as of Mon 2 Mar 2020, 08:14:05 New York time
        1: 7, 2: 0
        this is no instant: type an instant such as 2020-03-01T08:30, by the city's clocks
    "#]],
    )
    .await;
    check(
        server.address,
        "/?at=2020-03-02T09:00",
        expect![[r#"
        as of Mon 2 Mar 2020, 08:14:05 New York time
        1: 7, 2: 0
        this has not come yet: these are the docks as they are now
    "#]],
    )
    .await;
    check(
        server.address,
        "/?at=2013-01-01T00:00",
        expect![[r#"
        as it was on Mon 2 Mar 2020, 07:09:59 New York time
        1: –, 2: –
        before this nothing is stored: the past begins here
    "#]],
    )
    .await;
    check(
        server.address,
        "/?at=2020-03-02T08:10",
        expect![[r#"
        as it was on Mon 2 Mar 2020, 08:00:00 New York time
        1: 0, 2: 1
        the past is stored up to here so far
    "#]],
    )
    .await;
    city.run(
        "insert into availability_checkpoint (format, next_offsets, state, past_stale_from)
         values (3, '{}', '', '2020-03-02T12:30:00Z')",
    )
    .await;
    wait_until("the page knows", async || {
        let page = get(server.address, "/?at=2020-03-02T07:45").await;
        page.contains("this part of the past is being corrected")
    })
    .await;
    city.run("update past_period set docks = '\\x00'").await;
    check(
        server.address,
        "/?at=2020-03-02T07:15",
        expect![[r#"
        as of Mon 2 Mar 2020, 08:14:05 New York time
        1: 7, 2: 0
        the past could not be read: try again soon
    "#]],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn without_a_past_there_is_nothing_to_look_back_to() {
    let Some(mut city) = City::start().await else {
        return;
    };
    let server = city.serve(Limits::default()).await;
    let refused = "nothing of the past is stored yet: these are the docks as they are now\n";
    for table in ["", "drop table past_period"] {
        city.run(table).await;
        let page = get(server.address, "/?at=2020-03-02T07:15").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains(refused.trim()), "{page}");
        assert!(!page.contains("<details"), "{page}");
        let json = get(server.address, "/api/past?at=2020-03-02T07:15").await;
        assert!(
            json.starts_with("HTTP/1.1 404") && json.ends_with(refused),
            "{json}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn programs_get_an_instant_as_json_and_a_film_its_periods() {
    let Some(city) = city().await else { return };
    let server = city.serve(Limits::default()).await;
    past_is_known(server.address).await;
    let json = get(server.address, "/api/past?at=2020-03-02T07:40").await;
    let (_, json) = json.split_once("\r\n\r\n").unwrap();
    expect![[r#"{"utc":"2020-03-02T12:40:00Z","local":"2020-03-02T07:40:00 New York","note":null,"docks":[[1,[0,0,1,1,1,null]],[2,[1,0,1,1,1,null]]]}"#]]
        .assert_eq(json);
    let morning = MORNING.parse::<DateTime<Utc>>().unwrap().timestamp();
    let path = format!("/api/past/period?second={}", morning + 1_800);
    let (head, bytes) = ask(server.address, &path, "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("cache-control: public, no-cache"), "{head}");
    let (_, tag) = head.split_once("etag: ").unwrap();
    let known = format!("if-none-match: {}\r\n", tag.split("\r\n").next().unwrap());
    let (head, _) = ask(server.address, &path, &known).await;
    assert!(head.starts_with("HTTP/1.1 304"), "{head}");
    let period = Period::from_wire(&bytes).unwrap();
    let bikes = |second| {
        let docks = period.at(morning + second).into_iter();
        docks
            .map(|(dock, count)| format!("{dock}: {}", count.bikes))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(bikes(600), "1: 1");
    assert_eq!(bikes(2_400), "1: 0, 2: 1");
    assert_eq!(period.end(), morning + 3_600);
    for (query, status) in [
        ("", "400"),
        ("?second=x", "400"),
        ("?second=-9999999999999", "404"),
    ] {
        let answer = get(server.address, &format!("/api/past/period{query}")).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    server.stop().await;
}
