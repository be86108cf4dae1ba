//! `/gbfs/…`: what the page knows, as a GBFS 3.0 feed for other programs.
//!
//! Each file is written out of the board in memory when it is requested, so no request reaches
//! Postgres. Its tag is that of its content: a poller that has it hears 304. Not here: the files'
//! spellings (see [`format`]).

mod format;
mod id;
pub(super) mod settings;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::format::{File, STATUS_TTL_S};
use self::settings::is_plain_host;
use super::conditional::conditional;
use super::cors::any_origin;
use super::state::AppState;

/// `/gbfs/gbfs.json` and the five files of `/gbfs/3.0/`, readable from any page.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/gbfs/gbfs.json", get(discovery))
        .route("/gbfs/3.0/{file}", get(file))
        .layer(any_origin())
}

async fn discovery(State(app): State<AppState>, headers: HeaderMap) -> Response {
    respond(&app, File::Discovery, &headers)
}

async fn file(
    State(app): State<AppState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match File::named(&name) {
        Some(file) => respond(&app, file, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn respond(app: &AppState, file: File, headers: &HeaderMap) -> Response {
    let Some((origin, caching)) = origin(app, file, headers) else {
        let reason = "the request names no host, and no public url is set\n";
        return (StatusCode::BAD_REQUEST, reason).into_response();
    };
    let written = app
        .board
        .read(|board| format::write(file, board, &app.gbfs, &origin));
    let Some(text) = written else {
        let later = (header::RETRY_AFTER, HeaderValue::from(STATUS_TTL_S));
        let reason = "nothing has been published yet\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [later], reason).into_response();
    };
    conditional(headers, "application/json", text, &caching)
}

/// What the file's addresses begin with, and who may keep the file for how long.
///
/// Without a public url that is the host which the request names: such a response is for the one who
/// sent it and may be kept by nobody, or a forged name would reach others out of a cache.
fn origin(app: &AppState, file: File, headers: &HeaderMap) -> Option<(String, String)> {
    let for_all = format!("public, max-age={}", file.ttl_s());
    match (&app.gbfs.public_url, file) {
        (Some(url), _) => Some((url.clone(), for_all)),
        (None, File::Discovery) => {
            let origin = format!("http://{}", plain_host(headers)?);
            Some((origin, "private, no-store".to_owned()))
        }
        // Holds no address.
        (None, _) => Some((String::new(), for_all)),
    }
}

/// The host that the request names, if it can stand in an address as it is.
fn plain_host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    is_plain_host(host).then_some(host)
}
