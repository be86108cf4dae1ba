//! The page's address holds its state: search, dock and instant of the past in the query, the view in
//! the hash.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::JsValue;
use web_sys::{Event, UrlSearchParams};

use super::events::{on, on_change, when_still};
use super::map_canvas::MapCanvas;
use super::search::search;
use crate::city::City;
use crate::decimal;
use crate::map::view::View;
use crate::seeking::Seeking;

/// The view in the address, if it holds one.
pub(super) fn view() -> Option<View> {
    View::from_hash(&window().location().hash().ok()?)
}

/// Keeps address and page in step, both ways; the view's way to the address is [`view_writer`].
pub(super) fn follow(city: City, map: &Rc<MapCanvas>) {
    let state = move || {
        city.query.track();
        city.selected.track();
        city.seeking.track();
    };
    let written = RefCell::new(city.query.get_untracked());
    on_change(state, move || {
        let query = city.query.get_untracked();
        let is_new_search = *written.borrow() != query;
        written.replace(query);
        write(city, is_new_search);
    });
    // A film shows ten instants in a second: browsers refuse so many changes of the address.
    let write_instant = when_still(move |()| write(city, false));
    on_change(move || city.instant.track(), move || write_instant(()));
    on::<Event>(&window(), "popstate", {
        let map = Rc::clone(map);
        move |_| go_back(city, &map)
    });
}

/// Writes the view that it is called with, once it has been still for a moment: the one that the
/// rider chose, if any.
pub(super) fn view_writer() -> impl Fn(Option<View>) {
    when_still(write_view)
}

fn write_view(view: Option<View>) {
    let hash = view.map_or_else(String::new, |view| view.to_hash());
    let search = window().location().search().unwrap_or_default();
    replace(&format!("/{search}{hash}"));
}

/// A new search is a step one can go back from; anything else is not.
fn write(city: City, is_new_search: bool) {
    let search = untrack(|| city.address()).query();
    if search == window().location().search().unwrap_or_default() {
        return;
    }
    if is_new_search {
        push(&format!("/{search}"));
    } else {
        replace(&format!(
            "/{search}{}",
            window().location().hash().unwrap_or_default()
        ));
    }
}

/// Takes the page to what its address says.
fn go_back(city: City, map: &MapCanvas) {
    let search_text = window().location().search().unwrap_or_default();
    let Ok(params) = UrlSearchParams::new_with_str(&search_text) else {
        return;
    };
    let at = city
        .instant
        .with_untracked(|instant| instant.as_ref().map(|at| at.local.clone()));
    if params.get("at") != at {
        // Another time is another page.
        window().location().reload().ok();
        return;
    }
    let query = params.get("q").unwrap_or_default();
    city.selected
        .set(params.get("dock").and_then(|id| decimal::integer(&id)));
    let seeking = params.get("for").unwrap_or_default();
    city.seeking.set(Seeking::from_address(&seeking));
    if query != city.query.get_untracked() {
        city.query.set(query);
        search(city);
    }
    if let Some(view) = view() {
        map.show(view);
    }
}

// Browsers refuse only floods of changes; the next one then writes the address.
fn push(url: &str) {
    if let Ok(history) = window().history() {
        history
            .push_state_with_url(&JsValue::NULL, "", Some(url))
            .ok();
    }
}

fn replace(url: &str) {
    if let Ok(history) = window().history() {
        history
            .replace_state_with_url(&JsValue::NULL, "", Some(url))
            .ok();
    }
}
