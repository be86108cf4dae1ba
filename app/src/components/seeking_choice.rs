//! What the rider looks for: bikes, e-bikes or free docks.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use crate::city::City;
use crate::components::is_plain;
use crate::link::Address;
use crate::seeking::Seeking;
use crate::words::Word;

/// A choice of what the docks tell of; nothing where all they tell is bikes.
#[component]
pub(crate) fn SeekingChoice() -> impl IntoView {
    let city = expect_context::<City>();
    let known = Memo::new(move |_| {
        let sought = city.seeking.get();
        let is_offered = |seeking: &Seeking| *seeking == sought || city.is_known(*seeking);
        Seeking::ALL
            .into_iter()
            .filter(is_offered)
            .collect::<Vec<_>>()
    });
    let choices = move || {
        let known = known.get();
        (known.len() > 1).then(|| {
            known
                .into_iter()
                .map(|seeking| view! { <Choice seeking /> })
                .collect_view()
        })
    };
    view! {
        <nav class="seeking" aria-label=city.text(Word::ShowOnTheMap)>
            {choices}
        </nav>
    }
}

/// A link, so that it works without script too.
#[component]
fn Choice(seeking: Seeking) -> impl IntoView {
    let city = expect_context::<City>();
    let link = move || {
        Address {
            seeking,
            ..city.address()
        }
        .link()
    };
    let choose = move |event: MouseEvent| {
        if is_plain(&event) {
            event.prevent_default();
            city.seeking.set(seeking);
        }
    };
    let mut words = city.text(seeking.several()).to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    view! {
        <a
            href=link
            rel="external"
            aria-current=move || (city.seeking.get() == seeking).then_some("true")
            on:click=choose
        >
            {words}
        </a>
    }
}
