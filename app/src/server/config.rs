//! What the server can be told.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::limits::Limits;

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
    /// A file of `bikeshare basemap build`: map and addresses of the city. Default none: New York, if the
    /// docks are there.
    pub base_map: Option<PathBuf>,
    /// Without a publish for this long the page calls itself stale. Default 10 s.
    pub stale_after: Duration,
    /// Where browsers and other programs reach the server, such as `https://bikes.example`; the
    /// GBFS feed's addresses begin with it. Default none: with the host that a request names.
    pub public_url: Option<String>,
    /// The GBFS feed's name for the system, never to be changed. Default `bikeshare-availability`.
    pub system_id: String,
    /// The system's name for riders. Default `Bikes at the docks`.
    pub system_name: String,
    /// Whom users of the GBFS feed may write to; the format requires an address. Default
    /// `nobody@bikeshare.invalid`, which by its name reaches nobody.
    pub contact_email: String,
    /// What requests and clients may cost.
    pub limits: Limits,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            database_url: String::new(),
            tile_url: None,
            tile_attribution: String::new(),
            base_map: None,
            stale_after: Duration::from_secs(10),
            public_url: None,
            system_id: "bikeshare-availability".to_owned(),
            system_name: "Bikes at the docks".to_owned(),
            contact_email: "nobody@bikeshare.invalid".to_owned(),
            limits: Limits::default(),
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
            .field("base_map", &self.base_map)
            .field("stale_after", &self.stale_after)
            .field("public_url", &self.public_url)
            .field("system_id", &self.system_id)
            .field("system_name", &self.system_name)
            .field("contact_email", &self.contact_email)
            .field("limits", &self.limits)
            .finish()
    }
}
