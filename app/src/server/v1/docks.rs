//! `docks`, `docks/{id}`: out of the board in memory, or out of one period of the past.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::DateTime;
use domain::availability::DockCount;
use serde::Deserialize;
use utoipa::IntoParams;

use super::parameters::{BoundingBox, DockId, Instant, Metres, Parameters, Place, Version};
use super::problem::Problem;
use super::schema::{self, Dock, Docks, OneDock, count_now};
use super::{CACHING_NOW, CACHING_PAST, respond};
use crate::model::SEARCH_RADIUS_M;
use crate::moment::utc;
use crate::server::board::{Board, Entry};
use crate::server::past::{Stored, come, stored_at};
use crate::server::state::AppState;
use crate::words::Words;

/// Which docks, and of when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DocksQuery {
    /// An instant of the past. One that is not stored gives the next that is, and a note.
    #[param(inline)]
    at: Option<Instant>,
    /// West, south, east and north in degrees: docks in this box.
    #[param(inline)]
    bbox: Option<BoundingBox>,
    /// Latitude and longitude in degrees: docks within some metres of this place, the nearest first.
    #[param(inline)]
    near: Option<Place>,
    /// How many metres; three blocks where it is left out. Takes `near`.
    #[param(inline)]
    within: Option<Metres>,
    /// A version that was served before: docks whose count, name or place changed after it. All of
    /// them, and `full`, where the server does not know the version. Not together with `at`.
    #[param(inline)]
    since: Option<Version>,
}

/// All docks, those of an area, or those that changed.
#[utoipa::path(
    get,
    path = "/api/v1/docks",
    params(DocksQuery),
    responses(
        (status = 200, description = "The docks.", body = Docks<'_>, links(
            ("dock" = (operation_id = "dock", parameters(("id" = "$response.body#/docks/0/id")))),
            ("dock_past" = (
                operation_id = "dock_past", parameters(("id" = "$response.body#/docks/0/id"))
            )),
        )),
        (status = 304, description = "They are as the tag says."),
        Problem,
    )
)]
pub(super) async fn docks(
    State(app): State<AppState>,
    Parameters(query): Parameters<DocksQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    query.check()?;
    let shown = Shown::at(&app, query.at).await?;
    app.board.read(|board| {
        let since = board.known(query.since.map(|since| since.0));
        let entries = board.changed_after(since);
        let content = Docks {
            instant: shown.instant(board)?,
            full: since.is_none(),
            docks: query.choose(entries.filter_map(|entry| shown.dock(entry))),
        };
        Ok(respond(&headers, &content, shown.caching()))
    })
}

/// When a dock is looked at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DockQuery {
    /// An instant of the past. One that is not stored gives the next that is, and a note.
    #[param(inline)]
    at: Option<Instant>,
}

/// One dock.
#[utoipa::path(
    get,
    path = "/api/v1/docks/{id}",
    params(("id" = inline(DockId), Path, description = "The dock's number."), DockQuery),
    responses(
        (status = 200, description = "The dock.", body = OneDock<'_>),
        (status = 304, description = "It is as the tag says."),
        Problem,
    )
)]
pub(super) async fn dock(
    State(app): State<AppState>,
    Path(id): Path<DockId>,
    Parameters(query): Parameters<DockQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let shown = Shown::at(&app, query.at).await?;
    app.board.read(|board| {
        let instant = shown.instant(board)?;
        let entry = board.station(id.get()).ok_or_else(|| no_dock(id))?;
        let (_, dock) = shown.dock(entry).ok_or_else(|| {
            Problem::not_found(format!("dock {} was not there yet at {}", id.0, instant.at))
        })?;
        let content = OneDock { instant, dock };
        Ok(respond(&headers, &content, shown.caching()))
    })
}

/// That there is no such dock.
pub(super) fn no_dock(id: DockId) -> Problem {
    Problem::not_found(format!("there is no dock {}: /api/v1/docks has all", id.0))
}

impl DocksQuery {
    fn check(&self) -> Result<(), Problem> {
        if self.since.is_some() && self.at.is_some() {
            return Err(Problem::contradiction(
                "what changed \"since\" a version is so now: leave out \"at\"",
            ));
        }
        if self.within.is_some() && self.near.is_none() {
            return Err(Problem::contradiction(
                "\"within\" is metres around a place: \"near\" is missing",
            ));
        }
        Ok(())
    }

    /// The docks of the area that is asked for, in the order that is asked for.
    fn choose<'a>(&self, docks: impl Iterator<Item = (&'a Entry, Dock<'a>)>) -> Vec<Dock<'a>> {
        let in_box = |entry: &Entry| self.bbox.is_none_or(|bbox| bbox.holds(&entry.dock));
        let docks = docks.filter(|(entry, _)| in_box(entry));
        let Some(place) = self.near else {
            return docks.map(|(_, dock)| dock).collect();
        };
        let within = self
            .within
            .map_or(SEARCH_RADIUS_M, |within| within.0 as f64);
        let near = docks.map(|(entry, dock)| (place.distance_m(&entry.dock), dock));
        let mut near: Vec<_> = near.filter(|(metres, _)| *metres <= within).collect();
        near.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let near = near.into_iter().map(|(metres, dock)| Dock {
            distance_m: Some(metres.round() as u32),
            ..dock
        });
        near.collect()
    }
}

/// What the docks are shown as: as they are, or as they were.
enum Shown {
    Now,
    Past(Stored),
}

impl Shown {
    async fn at(app: &AppState, at: Option<Instant>) -> Result<Self, Problem> {
        app.board.wait_for_reading().await;
        Ok(match at {
            None => Self::Now,
            Some(Instant(at)) => Self::Past(stored_at(app, come(app, at.timestamp())?).await?),
        })
    }

    fn instant(&self, board: &Board) -> Result<schema::Instant<'static>, Problem> {
        Ok(match self {
            Self::Now => schema::Instant {
                at: board
                    .now()
                    .map(utc)
                    .ok_or_else(Problem::nothing_published)?,
                version: Some(board.version()),
                note: None,
            },
            Self::Past(stored) => schema::Instant {
                at: utc(DateTime::from_timestamp(stored.second, 0).unwrap_or_default()),
                version: None,
                // Programs are told in one language.
                note: stored.note.map(|note| Words::default().get(note)),
            },
        })
    }

    /// The dock, if it is there; in the past it may not have been.
    fn dock<'a>(&self, entry: &'a Entry) -> Option<(&'a Entry, Dock<'a>)> {
        let count: DockCount = match self {
            Self::Now => count_now(entry),
            Self::Past(stored) => *stored.counts.get(&entry.dock.id)?,
        };
        Some((entry, Dock::of(entry, count)))
    }

    fn caching(&self) -> &'static str {
        match self {
            Self::Now => CACHING_NOW,
            Self::Past(_) => CACHING_PAST,
        }
    }
}
