//! The selected dock: what is there now, and how its day has been.

use leptos::prelude::*;

use crate::city::{City, LiveDock};
use crate::components::favourites::Star;
use crate::components::is_plain;
use crate::link::Address;
use crate::map::look;
use crate::words::Word;

/// Shown above the lists while a dock is selected.
#[component]
pub(crate) fn DockPanel(
    /// The dock's day, as the server drew it; the browser's script asks for another dock's.
    drawn: String,
) -> impl IntoView {
    let city = expect_context::<City>();
    let dock = move || {
        let id = city.selected.get()?;
        city.docks
            .with(|docks| docks.iter().find(|dock| dock.id == id).cloned())
    };
    let day = NodeRef::<leptos::html::Div>::new();
    follow(city, day);
    view! {
        <section class="dock" aria-label=city.text(Word::SelectedDock) hidden=move || dock().is_none()>
            {move || dock().map(|dock| view! { <Now dock /> })}
            <div id="dock-day" node_ref=day inner_html=drawn></div>
        </section>
    }
}

/// Name and numbers, and a way to close it.
#[component]
fn Now(dock: LiveDock) -> impl IntoView {
    let city = expect_context::<City>();
    let LiveDock { name, count, .. } = dock;
    let closed = move || {
        let dock = None;
        Address {
            dock,
            ..city.address()
        }
        .link()
    };
    let close = move |event: leptos::ev::MouseEvent| {
        if is_plain(&event) {
            event.prevent_default();
            city.selected.set(None);
        }
    };
    let line = move || {
        let count = count.get();
        let parts = [
            Some(look::stock(city.words, count)),
            look::note(city.words, count),
            look::broken(city.words, count),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    view! {
        <h2>{name.to_string()}</h2>
        <Star name />
        <a
            class="close"
            href=closed
            rel="external"
            aria-label=city.text(Word::Close)
            on:click=close
        >
            "×"
        </a>
        <p class="numbers">{line}</p>
    }
}

#[cfg(feature = "hydrate")]
fn follow(city: City, day: NodeRef<leptos::html::Div>) {
    Effect::new(move || untrack(|| crate::client::dock_day::follow(city, day)));
}

#[cfg(not(feature = "hydrate"))]
fn follow(_city: City, _day: NodeRef<leptos::html::Div>) {}
