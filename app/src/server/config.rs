//! What the server can be told.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Settings of the server.
#[derive(Clone)]
pub struct AppConfig {
    /// Where to listen; port 0 lets the system choose. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Postgres, as a URL; may hold a password, so it is never printed.
    pub database_url: String,
    /// Raster tiles under the map: a URL with `{z}`, `{x}` and `{y}`. Default none: the base map
    /// is drawn from the docks and no third party hears of a rider.
    pub tile_url: Option<String>,
    /// Who made the tiles; shown on the map. Default empty.
    pub tile_attribution: String,
    /// Without a publish for this long the page calls itself stale. Default 10 s.
    pub stale_after: Duration,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            database_url: String::new(),
            tile_url: None,
            tile_attribution: String::new(),
            stale_after: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for AppConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppConfig")
            .field("listen", &self.listen)
            .field("database_url", &"***")
            .field("tile_url", &self.tile_url)
            .field("tile_attribution", &self.tile_attribution)
            .field("stale_after", &self.stale_after)
            .finish()
    }
}
