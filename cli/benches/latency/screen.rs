//! When the count of the watched dock is on the screen.

use anyhow::{Context, Result};
use testkit::browser::Browser;

use crate::city::Clock;
use crate::rows::milliseconds;

/// Notes each count when the frame that shows it has been drawn: a message that is sent within a frame's
/// callbacks is delivered behind its drawing.
const WATCH: &str = "
    const item = [...document.querySelectorAll('#docks li[data-dock]')]
        .find(item => item.textContent.includes(arguments[0]));
    if (!item || !document.querySelector('canvas#map[data-docks]')) return null;
    window.frames_seen = [];
    new MutationObserver(() => {
        const bikes = Number(item.dataset.bikes);
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () =>
                window.frames_seen.push([bikes, performance.timeOrigin + performance.now()]);
            port2.postMessage(0);
        });
    }).observe(item, { attributes: true, attributeFilter: ['data-bikes'] });
    window.watched_dock = Number(item.dataset.dock);
    return true;";

/// Opens the page and begins to look.
pub(crate) async fn watch(browser: &Browser, page: &str, name: &str) -> Result<()> {
    browser.client.goto(page).await?;
    let quoted = serde_json::to_string(name)?;
    browser
        .wait_until(&WATCH.replace("arguments[0]", &quoted))
        .await;
    Ok(())
}

/// Key of the watched dock.
pub(crate) async fn dock(browser: &Browser) -> Result<i32> {
    let dock = browser.wait_until("return window.watched_dock").await;
    Ok(i32::try_from(
        dock.as_i64().context("a dock has a number")?,
    )?)
}

/// Milliseconds from each departure to the frame that shows it.
pub(crate) async fn since_due(browser: &Browser, clock: Clock) -> Result<Vec<f64>> {
    let seen = browser.wait_until("return window.frames_seen").await;
    let seen: Vec<(i64, f64)> = serde_json::from_value(seen)?;
    let seen = seen.into_iter().skip(1);
    let since = seen.filter_map(|(bikes, at_ms)| {
        let due = clock.due_of_count(bikes)?;
        #[expect(clippy::cast_possible_truncation, reason = "a time of day")]
        let at = (at_ms * 1e3) as i64;
        Some(milliseconds(due, at))
    });
    Ok(since.collect())
}
