//! `bikeshare up`: every role on one machine, in the order in which trips flow.
//!
//! ```text
//! start:  data folder → Postgres → broker → topic and SmartModules → sink → page → producer
//! stop:   the same backwards
//! ```
//! Postgres and Fluvio are the private ones unless an address is given.

mod outcome;
mod roles;
mod services;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use app::check_base_map;
use clap::Args;
use fluvio::FluvioClusterConfig;
use producer::{ProducerRole, Progress};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::addresses::{DataDirFlag, TlsFlags, connect_cluster};
use crate::cluster::{Action, apply};
use crate::command::cluster_command;
use crate::command::produce::SourceFlags;
use crate::command::serve::PageFlags;
use crate::command::sink_command::{self, SinkFlags};
use crate::data_dir::{self, DataDir, Running};
use crate::database_url::DatabaseUrl;
use crate::metrics::MetricsFlag;
use crate::shutdown;

use crate::output::say;
use outcome::Outcome;
use roles::{Roles, both};
use services::{Database, Fluvio};

/// A live feed may be silent for so many seconds: GBFS allows counts to be five minutes old, most
/// feeds change every minute.
const LIVE_STALE_AFTER_S: u64 = 180;

/// The producer, in messages.
const PRODUCER: &str = "the producer";
/// How long it may take to stop. Chosen: it waits for the responses to the batches it has sent.
const PRODUCER_MAX: Duration = Duration::from_secs(2);

/// Run everything on this machine: Postgres, Fluvio, sink, page and producer.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare up                                      a simulated city, a minute in a second
  bikeshare up --source 202003-citibike-tripdata.zip --speed 600
  bikeshare up --source trips/ --speed max --once   load files, print the counts as JSON, stop
  bikeshare up --source s3://tripdata/JC-2020 --s3-anonymous --speed 600
  bikeshare up --source gbfs:https://gbfs.example/gbfs.json   a live feed's counts
  bikeshare up --fluvio sc.example:9003 --database-url postgres://bikes@db.example/bikes

A second start on the same data folder goes on where the first one stopped; a source that was
loaded adds nothing. Ctrl-C stops everything in good order, a second one at once.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceFlags,
    /// Stop when the source is drained (a live feed: polled once), stored and shown; print the counts as one line of JSON.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    database: DatabaseFlags,
    /// Controller of a Fluvio cluster to use; without it, the embedded single-node broker.
    #[arg(long, value_name = "HOST:PORT", env = "BIKESHARE_FLUVIO")]
    fluvio: Option<String>,
    #[command(flatten)]
    tls: TlsFlags,
    /// Have the embedded broker acknowledge a batch only when the disk has it: a power cut loses none.
    #[arg(long, env = "BIKESHARE_FSYNC", conflicts_with = "fluvio")]
    fsync: bool,
    /// What the cluster should be; without it, the fluvio-cluster.yaml this program carries.
    #[arg(long, value_name = "FILE", env = "BIKESHARE_CLUSTER")]
    cluster: Option<PathBuf>,
    #[command(flatten)]
    sink: SinkFlags,
    #[command(flatten)]
    page: PageFlags,
    #[command(flatten)]
    metrics: MetricsFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// The database, if it is not a private one.
#[derive(Debug, Args)]
struct DatabaseFlags {
    /// Postgres to use, or `file:PATH` of a file with its URL; without it, a private one from this
    /// machine's server programs. A password may stand in PGPASSWORD or PGPASSFILE too.
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        hide_default_value = true
    )]
    database_url: Option<DatabaseUrl>,
    /// The same Postgres with the page's login, which needs to read only; without it, the page
    /// uses --database-url.
    #[arg(
        long,
        value_name = "URL",
        env = "BIKESHARE_PAGE_DATABASE_URL",
        hide_env_values = true,
        hide_default_value = true
    )]
    page_database_url: Option<DatabaseUrl>,
}

impl Arguments {
    /// The cluster to use instead of the embedded broker.
    fn cluster_given(&self) -> Result<Option<FluvioClusterConfig>> {
        let Some(address) = &self.fluvio else {
            ensure!(
                !self.tls.is_given(),
                "--fluvio-ca is for a cluster: give its address with --fluvio, or leave it out"
            );
            return Ok(None);
        };
        self.tls.config(address).map(Some)
    }
}

