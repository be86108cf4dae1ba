//! `/api/v1/…`: what the page knows, as JSON for other programs.
//!
//! | address | what | from |
//! |---|---|---|
//! | `docks` | all docks, some of them, or those that changed; now or at an instant | board, one period |
//! | `docks/{id}` | one dock, now or at an instant | board, one period |
//! | `docks/{id}/past` | a dock's counts as they changed | periods of the past |
//! | `windows` | departures per window | table `frequency` |
//! | `openapi.json` | this, for machines | the types below |
//!
//! Every response has a bound, is tagged, and may be read by any origin. A refusal is a [`problem::Problem`], also
//! where something outside of the routes refuses ([`problem::explain`]).

mod docks;
mod parameters;
mod past;
mod problem;
mod schema;
mod windows;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::problem::explain;
use super::conditional::conditional;
use super::cors::any_origin;
use super::state::AppState;

/// What all addresses here begin with.
const PREFIX: &str = "/api/v1/";

/// What is so now may be kept for a second (chosen: as old as a page that is looked at may be).
const CACHING_NOW: &str = "public, max-age=1";
/// What was so may still be corrected by what comes late: it is asked about again.
const CACHING_PAST: &str = "public, no-cache";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bikes at the docks",
        version = "1.0.0",
        description = "Bikes at each dock of the city, now and at any instant that is stored, and \
            departures per window. \"Now\" is the replay clock. What nobody knows is left out. Each \
            response has an ETag; ask again with If-None-Match. Whatever else the page serves is no part \
            of this.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(problem::Problem))
)]
struct Document;

/// The routes above.
pub(super) fn routes() -> Router<AppState> {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(docks::docks))
        .routes(routes!(docks::dock))
        .routes(routes!(past::dock_past))
        .routes(routes!(windows::windows))
        .split_for_parts();
    let document = to_json(&document);
    let document = async move |headers: HeaderMap| {
        conditional(&headers, "application/json", document, CACHING_PAST)
    };
    router
        .route("/api/v1/openapi.json", get(document))
        .layer(any_origin())
}

/// A response of which `content` is all.
fn respond(headers: &HeaderMap, content: &impl Serialize, caching: &'static str) -> Response {
    conditional(headers, "application/json", to_json(content), caching)
}

fn to_json(content: &impl Serialize) -> String {
    serde_json::to_string(content).expect("what is served has string keys and finite numbers only")
}
