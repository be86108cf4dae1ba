//! Starts the server again when it ended by itself: killed, crashed, out of memory.
//!
//! It comes back on the same port with the same data, so that who was connected connects again.
//! A server that ends again and again has a reason that a start does not mend: it is given up.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{PostgresError, io_at};
use crate::folder::Folder;
use crate::process;
use crate::server::{self, Server};

/// How many starts within [`WINDOW`] are tried. Chosen: systemd's usual count of bursts.
const STARTS_MAX: usize = 5;
/// Chosen: recovery of a full write-ahead log takes a minute or two of it.
const WINDOW: Duration = Duration::from_secs(600);
/// Pause before the first start; each further one doubles it, up to 1.6 s for the fifth.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the server is looked for.
const WATCH: Duration = Duration::from_millis(50);

/// The server that runs now; none while it is started again.
type Running = Arc<Mutex<Option<Server>>>;
type Failure = Option<Arc<PostgresError>>;

/// Keeps a server running until it is stopped or dropped.
pub(crate) struct Supervisor {
    running: Running,
    task: JoinHandle<()>,
    failure: watch::Receiver<Failure>,
}

impl Supervisor {
    /// Watches over a server that was started on `folder`.
    pub(crate) fn start(server: Server, folder: &Arc<Folder>, bin: PathBuf) -> Self {
        let port = server.port();
        let running = Arc::new(Mutex::new(Some(server)));
        let (failed, failure) = watch::channel(None);
        let watched = Watched {
            running: Arc::clone(&running),
            // Weak: the folder's lock is to be free as soon as its owner lets go of it.
            folder: Arc::downgrade(folder),
            bin,
            port,
        };
        let task = tokio::spawn(async move {
            if let Err(error) = watched.keep_running().await {
                failed.send_replace(Some(Arc::new(error)));
            }
        });
        Self {
            running,
            task,
            failure,
        }
    }

    /// Waits until the server has been given up, if ever.
    pub(crate) async fn failure(&self) -> Arc<PostgresError> {
        let mut failure = self.failure.clone();
        let failed = failure.wait_for(Option::is_some).await;
        match failed.ok().and_then(|failure| failure.clone()) {
            Some(error) => error,
            // The task has ended because the server was stopped.
            None => std::future::pending().await,
        }
    }

    /// Stops the server; see [`Server::stop`].
    pub(crate) async fn stop(
        mut self,
        folder: &Folder,
        patience: Duration,
    ) -> Result<(), PostgresError> {
        self.task.abort();
        if (&mut self.task).await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the task that watches over postgres panicked");
        }
        let server = lock(&self.running).take();
        match server {
            Some(mut server) => server.stop(&folder.cluster(), patience).await,
            None => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
        drop(lock(&self.running).take());
    }
}

/// What the task needs.
struct Watched {
    running: Running,
    folder: Weak<Folder>,
    bin: PathBuf,
    port: u16,
}

impl Watched {
    /// Returns when the server was stopped on purpose.
    async fn keep_running(&self) -> Result<(), PostgresError> {
        let mut starts = VecDeque::new();
        let mut reason = None;
        while let Some(status) = self.ended().await? {
            let Some(folder) = self.folder.upgrade() else {
                return Ok(());
            };
            let started = loop {
                starts.retain(|at: &Instant| at.elapsed() < WINDOW);
                if starts.len() >= STARTS_MAX {
                    return Err(PostgresError::GaveUp {
                        starts: starts.len(),
                        status,
                        log: folder.log(),
                        source: reason.map(Box::new),
                    });
                }
                let pause = pause(starts.len());
                tracing::warn!(%status, ?pause, "postgres has ended by itself: it is started again");
                tokio::time::sleep(pause).await;
                starts.push_back(Instant::now());
                match self.start(&folder).await {
                    Ok(server) => break server,
                    Err(error) => {
                        tracing::warn!(%error, "postgres could not be started again");
                        reason = Some(error);
                    }
                }
            };
            *lock(&self.running) = Some(started);
            tracing::info!(port = self.port, "postgres is back");
        }
        Ok(())
    }

    /// Waits for the server to end; none if it was stopped.
    async fn ended(&self) -> Result<Option<ExitStatus>, PostgresError> {
        loop {
            let ended = match lock(&self.running).as_mut() {
                Some(server) => server.ended(),
                None => return Ok(None),
            };
            if let Some(status) = ended.map_err(io_at("wait for", &self.bin))? {
                // Dropped, so that its guard does not signal whoever gets its id next.
                drop(lock(&self.running).take());
                return Ok(Some(status));
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    /// Starts it where it was, once nothing is left of the one before.
    async fn start(&self, folder: &Folder) -> Result<Server, PostgresError> {
        process::stop_leftovers(&folder.cluster()).await?;
        server::start(folder, &self.bin, Some(self.port)).await
    }
}

/// The pause before a start after `starts` others, give or take a quarter.
fn pause(starts: usize) -> Duration {
    let pause = PAUSE * 2_u32.pow(u32::try_from(starts.min(STARTS_MAX)).unwrap_or(0));
    let random = RandomState::new().build_hasher().finish() % 512;
    pause * u32::try_from(768 + random).unwrap_or(1024) / 1024
}

/// A panic elsewhere leaves the server as it is.
fn lock(running: &Running) -> MutexGuard<'_, Option<Server>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_vary_by_a_quarter() {
        for (starts, usual_ms) in [(0, 100), (1, 200), (4, 1_600)] {
            let pause_ms = pause(starts).as_millis();
            assert!(
                (usual_ms * 3 / 4..=usual_ms * 5 / 4).contains(&pause_ms),
                "{pause_ms}"
            );
        }
    }
}
