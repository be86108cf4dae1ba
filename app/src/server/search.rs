//! `/api/search` and `/api/suggest`: the search without the page, as the page's script asks for it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, State};
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use leptos::prelude::provide_context;

use super::page::PageQuery;
use super::state::AppState;
use crate::link::query_value;
use crate::words::Language;

/// What a request without a search is told.
const NO_SEARCH: &str = "a search has its address in \"q\", such as /api/search?q=1+Park+Avenue\n";

/// Calls the server function of this path with a request made here, which holds the search alone. To a
/// browser's own request it could respond with a redirect to the address in `Referer`, wherever that
/// leads.
pub(super) async fn search(
    State(app): State<AppState>,
    path: MatchedPath,
    language: Language,
    query: PageQuery,
) -> Response {
    let Some(q) = query.q else {
        return (StatusCode::BAD_REQUEST, NO_SEARCH).into_response();
    };
    let address = format!("{}?q={}", path.as_str(), query_value(&q));
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(address).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::ACCEPT, json);
    let context = move || {
        provide_context(Arc::clone(&app.geocoder));
        provide_context(language.words());
    };
    leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response()
}
