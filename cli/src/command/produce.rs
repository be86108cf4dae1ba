//! `bikeshare produce`: stage ① alone, against a cluster given by address.

use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use domain::time::{self, TimeError};
use partition_client::Cluster;
use producer::{ProducerConfig, ProducerRole, Progress, Source, Speed, Summary};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trip_files::{FilesConfig, S3Config, Source as Trips};

use crate::addresses::{DataDirFlag, FluvioFlag, connect_cluster};
use crate::cluster::TOPIC;
use crate::data_dir::DataDir;
use crate::metrics::MetricsFlag;
use crate::output::say;
use crate::{progress, shutdown};

/// Send trips to topic trips, paced by their departures; ends when the source does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare produce --source trips.csv --fluvio sc.example:9003
  bikeshare produce --source s3://tripdata/JC-2020 --s3-anonymous --speed 600
  bikeshare produce --source simulate:trips=100000 --speed max
  bikeshare produce --source gbfs:https://gbfs.citibikenyc.com/gbfs/2.3/gbfs.json

A bucket's files are kept in the data folder while they are sent, and not read again after that.
A source that was sent before is not sent again: a run goes on after the last row that is there. A
live feed is polled until the program is stopped.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    metrics: MetricsFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// Poll a live feed once, then end.
    #[arg(long)]
    once: bool,
}

/// What to send and how fast, the same in `up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourceFlags {
    /// A trip file (.csv, .csv.gz, .zip, .parquet), a folder of such files, `s3://BUCKET/PREFIX`,
    /// `simulate`, `simulate:seed=7,trips=300000,days=2`, or a live feed, `gbfs:https://…/gbfs.json`.
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
    /// Send trips before this time (New York) at once and keep to the pace from there on; a
    /// simulated city of several days begins with its second morning.
    #[arg(long, value_name = "TIME", env = "BIKESHARE_FROM", value_parser = parse_from)]
    from: Option<DateTime<Utc>>,
    #[command(flatten)]
    bucket: BucketFlags,
}

/// Reads `2026-06-02 08:00` as riders in New York say it.
fn parse_from(text: &str) -> Result<DateTime<Utc>, TimeError> {
    let local = time::parse_local(&text.replace('T', " "))?;
    Ok(time::new_york(local)?.earlier)
}

/// How to reach the bucket of a source, a target or an archive `s3://…`. What is not said here, the environment
/// and the profile files of Amazon's tools say.
#[derive(Debug, Clone, Args)]
pub(crate) struct BucketFlags {
    /// Server of the bucket, if it is not Amazon's.
    #[arg(long, value_name = "URL", env = "BIKESHARE_S3_ENDPOINT")]
    s3_endpoint: Option<String>,
    /// Region of the bucket.
    #[arg(long, value_name = "REGION", env = "BIKESHARE_S3_REGION")]
    s3_region: Option<String>,
    /// Name the bucket in the path of URLs; most servers that are not Amazon's need it.
    #[arg(long, env = "BIKESHARE_S3_PATH_STYLE")]
    s3_path_style: bool,
    /// Ask without credentials, as for a public bucket.
    #[arg(long, env = "BIKESHARE_S3_ANONYMOUS")]
    s3_anonymous: bool,
}

impl BucketFlags {
    pub(crate) fn config(&self) -> S3Config {
        S3Config {
            endpoint: self.s3_endpoint.clone(),
            region: self.s3_region.clone(),
            path_style: self.s3_path_style,
            anonymous: self.s3_anonymous,
            ..S3Config::default()
        }
    }
}

impl SourceFlags {
    /// Whether there is something to send, before anything is started for it.
    ///
    /// # Errors
    /// If the file or folder is not there.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.source {
            Source::Trips(Trips::Path(path)) => std::fs::metadata(path)
                .map(drop)
                .with_context(|| format!("could not read --source {path:?}")),
            Source::Trips(Trips::S3(_) | Trips::Simulate(_)) | Source::Gbfs(_) => Ok(()),
        }
    }

    /// How to reach a bucket, of the source or of what else `up` is given.
    pub(crate) fn bucket(&self) -> &BucketFlags {
        &self.bucket
    }

    fn usual_from(&self) -> Option<DateTime<Utc>> {
        match &self.source {
            Source::Trips(Trips::Simulate(city)) => city.second_morning(),
            Source::Trips(Trips::Path(_) | Trips::S3(_)) | Source::Gbfs(_) => None,
        }
    }

    /// Whether what is read of the source is worth keeping over restarts.
    fn is_remote(&self) -> bool {
        matches!(self.source, Source::Trips(Trips::S3(_)))
    }

    /// Whether the source is polled, and has news only as often as its operator gives them.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.source, Source::Gbfs(_))
    }

    /// Sends the source and shows how far it is; a live feed for so many polls, or until stopped.
    /// Rows wait in `data_dir`, or in a temporary folder.
    ///
    /// # Errors
    /// If the source cannot be used or the cluster takes no records.
    pub(crate) async fn produce(
        &self,
        cluster: &Cluster,
        data_dir: Option<&DataDir>,
        polls_max: Option<u64>,
        progress: watch::Sender<Progress>,
        stop: CancellationToken,
    ) -> Result<Summary> {
        let config = ProducerConfig {
            topic: TOPIC.to_owned(),
            speed: self.speed,
            paced_from: self.from.or_else(|| self.usual_from()),
            files: FilesConfig {
                spill_dir: data_dir.map(DataDir::spill),
                s3: self.bucket.config(),
                ..FilesConfig::default()
            },
            polls_max,
            ..ProducerConfig::default()
        };
        let shown = progress::show(progress.subscribe());
        let summary = producer::run(cluster, self.source.clone(), config, progress, stop).await;
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
    let cluster = connect_cluster(&arguments.fluvio.resolve(&arguments.data_dir)?).await?;
    let path = &arguments.data_dir.data_dir;
    // A file that lies here needs no data folder; a temporary one will do.
    let data_dir = match arguments.source.is_remote() || DataDir::exists(path) {
        true => Some(DataDir::open(path)?),
        false => None,
    };
    let (progress, watched) = watch::channel(Progress::default());
    let role = Arc::new(ProducerRole(watched));
    let _serving = arguments.metrics.serve(vec![role]).await?;
    let polls_max = arguments.once.then_some(1);
    let produce = arguments
        .source
        .produce(&cluster, data_dir.as_ref(), polls_max, progress, stop);
    let summary = produce.await?;
    say!(
        "{} rows read, {} produced, {} rejected, {} of them by an earlier run",
        summary.rows_read,
        summary.produced,
        summary.rejected,
        summary.already_produced
    );
    Ok(())
}
