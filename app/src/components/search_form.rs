//! The search: a plain form, which the browser's script sends without a reload.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;

use crate::api::search::search;
use crate::city::City;
use crate::model::{EXPECTED_SEARCH, Outcome};

/// Asks for a building number and a street name.
#[component]
pub(crate) fn SearchForm() -> impl IntoView {
    let city = expect_context::<City>();
    let input = NodeRef::<leptos::html::Input>::new();
    let response = Action::new(|query: &String| {
        let query = query.clone();
        async move { search(query).await }
    });
    // The latest response wins; the action drops one to an earlier search.
    Effect::new(move |_| {
        if let Some(response) = response.value().get() {
            city.outcome.set(Some(response.unwrap_or_else(|_| {
                Outcome::Flash("the server did not answer the search: try again".to_owned())
            })));
        }
    });
    let submit = move |event: SubmitEvent| {
        let Some(field) = input.get() else { return };
        event.prevent_default();
        let query = field.value();
        city.query.set(query.clone());
        if query.trim().is_empty() {
            city.outcome.set(None);
        } else {
            response.dispatch(query);
        }
    };
    let first_query = city.query.get_untracked();
    // Read once: without script a search stays where it is made.
    let instant = city.instant.get_untracked();
    let is_live = instant.is_none();
    let at = instant.map(|instant| instant.local);
    // Back and forward change the question; the field follows.
    Effect::new(move |_| {
        let query = city.query.get();
        if let Some(field) = input.get()
            && field.value() != query
        {
            field.set_value(&query);
        }
    });
    view! {
        <form id="search" class="search" role="search" method="get" action="/" on:submit=submit>
            <label for="q">"Find bikes near an address"</label>
            <div class="field">
                <input
                    id="q"
                    name="q"
                    type="search"
                    placeholder="1 Park Avenue"
                    title=EXPECTED_SEARCH
                    autocomplete="street-address"
                    enterkeyhint="search"
                    maxlength="120"
                    value=first_query
                    node_ref=input
                />
                <input type="hidden" name="at" value=at disabled=is_live />
                <button type="submit" aria-busy=move || response.pending().get().to_string()>
                    "Find"
                </button>
            </div>
        </form>
    }
}
