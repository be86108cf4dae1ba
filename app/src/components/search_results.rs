//! The docks within three blocks of the address, the nearest first.

use std::sync::Arc;

use leptos::prelude::*;

use crate::city::City;
use crate::components::dock_item::DockItem;
use crate::model::FoundPlace;
use crate::near::{NearDock, blocks, docks_near};

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
    let accuracy = place.accuracy.clone();
    let near = Memo::new_with_compare(
        move |_| city.docks.with(|docks| docks_near(&place, docks)),
        |a, b| {
            let items = |near: Option<&Vec<NearDock>>| -> Option<Vec<_>> {
                Some(near?.iter().map(item).collect())
            };
            items(a) != items(b)
        },
    );
    let summary = move || {
        city.version.track();
        near.with(|near| {
            let counts = near
                .iter()
                .map(|near| near.dock.count.get_untracked().rentable());
            let with_bikes = counts.clone().filter(|bikes| *bikes > 0).count();
            summarise(with_bikes, counts.map(i64::from).sum())
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
                "The red circle is " {accuracy} ". " <a href="/" class="clear" on:click=clear>"Clear"</a>
            </p>
            <ul id="results">
                <For each=move || near.get() key=item let:near>
                    <DockItem
                        metres=near.metres
                        way=format!("{:.0} m · {}", near.metres, blocks(near.metres))
                        dock=near.dock
                    />
                </For>
            </ul>
        </section>
    }
}

/// What is written of a dock besides its count: an item with another one is written anew.
fn item(near: &NearDock) -> (i32, Arc<str>, i64) {
    let metres = near.metres.round() as i64;
    (near.dock.id, Arc::clone(&near.dock.name), metres)
}

fn summarise(docks_with_bikes: usize, bikes: i64) -> String {
    let bikes = match bikes {
        1 => "1 bike".to_owned(),
        bikes => format!("{bikes} bikes"),
    };
    match docks_with_bikes {
        0 => "No dock with bikes within three blocks.".to_owned(),
        1 => format!("{bikes} at 1 dock within three blocks."),
        docks => format!("{bikes} at {docks} docks within three blocks."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_docks_with_bikes() {
        assert_eq!(summarise(0, 0), "No dock with bikes within three blocks.");
        assert_eq!(summarise(1, 1), "1 bike at 1 dock within three blocks.");
        assert_eq!(summarise(3, 20), "20 bikes at 3 docks within three blocks.");
    }
}
