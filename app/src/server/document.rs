//! The HTML document around the page.

use leptos::prelude::*;

use super::assets::Links;
use crate::app::App;
use crate::model::PageContent;
use crate::words::Word;

/// The whole document: the head, with where style, icon and client are, and the page.
pub(super) fn document(links: &'static Links) -> impl IntoView + use<> {
    let (words, base_map) = with_context(|content: &PageContent| {
        let base_map = content.base_map.as_ref();
        (content.words, base_map.map(|it| it.address.clone()))
    })
    .unwrap_or_default();
    let nonce = leptos::nonce::use_nonce();
    let client = links.client.as_ref().map(|(script, wasm)| {
        let start = format!(
            "import start,{{hydrate}} from \"{script}\";\
             start({{module_or_path:\"{wasm}\"}}).then(hydrate)"
        );
        view! {
            <link rel="modulepreload" href=script.as_str() />
            <link rel="preload" href=wasm.as_str() r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
            {base_map.clone().map(|base_map| view! {
                <link rel="preload" href=base_map r#as="fetch" crossorigin="anonymous" />
            })}
            <script type="module" nonce=nonce inner_html=start></script>
        }
    });
    view! {
        <!DOCTYPE html>
        <html lang=words.get(Word::Code)>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />
                <meta name="color-scheme" content="light dark" />
                <meta name="theme-color" media="(prefers-color-scheme: light)" content="#ffffff" />
                <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#12181f" />
                <meta name="description" content=words.get(Word::Description) />
                <title>{words.get(Word::Title)}</title>
                <link rel="stylesheet" href=links.style.as_str() />
                <link rel="icon" type="image/svg+xml" href=links.icon.as_str() />
                <link rel="apple-touch-icon" href="/icon-192.png" />
                <link rel="manifest" href=links.manifest.as_str() />
                <link rel="gbfs" type="application/json" href="/gbfs/3.0/gbfs.json" />
                {client}
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
