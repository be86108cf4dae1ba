//! What a rider looks for: bikes, e-bikes or free docks, and the nearest of them.

use app::{Count, Dock};
use domain::Stock;
use expect_test::expect;

use crate::support::{Page, dock, docks};

/// A dock at E 32 St & Park Ave or so, as a live feed tells of it.
fn known(id: i32, lat: f64, bikes: i32, ebikes: u16, free_docks: u16) -> Dock {
    Dock {
        id,
        name: format!("Dock {id}"),
        lat,
        lon: -73.9819,
        count: Count {
            bikes,
            stock: Stock {
                ebikes: Some(ebikes),
                free_docks: Some(free_docks),
                ..Stock::default()
            },
            ..Count::default()
        },
    }
}

/// Two blocks from each other; the last is far away.
fn known_docks() -> Vec<Dock> {
    vec![
        known(1, 40.7457, 7, 0, 0),
        known(2, 40.7470, 3, 3, 20),
        known(3, 40.7570, 9, 4, 2),
    ]
}

/// The numbers on the circles of the list.
fn amounts(text: &str) -> String {
    let list = text.split_once("<ul id=\"docks\"").unwrap().1;
    let spans = list.split("class=\"amount").skip(1);
    let text = |span: &str| {
        span.split_once('>')
            .unwrap()
            .1
            .split('<')
            .next()
            .unwrap()
            .to_owned()
    };
    let numbers = spans.map(text);
    numbers.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn all_numbers_are_of_what_is_sought() {
    let page = Page::with(known_docks());
    let mut seen = String::new();
    for path in ["/", "/?for=ebikes", "/?for=docks", "/?for=scooters"] {
        let answer = page.get(path).await;
        let summary = answer.element("<p id=\"summary\"").unwrap();
        seen += &format!("{path}: {} — {summary}\n", amounts(&answer.text));
    }
    expect![[r#"
        /: 7 3 9 — 3 of 3 docks have bikes, 19 bikes in all
        /?for=ebikes: 0 3 4 — 2 of 3 docks have e-bikes, 7 e-bikes in all
        /?for=docks: 0 20 2 — 2 of 3 docks have room, 22 free docks in all
        /?for=scooters: 7 3 9 — 3 of 3 docks have bikes, 19 bikes in all
    "#]]
    .assert_eq(&seen);
}

#[tokio::test]
async fn what_is_sought_is_chosen_by_links_that_keep_the_rest() {
    let answer = Page::with(known_docks())
        .get("/?q=1+Park+Avenue&for=docks")
        .await;
    let choice = answer.text.split_once("<nav ").unwrap().1;
    let choice = choice.split_once("</nav>").unwrap().0;
    let links: Vec<_> = choice
        .split("<a ")
        .skip(1)
        .map(|link| link.split_once("</a>").unwrap().0)
        .collect();
    expect![[r#"
        href="/?q=1+Park+Avenue" rel="external">Bikes
        href="/?q=1+Park+Avenue&amp;for=ebikes" rel="external">E-bikes
        href="/?q=1+Park+Avenue&amp;for=docks" rel="external" aria-current="true">Free docks"#]]
    .assert_eq(&links.join("\n"));
}

#[tokio::test]
async fn there_is_no_choice_where_docks_tell_of_bikes_alone() {
    let answer = Page::with(docks()).get("/").await;
    let choice = answer.text.split_once("<nav ").unwrap().1;
    let choice = choice.split_once("</nav>").unwrap().0;
    assert!(!choice.contains("<a "), "{choice}");
}

#[tokio::test]
async fn where_no_dock_within_three_blocks_has_any_the_nearest_is_told() {
    let empty = || vec![dock(1, "E 32 St & Park Ave", (40.7457, -73.9819), 0)];
    let far = dock(2, "E 50 St & Park Ave", (40.7570, -73.9735), 4);
    let farther = dock(3, "E 60 St & Park Ave", (40.7640, -73.9690), 4);
    let in_newark = dock(4, "Newark", (40.7350, -74.1700), 4);

    let page = Page::with([empty(), vec![farther, far]].concat());
    let answer = page.get("/?q=1+Park+Avenue").await;
    assert_eq!(answer.items("results").len(), 1);
    let beyond = answer.items("beyond");
    assert!(
        beyond.len() == 1 && beyond[0].contains("data-dock=\"2\""),
        "{beyond:?}"
    );
    let title = answer.element("<h3").unwrap();
    assert_eq!(title, "The nearest with bikes");

    let page = Page::with([empty(), vec![in_newark]].concat());
    let answer = page.get("/?q=1+Park+Avenue").await;
    assert_eq!(answer.items("beyond"), [""; 0], "nobody walks to Newark");
}

#[tokio::test]
async fn degrees_and_neighbourhoods_are_places() {
    let page = Page::with(docks());
    for (search, title) in [
        ("40.7457,+-73.9819", "40.7457, -73.9819"),
        ("Astoria", "Astoria"),
    ] {
        let answer = page.get(&format!("/?q={search}")).await;
        assert!(answer.element("<p id=\"flash\"").is_none(), "{search}");
        assert_eq!(answer.element("<h2 id=\"results-title\"").unwrap(), title);
    }
}

#[tokio::test]
async fn what_is_typed_is_completed() {
    let page = Page::with(docks());
    let answer = page.get("/api/suggest?q=1+par").await;
    expect![[r#"[{"text":"1 Park Ave","kind":"address"}]"#]].assert_eq(&answer.text);
    assert_eq!(page.get("/api/suggest?q=%22").await.text, "[]");
}
