//! What the server answers to.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use leptos::prelude::provide_context;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::config::AppConfig;
use super::error::AppError;
use super::feed::Feed;
use super::gbfs::System;
use super::{assets, gbfs, live, page};
use crate::api::search::Search;
use crate::geocode::{Geocoder, ManhattanGeocoder};
use crate::model::{Database, Tiles};

/// What every request can use; copies share it.
#[derive(Debug, Clone)]
pub struct AppState {
    pub(crate) feed: Feed,
    pub(crate) geocoder: Arc<dyn Geocoder>,
    pub(crate) stale_after: Duration,
    pub(crate) tiles: Option<Tiles>,
    pub(crate) tile_origin: Option<String>,
    pub(crate) gbfs: Arc<System>,
    pub(crate) stop: CancellationToken,
}

impl AppState {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`AppError::TileUrl`] if the tile template cannot be used, [`AppError::PublicUrl`],
    /// [`AppError::SystemId`] or [`AppError::Contact`] if the GBFS feed would be invalid.
    pub fn new(config: &AppConfig, feed: Feed, stop: CancellationToken) -> Result<Self, AppError> {
        let tile_origin = config
            .tile_url
            .as_deref()
            .map(origin_of_tiles)
            .transpose()?;
        let tiles = config.tile_url.clone().map(|url| Tiles {
            url,
            attribution: config.tile_attribution.clone(),
        });
        let geocoder = Arc::new(ManhattanGeocoder::from_reference_stations());
        let stale_after = config.stale_after;
        let gbfs = Arc::new(System::new(config)?);
        Ok(Self {
            feed,
            geocoder,
            stale_after,
            tiles,
            tile_origin,
            gbfs,
            stop,
        })
    }
}

/// All routes: `/`, `/live`, `/api/…`, `/gbfs/…`, `/pkg/…`, `/style.css`, `/icon.svg`, `/healthz`.
pub fn router(state: AppState) -> Router {
    // Leptos runs its effects on the server's runtime. A second router finds that done: no error.
    drop(any_spawner::Executor::init_tokio());
    // Said outright, since a linker may leave out what only registers itself.
    leptos::server_fn::axum::register_explicit::<Search>();
    Router::new()
        .route("/", get(page::page))
        .route("/live", get(live::live))
        .route("/api/{*function}", get(api))
        .route("/pkg/{*path}", get(assets::package))
        .route("/style.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .route("/healthz", get(healthz))
        .merge(gbfs::routes())
        // Leaves event streams and what is compressed already as they are.
        .layer(CompressionLayer::new())
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(always(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .with_state(state)
}

fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Answers server functions.
async fn api(State(app): State<AppState>, request: Request<Body>) -> Response {
    let context = move || provide_context(Arc::clone(&app.geocoder));
    leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response()
}

/// Answers 200 while Postgres answers, 503 otherwise; the body says how the server fares.
async fn healthz(State(app): State<AppState>) -> Response {
    let heartbeat = app.feed.heartbeat();
    let status = match heartbeat.database {
        Database::Up => StatusCode::OK,
        Database::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(heartbeat)).into_response()
}

/// `https://tiles.example/{z}/…` → `https://tiles.example`, for the page's security policy.
fn origin_of_tiles(url: &str) -> Result<String, AppError> {
    let invalid = || AppError::TileUrl {
        url: url.to_owned(),
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let host = rest.split('/').next().unwrap_or_default();
    let is_plain = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
    let is_template = ["{z}", "{x}", "{y}"].iter().all(|part| url.contains(part));
    if matches!(scheme, "http" | "https") && is_plain && is_template {
        Ok(format!("{scheme}://{host}"))
    } else {
        Err(invalid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_come_from_one_origin() {
        let origin = |url| origin_of_tiles(url).map_err(|error| error.to_string());
        assert_eq!(
            origin("https://tiles.example:8443/map/{z}/{x}/{y}.png").unwrap(),
            "https://tiles.example:8443"
        );
        for url in [
            "/tiles/{z}/{x}/{y}",
            "https://a.example/{z}/{x}",
            "https://a;b/{z}/{x}/{y}",
        ] {
            assert!(
                origin(url).unwrap_err().contains("must start with"),
                "{url}"
            );
        }
    }
}
