//! The search: a plain form, which the browser's script sends without a reload.

use leptos::ev::{KeyboardEvent, SubmitEvent};
use leptos::prelude::*;

use crate::city::City;
use crate::components::suggestions::{LIST_ID, SuggestionList, Suggestions};
use crate::words::Word;

/// Asks for a building number and a street name.
#[component]
pub(crate) fn SearchForm() -> impl IntoView {
    let city = expect_context::<City>();
    let input = NodeRef::<leptos::html::Input>::new();
    let suggestions = Suggestions::new();
    let search_for = Callback::new(move |query: String| {
        suggestions.close();
        city.query.set(query);
        search(city);
    });
    let typed = move || input.get_untracked().map(|field| field.value());
    let submit = move |event: SubmitEvent| {
        if let Some(query) = typed() {
            event.prevent_default();
            search_for.run(query);
        }
    };
    let ask = move |_| typed().into_iter().for_each(|typed| suggestions.ask(typed));
    let take_key = move |event: KeyboardEvent| {
        let chosen = suggestions.take_key(&event);
        chosen.into_iter().for_each(|chosen| search_for.run(chosen));
    };
    let first_query = city.query.get_untracked();
    let example = city.example.get_value();
    let expected = city.words.fill(Word::SearchExpected, &[&example]);
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
            <label for="q">{city.text(Word::SearchLabel)}</label>
            <div class="field">
                <input
                    id="q"
                    name="q"
                    type="search"
                    placeholder=example
                    title=expected
                    autocomplete="off"
                    enterkeyhint="search"
                    maxlength="120"
                    role="combobox"
                    aria-autocomplete="list"
                    aria-controls=LIST_ID
                    aria-expanded=move || suggestions.is_open().to_string()
                    aria-activedescendant=move || suggestions.active_id()
                    value=first_query
                    node_ref=input
                    on:input=ask
                    on:keydown=take_key
                    on:blur=move |_| suggestions.close()
                />
                <input type="hidden" name="at" value=at disabled=is_live />
                <input
                    type="hidden"
                    name="for"
                    value=move || city.seeking.get().in_address()
                    disabled=move || city.seeking.get().in_address().is_none()
                />
                <button type="submit" aria-busy=move || (city.searches.get() > 0).to_string()>
                    {city.text(Word::Find)}
                </button>
                <button
                    type="button"
                    id="locate"
                    class="locate"
                    aria-label=city.text(Word::FindNearMe)
                    title=city.text(Word::NearMe)
                    on:click=move |_| locate(city, search_for)
                >
                    "◎"
                </button>
                <SuggestionList suggestions choose=search_for />
            </div>
        </form>
    }
}

/// Asks the server.
#[cfg(feature = "hydrate")]
fn search(city: City) {
    crate::client::search::search(city);
}

#[cfg(not(feature = "hydrate"))]
fn search(_city: City) {}

/// Searches for where the device is, if the rider lets it be known.
#[cfg(feature = "hydrate")]
fn locate(city: City, search_for: Callback<String>) {
    use crate::model::Outcome;

    crate::client::locate::locate(move |place| match place {
        Ok(degrees) => search_for.run(degrees),
        Err(word) => city
            .outcome
            .set(Some(Outcome::Flash(city.text(word).to_owned()))),
    });
}

#[cfg(not(feature = "hydrate"))]
fn locate(_city: City, _search_for: Callback<String>) {}
