//! How far the numbers can be trusted: live, stale, reconnecting, offline, database down.

use leptos::prelude::*;

use crate::city::{City, Freshness};
use crate::words::{Word, Words};

/// A short word for what is usual, a sentence for what is not; announced politely.
#[component]
pub(crate) fn Status() -> impl IntoView {
    let city = expect_context::<City>();
    let kind = move || match city.freshness.get() {
        Freshness::Past => "past",
        Freshness::Rendered => "rendered",
        Freshness::Live => "live",
        Freshness::Silent(_) => "stale",
        Freshness::Reconnecting => "reconnecting",
        Freshness::Offline(_) => "offline",
        Freshness::DatabaseDown => "down",
    };
    let text = move || words(city.words, city.freshness.get());
    view! {
        <p id="status" class="status" role="status" data-state=kind>
            {text}
        </p>
        <noscript>
            <p class="hint">{city.text(Word::WithoutScript)}</p>
        </noscript>
    }
}

fn words(words: Words, freshness: Freshness) -> String {
    let word = match freshness {
        Freshness::Past => Word::ThePast,
        Freshness::Rendered => Word::UpToDate,
        Freshness::Live => Word::Live,
        Freshness::Reconnecting => Word::Reconnecting,
        Freshness::DatabaseDown => Word::DatabaseDown,
        Freshness::Silent(seconds) => return words.fill(Word::Stale, &[&about(words, seconds)]),
        Freshness::Offline(seconds) => {
            return words.fill(Word::Offline, &[&about(words, seconds)]);
        }
    };
    words.get(word).to_owned()
}

/// Coarse on purpose: a screen reader would read every second aloud.
fn about(words: Words, seconds: u64) -> String {
    let (word, number) = match seconds {
        0..=19 => (Word::Seconds, 10),
        20..=59 => (Word::Seconds, seconds / 20 * 20),
        60..=119 => (Word::Minute, 1),
        120..=7_199 => (Word::Minutes, seconds / 60),
        7_200..=172_799 => (Word::Hours, seconds / 3_600),
        _ => (Word::Days, seconds / 86_400),
    };
    words.fill(word, &[&number.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_feed_says_for_how_long() {
        let read = |seconds| words(Words::default(), Freshness::Silent(seconds));
        assert_eq!(read(12), "stale: no news for 10 seconds");
        assert_eq!(read(45), "stale: no news for 40 seconds");
        assert_eq!(read(61), "stale: no news for a minute");
        assert_eq!(read(600), "stale: no news for 10 minutes");
        assert_eq!(read(7_200), "stale: no news for 2 hours");
        assert_eq!(read(400_000), "stale: no news for 4 days");
    }

    #[test]
    fn a_page_without_a_server_says_how_old_it_is() {
        assert_eq!(
            words(Words::default(), Freshness::Offline(725)),
            "offline: as it was 12 minutes ago"
        );
    }
}
