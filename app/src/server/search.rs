//! `/api/search` and `/api/suggest`: the search without the page, as the page's script asks for it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::page::PageQuery;
use super::state::AppState;
use crate::model::{Outcome, Suggestion};
use crate::words::Language;

/// What a request without a search is told.
type Refusal = (StatusCode, &'static str);
const NO_SEARCH: Refusal = (
    StatusCode::BAD_REQUEST,
    "a search has its address in \"q\", such as /api/search?q=1+Park+Avenue\n",
);

/// Looks an address up; reads no table. A search that cannot be understood is an [`Outcome::Flash`].
pub(super) async fn search(
    State(app): State<AppState>,
    language: Language,
    query: PageQuery,
) -> Result<Json<Outcome>, Refusal> {
    let q = query.q.ok_or(NO_SEARCH)?;
    Ok(Json(app.geocoder.look_up(&q, language.words())))
}

/// The likeliest searches that begin as typed, at most six, the likeliest first; reads no table.
pub(super) async fn suggest(
    State(app): State<AppState>,
    query: PageQuery,
) -> Result<Json<Vec<Suggestion>>, Refusal> {
    let q = query.q.ok_or(NO_SEARCH)?;
    Ok(Json(app.geocoder.suggest(&q)))
}
