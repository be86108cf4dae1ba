//! The message for a search that could not be understood.

use leptos::prelude::*;

use crate::city::City;
use crate::model::Outcome;

/// Says what is expected; read aloud at once.
#[component]
pub(crate) fn Flash() -> impl IntoView {
    let city = expect_context::<City>();
    let message = move || match city.outcome.get() {
        Some(Outcome::Flash(message)) => Some(message),
        _ => None,
    };
    move || {
        message().map(|message| {
            view! {
                <p id="flash" class="flash" role="alert">
                    {message}
                </p>
            }
        })
    }
}
