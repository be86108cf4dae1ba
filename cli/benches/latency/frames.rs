//! How the page feels: how soon it is live, and whether it keeps up with what changes.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use testkit::browser::Browser;

/// Loads that are measured of each kind.
const LOADS: usize = 5;

/// Before the page's own script: notes when the map is live, how long each drawing takes, and when frames
/// are shown.
const NOTE: &str = "
    const ask = window.requestAnimationFrame.bind(window);
    window.page_noted = { live_ms: 0, drawings_ms: [], frames_ms: [] };
    window.requestAnimationFrame = (draw) => ask((now) => {
        const began = performance.now();
        draw(now);
        window.page_noted.drawings_ms.push(performance.now() - began);
    });
    const look = (now) => {
        window.page_noted.frames_ms.push(now);
        if (!window.page_noted.live_ms && document.querySelector('.map.is-live'))
            window.page_noted.live_ms = performance.now();
        ask(look);
    };
    ask(look);";

/// What Chromium's developer tools call Fast 4G: bytes a second and milliseconds to and fro.
const FAST_4G: (f64, f64, f64) = (1_012_500.0, 168_750.0, 165.0);
/// A phone is so much slower than this machine.
const PHONE: u32 = 4;

/// Milliseconds from the request of the page to its live map, on this machine and as on a phone.
pub(crate) async fn live_after(browser: &Browser, page: &str) -> Result<[Vec<f64>; 2]> {
    let note = json!({ "source": NOTE });
    browser
        .devtools("Page.addScriptToEvaluateOnNewDocument", note)
        .await;
    let here = loads(browser, page).await?;
    slow_down(browser, Some(FAST_4G), PHONE).await;
    let phone = loads(browser, page).await?;
    slow_down(browser, None, 1).await;
    Ok([here, phone])
}

async fn slow_down(browser: &Browser, network: Option<(f64, f64, f64)>, processor: u32) {
    let (down, up, latency) = network.unwrap_or((-1.0, -1.0, 0.0));
    let network = json!({
        "offline": false, "latency": latency, "downloadThroughput": down, "uploadThroughput": up,
    });
    browser.devtools("Network.enable", json!({})).await;
    browser
        .devtools("Network.emulateNetworkConditions", network)
        .await;
    let processor = json!({ "rate": processor });
    browser
        .devtools("Emulation.setCPUThrottlingRate", processor)
        .await;
}

async fn loads(browser: &Browser, page: &str) -> Result<Vec<f64>> {
    let mut loads = Vec::new();
    for _ in 0..LOADS {
        // As on a first visit.
        browser
            .devtools("Network.clearBrowserCache", json!({}))
            .await;
        let all = json!({ "origin": page, "storageTypes": "all" });
        browser.devtools("Storage.clearDataForOrigin", all).await;
        browser.client.goto(page).await?;
        let live = browser
            .wait_until("return window.page_noted?.live_ms")
            .await;
        loads.push(live.as_f64().context("a number of milliseconds")?);
    }
    Ok(loads)
}

/// Milliseconds of each drawing of the map, and between two frames, since the page is open.
pub(crate) async fn seen(browser: &Browser) -> Result<[Vec<f64>; 2]> {
    let mut noted: Value = browser.wait_until("return window.page_noted").await;
    let drawings: Vec<f64> = serde_json::from_value(noted["drawings_ms"].take())?;
    let frames: Vec<f64> = serde_json::from_value(noted["frames_ms"].take())?;
    let between = frames.windows(2).map(|pair| pair[1] - pair[0]);
    Ok([drawings, between.collect()])
}
