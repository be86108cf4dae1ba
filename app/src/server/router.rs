//! The routes of the server.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::meters::count;
use super::responses::bounded;
use super::state::AppState;
use super::{assets, city_day, dock_past, gbfs, health, live, page, past, search, v1};

/// All routes: `/`, `/live`, `/api/search`, `/api/suggest`, `/api/past…`, `/api/v1/…`, `/dock/past`,
/// `/city/day`, `/gbfs/…`, `/pkg/…`, `/healthz` and the page's files.
pub fn router(state: AppState) -> Router {
    // Leptos runs its effects on the server's runtime. A second router finds that done: no error.
    drop(any_spawner::Executor::init_tokio());
    Router::new()
        .route("/", get(page::page))
        .route("/api/search", get(search::search))
        .route("/api/suggest", get(search::suggest))
        .route("/pkg/{*path}", get(assets::package))
        .route("/city/day", get(city_day::city_day))
        .route("/city.basemap", get(assets::base_map))
        .route("/dock/past", get(dock_past::dock_past))
        .route("/healthz", get(health::healthz))
        .merge(assets::routes())
        .merge(gbfs::routes())
        .merge(past::routes())
        .merge(v1::routes())
        // Leaves what is compressed already as it is.
        .layer(CompressionLayer::new())
        // Behind it: an event stream is never compressed, and would carry the room for that.
        .route("/live", get(live::live))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(always(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        .layer(from_fn_with_state(state.quotas.clone(), bounded))
        .layer(from_fn(v1::explain))
        .layer(from_fn_with_state(state.meters.clone(), count))
        .with_state(state)
}

fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
