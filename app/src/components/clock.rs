//! The replay clock: the moment all numbers are of.

use leptos::prelude::*;

use crate::city::City;

/// `as of Mon 2 Mar 2020, 08:14:05 New York time`.
#[component]
pub(crate) fn Clock() -> impl IntoView {
    let city = expect_context::<City>();
    let utc = move || city.clock.get().map(|clock| clock.utc);
    let text = move || match city.clock.get() {
        Some(clock) => format!("as of {}", clock.local),
        None => "the clock has not started yet".to_owned(),
    };
    view! {
        <p id="clock" class="clock">
            <time datetime=utc>{text}</time>
        </p>
    }
}
