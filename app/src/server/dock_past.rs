//! `/dock/past`: what a dock showed today, beside what it usually shows, as a piece of the page.
//!
//! One request reads the periods of up to five days by the key of `past_period`, over the connections of
//! [`super::past`] and within their time.

mod chart;
pub(super) mod past;
mod suspicion;

use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;

use self::chart::{Chart, Suspicion, Usual};
use self::past::DockPast;
use self::suspicion::{is_suspicious, mean};
use super::day::{Day, ShownDay};
use super::past::{LookBackError, soon};
use super::state::AppState;
use crate::words::{Language, Words};

/// Days of the same weekday that tell what is usual (chosen: a month is of one season).
const USUAL_DAYS_MAX: u64 = 4;

/// How far back it is looked for when a bike was last taken.
const LOOK_BACK_S: i64 = 24 * 3_600;

#[derive(Debug, Default, Deserialize)]
struct DockQuery {
    /// Texts, since an address can hold anything.
    #[serde(default)]
    dock: String,
    #[serde(default)]
    at: String,
}

/// Answers `/dock/past?dock=12` and, of an instant of the past, `…&at=2020-03-01T08:30`.
pub(super) async fn dock_past(
    State(app): State<AppState>,
    language: Language,
    uri: Uri,
) -> Response {
    app.board.wait_for_reading().await;
    let query = Query::try_from_uri(&uri).map_or_else(|_| DockQuery::default(), |Query(it)| it);
    let Ok(dock) = query.dock.parse() else {
        return (
            StatusCode::BAD_REQUEST,
            "\"dock\" is the number of a dock\n",
        )
            .into_response();
    };
    match draw(&app, language.words(), dock, &query.at).await {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => error.answer(language),
    }
}

/// A dock's day for a page that is waiting for it, or why there is none; nothing where it takes longer
/// than that: then the page's script asks.
pub(super) async fn draw_soon(app: &AppState, words: Words, dock: i32, at: &str) -> String {
    let drawn = soon(draw(app, words, dock, at)).await;
    let drawn = drawn.map(|drawn| drawn.unwrap_or_else(|error| chart::message(words, error)));
    drawn.unwrap_or_default()
}

/// Draws a dock's day: until the instant that the page shows, or, where that is empty, until now.
///
/// # Errors
/// Those of [`ShownDay::of`], and where the past cannot be read.
async fn draw(app: &AppState, words: Words, dock: i32, at: &str) -> Result<String, LookBackError> {
    let ShownDay {
        second: now,
        day,
        range,
        timezone,
    } = ShownDay::of(app, at)?;
    let begin = day.start.min(now - LOOK_BACK_S);
    let lately = app.past.of_dock(dock, begin, now).await?;
    let mut usual = Vec::new();
    for earlier in (1..=USUAL_DAYS_MAX).filter_map(|weeks| day.weeks_before(weeks, &timezone)) {
        // Only days that are stored as a whole.
        if earlier.start >= range.first {
            let from = earlier.start - (day.start - begin);
            // One that cannot be read takes none of the others with it.
            let past = app.past.of_dock(dock, from, earlier.end).await;
            usual.extend(past.ok().map(|past| Usual { day: earlier, past }));
        }
    }
    Ok(chart::draw(&Chart {
        words,
        suspicion: suspicion(&lately, &usual, day, now),
        day,
        now,
        lately,
        usual,
        timezone,
    }))
}

/// Whether a dock's bikes have been left alone for suspiciously long.
fn suspicion(lately: &DockPast, usual: &[Usual], day: Day, now: i64) -> Option<Suspicion> {
    let since = lately.untouched_since()?;
    let taken = usual.iter().map(|Usual { day: other, past }| {
        let shift = other.start - day.start;
        past.taken_between(since + shift, now + shift)
    });
    let usual: Vec<_> = taken.collect();
    is_suspicious(&usual).then(|| Suspicion {
        since,
        usually_taken: mean(&usual),
    })
}
