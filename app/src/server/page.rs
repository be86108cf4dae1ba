//! `/`: the page, rendered with the docks as they are.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use serde::Deserialize;

use super::assets;
use super::router::AppState;
use crate::api::search::look_up;
use crate::app::shell;
use crate::model::PageContent;

/// A page asked for before the first reading of Postgres waits this long for it.
const SETTLE_MAX: Duration = Duration::from_millis(1_500);

/// What the page's address can hold.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// The search, as typed.
    #[serde(default)]
    q: String,
    /// The selected dock; text, since an address can hold anything and must still give a page.
    #[serde(default)]
    dock: String,
}

/// Answers `/`.
pub(crate) async fn page(
    State(app): State<AppState>,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request<Body>,
) -> Response {
    // An address that cannot be read still gives a page.
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    // Running out of time is fine: the page then says that there is nothing yet.
    drop(tokio::time::timeout(SETTLE_MAX, app.feed.settled()).await);
    let outcome = match asked.q.trim() {
        "" => None,
        query => Some(look_up(app.geocoder.as_ref(), query).await),
    };
    let content = PageContent {
        snapshot: app.feed.snapshot(),
        query: asked.q,
        outcome,
        selected: asked.dock.parse().ok(),
        stale_after_ms: u64::try_from(app.stale_after.as_millis()).unwrap_or(u64::MAX),
        tiles: app.tiles.clone(),
    };
    let context = move || {
        provide_context(content.clone());
        set_policy(app.tile_origin.as_deref());
    };
    let render = leptos_axum::render_app_to_stream_with_context(context, || shell(assets::links()));
    let mut response = render(request).await.into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Allows the page its own files, the inline scripts that carry this answer's nonce, and nothing
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
         style-src 'self'; img-src 'self'{tiles}; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        expect_context::<ResponseOptions>().insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}
