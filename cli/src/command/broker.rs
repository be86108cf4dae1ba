//! `bikeshare broker`: the embedded broker as a process of its own, for roles that run one by one.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use embedded_broker::{Broker, BrokerConfig};

use crate::output::say;
use crate::shutdown;

/// Run the embedded single-node Fluvio alone. Runs until stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare broker                                 then, beside it:
  bikeshare cluster apply --fluvio 127.0.0.1:9003
  bikeshare produce --source trips.csv --fluvio 127.0.0.1:9003

It answers processes of its own user and root's only, on loopback. `up` runs one inside itself.")]
pub(crate) struct Arguments {
    /// Where clients connect, on loopback; port 0 takes any free one.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "BIKESHARE_BROKER_LISTEN",
        default_value = "127.0.0.1:9003"
    )]
    listen: SocketAddr,
    /// Folder of topics and SmartModules; one broker at a time.
    #[arg(
        long,
        value_name = "FOLDER",
        env = "BIKESHARE_BROKER_FOLDER",
        default_value = "data/fluvio"
    )]
    folder: PathBuf,
    /// Acknowledge a batch only when the disk has it: a power cut loses none, each batch waits for a sync.
    /// Without it a batch survives the end of the broker, as on a real SPU.
    #[arg(long, env = "BIKESHARE_FSYNC")]
    fsync: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// If the address is not on loopback, address or folder are in use, or the folder cannot be read.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    ensure!(
        arguments.listen.ip().is_loopback(),
        "--listen {} is not on loopback: whoever reaches the broker could read, write and run modules",
        arguments.listen
    );
    let stop = shutdown::on_signal()?;
    let config = BrokerConfig {
        listen: arguments.listen,
        data_dir: arguments.folder,
        sync: arguments.fsync,
        ..BrokerConfig::default()
    };
    let broker = Broker::start(config).await;
    let broker = broker.context("could not start the embedded broker")?;
    say!("{}", broker.address());
    stop.cancelled().await;
    let stopped = broker.shutdown().await;
    stopped.context("could not stop the embedded broker")
}
