//! What every request can use.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::assets;
use super::base_map::ServedMap;
use super::config::AppConfig;
use super::error::AppError;
use super::gbfs::settings::FeedSettings;
use super::meters::Meters;
use super::past::PastReader;
use super::quota::Quota;
use super::responses::Quotas;
use super::shared_board::SharedBoard;
use crate::geocode::Geocoder;
use crate::model::Tiles;

/// The parts of a running server; copies share them.
#[derive(Debug, Clone)]
pub struct AppState {
    pub(super) board: SharedBoard,
    pub(super) base_map: ServedMap,
    pub(super) geocoder: Arc<Geocoder>,
    pub(super) stale_after: Duration,
    pub(super) tiles: Option<Tiles>,
    pub(super) tile_origin: Option<String>,
    pub(super) gbfs: Arc<FeedSettings>,
    pub(super) past: PastReader,
    /// Open event streams.
    pub(super) streams: Quota,
    pub(super) meters: Meters,
    pub(super) quotas: Quotas,
    pub(super) stop: CancellationToken,
}

impl AppState {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`AppError::TileUrl`] if the tile template cannot be used, [`AppError::BaseMapFile`] or
    /// [`AppError::BaseMap`] if there is no base map in its file, [`AppError::PublicUrl`],
    /// [`AppError::SystemId`] or [`AppError::Contact`] if the GBFS feed would be invalid.
    pub fn new(
        config: &AppConfig,
        board: SharedBoard,
        stop: CancellationToken,
    ) -> Result<Self, AppError> {
        let tile_origin = config
            .tile_url
            .as_deref()
            .map(origin_of_tiles)
            .transpose()?;
        let tiles = config.tile_url.clone().map(|url| Tiles {
            url,
            attribution: config.tile_attribution.clone(),
        });
        let (base_map, geocoder) = match &config.base_map {
            None => (ServedMap::new_york(), Geocoder::of_manhattan()),
            Some(path) => {
                let (base_map, addresses) = ServedMap::open(path)?;
                let geocoder = Geocoder::of_city(base_map.base_map(), addresses);
                (base_map, geocoder)
            }
        };
        let stale_after = config.stale_after;
        let gbfs = Arc::new(FeedSettings::new(config)?);
        let limits = &config.limits;
        Ok(Self {
            board,
            base_map,
            geocoder: Arc::new(geocoder),
            stale_after,
            tiles,
            tile_origin,
            gbfs,
            past: PastReader::new(&config.database_url),
            streams: Quota::new(limits.streams, limits.streams_per_peer),
            meters: Meters::default(),
            quotas: Quotas::new(limits),
            stop,
        })
    }

    /// Compresses once what is the same for everybody; until then each response is compressed by itself,
    /// in less time and less well. Takes a second for a large base map, so nobody waits for it.
    pub fn pack(&self) {
        assets::pack();
        self.base_map.file().0.pack();
    }

    /// Milliseconds without a publish after which the page calls itself stale.
    pub(super) fn stale_after_ms(&self) -> u64 {
        u64::try_from(self.stale_after.as_millis()).unwrap_or(u64::MAX)
    }
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
