//! `/city/day`: when bikes were taken in the city on one day, as a piece of the page.
//!
//! One request sums a day of table `frequency`, over the connections of [`super::past`] and within their
//! time.

use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use leptos::prelude::*;

use super::day::{Day, ShownDay};
use super::past::{LookBackError, query, soon};
use super::state::AppState;
use super::svg::{path, push};
use crate::words::{Language, Word, Words};

/// Departures are summed over so many seconds: windows of five seconds would be thinner than a pixel.
const STEP_S: i64 = 300;
/// The chart's size in its own pixels, with room below for the hours.
const SIZE: (f64, f64) = (720.0, 84.0);
const FOOT: f64 = 24.0;

/// Answers `/city/day` with today until now, and `/city/day?at=2020-03-01T08:30` with that day.
pub(super) async fn city_day(
    State(app): State<AppState>,
    language: Language,
    uri: Uri,
) -> Response {
    app.board.wait_for_reading().await;
    let at = query(&uri).at.unwrap_or_default();
    match draw(&app, language.words(), &at).await {
        Ok(html) => ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response(),
        Err(error) => error.answer(language),
    }
}

/// Draws it for a page that is waiting for it; nothing where it takes longer than that, or cannot be drawn:
/// then the page's script asks.
pub(super) async fn draw_soon(app: &AppState, words: Words, at: &str) -> String {
    let drawn = soon(draw(app, words, at)).await;
    drawn.and_then(Result::ok).unwrap_or_default()
}

/// Draws the day that the page shows.
///
/// # Errors
/// Those of [`ShownDay::of`], and where the windows cannot be read.
async fn draw(app: &AppState, words: Words, at: &str) -> Result<String, LookBackError> {
    let ShownDay {
        second: shown, day, ..
    } = ShownDay::of(app, at)?;
    let departures = app.past.departures(day.start, day.end, STEP_S).await?;
    Ok(CityDay {
        words,
        day,
        shown,
        departures,
    }
    .to_html())
}

/// What is drawn.
struct CityDay {
    words: Words,
    day: Day,
    /// The second that the page shows.
    shown: i64,
    /// First second and departures of each step that has some, in order.
    departures: Vec<(i64, i64)>,
}

impl CityDay {
    fn to_html(&self) -> String {
        let svg = self.svg();
        view! {
            <figure>
                <div inner_html=svg></div>
                <figcaption>{self.text()}</figcaption>
            </figure>
        }
        .to_html()
    }

    /// `5210 bikes taken on this day, 84 of them in the five minutes shown`.
    fn text(&self) -> String {
        let all: i64 = self.departures.iter().map(|(_, amount)| amount).sum();
        let is_shown = |(at, _): &&(i64, i64)| (*at..at + STEP_S).contains(&self.shown);
        let shown = self.departures.iter().find(is_shown);
        let shown = shown.map_or(0, |(_, amount)| *amount);
        let (all, shown) = (all.to_string(), shown.to_string());
        self.words.fill(Word::TakenOnThisDay, &[&all, &shown])
    }

    /// A column for each step, and a mark where the page is.
    fn svg(&self) -> String {
        let most = self.departures.iter().map(|(_, amount)| *amount).max();
        let most = most.unwrap_or(0).max(1);
        let (width, height) = (SIZE.0, SIZE.1 - FOOT);
        let length = (self.day.end - self.day.start).max(1) as f64;
        let x = |second: i64| (second - self.day.start) as f64 / length * width;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"{}\">",
            SIZE.1,
            self.words
                .fill(Word::TakenInFiveMinutes, &[&most.to_string()])
        );
        let columns = self.departures.iter().flat_map(|(at, amount)| {
            let y = height - *amount as f64 / most as f64 * height;
            let (left, right) = (x(*at), x(at + STEP_S));
            [(left, height), (left, y), (right, y), (right, height)]
        });
        path("columns", columns, &mut svg);
        let now = x(self.shown);
        path("now", [(now, 0.0), (now, height)].into_iter(), &mut svg);
        for hour in [6, 12, 18] {
            let at = x(self.day.start + hour * 3_600);
            let foot = SIZE.1 - 5.0;
            push(
                &mut svg,
                format_args!("<text x=\"{at:.0}\" y=\"{foot:.0}\">{hour}:00</text>"),
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_day_has_a_column_for_each_five_minutes_and_a_mark_at_the_instant() {
        let day = CityDay {
            words: Words::default(),
            day: Day {
                start: 0,
                end: 86_400,
            },
            shown: 43_250,
            departures: vec![(28_800, 10), (43_200, 4)],
        };
        expect![[r#"<figure><div><svg viewBox="0 0 720 84" role="img" aria-label="Bikes taken in five minutes, 0 to 10"><path class="columns" d="M240.0 60.0L240.0 0.0L242.5 0.0L242.5 60.0L360.0 60.0L360.0 36.0L362.5 36.0L362.5 60.0"/><path class="now" d="M360.4 0.0L360.4 60.0"/><text x="180" y="79">6:00</text><text x="360" y="79">12:00</text><text x="540" y="79">18:00</text></svg></div><figcaption>14 bikes taken on this day, 4 of them in the five minutes shown</figcaption></figure>"#]].assert_eq(&day.to_html());
    }
}
