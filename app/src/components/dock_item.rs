//! One dock in a list: its name, its bikes, and the way to it where there is one.

use domain::Service;
use leptos::ev::MouseEvent;
use leptos::prelude::*;

use crate::city::{City, LiveDock};
use crate::components::is_plain;
use crate::decimal::fixed;
use crate::link::Address;
use crate::map::look;
use crate::model::{Count, Outcome, WallTime, stock_text};
use crate::words::Words;

/// Tells each item whether it is the selected one, without waking the others.
#[derive(Clone)]
pub(crate) struct Chosen(pub Selector<Option<i32>>);

impl std::fmt::Debug for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chosen")
    }
}

/// A list item that follows its dock; selecting it selects the dock on the map too.
#[component]
pub(crate) fn DockItem(
    /// The dock.
    dock: LiveDock,
    /// Distance from the address searched for, in metres.
    #[prop(optional)]
    metres: Option<f64>,
    /// The same in words.
    #[prop(optional, into)]
    way: Option<String>,
) -> impl IntoView {
    let city = expect_context::<City>();
    let Chosen(chosen) = expect_context::<Chosen>();
    let LiveDock {
        id,
        name,
        count,
        lat,
        lon,
    } = dock;
    // Only the server writes it: the browser reads the docks off the list that it was given.
    let is_source = cfg!(feature = "ssr") && metres.is_none();
    // To a metre: a feed's further digits say nothing on a map and are the worst to compress.
    let at = is_source.then(|| format!("{},{}", fixed(lat, 5), fixed(lon, 5)));
    let stock = is_source.then(|| stock_text(count.get_untracked().stock));
    let select = move |event: MouseEvent| {
        if is_plain(&event) {
            event.prevent_default();
            city.selected
                .update(|selected| *selected = (*selected != Some(id)).then_some(id));
        }
    };
    // Read once: without script the link keeps a search that gave a place, which is short.
    let is_found = matches!(city.outcome.get_untracked(), Some(Outcome::Found(_)));
    let mut address = Address {
        dock: Some(id),
        ..untrack(|| city.address())
    };
    if !is_found {
        address.search.clear();
    }
    let amount = move || count.get().amount(city.seeking.get());
    view! {
        <li
            data-dock=id
            data-bikes=move || count.get().bikes
            data-estimated=move || count.get().estimated.then_some("")
            data-service=move || service(count.get())
            data-last-seen=move || count.get().last_seen.map(WallTime::to_text)
            data-at=at
            data-stock=stock.flatten()
            data-metres=metres.map(|metres| fixed(metres, 0))
            aria-current=move || chosen.selected(&Some(id)).then_some("true")
        >
            <a href=address.query() on:click=select>
                <span class="amount" class:none=move || amount() <= 0 aria-hidden="true">
                    {move || look::number(count.get(), city.seeking.get())}
                </span>
                <span class="text">
                    <span class="name">{name.to_string()}</span>
                    {way.map(|way| view! { <span class="way">{way}</span> })}
                    {move || details(city.words, count.get())}
                </span>
                <span class="words">{move || spoken(city.words, count.get())}</span>
            </a>
        </li>
    }
}

/// The circle in words, unless the details say it too.
fn spoken(words: Words, count: Count) -> Option<String> {
    let is_unknown = count.stock.is_unknown();
    is_unknown.then(|| look::words(words, count))
}

/// What the circle does not say; without a live feed that is nothing, or a note.
fn details(words: Words, count: Count) -> impl IntoView {
    let is_known = !count.stock.is_unknown();
    let stock = is_known.then(|| look::stock(words, count));
    [
        ("stock", stock),
        ("note", look::note(words, count)),
        ("broken", look::broken(words, count)),
    ]
    .map(|(class, text)| text.map(|text| view! { <span class=class>{text}</span> }))
    .collect_view()
}

/// Of `installed`, `renting` and `returning` those that hold; none if all do.
fn service(count: Count) -> Option<String> {
    let Service {
        installed,
        renting,
        returning,
    } = count.service;
    let all = [
        (installed, "installed"),
        (renting, "renting"),
        (returning, "returning"),
    ];
    let held = all
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, name)| *name);
    let is_full = count.service.is_full();
    (!is_full).then(|| held.collect::<Vec<_>>().join(" "))
}
