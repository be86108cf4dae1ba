#![doc = include_str!("../README.md")]

// What both sides know.
pub mod app;
pub mod city;
pub mod components;
pub(crate) mod link;
#[cfg_attr(
    not(feature = "hydrate"),
    allow(
        dead_code,
        reason = "only the browser moves the map; its rules are tested natively"
    )
)]
pub mod map;
pub mod model;
pub mod near;
pub mod pages;

// What the browser asks for.
pub mod api;

// The server.
#[cfg(feature = "ssr")]
pub mod geocode;
#[cfg(feature = "ssr")]
pub(crate) mod moment;
#[cfg(feature = "ssr")]
pub mod query;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod text;

// The browser.
#[cfg(feature = "hydrate")]
pub mod client;

#[cfg(feature = "ssr")]
pub use server::{AppConfig, AppError, Limits, Server};

/// Takes over the page that the server rendered; the page's script calls it once.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    client::panic::report_to_console();
    leptos::mount::hydrate_body(app::App);
}
