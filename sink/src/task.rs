//! One stream from the broker into Postgres, session after session.
//!
//! A *session* begins at the cursor in Postgres and ends at a commit: because the stream has
//! written enough bytes, because the SmartModule changed, because the sink stops, or with an
//! error. All that a session knows is thrown away with it, so whatever went wrong (a commit whose
//! end is unknown, a leader that died, outputs lost on the way), the next session starts from what
//! is stored.
//!
//! ```text
//! read:  answers ─▶ rows ──▶ queue of 1 ──▶ write: rows + cursor, one transaction
//! ```

use std::sync::Arc;
use std::time::Duration;

use domain::window::RECORDS_BETWEEN_OUTPUTS_MAX;
use fluvio_protocol::link::ErrorCode;
use sqlx::postgres::PgConnection;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::batch::{Batch, Decoder};
use crate::cluster::Cluster;
use crate::config::SinkConfig;
use crate::cursor::{self, Cursor, StreamKey};
use crate::database;
use crate::error::SinkError;
use crate::last_record;
use crate::locations::load_stations;
use crate::module::{LoadedModule, LoadedModules, Module};
use crate::pair::EndPatience;
use crate::retry::Backoff;
use crate::state::{SinkState, Status, StreamState};
use crate::stream::{Answer, ModuleStream, Outputs, StreamRequest};
use crate::write::{Writer, Written};

/// What all tasks of a sink share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<SinkConfig>,
    pub(crate) cluster: Arc<Cluster>,
    /// Set by [`crate::module::follow`].
    pub(crate) modules: watch::Receiver<LoadedModules>,
    /// Each task writes its own entry; the owner of the sink reads.
    pub(crate) state: watch::Sender<SinkState>,
    /// Wakes the availability task after each commit.
    pub(crate) written: Arc<Notify>,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    /// Waits before another try, unless told to stop.
    pub(crate) async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Reads one partition through one module and stores what comes.
pub(crate) struct StreamTask {
    key: StreamKey,
    shared: Shared,
    /// Kept from one session to the next unless there was an error.
    connection: Option<PgConnection>,
    /// Known once this process owns the stream.
    generation: Option<i64>,
    /// The module that last gave outputs which were stored.
    proven: Option<Arc<LoadedModule>>,
    /// A module that does not run; the proven one is used until there is another.
    refused: Option<Arc<LoadedModule>>,
    /// Where records were missing before; a second time at one place is an error for good.
    gap: Option<i64>,
    /// Raised where the broker seems to have skipped a batch with too much output.
    fetch_bytes_max: i32,
    /// Sessions in a row that ended because the broker was silent: each one waits longer.
    silences: u32,
    /// Where a silence was looked into by opening the stream again.
    rechecked: Option<i64>,
    end_patience: EndPatience,
}

/// Why a session ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The sink was told to stop.
    Stop,
    /// The broker says nothing about the last records. It may have nothing to say, or have skipped
    /// them: a new stream that may give larger answers will show.
    Silence { next_offset: i64 },
    /// The stream has written enough bytes.
    Bytes,
    /// There is another SmartModule.
    Reload,
    /// The writer has ended; its error says why.
    Writer,
}

