//! The sink and the page as tasks of this process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use app::{AppError, PageRole, Server};
use fluvio::FluvioClusterConfig;
use sink::{ModuleSources, SinkConfig, SinkError, SinkRole, SinkState};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::services::Database;
use crate::cluster::TOPIC;
use crate::command::serve::PageFlags;
use crate::shutdown;

/// How long a role may take to stop. Chosen: the page waits up to 3 s for open responses.
const STOP_MAX: Duration = Duration::from_secs(4);

/// Running sink and page; each has a stop of its own, because they stop in order.
pub(super) struct Roles {
    sink: Role<Result<SinkState, SinkError>>,
    page: Role<Result<(), AppError>>,
    /// Written by the sink's tasks, closed when the sink has ended.
    sink_state: watch::Receiver<SinkState>,
    page_address: String,
    page_role: PageRole,
    /// Held so that the sink keeps following the cluster's modules.
    _module_sources: watch::Sender<ModuleSources>,
}

/// A task and what stops it.
struct Role<T> {
    task: JoinHandle<T>,
    stop: CancellationToken,
}

impl<T, E> Role<Result<T, E>>
where
    E: std::error::Error + Send + Sync + 'static,
{
    /// Stops it and waits, though not for long; one that has ended has said why already.
    async fn stop(mut self, role: &str) -> Result<()> {
        if self.task.is_finished() {
            return Ok(());
        }
        self.stop.cancel();
        let Ok(ended) = shutdown::within(role, STOP_MAX, &mut self.task).await? else {
            bail!("{role} panicked");
        };
        ended
            .map(drop)
            .with_context(|| format!("{role} has failed"))
    }
}

impl Roles {
    pub(super) async fn start(
        fluvio: &FluvioClusterConfig,
        page: &PageFlags,
        database: &Database,
        config: SinkConfig,
    ) -> Result<Self> {
        // The page first: only it can fail here, and then nothing is to be stopped.
        let server = Server::bind(page.config(database.reader_url().to_owned())).await?;
        let page_address = format!("http://{}", server.address());
        let page_role = server.role();
        let stop = CancellationToken::new();
        let page = Role {
            task: tokio::spawn(server.run(stop.clone())),
            stop,
        };

        let (state, sink_state) = watch::channel(SinkState::default());
        let (module_sources, sources) = watch::channel(ModuleSources::default());
        let stop = CancellationToken::new();
        let running = sink::run(fluvio.clone(), config, sources, state, stop.clone());
        let sink = Role {
            task: tokio::spawn(running),
            stop,
        };
        Ok(Self {
            sink,
            page,
            sink_state,
            page_address,
            page_role,
            _module_sources: module_sources,
        })
    }

    /// Where the page is.
    pub(super) fn page(&self) -> &str {
        &self.page_address
    }

    /// Sink and page, for those who watch them.
    pub(super) fn watched(&self) -> Vec<Arc<dyn telemetry::Role>> {
        let sink = SinkRole(self.sink_state.clone());
        vec![Arc::new(sink), Arc::new(self.page_role.clone())]
    }

    /// Waits for a role to end that should not, and says why it did.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        tokio::select! {
            ended = &mut self.sink.task => reason("the sink", ended),
            ended = &mut self.page.task => reason("the page", ended),
        }
    }

    /// Waits until all that is on the topic now is stored and shown.
    pub(super) async fn drained(&mut self, fluvio: &FluvioClusterConfig) -> Result<()> {
        let ends = sink::log_ends(fluvio, TOPIC).await?;
        let done = |state: &SinkState| state.failed() || state.drained_to(&ends);
        let mut sink_state = self.sink_state.clone();
        let Ok(state) = sink_state.wait_for(done).await else {
            return Err(self.failure().await);
        };
        if state.failed() {
            let errors = state
                .streams
                .values()
                .filter_map(|stream| stream.last_error.clone());
            bail!(
                "the sink cannot go on: {}",
                errors.collect::<Vec<_>>().join("; ")
            );
        }
        Ok(())
    }

    /// Stops the page, then the sink.
    pub(super) async fn stop(self) -> Result<()> {
        let page = self.page.stop("the page").await;
        let sink = self.sink.stop("the sink").await;
        both(page, sink)
    }
}

/// The first outcome, unless only the second failed; a second failure is logged.
pub(super) fn both<T>(first: Result<T>, second: Result<()>) -> Result<T> {
    match (first, second) {
        (Err(first), Err(second)) => {
            tracing::error!("{second:#}");
            Err(first)
        }
        (first, second) => second.and(first),
    }
}

fn reason<T, E>(role: &str, ended: Result<Result<T, E>, tokio::task::JoinError>) -> anyhow::Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    match ended {
        Ok(Ok(_)) => anyhow!("{role} has ended, though it was not told to"),
        Ok(Err(error)) => anyhow::Error::from(error).context(format!("{role} has failed")),
        Err(panic) => anyhow::Error::from(panic).context(format!("{role} panicked")),
    }
}
