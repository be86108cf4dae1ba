#![doc = include_str!("../README.md")]

// What is seen.
#[expect(
    unreachable_pub,
    reason = "Leptos writes `pub` before what it makes of a component"
)]
mod app;
#[expect(unreachable_pub, reason = "as above")]
mod components;
#[expect(unreachable_pub, reason = "as above")]
mod pages;
mod seeking;

// What both sides know.
#[cfg_attr(
    not(feature = "hydrate"),
    allow(
        dead_code,
        reason = "only the browser changes the city; how it does is tested natively"
    )
)]
mod city;
mod decimal;
mod favourites;
#[cfg(any(feature = "hydrate", test))]
mod json;
mod link;
#[cfg_attr(
    not(feature = "hydrate"),
    allow(
        dead_code,
        reason = "only the browser moves the map; how it does is tested natively"
    )
)]
mod map;
mod math;
mod model;
mod near;
mod sorted;
mod words;

// The server.
#[cfg(feature = "ssr")]
mod geocode;
#[cfg(feature = "ssr")]
mod moment;
#[cfg(feature = "ssr")]
mod query;
#[cfg(feature = "ssr")]
mod server;
#[cfg(feature = "ssr")]
mod text;

// The browser.
#[cfg(feature = "hydrate")]
mod client;

// What the program runs, and what it reads for `bikeshare status`.
pub use model::stale_seconds;
#[cfg(feature = "ssr")]
pub use query::streams::read_failures;
#[cfg(feature = "ssr")]
pub use server::{AppConfig, AppError, Limits, PageRole, Server, check_base_map};

// What tests put in the place of Postgres and of a port, and what they read.
pub use model::{Count, Database, Delta, Dock, FoundPlace, Heartbeat, Outcome, WallTime};
#[cfg(feature = "ssr")]
pub use query::docks::{Clock, DockRow, Reading};
#[cfg(feature = "ssr")]
pub use server::{AppState, SharedBoard, Subscriber, router};

/// Takes over the page that the server rendered; the page's script calls it once.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    client::panic::report_to_console();
    leptos::mount::hydrate_body(app::App);
}
