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
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::cors::{Any, CorsLayer};

use self::format::{File, STATUS_TTL_S};
use self::settings::is_plain_host;
use super::assets::hash;
use super::state::AppState;

/// `/gbfs/gbfs.json` and the five files of `/gbfs/3.0/`, readable from any page.
pub(super) fn routes() -> Router<AppState> {
    let anyone = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(Any)
        .expose_headers([header::ETAG])
        // The response is the same for every origin.
        .vary([]);
    Router::new()
        .route("/gbfs/gbfs.json", get(discovery))
        .route("/gbfs/3.0/{file}", get(file))
        .layer(anyone)
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
    // Weak, since the response may be compressed in one way or another.
    let tag = format!("W/\"{}\"", hash(text.as_bytes()));
    let mut response = if knows(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    let caching = [(header::ETAG, tag), (header::CACHE_CONTROL, caching)];
    for (name, value) in caching {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
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

/// Whether `If-None-Match` names the tag, by weak comparison (RFC 9110, 13.1.2).
pub(super) fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut named = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    named.any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

/// The host that the request names, if it can stand in an address as it is.
fn plain_host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    is_plain_host(host).then_some(host)
}
