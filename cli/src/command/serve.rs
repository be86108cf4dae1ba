//! `bikeshare serve`: stage ④ alone, any number of them on one database.

use std::net::SocketAddr;

use anyhow::Result;
use app::server::{AppConfig, Server};
use clap::Args;

use crate::addresses::{DataDirFlag, DatabaseFlag};
use crate::shutdown;

/// Serve the page from what the sink stored. Runs until stopped; any number may run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare serve --database-url postgres://reader@db.example/bikes --listen 0.0.0.0:80")]
pub(crate) struct Arguments {
    #[command(flatten)]
    page: PageFlags,
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
}

impl PageFlags {
    /// The server's configuration.
    pub(crate) fn config(&self, database_url: String) -> AppConfig {
        AppConfig {
            listen: self.listen,
            database_url,
            tile_url: self.tile_url.clone(),
            tile_attribution: self.tile_attribution.clone(),
            ..AppConfig::default()
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
    println!("http://{}", server.address());
    Ok(server.run(stop).await?)
}
