//! One stream from the broker into Postgres, session after session.
//!
//! A *session* begins at the cursor in Postgres and ends at a commit: because the stream has
//! written enough bytes, because the SmartModule changed, because the sink stops, or with an
//! error. All that a session knows is thrown away with it, so whatever went wrong (a commit whose
//! end is unknown, a leader that died, outputs lost on the way), the next session starts from what
//! is stored. [`Recovery`] decides what follows a session.

use std::sync::Arc;
use std::time::Instant;

use partition_client::{Backoff, ModuleChoice, Next, Recovery};
use sqlx::postgres::PgConnection;

use crate::cursor::{self, Cursor};
use crate::database;
use crate::error::SinkError;
use crate::module::{LoadedModule, LoadedModules};
use crate::session::Session;
use crate::session_end::{SessionOutcome, session_end};
use crate::shared::{Shared, stop_deadline};
use crate::state::{StreamEntry, StreamStatus};
use crate::stream_key::StreamKey;

/// Reads one partition through one module and stores what comes.
pub(crate) struct StreamTask {
    key: StreamKey,
    shared: Shared,
    entry: StreamEntry,
    /// Kept from one session to the next unless there was an error.
    connection: Option<PgConnection>,
    /// Of the partition's lease.
    generation: i64,
    choice: ModuleChoice<Arc<LoadedModule>>,
    recovery: Recovery,
}

impl StreamTask {
    pub(crate) fn new(key: StreamKey, generation: i64, shared: Shared) -> Self {
        Self {
            entry: StreamEntry::new(&key, shared.state.clone()),
            recovery: shared.recovery(),
            key,
            shared,
            connection: None,
            generation,
            choice: ModuleChoice::default(),
        }
    }

    /// Runs until it is stopped, or another sink owns the partition.
    ///
    /// # Errors
    /// What a retry cannot mend; everything committed before stays.
    pub(crate) async fn run(mut self) -> Result<(), SinkError> {
        let mut backoff = self.shared.backoff();
        self.entry
            .update(|stream| stream.status = StreamStatus::Starting);
        while !self.shared.stop.is_cancelled() {
            let before = self.entry.read().next_offset;
            let stopped = stop_deadline(self.shared.stop.clone(), self.shared.config.stop_max);
            let ended = tokio::select! {
                ended = self.session() => ended,
                () = stopped => {
                    tracing::warn!(stream = %self.key, "{} left a transaction that did not end", self.key);
                    break;
                }
            };
            if self.entry.read().next_offset != before {
                backoff.reset();
                self.recovery.progressed();
            }
            if let Err(error @ SinkError::Fenced { .. }) = &ended {
                tracing::info!(stream = %self.key, "{error}");
            }
            let end = session_end(&ended, || self.refuse_module());
            match (self.recovery.after(end, Instant::now()), ended) {
                (Next::Fail, Err(error)) => return Err(self.fail(error).await),
                (Next::Retry, Err(error)) => self.wait_before_retry(&mut backoff, &error).await,
                (Next::Stop, _) => break,
                (_, ended) => {
                    tracing::debug!(stream = %self.key, ?ended, "{} opens again", self.key);
                }
            }
        }
        if let Some(connection) = self.connection.take() {
            database::close(connection).await;
        }
        self.entry
            .update(|stream| stream.status = StreamStatus::Stopped);
        Ok(())
    }

    /// Goes back to the module that ran before the present one, if there is one.
    fn refuse_module(&mut self) -> bool {
        let wanted = self.shared.modules.borrow().get(&self.key.module).cloned();
        let version = wanted.as_ref().map(|wanted| wanted.version().to_owned());
        let Some(proven) = self.choice.refuse(wanted) else {
            return false;
        };
        tracing::error!(stream = %self.key, module.version = version,
            "{} goes on with {}@{}: the new module does not run",
            self.key, proven.name(), proven.version());
        true
    }

    async fn fail(&self, error: SinkError) -> SinkError {
        let text = error.chain();
        if let Err(unrecorded) = self.record_failure(&text).await {
            tracing::warn!(
                error = unrecorded.chain(),
                "could not note why {} stopped",
                self.key
            );
        }
        tracing::error!(stream = %self.key, error = %text, "{} stopped", self.key);
        self.entry.update(|stream| {
            stream.status = StreamStatus::Failed;
            stream.last_error = Some(text);
        });
        error
    }

    /// Stores why the stream has stopped, for `bikeshare status` and the page.
    async fn record_failure(&self, text: &str) -> Result<(), SinkError> {
        let mut connection = self.connect().await?;
        let recording = cursor::record_failure(&mut connection, &self.key, self.generation, text);
        self.shared
            .with_timeout("note the failure", &self.key, recording)
            .await?;
        database::close(connection).await;
        Ok(())
    }

    async fn wait_before_retry(&self, backoff: &mut Backoff, error: &SinkError) {
        let text = error.chain();
        let pause = backoff.next_pause();
        tracing::warn!(stream = %self.key, error = %text, pause_ms = pause.as_millis(),
            "{} retries", self.key);
        self.entry.update(|stream| {
            stream.status = StreamStatus::Retrying;
            stream.retries += 1;
            stream.last_error = Some(text);
        });
        self.shared.pause(pause).await;
    }

    async fn session(&mut self) -> Result<SessionOutcome, SinkError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let cursor = self.cursor(&mut connection).await?;
        let wanted = self.shared.modules.borrow().get(&self.key.module).cloned();
        let Some(module) = self.choice.choose(wanted) else {
            self.connection = Some(connection);
            return Ok(self.wait_for_module().await);
        };
        let session = Session {
            key: &self.key,
            shared: &self.shared,
            entry: &self.entry,
            choice: &self.choice,
            recovery: &mut self.recovery,
            module: &module,
        };
        let ended = session.run(&mut connection, &cursor).await;
        if self.entry.read().next_offset > cursor.next_offset {
            self.choice.prove(module);
        }
        let end = ended?;
        self.connection = Some(connection);
        Ok(end)
    }

    async fn connect(&self) -> Result<PgConnection, SinkError> {
        self.shared.connect(&self.key.to_string()).await
    }

    /// Reads where to go on, as the stream's owner.
    async fn cursor(&self, connection: &mut PgConnection) -> Result<Cursor, SinkError> {
        let member = &self.shared.config.member;
        let taking = cursor::take(connection, &self.key, member, self.generation);
        let cursor = self
            .shared
            .with_timeout("read the cursor", &self.key, taking)
            .await?;
        self.entry.update(|stream| {
            stream.next_offset = cursor.next_offset;
            stream.id_shift = cursor.id_shift;
            stream.watermark = cursor.watermark;
        });
        Ok(cursor)
    }

    async fn wait_for_module(&mut self) -> SessionOutcome {
        self.entry.update(|stream| {
            stream.last_error = Some("waits for the smartmodule".to_owned());
        });
        let mut modules = self.shared.modules.clone();
        let known = |modules: &LoadedModules| modules.contains_key(&self.key.module);
        tokio::select! {
            () = self.shared.stop.cancelled() => SessionOutcome::Stop,
            found = modules.wait_for(known) => if found.is_ok() { SessionOutcome::Reload } else { SessionOutcome::Stop },
        }
    }
}

impl Shared {
    /// Waits for Postgres at most as long as the configuration allows.
    pub(crate) async fn with_timeout<T>(
        &self,
        doing: &str,
        key: &StreamKey,
        work: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkError> {
        let doing = format!("{doing} of {key}");
        database::with_timeout(self.config.database_max, &doing, work).await
    }
}
