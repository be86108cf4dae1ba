//! `bikeshare serve`: stage ④ alone, any number of them on one database.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use app::{AppConfig, Limits, Server};
use clap::Args;

use crate::addresses::{DataDirFlag, DatabaseFlag};
use crate::metrics::MetricsFlag;
use crate::output::say;
use crate::shutdown;

/// Serve the page from what the sink stored. Runs until stopped; any number may run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare serve --database-url postgres://page@db.example/bikes --listen 0.0.0.0:80
  bikeshare serve --database-url file:reader.url --base-map oslo.basemap

Its user needs no more than the role bikeshare_reader.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    page: PageFlags,
    #[command(flatten)]
    metrics: MetricsFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// The page's own settings, the same in `up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PageFlags {
    /// Where the page listens; port 0 takes any free one.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "BIKESHARE_LISTEN",
        default_value = "127.0.0.1:3000"
    )]
    pub(crate) listen: SocketAddr,
    /// Raster tiles under the map, such as `https://tile.example/{z}/{x}/{y}.png`; without it
    /// the base map is drawn from what is here, and no third party hears of a rider.
    #[arg(long, value_name = "URL", env = "BIKESHARE_TILE_URL")]
    pub(crate) tile_url: Option<String>,
    /// Who made the tiles, as their terms ask; shown on the map.
    #[arg(
        long,
        value_name = "TEXT",
        env = "BIKESHARE_TILE_ATTRIBUTION",
        default_value = ""
    )]
    pub(crate) tile_attribution: String,
    /// Map and addresses of a city of your own, a file that `bikeshare basemap build` wrote; without it
    /// New York's, if the docks are there.
    #[arg(long, value_name = "FILE", env = "BIKESHARE_BASE_MAP")]
    pub(crate) base_map: Option<PathBuf>,
    /// Seconds without news after which the page calls itself stale; 10, and in `up` 180 for a
    /// live feed, which has news as often as its operator says.
    #[arg(long, value_name = "SECONDS", env = "BIKESHARE_STALE_AFTER")]
    pub(crate) stale_after: Option<u64>,
    /// Where others reach the page, such as `https://bikes.example`: the addresses in the GBFS
    /// feed begin with it; without it, with the host that was asked.
    #[arg(long, value_name = "URL", env = "BIKESHARE_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// The system's id in the GBFS feed; the same for as long as the system lives.
    #[arg(long, value_name = "ID", env = "BIKESHARE_SYSTEM_ID")]
    pub(crate) system_id: Option<String>,
    /// The system's name in the GBFS feed.
    #[arg(long, value_name = "TEXT", env = "BIKESHARE_SYSTEM_NAME")]
    pub(crate) system_name: Option<String>,
    /// Whom users of the GBFS feed may write to.
    #[arg(long, value_name = "ADDRESS", env = "BIKESHARE_CONTACT_EMAIL")]
    pub(crate) contact_email: Option<String>,
    /// Pages that one address may have open at a time, and six times as many connections; behind a
    /// proxy, which is one address to the server, as many as there are riders (at most 10,000).
    #[arg(
        long,
        value_name = "NUMBER",
        env = "BIKESHARE_STREAMS_PER_PEER",
        default_value = "64"
    )]
    pub(crate) streams_per_peer: usize,
}

impl PageFlags {
    /// The server's configuration.
    pub(crate) fn config(&self, database_url: String) -> AppConfig {
        let default = AppConfig::default();
        let given = |flag: &Option<String>, default| flag.clone().unwrap_or(default);
        AppConfig {
            listen: self.listen,
            database_url,
            tile_url: self.tile_url.clone(),
            tile_attribution: self.tile_attribution.clone(),
            base_map: self.base_map.clone(),
            stale_after: self
                .stale_after
                .map_or(default.stale_after, Duration::from_secs),
            public_url: self.public_url.clone(),
            system_id: given(&self.system_id, default.system_id),
            system_name: given(&self.system_name, default.system_name),
            contact_email: given(&self.contact_email, default.contact_email),
            limits: Limits {
                streams_per_peer: self.streams_per_peer,
                ..default.limits
            },
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If the address is taken, or the server breaks.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let database_url = arguments.database.resolve(&arguments.data_dir)?;
    let stop = shutdown::on_signal()?;
    let server = Server::bind(arguments.page.config(database_url)).await?;
    let role = Arc::new(server.role());
    let _serving = arguments.metrics.serve(vec![role]).await?;
    say!("http://{}", server.address());
    Ok(server.run(stop).await?)
}
