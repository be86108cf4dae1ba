//! The document around the page, and its root component.

use leptos::prelude::*;

use crate::city::City;
use crate::model::PageContent;
use crate::pages::home::Home;

/// The whole document, rendered on the server only.
#[cfg(feature = "ssr")]
pub(crate) fn shell(links: &'static crate::server::Links) -> impl IntoView + use<> {
    let nonce = leptos::nonce::use_nonce();
    let client = links.client.as_ref().map(|(script, wasm)| {
        let start = format!(
            "import start,{{hydrate}} from \"{script}\";\
             start({{module_or_path:\"{wasm}\"}}).then(hydrate)"
        );
        view! {
            <link rel="modulepreload" href=script.as_str() />
            <link rel="preload" href=wasm.as_str() r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
            <script type="module" nonce=nonce inner_html=start></script>
        }
    });
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#ffffff" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#12181f" />
                <meta name="description" content="Which docks have bikes, as it happens." />
                <title>"Bikes at the docks, live"</title>
                <link rel="stylesheet" href=links.style.as_str() />
                <link rel="icon" type="image/svg+xml" href=links.icon.as_str() />
                <link rel="gbfs" type="application/json" href="/gbfs/3.0/gbfs.json" />
                {client}
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The page, rendered on the server and taken over by the browser.
#[component]
pub fn App() -> impl IntoView {
    let (content, still_map) = content();
    provide_context(City::new(content));
    view! { <Home still_map /> }
}

/// The content that the request's handler provides, and the map drawn from it.
///
/// All of it travels inside the page but the docks: the browser reads them off the list.
#[cfg(feature = "ssr")]
fn content() -> (PageContent, String) {
    let mut content = use_context::<PageContent>().unwrap_or_default();
    let still_map = crate::map::svg::draw(&content);
    let docks = std::mem::take(&mut content.snapshot.docks);
    let mut content = SharedValue::new(|| content).into_inner();
    content.snapshot.docks = docks;
    (content, still_map)
}

/// The content as it came with the page; the server's drawing stays as it is.
#[cfg(not(feature = "ssr"))]
fn content() -> (PageContent, String) {
    #[cfg_attr(
        not(feature = "hydrate"),
        expect(unused_mut, reason = "only the browser reads docks")
    )]
    let mut content = SharedValue::new(PageContent::default).into_inner();
    #[cfg(feature = "hydrate")]
    {
        content.snapshot.docks = crate::client::page::docks();
    }
    (content, String::new())
}
