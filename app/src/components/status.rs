//! How far the numbers can be trusted: live, stale, reconnecting, offline, database down.

use leptos::prelude::*;

use crate::city::{City, Freshness};

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
    let text = move || words(city.freshness.get());
    view! {
        <p id="status" class="status" role="status" data-state=kind>
            {text}
        </p>
        <noscript>
            <p class="hint">"Without script the numbers stand still: reload for newer ones."</p>
        </noscript>
    }
}

fn words(freshness: Freshness) -> String {
    match freshness {
        Freshness::Past => "the past".to_owned(),
        Freshness::Rendered => "up to date".to_owned(),
        Freshness::Live => "live".to_owned(),
        Freshness::Silent(seconds) => format!("stale: no news for {}", about(seconds)),
        Freshness::Reconnecting => "reconnecting…".to_owned(),
        Freshness::Offline(seconds) => format!("offline: as it was {} ago", about(seconds)),
        Freshness::DatabaseDown => {
            "the database does not respond: these are the last numbers known".to_owned()
        }
    }
}

/// Coarse on purpose: a screen reader would read every second aloud.
fn about(seconds: u64) -> String {
    match seconds {
        0..=19 => "10 seconds".to_owned(),
        20..=59 => format!("{} seconds", seconds / 20 * 20),
        60..=119 => "a minute".to_owned(),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_feed_says_for_how_long() {
        let read = |seconds| words(Freshness::Silent(seconds));
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
            words(Freshness::Offline(725)),
            "offline: as it was 12 minutes ago"
        );
    }
}
