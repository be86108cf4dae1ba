//! Nothing keeps people from using the page: WCAG 2.2 AA, by axe, in every state that it has.

use serde_json::json;
use testkit::browser::{Browser, Scripts};

use crate::at_hand::keep_page;
use crate::find::{click, open, type_into_search};
use crate::page::{City, DESKTOP, PHONE};

#[tokio::test(flavor = "multi_thread")]
async fn no_state_of_the_page_has_a_barrier() {
    let (Some(axe), Some(browser)) = (testkit::axe(), Browser::open(Scripts::On, PHONE).await)
    else {
        return;
    };
    let city = City::over();
    let address = city.address.clone();
    // Until the page has read that there is a past.
    loop {
        open(&browser, &address).await;
        if !browser.texts(".past summary").await.is_empty() {
            break;
        }
    }
    keep_page(&browser).await;
    let mut barriers = Vec::new();
    for state in ["live", "found", "flash", "suggestions", "dock", "past"] {
        show(&browser, &address, state).await;
        barriers.extend(barriers_in_all_looks(&browser, &axe, state).await);
    }
    drop(city);
    open(&browser, &address).await;
    browser
        .wait_until("return document.querySelector('#status[data-state=offline]')")
        .await;
    barriers.extend(barriers_in_all_looks(&browser, &axe, "offline").await);
    assert_eq!(barriers, [""; 0], "{}", barriers.join("\n"));
}

async fn show(browser: &Browser, address: &str, state: &str) {
    let at = match state {
        "found" => "?q=1+Park+Avenue",
        "flash" => "?q=hello",
        _ => "",
    };
    open(browser, &format!("{address}{at}")).await;
    match state {
        "suggestions" => {
            type_into_search(browser, "1 par").await;
            browser
                .wait_until("return document.querySelector('#suggestions-0')")
                .await;
        }
        "dock" => {
            click(browser, "#docks li:nth-child(3) a").await;
            click(browser, ".dock .star").await;
            browser
                .wait_until("return document.querySelector('#dock-day .today, #dock-day .since')")
                .await;
        }
        "past" => {
            click(browser, ".past summary").await;
            browser
                .wait_until("return document.querySelector('#city-day figure')")
                .await;
        }
        _ => {}
    }
}

/// On a phone and a desk, light and dark.
async fn barriers_in_all_looks(browser: &Browser, axe: &str, state: &str) -> Vec<String> {
    let mut barriers = Vec::new();
    for (width, height) in [PHONE, DESKTOP] {
        browser.client.set_window_size(width, height).await.unwrap();
        for scheme in ["light", "dark"] {
            let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
            let features = json!({ "features": [feature] });
            browser
                .devtools("Emulation.setEmulatedMedia", features)
                .await;
            let found = browser.barriers(axe).await;
            let place = format!("{state}, {width} pixels wide, {scheme}");
            barriers.extend(found.iter().map(|barrier| format!("{place}: {barrier}")));
        }
    }
    barriers
}
