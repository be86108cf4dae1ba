//! All docks as a list: the map for keyboards, screen readers and pages without script.

use std::sync::Arc;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::city::City;
use crate::components::dock_item::DockItem;
use crate::words::Word;

/// Every dock by name, with its bikes; arrow keys go from dock to dock.
#[component]
pub(crate) fn DockList() -> impl IntoView {
    let city = expect_context::<City>();
    let totals = Memo::new(move |_| city.totals(city.seeking.get()));
    let summary = move || {
        let totals = totals.get();
        match totals.docks {
            0 => city.text(Word::NoDocksYet).to_owned(),
            docks => {
                let seeking = city.seeking.get();
                let amount = thousands(usize::try_from(totals.amount).unwrap_or(0));
                city.words.fill(
                    Word::DocksSummary,
                    &[
                        &thousands(totals.docks_with_some),
                        &thousands(docks),
                        city.text(seeking.some()),
                        &seeking.amount(city.words, &amount),
                    ],
                )
            }
        }
    };
    view! {
        <section class="all" aria-labelledby="docks-title">
            <h2 id="docks-title">{city.text(Word::AllDocks)}</h2>
            <p id="summary" class="summary">{summary}</p>
            <ul id="docks" tabindex="-1" on:keydown=move_focus>
                <For each=move || city.docks.get() key=|dock| (dock.id, Arc::clone(&dock.name)) let:dock>
                    <DockItem dock />
                </For>
            </ul>
        </section>
    }
}

/// Arrow keys, Home and End go through the list.
#[cfg(feature = "hydrate")]
fn move_focus(event: KeyboardEvent) {
    crate::client::keys::move_focus_in_list(&event);
}

#[cfg(not(feature = "hydrate"))]
fn move_focus(_event: KeyboardEvent) {}

/// `1114` → `1,114`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(
            [7, 999, 1_114, 1_234_567].map(thousands).join(" "),
            "7 999 1,114 1,234,567"
        );
    }
}
