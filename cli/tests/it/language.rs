//! A page that came in one language stays in it when its script takes over.

use serde_json::json;
use testkit::browser::{Browser, Scripts};

use crate::find::{click, open};
use crate::page::{City, PHONE, nothing_went_wrong_in_the_console};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_spanish_stays_spanish_whatever_the_rider_does() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let city = City::over();
    open(&browser, &format!("{}?lang=es", city.address)).await;
    // Chosen once, it is kept.
    open(&browser, &city.address).await;
    let text = async |css: &str| {
        let script = format!("return document.querySelector('{css}')?.textContent");
        browser.wait_until(&script).await
    };
    assert_eq!(text("#docks-title").await, json!("Todas las estaciones"));
    click(&browser, "#docks li:nth-child(3) a").await;
    click(&browser, ".dock .star").await;
    assert_eq!(text("#favourites-title").await, json!("Mis estaciones"));
    let label = text(".map .label.is-shown").await;
    assert!(label.as_str().unwrap().contains("bici"), "{label}");
    let clock = text("#clock time").await;
    let clock = clock.as_str().unwrap();
    assert!(clock.starts_with("datos del "), "{clock}");
    assert!(clock.ends_with("hora de New York"), "{clock}");
    nothing_went_wrong_in_the_console(&browser).await;
}
