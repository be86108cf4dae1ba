//! `/`: the page, rendered with the docks as they are.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use serde::Deserialize;

use super::assets;
use super::city_day;
use super::dock_past;
use super::document::document;
use super::language::ChosenLanguage;
use super::past::look_back;
use super::state::AppState;
use crate::model::{Instant, PageContent, Past, Snapshot};
use crate::moment::address_time;
use crate::seeking::Seeking;
use crate::text::{SEARCH_CHARS_MAX, one_line};
use crate::words::{Language, Words};

/// What the page's address can hold.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    /// The search, as typed: one line of at most [`SEARCH_CHARS_MAX`] characters; none where the
    /// address has none.
    pub(super) q: Option<String>,
    /// The selected dock; text, since an address can hold anything and must still give a page.
    #[serde(default)]
    dock: String,
    /// The instant of the past to show; text as well.
    #[serde(default)]
    at: String,
    /// What the rider looks for; text as well.
    #[serde(default, rename = "for")]
    seeking: String,
}

impl<S: Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Infallible;

    /// Cuts the search before anything can use it; an address that cannot be read has no query.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let query = Query::<Self>::try_from_uri(&parts.uri);
        let query = query.map(|Query(query)| query).unwrap_or_default();
        let q = query.q.map(|q| one_line(&q, SEARCH_CHARS_MAX));
        Ok(Self { q, ..query })
    }
}

/// Answers `/`.
pub(crate) async fn page(
    State(app): State<AppState>,
    language: Language,
    chosen: ChosenLanguage,
    query: PageQuery,
) -> Response {
    let words = language.words();
    app.board.wait_for_reading().await;
    let PageQuery {
        q,
        dock,
        at,
        seeking,
    } = query;
    let query = q.unwrap_or_default();
    let outcome = match query.trim() {
        "" => None,
        query => Some(app.geocoder.look_up(query, words)),
    };
    let mut snapshot = app.board.snapshot();
    let (past, refusal) = past_of(&app, words, &at, &mut snapshot).await;
    let selected = dock.parse().ok();
    let dock_day = match selected {
        Some(dock) => dock_past::draw_soon(&app, words, dock, &at).await,
        None => String::new(),
    };
    // Below the film, which is open where the past is shown.
    let city_day = match &past {
        Some(Past { shown: Some(_), .. }) => city_day::draw_soon(&app, words, &at).await,
        _ => String::new(),
    };
    let content = PageContent {
        words,
        example: app.geocoder.example().to_owned(),
        base_map: app.base_map.link_under(&snapshot.docks),
        snapshot,
        query,
        outcome,
        selected,
        dock_day,
        city_day,
        seeking: Seeking::from_address(&seeking),
        past,
        refusal,
        stale_after_ms: app.stale_after_ms(),
        tiles: app.tiles.clone(),
    };
    let context = move || {
        provide_context(content.clone());
        provide_context(app.base_map.clone());
        set_policy(app.tile_origin.as_deref());
    };
    let render =
        leptos_axum::render_app_to_stream_with_context(context, || document(assets::links()));
    // An empty request: no header or address of a browser can change the page, only its content can.
    let mut response = render(Request::new(Body::empty())).await.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(chosen.cookie());
    response
}

/// The past that is stored, and why the instant asked for is not shown; if it is, the docks have its counts.
async fn past_of(
    app: &AppState,
    words: Words,
    at: &str,
    snapshot: &mut Snapshot,
) -> (Option<Past>, Option<String>) {
    let look_back = match at.trim() {
        "" => None,
        at => Some(look_back(app, at).await),
    };
    let range = app.board.read(|board| {
        let timezone = board.system().timezone.clone();
        Some((board.past()?, timezone))
    });
    let Some((range, timezone)) = range else {
        let refusal = look_back.and_then(Result::err);
        return (
            None,
            refusal.map(|error| words.get(error.word()).to_owned()),
        );
    };
    let local = |second| {
        let at = DateTime::from_timestamp(second, 0).unwrap_or_default();
        address_time(at, &timezone)
    };
    let mut past = Past {
        first: range.first,
        last: range.last,
        ends: (local(range.first), local(range.last)),
        shown: None,
        note: None,
        timezone: timezone.clone(),
    };
    match look_back {
        None => (Some(past), None),
        Some(Err(error)) => (Some(past), Some(words.get(error.word()).to_owned())),
        Some(Ok(shown)) => {
            for dock in &mut snapshot.docks {
                dock.count = shown.count(dock.id);
            }
            let second = shown.second;
            snapshot.clock = Some(app.moment(second));
            past.shown = Some(Instant {
                second,
                local: local(second),
            });
            past.note = shown.note.map(|note| words.get(note).to_owned());
            (Some(past), None)
        }
    }
}

/// Allows the page its own files, the inline scripts that carry this response's nonce, and nothing
/// else.
fn set_policy(tile_origin: Option<&str>) {
    let nonce = use_nonce()
        .map(|nonce| nonce.to_string())
        .unwrap_or_default();
    let tiles = tile_origin
        .map(|origin| format!(" {origin}"))
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; \
         style-src 'self'; img-src 'self'{tiles}; connect-src 'self'; manifest-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        expect_context::<ResponseOptions>().insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}
