//! The browser's events, media queries and clock, each in one call.

use leptos::prelude::window;
use wasm_bindgen::prelude::*;
use web_sys::{AddEventListenerOptions, Event, EventTarget};

/// Calls `handler` at each event `name`, for as long as the page lives.
pub(super) fn on<E: JsCast>(target: &EventTarget, name: &str, handler: impl Fn(E) + 'static) {
    let options = AddEventListenerOptions::new();
    // A wheel or touch on the map must not scroll the page, so the listener may prevent it.
    options.set_passive(false);
    let call = Closure::<dyn Fn(Event)>::new(move |event: Event| handler(event.unchecked_into()));
    let added = target.add_event_listener_with_callback_and_add_event_listener_options(
        name,
        call.as_ref().unchecked_ref(),
        &options,
    );
    if added.is_ok() {
        call.forget();
    }
}

/// Whether a media query such as `(prefers-reduced-motion: reduce)` holds.
pub(super) fn media_matches(query: &str) -> bool {
    window()
        .match_media(query)
        .ok()
        .flatten()
        .is_some_and(|list| list.matches())
}

/// Milliseconds since the page was opened.
pub(super) fn now_ms() -> f64 {
    window()
        .performance()
        .map_or(0.0, |performance| performance.now())
}
