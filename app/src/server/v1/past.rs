//! `docks/{id}/past`: a dock's counts as they changed, out of the periods of the past.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::availability::DockCount;
use serde::Deserialize;
use utoipa::IntoParams;

use super::docks::no_dock;
use super::parameters::{DockId, Instant, Parameters};
use super::problem::Problem;
use super::schema::{CountSince, DockPast};
use super::{CACHING_PAST, respond};
use crate::moment::utc;
use crate::query::past::PastRange;
use crate::server::past::LookBackError;
use crate::server::state::AppState;

/// What is told where nothing else is asked for: a day.
const USUAL_S: i64 = 24 * 3_600;

/// Counts in one response (chosen: a busy dock's week; about 2 MB).
const COUNTS_MAX: usize = 10_000;

/// From when until when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PastQuery {
    /// The first instant; a day before the last one where it is left out.
    #[param(inline)]
    from: Option<Instant>,
    /// The last instant; the last one that is stored where it is left out.
    #[param(inline)]
    to: Option<Instant>,
}

/// A dock's counts as they changed.
///
/// A response has as many as fit, and says where to go on: ask again from `next`.
#[utoipa::path(
    get,
    path = "/api/v1/docks/{id}/past",
    params(("id" = inline(DockId), Path, description = "The dock's number."), PastQuery),
    responses(
        (status = 200, description = "The counts.", body = DockPast),
        (status = 304, description = "They are as the tag says."),
        Problem,
    )
)]
pub(super) async fn dock_past(
    State(app): State<AppState>,
    Path(id): Path<DockId>,
    Parameters(query): Parameters<PastQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.board.wait_for_reading().await;
    let (range, is_known) = app
        .board
        .read(|board| (board.past(), board.station(id.get()).is_some()));
    if !is_known {
        return Err(no_dock(id));
    }
    let (from, to) = query.stored(range.ok_or(LookBackError::NoPast)?)?;
    let past = app.past.of_dock_in_part(id.get(), from, to).await?;
    let (counts, until) = first_of(past.steps(), past.until());
    let content = DockPast {
        dock: id.get(),
        from: utc(at(from)),
        until: utc(at(until)),
        next: (until < to).then(|| utc(at(until + 1))),
        counts,
    };
    Ok(respond(&headers, &content, CACHING_PAST))
}

impl PastQuery {
    /// The seconds that are asked for, as far as they are stored.
    fn stored(&self, range: PastRange) -> Result<(i64, i64), Problem> {
        let to = self.to.map_or(range.last, |to| to.0.timestamp());
        let from = self.from.map_or(to - USUAL_S, |from| from.0.timestamp());
        if from > to {
            return Err(Problem::contradiction("\"from\" is later than \"to\""));
        }
        if from > range.last || to < range.first {
            let (first, last) = (utc(at(range.first)), utc(at(range.last)));
            let detail = format!("nothing is stored of that time, but from {first} to {last}");
            return Err(Problem::not_found(detail));
        }
        Ok((from.max(range.first), to.min(range.last)))
    }
}

/// As many counts as fit, the last one of each second, and the last second that they tell of.
fn first_of(steps: &[(i64, DockCount)], until: i64) -> (Vec<CountSince>, i64) {
    let seconds = steps.chunk_by(|(a, _), (b, _)| a == b);
    let mut counts = seconds.filter_map(|steps| steps.last().copied());
    let first = counts.by_ref().take(COUNTS_MAX).map(since).collect();
    let until = counts.next().map_or(until, |(beyond, _)| beyond - 1);
    (first, until)
}

fn since((second, count): (i64, DockCount)) -> CountSince {
    CountSince {
        since: utc(at(second)),
        count: count.into(),
    }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_before_the_second_that_does_not_fit() {
        let step = |second, bikes| {
            let count = DockCount {
                bikes,
                ..DockCount::default()
            };
            (second, count)
        };
        let steps: Vec<_> = (0..)
            .map(|second| step(second * 10, 1))
            .take(COUNTS_MAX)
            .collect();
        let (counts, until) = first_of(&steps, 200_000);
        assert_eq!((counts.len(), until), (COUNTS_MAX, 200_000));

        let last = (COUNTS_MAX as i64 - 1) * 10;
        // Two of one second are one: what was there after both.
        let (counts, until) = first_of(&[steps, vec![step(last, 2)]].concat(), 200_000);
        assert_eq!((counts.len(), until), (COUNTS_MAX, 200_000));

        let beyond: Vec<_> = (0..=COUNTS_MAX as i64)
            .map(|second| step(second * 10, 1))
            .collect();
        let (counts, until) = first_of(&beyond, 200_000);
        assert_eq!((counts.len(), until), (COUNTS_MAX, last + 9));
    }
}