impl StreamTask {
    pub(crate) fn new(key: StreamKey, shared: Shared) -> Self {
        let fetch_bytes_max = shared.config.fetch_bytes_max;
        let end_patience = EndPatience::new(shared.config.beyond_end_max);
        Self {
            key,
            shared,
            connection: None,
            generation: None,
            proven: None,
            refused: None,
            gap: None,
            fetch_bytes_max,
            silences: 0,
            rechecked: None,
            end_patience,
        }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// What trying again cannot mend; everything committed before stays.
    pub(crate) async fn run(mut self) -> Result<(), SinkError> {
        let mut backoff = Backoff::new(self.shared.config.retry);
        while !self.shared.stop.is_cancelled() {
            let before = self.show(|_| ()).next_offset;
            let stopped = stopped_for(self.shared.stop.clone(), self.shared.config.stop_max);
            let result = tokio::select! {
                result = self.session() => result,
                () = stopped => {
                    tracing::warn!(stream = %self.key, "{} left a transaction that did not end", self.key);
                    break;
                }
            };
            if self.show(|_| ()).next_offset != before {
                backoff.reset();
                self.silences = 0;
            }
            match result {
                Ok(End::Stop) => break,
                Ok(End::Silence { next_offset }) => {
                    self.rechecked = Some(next_offset);
                    self.raise_fetch_bytes();
                }
                Ok(end) => tracing::debug!(stream = %self.key, ?end, "{} opens again", self.key),
                Err(error) => {
                    if !self.may_try_again(&error) {
                        return Err(self.fail(error).await);
                    }
                    self.rest(&mut backoff, &error).await;
                }
            }
        }
        if let Some(connection) = self.connection.take() {
            database::close(connection).await;
        }
        self.show(|stream| stream.status = Status::Stopped);
        Ok(())
    }

    async fn fail(&self, error: SinkError) -> SinkError {
        let text = error.chain();
        if let Err(untold) = self.record_failure(&text).await {
            tracing::warn!(
                error = untold.chain(),
                "could not note why {} stopped",
                self.key
            );
        }
        tracing::error!(stream = %self.key, error = %text, "{} stopped", self.key);
        self.show(|stream| {
            stream.status = Status::Failed;
            stream.last_error = Some(text);
        });
        error
    }

    /// Tells those who cannot see this process why the stream has stopped.
    async fn record_failure(&self, text: &str) -> Result<(), SinkError> {
        let Some(generation) = self.generation else {
            return Ok(());
        };
        let mut connection = self.connect().await?;
        let recording = cursor::record_failure(&mut connection, &self.key, generation, text);
        self.timely("note the failure", recording).await?;
        database::close(connection).await;
        Ok(())
    }

    async fn rest(&self, backoff: &mut Backoff, error: &SinkError) {
        let text = error.chain();
        let pause = backoff.next_pause();
        tracing::warn!(stream = %self.key, error = %text, pause_ms = pause.as_millis(),
            "{} tries again", self.key);
        self.show(|stream| {
            stream.status = Status::Retrying;
            stream.last_error = Some(text);
        });
        self.shared.pause(pause).await;
    }

    /// Whether another session may succeed; remembers what must not happen twice.
    fn may_try_again(&mut self, error: &SinkError) -> bool {
        match error {
            SinkError::Module { .. } | SinkError::Output { .. } | SinkError::Gap { .. }
                if self.refuse_module() =>
            {
                true
            }
            SinkError::Gap { expected, .. } => {
                self.raise_fetch_bytes();
                self.gap.replace(*expected) != Some(*expected)
            }
            // A module that gives nothing loops, perhaps; one that has given something does not.
            SinkError::Silence { .. } if self.refuse_module() => true,
            SinkError::Silence { .. } => {
                self.silences += 1;
                self.raise_fetch_bytes();
                true
            }
            SinkError::BeyondEnd { .. } => self.end_patience.lasts(),
            error => error.is_transient(),
        }
    }

    /// Asks for larger answers: the broker skips, in silence, a stored batch whose output is
    /// larger than an answer may be.
    fn raise_fetch_bytes(&mut self) {
        self.fetch_bytes_max = self
            .fetch_bytes_max
            .saturating_mul(8)
            .min(FETCH_BYTES_LIMIT);
    }

    /// Goes back to the module that ran before the present one, if there is one.
    fn refuse_module(&mut self) -> bool {
        let wanted = self.wanted_module();
        let (Some(wanted), Some(proven)) = (wanted, &self.proven) else {
            return false;
        };
        if wanted == *proven || self.refused.as_ref() == Some(&wanted) {
            return false;
        }
        tracing::error!(stream = %self.key, module.version = wanted.version(),
            "{} goes on with {}@{}: the new module does not run",
            self.key, proven.name(), proven.version());
        self.refused = Some(wanted);
        true
    }

    fn wanted_module(&self) -> Option<Arc<LoadedModule>> {
        self.shared.modules.borrow().get(&self.key.module).cloned()
    }

    /// The module to run: what is wanted, unless that one was refused.
    fn module(&self, modules: &LoadedModules) -> Option<Arc<LoadedModule>> {
        let wanted = modules.get(&self.key.module).cloned();
        if wanted.is_some() && wanted == self.refused {
            self.proven.clone()
        } else {
            wanted
        }
    }

    async fn session(&mut self) -> Result<End, SinkError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let cursor = self.cursor(&mut connection).await?;
        let module = self.module(&self.shared.modules.borrow());
        let Some(module) = module else {
            self.connection = Some(connection);
            return Ok(self.wait_for_module().await);
        };
        let end = self.pump(&mut connection, &cursor, &module).await?;
        self.connection = Some(connection);
        Ok(end)
    }

