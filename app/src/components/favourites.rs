//! The docks at hand: chosen by their star, kept on the device.

use std::sync::Arc;

use leptos::prelude::*;

use crate::city::{City, LiveDock};
use crate::components::dock_item::DockItem;
use crate::words::Word;

/// All of them, above the other lists; nothing until a dock was chosen, and without script.
#[component]
pub(crate) fn FavouriteDocks() -> impl IntoView {
    let city = expect_context::<City>();
    let docks = move || {
        let among = |docks: &Vec<LiveDock>| city.favourites.with(|it| it.among(docks));
        city.docks.with(among)
    };
    let is_empty = move || docks().is_empty();
    view! {
        <section class="favourites" aria-labelledby="favourites-title" hidden=is_empty>
            <h2 id="favourites-title">{city.text(Word::MyDocks)}</h2>
            <ul id="favourites">
                <For each=docks key=|dock| (dock.id, Arc::clone(&dock.name)) let:dock>
                    <DockItem dock />
                </For>
            </ul>
        </section>
    }
}

/// Whether a dock is one of them, and the way to make it one.
#[component]
pub(crate) fn Star(name: Arc<str>) -> impl IntoView {
    let city = expect_context::<City>();
    let is_kept = {
        let name = Arc::clone(&name);
        Signal::derive(move || city.favourites.with(|it| it.has(&name)))
    };
    let toggle = move |_| {
        let name = Arc::clone(&name);
        city.favourites.update(|it| it.toggle(name));
    };
    view! {
        <button
            type="button"
            class="star"
            aria-label=city.text(Word::KeepAmongMyDocks)
            aria-pressed=move || is_kept.get().to_string()
            on:click=toggle
        >
            {move || if is_kept.get() { "★" } else { "☆" }}
        </button>
    }
}
