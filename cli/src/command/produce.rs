//! `bikeshare produce`: stage ① alone, against a cluster given by address.

use anyhow::{Context, Result};
use clap::Args;
use producer::{ProducerConfig, Source, Speed, Summary};
use tokio_util::sync::CancellationToken;

use crate::addresses::{DataDirFlag, FluvioFlag, connect};
use crate::cluster::TOPIC;
use crate::{progress, shutdown};

/// Send trips to topic trips, paced by their departures; ends when the source does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare produce --source trips.csv --fluvio sc.example:9003
  bikeshare produce --source simulate:trips=100000 --speed max
  bikeshare produce --source gbfs:https://gbfs.citibikenyc.com/gbfs/2.3/gbfs.json

A source that was sent before is not sent again: a run goes on after the last row that is there. A
live feed is polled until the program is stopped.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// Poll a live feed once, then end.
    #[arg(long)]
    once: bool,
}

/// What to send and how fast, the same in `up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourceFlags {
    /// A trip file (.csv, .csv.gz, .zip), a folder of such files, `simulate`,
    /// `simulate:seed=7,trips=300000,days=2`, or a live feed, `gbfs:https://…/gbfs.json`.
    #[arg(
        long,
        value_name = "SOURCE",
        env = "BIKESHARE_SOURCE",
        default_value = "simulate"
    )]
    source: Source,
    /// How fast the city's clock goes: 1 is real time, 60 a minute in a second, or `max`.
    #[arg(
        long,
        value_name = "TIMES",
        env = "BIKESHARE_SPEED",
        default_value = "60"
    )]
    speed: Speed,
}

impl SourceFlags {
    /// Whether there is something to send, before anything is started for it.
    ///
    /// # Errors
    /// If the file or folder is not there.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.source {
            Source::Path(path) => std::fs::metadata(path)
                .map(drop)
                .with_context(|| format!("could not read --source {path:?}")),
            Source::Simulate(_) | Source::Gbfs(_) => Ok(()),
        }
    }

    /// Whether the source is polled, and has news only as often as its operator gives them.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.source, Source::Gbfs(_))
    }

    /// Sends the source and shows how far it is; a live feed for so many polls, or until stopped.
    ///
    /// # Errors
    /// If the source cannot be used or the cluster takes no records.
    pub(crate) async fn produce(
        &self,
        fluvio: &fluvio::Fluvio,
        polls_max: Option<u64>,
        stop: CancellationToken,
    ) -> Result<Summary> {
        let config = ProducerConfig {
            topic: TOPIC.to_owned(),
            speed: self.speed,
            polls_max,
            ..ProducerConfig::default()
        };
        let (progress, shown) = progress::start();
        let summary = producer::run(fluvio, self.source.clone(), config, progress, stop).await;
        shown.await.context("the progress display panicked")?;
        summary.with_context(|| format!("could not send {}", self.source))
    }
}

/// Runs the subcommand.
///
/// # Errors
/// As [`SourceFlags::produce`].
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    arguments.source.check()?;
    let stop = shutdown::on_signal()?;
    let fluvio = connect(&arguments.fluvio.resolve(&arguments.data_dir)?).await?;
    let polls_max = arguments.once.then_some(1);
    let summary = arguments.source.produce(&fluvio, polls_max, stop).await?;
    println!(
        "{} rows read, {} produced, {} rejected, {} of them by an earlier run",
        summary.rows_read, summary.produced, summary.rejected, summary.already_produced
    );
    Ok(())
}