    async fn connect(&self) -> Result<PgConnection, SinkError> {
        let role = format!("sink {}", self.key);
        let config = &self.shared.config;
        database::connect(&config.database_url, &role, config.database_max).await
    }

    /// Waits for Postgres, but not for ever.
    async fn timely<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, SinkError>>,
    ) -> Result<T, SinkError> {
        let doing = format!("{doing} of {}", self.key);
        database::timely(self.shared.config.database_max, &doing, work).await
    }

    /// Reads where to go on; the first time, takes the stream over.
    async fn cursor(&mut self, connection: &mut PgConnection) -> Result<Cursor, SinkError> {
        let cursor = async {
            match self.generation {
                Some(generation) => cursor::load(connection, &self.key, generation).await,
                None => cursor::take(connection, &self.key, &self.shared.config.owner).await,
            }
        };
        let cursor = self.timely("read the cursor", cursor).await?;
        self.generation = Some(cursor.generation);
        self.show(|stream| {
            stream.next_offset = cursor.next_offset;
            stream.id_shift = cursor.id_shift;
            stream.watermark = cursor.watermark;
            stream.late_events = cursor.late_events.unsigned_abs();
            stream.duplicates = cursor.duplicates.unsigned_abs();
        });
        Ok(cursor)
    }

    async fn wait_for_module(&mut self) -> End {
        self.show(|stream| {
            stream.last_error = Some("waits for the smartmodule".to_owned());
        });
        let mut modules = self.shared.modules.clone();
        let known = |modules: &LoadedModules| modules.contains_key(&self.key.module);
        tokio::select! {
            () = self.shared.stop.cancelled() => End::Stop,
            found = modules.wait_for(known) => if found.is_ok() { End::Reload } else { End::Stop },
        }
    }

    /// Opens the stream and moves its outputs into Postgres until the session ends.
    async fn pump(
        &mut self,
        connection: &mut PgConnection,
        cursor: &Cursor,
        module: &Arc<LoadedModule>,
    ) -> Result<End, SinkError> {
        let range = last_record::check(&self.shared.cluster, &self.key, cursor).await?;
        let (stations, locations) = match self.key.module {
            Module::TripSplit => {
                let loading = load_stations(connection, self.key.partition);
                self.timely("read the stations", loading).await?
            }
            Module::DockWindow => (Vec::new(), Vec::new()),
        };
        let config = &self.shared.config;
        let request = StreamRequest {
            topic: &self.key.topic,
            partition: self.key.partition,
            offset: cursor.next_offset,
            module,
            params: params(&self.key, config, cursor),
            fetch_bytes_max: self.fetch_bytes_max,
        };
        let stream = ModuleStream::open(&self.shared.cluster, request).await?;
        self.end_patience.reset();
        self.show(|state| {
            state.status = Status::Running;
            state.high_watermark = range.end;
            state.module_version = module.version().to_owned();
            state.opened += 1;
        });
        let decoder = Decoder::resume(self.key.clone(), cursor, stations);
        let writer = Writer::resume(self.key.clone(), cursor, locations);
        let (batches, queue) = mpsc::channel(1);
        let stored = self.show(|_| ()).next_offset;
        let (read, written) = tokio::join!(
            self.read(stream, decoder, batches, module),
            self.write(writer, connection, queue),
        );
        if self.show(|_| ()).next_offset > stored {
            self.proven = Some(Arc::clone(module));
        }
        written?;
        read
    }

    /// Reads answers and hands their rows to the writer, until the session ends.
    async fn read(
        &self,
        mut stream: ModuleStream,
        mut decoder: Decoder,
        batches: mpsc::Sender<Batch>,
        module: &Arc<LoadedModule>,
    ) -> Result<End, SinkError> {
        let config = &self.shared.config;
        let mut modules = self.shared.modules.clone();
        let changed = |modules: &LoadedModules| self.module(modules).as_ref() != Some(module);
        let mut patience = self.patience() * FIRST_ANSWER_PATIENCE;
        let mut asked = false;
        let mut quiet_from = None;
        while let Ok(room) = batches.reserve().await {
            let answer = tokio::select! {
                () = self.shared.stop.cancelled() => return Ok(End::Stop),
                () = batches.closed() => return Ok(End::Writer),
                found = modules.wait_for(changed), if modules.has_changed().is_ok() => {
                    if found.is_ok() { return Ok(End::Reload) }
                    continue;
                }
                answer = timeout(patience, stream.next()) => answer,
            };
            match answer {
                Ok(answer) => match answer? {
                    Answer::Range(range) => {
                        asked = false;
                        let next_offset = decoder.next_offset();
                        self.check_lag(range.end, next_offset)?;
                        if range.end > next_offset && self.rechecked != Some(next_offset) {
                            return Ok(End::Silence { next_offset });
                        }
                        self.show(|stream| {
                            stream.high_watermark = range.end;
                            // What was there at the question before has had its time.
                            let quiet_until = quiet_from.replace(range.end).unwrap_or(0);
                            stream.quiet_until = stream.quiet_until.max(quiet_until);
                        });
                    }
                    Answer::Outputs(outputs) => {
                        patience = self.patience();
                        quiet_from = None;
                        // The broker runs on while these outputs are decoded and written; there
                        // is no more than one answer on its way.
                        stream.acknowledge(&outputs).await?;
                        self.show(|stream| stream.high_watermark = outputs.high_watermark);
                        if let Some(batch) = decoder.decode(&outputs)? {
                            room.send(batch);
                        }
                        self.check(&outputs, &decoder, module)?;
                    }
                },
                Err(_) if asked => {
                    let silence = anyhow::anyhow!("no answer for {patience:?}");
                    return Err(SinkError::broker(format!("read {}", self.key), silence));
                }
                Err(_) => {
                    stream.ask_range().await?;
                    asked = true;
                }
            }
            if stream.bytes() >= config.stream_bytes_max {
                return Ok(End::Bytes);
            }
        }
        Ok(End::Writer)
    }

    /// How long the broker may be silent.
    fn patience(&self) -> Duration {
        self.shared.config.silence_max * (1 << self.silences.min(SILENCE_DOUBLINGS_MAX))
    }

    /// An error if the broker, silent for a while, had something to say.
    fn check_lag(&self, end: i64, next_offset: i64) -> Result<(), SinkError> {
        if end - next_offset < silent_lag_max(self.key.module) {
            return Ok(());
        }
        let position = self.key.at(next_offset);
        Err(SinkError::Silence {
            position,
            module: self.key.module.name(),
            end,
        })
    }

    /// The error that came after the outputs, if one did.
    fn check(
        &self,
        outputs: &Outputs,
        decoder: &Decoder,
        module: &LoadedModule,
    ) -> Result<(), SinkError> {
        let Some(error) = &outputs.error else {
            return Ok(());
        };
        if is_of_module(error) {
            return Err(SinkError::Module {
                position: self.key.at(decoder.next_offset()),
                module: format!("{}@{}", module.name(), module.version()),
                reason: error.to_string(),
            });
        }
        let source = anyhow::anyhow!("{error}");
        Err(SinkError::broker(format!("read {}", self.key), source))
    }

    /// Writes what the reader hands over, small batches gathered for a moment.
    async fn write(
        &self,
        mut writer: Writer,
        connection: &mut PgConnection,
        mut queue: mpsc::Receiver<Batch>,
    ) -> Result<(), SinkError> {
        let SinkConfig {
            linger,
            batch_rows_max,
            ..
        } = *self.shared.config;
        while let Some(mut batch) = queue.recv().await {
            let deadline = tokio::time::Instant::now() + linger;
            while batch.rows() < batch_rows_max {
                match timeout_at(deadline, queue.recv()).await {
                    Ok(Some(later)) => batch.append(later),
                    Ok(None) | Err(_) => break,
                }
            }
            let writing = async {
                match &batch {
                    Batch::Split(chunks) => writer.write_split(connection, chunks).await,
                    Batch::Windows(chunk) => writer.write_windows(connection, chunk).await,
                }
            };
            let written = self.timely("write rows", writing).await?;
            self.show_written(&written);
            self.shared.written.notify_one();
        }
        Ok(())
    }

    fn show_written(&self, written: &Written) {
        self.show(|stream| {
            stream.next_offset = written.next_offset;
            stream.high_watermark = stream.high_watermark.max(written.next_offset);
            stream.watermark = stream.watermark.max(written.watermark);
            stream.rows += written.rows;
            stream.rejects += written.rejects;
            stream.duplicates += written.duplicates;
            stream.late_events += written.late_events;
            stream.last_error = None;
        });
    }

    /// Changes this stream's entry in the shared state, and gives what it is then.
    fn show(&self, change: impl FnOnce(&mut StreamState)) -> StreamState {
        let mut shown = StreamState::default();
        self.shared.state.send_if_modified(|state| {
            let stream = state
                .streams
                .entry((self.key.partition, self.key.module))
                .or_default();
            let before = stream.clone();
            change(stream);
            shown = stream.clone();
            before != shown
        });
        shown
    }
}

