//! What a rider keeps on the device: docks, and the page itself for when there is no network.

use serde_json::json;
use testkit::browser::{Browser, Scripts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::find::{click, open};
use crate::page::{City, PHONE, nothing_went_wrong_in_the_console};

const MY_DOCKS: &str = "return [...document.querySelectorAll('#favourites .name')]
    .map(name => name.textContent).join(', ')";

#[tokio::test(flavor = "multi_thread")]
async fn docks_are_kept_on_the_device_until_they_are_let_go() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let city = City::over();
    open(&browser, &city.address).await;
    let mut kept = Vec::new();
    for nth in [5, 3] {
        let dock = format!("#docks li:nth-child({nth}) a");
        kept.extend(browser.texts(&format!("{dock} .name")).await);
        click(&browser, &dock).await;
        click(&browser, ".dock .star").await;
        let is_kept = "return document.querySelector('.dock .star').ariaPressed === 'true'";
        browser.wait_until(is_kept).await;
    }
    let my_docks = browser.wait_until(MY_DOCKS).await;
    assert_eq!(my_docks, json!(kept.join(", ")), "in the order of choice");

    open(&browser, &city.address).await;
    assert_eq!(
        browser.wait_until(MY_DOCKS).await,
        my_docks,
        "after a new start"
    );
    click(&browser, "#favourites li:nth-child(1) a").await;
    click(&browser, ".dock .star").await;
    browser
        .wait_until(&format!("{MY_DOCKS} === '{}'", kept[1]))
        .await;
    nothing_went_wrong_in_the_console(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_the_page_opens_as_it_was_and_says_how_old_it_is() {
    let Some(browser) = Browser::open(Scripts::On, PHONE).await else {
        return;
    };
    let city = City::over();
    let address = city.address.clone();
    open(&browser, &address).await;
    keep_page(&browser).await;
    let listed = "return document.querySelector('#docks').innerText";
    let seen = browser.client.execute(listed, Vec::new()).await.unwrap();
    drop(city);

    // A search cannot be answered now; what is known is shown all the same.
    for is_proxied in [false, true] {
        let proxy = if is_proxied {
            Some(answer_bad_gateway(&address).await)
        } else {
            None
        };
        open(&browser, &format!("{address}?q=1+Park+Avenue")).await;
        let status = "return document.querySelector('#status[data-state=offline]')?.textContent";
        let status = browser.wait_until(status).await;
        let status = status.as_str().unwrap();
        assert!(status.starts_with("offline: as it was "), "{status}");
        let shown = browser.client.execute(listed, Vec::new()).await.unwrap();
        assert_eq!(shown, seen);
        drop(proxy);
    }
}

/// As a proxy whose server is gone, until it is dropped.
async fn answer_bad_gateway(address: &str) -> DropGuard {
    const ANSWER: &[u8] =
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let address = url::Url::parse(address).unwrap();
    let address = address.socket_addrs(|| None).unwrap()[0];
    let listener = TcpListener::bind(address).await.unwrap();
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    tokio::spawn(async move {
        while let Some(Ok((mut tcp, _))) = stop.run_until_cancelled(listener.accept()).await {
            tokio::spawn(async move {
                // A browser's head fits into one reading; some connections it only keeps ready.
                let read = tcp.read(&mut [0; 8_192]).await;
                if read.is_ok_and(|bytes| bytes > 0) {
                    tcp.write_all(ANSWER).await.ok();
                }
            });
        }
    });
    guard
}

/// Returns once the device has page and script.
pub(crate) async fn keep_page(browser: &Browser) {
    let keep = "const tell = arguments[0];
        navigator.serviceWorker.ready
            .then(() => caches.open('kept-page'))
            .then(async (cache) => {
                while (!await cache.match('/')) await new Promise(next => setTimeout(next, 20));
                tell(true);
            });";
    browser
        .client
        .execute_async(keep, Vec::new())
        .await
        .unwrap();
}
