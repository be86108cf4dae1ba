//! The replay clock: the moment all numbers are of, now or in the past.

use leptos::prelude::*;

use crate::city::City;
use crate::link::Address;
use crate::words::Word;

/// `as of Mon 2 Mar 2020, 08:14:05 New York time`; in the past `as it was on …`, and the way back to now.
#[component]
pub(crate) fn Clock() -> impl IntoView {
    let city = expect_context::<City>();
    let utc = move || city.clock.get().map(|clock| clock.utc);
    let is_past = move || city.instant.with(Option::is_some);
    let text = move || match city.clock.get() {
        Some(clock) => {
            let word = if is_past() { Word::AsItWas } else { Word::AsOf };
            city.words
                .fill(word, &[&city.words.local_time(&clock.local)])
        }
        None => city.text(Word::NoClock).to_owned(),
    };
    let now = move || {
        let at = None;
        Address {
            at,
            ..city.address()
        }
        .link()
    };
    view! {
        <div class="when" class:past=is_past>
            <p id="clock" class="clock">
                <time datetime=utc>{text}</time>
            </p>
            <a id="now" href=now rel="external" hidden=move || !is_past()>
                {city.text(Word::BackToNow)}
            </a>
        </div>
    }
}