/// Ends `limit` after the sink was told to stop.
pub(crate) async fn stopped_for(stop: CancellationToken, limit: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(limit).await;
}

/// A stream's first answer may take so many times longer: the broker compiles the module, and
/// those of all other streams with it, which was seen to take seconds on a busy machine.
const FIRST_ANSWER_PATIENCE: u32 = 4;
/// The wait of streams that stay silent doubles so many times.
const SILENCE_DOUBLINGS_MAX: u32 = 4;

/// Largest answer asked for where a batch was skipped.
const FETCH_BYTES_LIMIT: i32 = 512 << 20;

/// How far a stream may lag behind the log and yet have nothing to say.
fn silent_lag_max(module: Module) -> i64 {
    match module {
        // Every record gives an output.
        Module::TripSplit => 1,
        // Only some do, but never fewer than one in so many.
        Module::DockWindow => RECORDS_BETWEEN_OUTPUTS_MAX.cast_signed(),
    }
}

/// Whether the broker complains about the module rather than about itself.
fn is_of_module(error: &ErrorCode) -> bool {
    match error {
        ErrorCode::SmartModuleError
        | ErrorCode::SmartModuleNotFound { .. }
        | ErrorCode::SmartModuleInvalid { .. }
        | ErrorCode::SmartModuleInvalidExports { .. }
        | ErrorCode::SmartModuleRuntimeError(_)
        | ErrorCode::SmartModuleInitError(_)
        | ErrorCode::SmartModuleLookBackError(_)
        | ErrorCode::SmartModuleMemoryLimitExceeded { .. }
        | ErrorCode::SmartModuleChainInitError(_) => true,
        // A panic of the module comes as text.
        ErrorCode::Other(text) => text.contains("SmartModule"),
        _ => false,
    }
}

/// What the module is told.
fn params(key: &StreamKey, config: &SinkConfig, cursor: &Cursor) -> Vec<(String, String)> {
    if key.module == Module::TripSplit {
        return Vec::new();
    }
    let millis = |duration: Duration| duration.as_millis().to_string();
    let seen = serde_json::json!(cursor.sources).to_string();
    let mut params = vec![
        ("window_ms".to_owned(), millis(config.window)),
        ("lateness_ms".to_owned(), millis(config.lateness)),
        ("next_offset".to_owned(), cursor.next_offset.to_string()),
        ("seen".to_owned(), seen),
    ];
    params.extend(
        cursor
            .state
            .clone()
            .map(|state| ("state".to_owned(), state)),
    );
    params
}
