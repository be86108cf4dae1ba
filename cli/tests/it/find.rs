//! Riders find what they look for: by kind, by a few letters, by where they are; and see a dock's day.

use fantoccini::Locator;
use serde_json::json;
use testkit::browser::{Browser, Scripts};

use crate::feed;
use crate::machine::Machine;
use crate::page::{City, PHONE, nothing_went_wrong_in_the_console};

pub(crate) async fn open(browser: &Browser, address: &str) {
    browser.client.goto(address).await.unwrap();
    browser
        .wait_until("return document.querySelector('.map').classList.contains('is-live')")
        .await;
}

pub(crate) async fn click(browser: &Browser, css: &str) {
    let element = browser.client.find(Locator::Css(css)).await.unwrap();
    element.click().await.unwrap();
}

pub(crate) async fn type_into_search(browser: &Browser, keys: &str) {
    let field = browser.client.find(Locator::Css("#q")).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(keys).await.unwrap();
}

/// The numbers on the circles of the list, by dock.
const AMOUNTS: &str = "return [...document.querySelectorAll('#docks li')]
    .map(dock => dock.querySelector('.name').textContent
        + ': ' + dock.querySelector('.amount').textContent)
    .join(', ')";

#[tokio::test(flavor = "multi_thread")]
async fn bikes_e_bikes_and_free_docks_are_shown_by_choice() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let (source, serving) = feed::serve("kinds-2.3").await;
    let machine = Machine::new();
    let command = machine.up(&source);
    let city = City::run(machine, command);
    loop {
        open(&browser, &city.address).await;
        if !browser.texts(".seeking a").await.is_empty() {
            break;
        }
    }
    let amounts = async || {
        let amounts = browser.client.execute(AMOUNTS, Vec::new()).await.unwrap();
        amounts.as_str().unwrap().to_owned()
    };
    let mut seen = vec![amounts().await];
    for choice in ["ebikes", "docks"] {
        click(&browser, &format!(".seeking a[href*='for={choice}']")).await;
        let is_chosen = format!("return location.search === '?for={choice}'");
        browser.wait_until(&is_chosen).await;
        seen.push(amounts().await);
    }
    browser.client.refresh().await.unwrap();
    assert_eq!(amounts().await, seen[2], "the server shows the same");
    expect_test::expect![[r#"
        Closed & Closed: –, Contradiction Ave: 3, Just a Count: 6, Kinds & Kinds: 5, No Returns: 4, Returns Only: –, Scooters & Bikes: 2
        Closed & Closed: –, Contradiction Ave: 3, Just a Count: ?, Kinds & Kinds: 2, No Returns: 4, Returns Only: –, Scooters & Bikes: 1
        Closed & Closed: –, Contradiction Ave: ?, Just a Count: ?, Kinds & Kinds: 12, No Returns: –, Returns Only: 9, Scooters & Bikes: 5"#]].assert_eq(&seen.join("\n"));
    nothing_went_wrong_in_the_console(&browser).await;
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_found_by_a_few_letters_and_by_where_one_is() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let city = City::over();
    open(&browser, &city.address).await;

    type_into_search(&browser, "1 par").await;
    browser
        .wait_until(
            "return document.querySelector('#suggestions-0')?.textContent.includes('1 Park Ave')",
        )
        .await;
    let field = browser.client.find(Locator::Css("#q")).await.unwrap();
    assert_eq!(field.attr("aria-expanded").await.unwrap().unwrap(), "true");
    // Down, and Enter.
    field.send_keys("\u{e015}\u{e007}").await.unwrap();
    let title = "return document.querySelector('#results-title')?.textContent";
    assert_eq!(browser.wait_until(title).await, json!("1 Park Ave"));
    assert_eq!(browser.texts("#suggestions li").await, [""; 0]);

    let origin = city.address.trim_end_matches('/');
    browser
        .devtools(
            "Browser.grantPermissions",
            json!({ "origin": origin, "permissions": ["geolocation"] }),
        )
        .await;
    let here = json!({ "latitude": 40.7484, "longitude": -73.9857, "accuracy": 20 });
    browser
        .devtools("Emulation.setGeolocationOverride", here)
        .await;
    click(&browser, "#locate").await;
    let is_here = "return document.querySelector('#results-title')?.textContent
        === '40.74840, -73.98570'";
    browser.wait_until(is_here).await;
    nothing_went_wrong_in_the_console(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_dock_shows_its_numbers_and_its_day() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let city = City::over();
    // Until the page has read that there is a past.
    loop {
        open(&browser, &city.address).await;
        if !browser.texts(".past summary").await.is_empty() {
            break;
        }
    }
    let first = "#docks li:nth-child(3) a";
    let name = browser.texts(&format!("{first} .name")).await.concat();
    click(&browser, first).await;
    browser
        .wait_until("return document.querySelector('#dock-day .today')?.getAttribute('d')")
        .await;
    assert_eq!(browser.texts(".dock h2").await.concat(), name);
    let drawn = browser.texts("#dock-day").await;

    // Without the script's help the same.
    browser.client.refresh().await.unwrap();
    assert_eq!(browser.texts(".dock h2").await.concat(), name);
    assert_eq!(browser.texts("#dock-day").await, drawn);
    browser
        .wait_until("return document.querySelector('.map').classList.contains('is-live')")
        .await;
    click(&browser, ".dock .close").await;
    browser
        .wait_until("return document.querySelector('.dock').hidden && !location.search")
        .await;
    nothing_went_wrong_in_the_console(&browser).await;
}
