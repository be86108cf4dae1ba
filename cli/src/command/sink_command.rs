//! `bikeshare sink`: stage ③ alone, against a cluster and a database given by address.

use anyhow::{Context, Result};
use clap::Args;
use sink::{ModuleSources, SinkConfig, SinkState};
use tokio::sync::watch;

use crate::addresses::{DataDirFlag, DatabaseFlag, FluvioFlag, cluster_config};
use crate::{cluster, shutdown};

/// Store what the SmartModules give: topic trips → Postgres. Runs until stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare sink --fluvio sc.example:9003 --database-url postgres://bikes@db.example/bikes

A second sink on the same topic and database takes all partitions over: the newest one wins.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// The sink's configuration, the same in `up`.
pub(crate) fn config(database_url: String) -> SinkConfig {
    SinkConfig {
        topic: cluster::TOPIC.to_owned(),
        database_url,
        ..SinkConfig::default()
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If the tables cannot be made, or all partitions failed for good.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let fluvio = arguments.fluvio.resolve(&arguments.data_dir)?;
    let database_url = arguments.database.resolve(&arguments.data_dir)?;
    let stop = shutdown::on_signal()?;
    sink::migrate(&database_url).await?;
    let config = config(database_url);
    let (state, _watching) = watch::channel(SinkState::default());
    let (_unchanged, sources) = watch::channel(ModuleSources::default());
    let last = sink::run(cluster_config(&fluvio), config, sources, state, stop).await;
    let last = last.context("the sink has stopped")?;
    println!("{} records stored", last.records());
    Ok(())
}