/// Runs until stopped, or with `--once` until everything is stored and shown.
///
/// # Errors
/// If a part cannot start or fails for good; what had started is stopped first.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let stop = shutdown::on_signal()?;
    let started = Instant::now();
    // What can be known to be wrong is found out before anything starts.
    data_dir::check_free(&arguments.data_dir.data_dir)?;
    arguments.source.check()?;
    arguments.sink.keep()?;
    check_address(&arguments.page)?;
    arguments
        .page
        .base_map
        .as_deref()
        .map_or(Ok(()), check_base_map)?;
    let manifest = cluster_command::read(arguments.cluster.as_ref())?;
    let data_dir = DataDir::open(&arguments.data_dir.data_dir)?;

    let given = arguments.cluster_given()?;

    let database = Database::start(&arguments.database, &data_dir).await?;
    let outcome = match Fluvio::start(given, &data_dir, arguments.fsync).await {
        Ok(fluvio) => {
            let outcome = async {
                let steps = apply(fluvio.cluster(), &manifest).await?;
                for step in steps
                    .iter()
                    .filter(|step| !matches!(step.action, Action::Nothing))
                {
                    tracing::info!("{step}");
                }
                let services = Services {
                    data_dir: &data_dir,
                    database: &database,
                    fluvio: &fluvio,
                };
                Box::pin(work(&arguments, services, (stop, started))).await
            };
            both(outcome.await, fluvio.stop().await)
        }
        Err(error) => Err(error),
    };
    let outcome = both(outcome, database.stop().await)?;
    if let Some(outcome) = outcome {
        say!("{}", outcome.to_json()?);
    }
    Ok(())
}

/// What the roles run on.
#[derive(Clone, Copy)]
struct Services<'a> {
    data_dir: &'a DataDir,
    database: &'a Database,
    fluvio: &'a Fluvio,
}

/// Starts the roles on running services, works and stops the roles again.
async fn work(
    arguments: &Arguments,
    services: Services<'_>,
    (stop, started): (CancellationToken, Instant),
) -> Result<Option<Outcome>> {
    let Services {
        data_dir,
        database,
        fluvio,
    } = services;
    let mut page = arguments.page.clone();
    if arguments.source.is_live() {
        page.stale_after.get_or_insert(LIVE_STALE_AFTER_S);
    }
    let writer_url = database.writer_url().to_owned();
    let sink = sink_command::config(writer_url, &arguments.sink, arguments.source.bucket())?;
    let mut roles = Roles::start(fluvio.cluster(), &page, database, sink).await?;
    let _announcement = data_dir.announce(&Running {
        fluvio: fluvio.cluster().endpoint.clone(),
        database_url: database.reader_url().to_owned(),
        sink_database_url: database.writer_url().to_owned(),
        page: roles.page().to_owned(),
    })?;
    tracing::info!(
        "everything runs after {:.1} s",
        started.elapsed().as_secs_f32()
    );
    say!("\n    The map:  {}\n", roles.page());
    let (progress, watched) = watch::channel(Progress::default());
    let mut watched_roles = roles.watched();
    watched_roles.push(Arc::new(ProducerRole(watched)));
    let outcome = match arguments.metrics.serve(watched_roles).await {
        Ok(_serving) => tokio::select! {
            outcome = produce_and_wait(arguments, services, &mut roles, progress, &stop) => outcome,
            failure = database.failure() => Err(failure),
        },
        Err(error) => Err(error),
    };
    both(outcome, roles.stop().await)
}

/// Sends the source, then waits for all to be stored (`--once`) or for the end.
async fn produce_and_wait(
    arguments: &Arguments,
    services: Services<'_>,
    roles: &mut Roles,
    progress: watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Option<Outcome>> {
    let Services {
        data_dir,
        database,
        fluvio,
    } = services;
    let started = Instant::now();
    let cluster = connect_cluster(fluvio.cluster()).await?;
    let stop_producing = stop.child_token();
    let polls_max = arguments.once.then_some(1);
    let stopping = stop_producing.clone();
    let source = &arguments.source;
    let produce = source.produce(&cluster, Some(data_dir), polls_max, progress, stopping);
    let mut produce = std::pin::pin!(produce);
    let summary = tokio::select! {
        summary = &mut produce => summary?,
        failure = roles.failure() => {
            stop_producing.cancel();
            let stopped = shutdown::within(PRODUCER, PRODUCER_MAX, produce).await;
            return both(Err(failure), stopped.flatten().map(drop));
        }
        () = overdue(stop) => bail!("{PRODUCER} did not stop within {PRODUCER_MAX:?} and was left"),
    };
    if arguments.once {
        let drained = stop
            .run_until_cancelled(roles.drained(fluvio.cluster()))
            .await;
        if summary.stopped || drained.transpose()?.is_none() {
            bail!("stopped before everything was stored: the next start goes on from here");
        }
        let outcome = Outcome::read(&summary, started.elapsed(), database.reader_url());
        return stop.run_until_cancelled(outcome).await.transpose();
    }
    tokio::select! {
        failure = roles.failure() => Err(failure),
        () = stop.cancelled() => Ok(None),
    }
}

/// Waits until the producer has had its time to stop.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(PRODUCER_MAX).await;
}

/// Whether the page's address is free, before anything is started for it.
fn check_address(page: &PageFlags) -> Result<()> {
    let listener = TcpListener::bind(page.listen);
    listener.map(drop).with_context(|| {
        format!(
            "the page cannot listen on {}: stop the program that does, or choose another address \
             with --listen (port 0 takes any free one)",
            page.listen
        )
    })
}
