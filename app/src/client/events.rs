//! The browser's events, media queries and clock, each in one call.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::{Effect, set_timeout, window};
use wasm_bindgen::prelude::*;
use web_sys::{AddEventListenerOptions, Event, EventTarget};

/// Calls `handler` at each event `name`, for as long as the page lives.
pub(super) fn on<E: JsCast>(target: &EventTarget, name: &str, handler: impl Fn(E) + 'static) {
    let handler = move |event: Event| handler(event.unchecked_into());
    listen(target, name, Box::new(handler));
}

/// Made once for all kinds of events.
fn listen(target: &EventTarget, name: &str, handler: Box<dyn Fn(Event)>) {
    let options = AddEventListenerOptions::new();
    // A wheel or touch on the map must not scroll the page, so the listener may prevent it.
    options.set_passive(false);
    let call = Closure::wrap(handler);
    let added = target.add_event_listener_with_callback_and_add_event_listener_options(
        name,
        call.as_ref().unchecked_ref(),
        &options,
    );
    if added.is_ok() {
        call.forget();
    }
}

/// Calls `act` whenever something that `track` reads has changed; not at first.
pub(super) fn on_change(track: impl Fn() + 'static, act: impl Fn() + 'static) {
    watch(Box::new(track), Box::new(act));
}

/// Made once for all that is followed.
fn watch(track: Box<dyn Fn()>, act: Box<dyn Fn()>) {
    Effect::watch(track, move |(), _, _| act(), false);
}

/// What comes in floods is acted on after it has been still for this long.
const SETTLED: Duration = Duration::from_millis(300);

/// Calls `write` with what it is called with last, once nothing has come for a moment.
pub(super) fn when_still<T: 'static>(write: impl Fn(T) + 'static) -> impl Fn(T) {
    let (changes, write) = (Rc::new(Cell::new(0_u32)), Rc::new(write));
    move |value| {
        let change = changes.get().wrapping_add(1);
        changes.set(change);
        let (changes, write) = (Rc::clone(&changes), Rc::clone(&write));
        set_timeout(
            move || {
                if changes.get() == change {
                    write(value);
                }
            },
            SETTLED,
        );
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
