//! The docks at hand are kept on the device, for all pages of this server.

use leptos::prelude::*;
use web_sys::{Storage, StorageEvent};

use super::events::{on, on_change};
use crate::city::City;
use crate::favourites::Favourites;

/// Where the device keeps them.
const KEY: &str = "favourites";

/// Reads them, and keeps page, device and the device's other pages in step.
pub(super) fn follow(city: City) {
    city.favourites.set(read());
    on::<StorageEvent>(&window(), "storage", move |event| {
        if event.key().is_none_or(|key| key == KEY) {
            city.favourites.set(read());
        }
    });
    on_change(
        move || city.favourites.track(),
        move || city.favourites.with_untracked(write),
    );
}

fn read() -> Favourites {
    let text = storage().and_then(|storage| storage.get_item(KEY).ok()?);
    Favourites::parse(&text.unwrap_or_default())
}

fn write(favourites: &Favourites) {
    if let Some(storage) = storage() {
        // On a device that is full they last as long as the page.
        storage.set_item(KEY, &favourites.to_text()).ok();
    }
}

/// None where the rider lets pages keep nothing.
fn storage() -> Option<Storage> {
    window().local_storage().ok()?
}
