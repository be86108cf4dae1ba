//! What the map follows: the city's changes and those of the screen.

use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{Event, ResizeObserver};

use super::events::{on, on_change};
use super::map_canvas::{LESS_MOTION, MapCanvas};
use crate::city::City;

/// Keeps the map in step for as long as the page lives.
pub(super) fn follow(city: City, map: &Rc<MapCanvas>) {
    follow_size(map);
    follow_media(map);
    follow_docks(city, map);
    follow_search_and_selection(city, map);
}

fn follow_size(map: &Rc<MapCanvas>) {
    let canvas = map.canvas().clone();
    let map = Rc::clone(map);
    let resized = Closure::<dyn Fn()>::new(move || map.size_changed());
    if let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) {
        observer.observe(&canvas);
        resized.forget();
    }
}

fn follow_media(map: &Rc<MapCanvas>) {
    for query in ["(prefers-color-scheme: dark)", LESS_MOTION] {
        let map = Rc::clone(map);
        if let Ok(Some(list)) = window().match_media(query) {
            on::<Event>(&list, "change", move |_| map.preferences_changed());
        }
    }
}

fn follow_docks(city: City, map: &Rc<MapCanvas>) {
    let changed = Rc::clone(map);
    let docks = move || {
        city.docks.track();
        city.seeking.track();
    };
    on_change(docks, move || changed.docks_changed());
    let map = Rc::clone(map);
    let seen = move || {
        city.version.track();
        city.clock.track();
        city.selected.track();
        city.outcome.track();
    };
    on_change(seen, move || map.redraw());
}

fn follow_search_and_selection(city: City, map: &Rc<MapCanvas>) {
    let found = Rc::clone(map);
    on_change(
        move || city.outcome.track(),
        move || {
            if let Some(place) = untrack(|| city.place()) {
                found.fly_to_place(&place);
                show_results();
            }
        },
    );
    let map = Rc::clone(map);
    on_change(
        move || city.selected.track(),
        move || {
            if let Some(dock) = city.selected.get_untracked() {
                map.bring_into_sight(dock);
            }
        },
    );
}

/// Brings the head of the lists into view: the results stand there.
fn show_results() {
    if let Some(lists) = document().query_selector(".lists").ok().flatten() {
        lists.set_scroll_top(0);
    }
}
