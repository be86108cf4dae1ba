//! `windows`: departures per window, out of table `frequency`.
//!
//! A request reads a range of that table's key, over the connections of [`crate::server::past`] and within
//! their time.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoParams;

use super::parameters::{Instant, Limit, Parameters, WINDOWS_MAX};
use super::problem::Problem;
use super::schema::{Window, Windows, to_the_fraction};
use super::{CACHING_PAST, respond};
use crate::query::windows::read_windows;
use crate::server::board::Board;
use crate::server::state::AppState;

/// What is told where nothing else is asked for.
const USUAL: TimeDelta = TimeDelta::hours(1);

/// From when until when, and how many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowsQuery {
    /// Windows that begin at this instant or later; an hour before `to` where it is left out.
    #[param(inline)]
    from: Option<Instant>,
    /// Windows that begin before this instant; the replay clock where it is left out.
    #[param(inline)]
    to: Option<Instant>,
    /// At most so many; as many as there may be where it is left out.
    #[param(inline)]
    limit: Option<Limit>,
}

/// Departures per window, of the whole city.
///
/// A response has as many as fit, and says where to go on: ask again from `next`.
#[utoipa::path(
    get,
    path = "/api/v1/windows",
    params(WindowsQuery),
    responses(
        (status = 200, description = "The windows.", body = Windows),
        (status = 304, description = "They are as the tag says."),
        Problem,
    )
)]
pub(super) async fn windows(
    State(app): State<AppState>,
    Parameters(query): Parameters<WindowsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.board.wait_for_reading().await;
    let now = app.board.read(Board::now);
    let (from, to) = query.range(now.ok_or_else(Problem::nothing_published)?)?;
    let limit = usize::try_from(query.limit.map_or(WINDOWS_MAX, |limit| limit.0)).unwrap_or(1);
    // One more than is told says where to go on.
    let read =
        async |connection: &mut PgConnection| read_windows(connection, from, to, limit + 1).await;
    let mut read = app.past.read(read).await?;
    let next = read
        .rows
        .get(limit)
        .map(|(start, _)| to_the_fraction(*start));
    read.rows.truncate(limit);
    let content = Windows {
        next,
        closed_until: read.closed_until.map(to_the_fraction),
        windows: read.rows.into_iter().map(Window::of).collect(),
    };
    Ok(respond(&headers, &content, CACHING_PAST))
}

impl WindowsQuery {
    fn range(&self, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        let to = self.to.map_or(now, |to| to.0);
        let usual = || to.checked_sub_signed(USUAL).unwrap_or(to);
        let from = self.from.map_or_else(usual, |from| from.0);
        if from > to {
            return Err(Problem::contradiction("\"from\" is later than \"to\""));
        }
        Ok((from, to))
    }
}
