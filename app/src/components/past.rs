//! The past: an instant to look at, and a film of what came after it.

use leptos::prelude::*;

/// The panel that the server wrote; the browser's script finds its parts by their ids.
#[component]
pub(crate) fn PastView(
    /// As [`panel::draw`] draws it; nothing where nothing of the past is stored.
    panel: String,
) -> impl IntoView {
    view! { <div id="past" inner_html=panel></div> }
}

/// The panel, which only the server needs to know.
#[cfg(feature = "ssr")]
pub(crate) mod panel {
    use leptos::prelude::*;

    use crate::model::{PageContent, Past};
    use crate::words::Word;

    /// Speeds to choose from: seconds of the past in one second, and their words.
    const SPEEDS: [(u32, &str); 4] = [
        (60, "1 min/s"),
        (600, "10 min/s"),
        (3_600, "1 h/s"),
        (21_600, "6 h/s"),
    ];
    /// The one that is chosen at first.
    const SPEED: u32 = 600;

    /// A form for an instant, which works without script, and a slider over all that is stored, which
    /// needs one. Open where an instant is shown.
    pub(crate) fn draw(content: &PageContent) -> String {
        let Some(past) = &content.past else {
            return String::new();
        };
        let note = past.note.clone();
        let note = note.map(|note| view! { <p class="note" role="status">{note}</p> });
        let panel = view! {
            <details class="past" open=past.shown.is_some()>
                <summary>{content.words.get(Word::LookBack)}</summary>
                <div class="looking">{note} {film(content, past)} {instant(content, past)}</div>
                <div id="city-day" inner_html=content.city_day.clone()></div>
            </details>
        };
        panel.to_html()
    }

    /// Play, pause, slider and speed.
    fn film(content: &PageContent, past: &Past) -> impl IntoView + use<> {
        let second = past.shown.as_ref().map(|instant| instant.second);
        let clock = content.snapshot.clock.as_ref().filter(|_| second.is_some());
        let words = content.words;
        let shown = clock.map_or_else(
            || words.get(Word::Now).to_owned(),
            |clock| words.local_time(&clock.local),
        );
        let speeds = SPEEDS.map(|(speed, name)| {
            let is_chosen = speed == SPEED;
            view! { <option value=speed selected=is_chosen>{name}</option> }
        });
        view! {
            <div class="film">
                <button type="button" id="play" aria-label=words.get(Word::Play)>"▶"</button>
                <input
                    id="slider"
                    type="range"
                    aria-label=words.get(Word::InstantShown)
                    aria-valuetext=shown
                    min=past.first
                    max=past.last
                    step="60"
                    value=second.unwrap_or(past.last)
                />
                <select id="speed" aria-label=words.get(Word::Speed)>
                    {speeds.collect_view()}
                </select>
            </div>
        }
    }

    /// Day and time of day, by the city's clocks.
    fn instant(content: &PageContent, past: &Past) -> impl IntoView + use<> {
        let (first, last) = past.ends.clone();
        let shown = past.shown.as_ref().map(|instant| instant.local.clone());
        let query = Some(content.query.clone()).filter(|query| !query.is_empty());
        let query = query.map(|query| view! { <input type="hidden" name="q" value=query /> });
        let dock = content.selected;
        let dock = dock.map(|dock| view! { <input type="hidden" name="dock" value=dock /> });
        let seeking = content.seeking.in_address();
        let seeking = seeking.map(|it| view! { <input type="hidden" name="for" value=it /> });
        view! {
            <form id="instant" class="instant" method="get" action="/">
                <label for="at">{content.words.get(Word::DayAndTime)}</label>
                <input
                    id="at"
                    name="at"
                    type="datetime-local"
                    step="1"
                    min=first
                    value=shown.unwrap_or(last)
                    required
                />
                {query}
                {dock}
                {seeking}
                <button type="submit">{content.words.get(Word::Show)}</button>
            </form>
        }
    }
}
