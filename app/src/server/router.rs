//! What the server answers to.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::answers::{Answers, bounded};
use super::config::AppConfig;
use super::error::AppError;
use super::feed::Feed;
use super::gbfs::System;
use super::quota::Quota;
use super::{assets, gbfs, health, live, page, search};
use crate::api::search::Search;
use crate::geocode::{Geocoder, ManhattanGeocoder};
use crate::model::Tiles;

/// What every request can use; copies share it.
#[derive(Debug, Clone)]
pub struct AppState {
    pub(crate) feed: Feed,
    pub(crate) geocoder: Arc<dyn Geocoder>,
    pub(crate) stale_after: Duration,
    pub(crate) tiles: Option<Tiles>,
    pub(crate) tile_origin: Option<String>,
    pub(crate) gbfs: Arc<System>,
    /// Open event streams.
    pub(crate) streams: Quota,
    pub(crate) answers: Answers,
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
        let limits = &config.limits;
        Ok(Self {
            feed,
            geocoder,
            stale_after,
            tiles,
            tile_origin,
            gbfs,
            streams: Quota::new(limits.streams, limits.streams_per_peer),
            answers: Answers::new(limits),
            stop,
        })
    }

    /// Milliseconds without a publish after which the page calls itself stale.
    pub(crate) fn stale_after_ms(&self) -> u64 {
        u64::try_from(self.stale_after.as_millis()).unwrap_or(u64::MAX)
    }
}

/// All routes: `/`, `/live`, `/api/search`, `/gbfs/…`, `/pkg/…`, `/style.css`, `/icon.svg`, `/healthz`.
pub fn router(state: AppState) -> Router {
    // Leptos runs its effects on the server's runtime. A second router finds that done: no error.
    drop(any_spawner::Executor::init_tokio());
    // Said outright, since a linker may leave out what only registers itself.
    leptos::server_fn::axum::register_explicit::<Search>();
    Router::new()
        .route("/", get(page::page))
        .route("/live", get(live::live))
        .route("/api/search", get(search::search))
        .route("/pkg/{*path}", get(assets::package))
        .route("/style.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .route("/healthz", get(health::healthz))
        .merge(gbfs::routes())
        // Leaves event streams and what is compressed already as they are.
        .layer(CompressionLayer::new())
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(always(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        .layer(from_fn_with_state(state.answers.clone(), bounded))
        .with_state(state)
}

fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
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
