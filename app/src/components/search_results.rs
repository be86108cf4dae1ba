//! The docks within three blocks of the address, the nearest first.

use std::sync::Arc;

use leptos::prelude::*;

use crate::city::{City, LiveDock};
use crate::components::dock_item::DockItem;
use crate::model::FoundPlace;
use crate::near::{NearDock, docks_near, nearest};
use crate::seeking::Seeking;
use crate::words::{Word, Words};

/// Shown once a place was found.
#[component]
pub(crate) fn SearchResults() -> impl IntoView {
    let city = expect_context::<City>();
    move || city.place().map(|place| view! { <Results place /> })
}

#[component]
fn Results(place: FoundPlace) -> impl IntoView {
    let city = expect_context::<City>();
    let label = place.label.clone();
    let circle = city.words.fill(Word::RedCircle, &[&place.accuracy]);
    let found = place.clone();
    let near = listed(move || city.docks.with(|docks| docks_near(&found, docks)));
    let beyond = listed(move || {
        city.version.track();
        let seeking = city.seeking.get();
        let has_some = |dock: &LiveDock| dock.count.get_untracked().amount(seeking) > 0;
        if near.with(|near| near.iter().any(|near| has_some(&near.dock))) {
            return Vec::new();
        }
        let nearest = city.docks.with(|docks| nearest(&place, docks, has_some));
        nearest.into_iter().collect()
    });
    let beyond_title = move || {
        let is_any = beyond.with(|beyond| !beyond.is_empty());
        let title = || {
            let some = city.text(city.seeking.get().some());
            city.words.fill(Word::NearestWith, &[some])
        };
        is_any.then(|| view! { <h3>{title()}</h3> })
    };
    let summary = move || {
        city.version.track();
        let seeking = city.seeking.get();
        near.with(|near| {
            let counts = near.iter().map(|near| near.dock.count.get_untracked());
            let amounts = counts.map(|count| count.amount(seeking));
            let with_some = amounts.clone().filter(|amount| *amount > 0).count();
            summarise(city.words, seeking, with_some, amounts.map(i64::from).sum())
        })
    };
    // Without script the link is a new page.
    let clear = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        city.query.set(String::new());
        city.outcome.set(None);
    };
    view! {
        <section class="results" aria-labelledby="results-title">
            <h2 id="results-title">
                <span class="place-mark" aria-hidden="true"></span>
                {label}
            </h2>
            <p class="summary">{summary}</p>
            <p class="hint">
                {circle} <a href="/" class="clear" on:click=clear>{city.text(Word::Clear)}</a>
            </p>
            <NearList id="results" docks=near />
            {beyond_title}
            <NearList id="beyond" docks=beyond />
        </section>
    }
}

/// Docks with their ways.
#[component]
fn NearList(id: &'static str, docks: Memo<Vec<NearDock>>) -> impl IntoView {
    let City { words, .. } = expect_context::<City>();
    view! {
        <ul id=id>
            <For each=move || docks.get() key=item let:near>
                <DockItem metres=near.metres way=near.way(words) dock=near.dock />
            </For>
        </ul>
    }
}

/// A list that is written anew only where an item is another one.
fn listed(read: impl Fn() -> Vec<NearDock> + Send + Sync + 'static) -> Memo<Vec<NearDock>> {
    Memo::new_with_compare(
        move |_| read(),
        |a, b| {
            let items = |near: Option<&Vec<NearDock>>| -> Option<Vec<_>> {
                Some(near?.iter().map(item).collect())
            };
            items(a) != items(b)
        },
    )
}

/// What is written of a dock besides its count: an item with another one is written anew.
fn item(near: &NearDock) -> (i32, Arc<str>, i64) {
    let metres = near.metres.round() as i64;
    (near.dock.id, Arc::clone(&near.dock.name), metres)
}

fn summarise(words: Words, seeking: Seeking, docks_with_some: usize, amount: i64) -> String {
    let amount = seeking.amount(words, &amount.to_string());
    match docks_with_some {
        0 => words.fill(Word::NoneNear, &[words.get(seeking.some())]),
        // "Free docks at docks" would be two meanings in a row.
        _ if seeking == Seeking::Docks => words.fill(Word::SomeNear, &[&amount]),
        1 => words.fill(Word::AtOneDock, &[&amount]),
        docks => words.fill(Word::AtDocks, &[&amount, &docks.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_docks_with_bikes() {
        let words = Words::default();
        let summary = |docks, amount| summarise(words, Seeking::Bikes, docks, amount);
        assert_eq!(summary(0, 0), "No dock with bikes within three blocks.");
        assert_eq!(summary(1, 1), "1 bike at 1 dock within three blocks.");
        assert_eq!(summary(3, 20), "20 bikes at 3 docks within three blocks.");
        assert_eq!(
            summarise(words, Seeking::Docks, 0, 0),
            "No dock with room within three blocks."
        );
    }
}
