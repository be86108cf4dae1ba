//! One session of a stream: outputs are read, decoded and written until there is a reason to open
//! another one.
//!
//! ```text
//! read:  responses ─▶ rows ──▶ queue of 1 ──▶ write: rows + cursor, one transaction
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use partition_client::{
    FetchResponse, ModuleChoice, ModuleError, OffsetRange, PartitionStream, Recovery, StreamEvent,
    StreamRequest,
};
use sqlx::postgres::PgConnection;
use tokio::sync::{mpsc, watch};
use tokio::time::{timeout, timeout_at};

use crate::batch::{Batch, Decoder};
use crate::config::SinkConfig;
use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::listening::{Listening, Silence};
use crate::locations::load_stations;
use crate::log_check;
use crate::module::{LoadedModule, LoadedModules, Module};
use crate::module_version::SessionVersion;
use crate::session_end::SessionOutcome;
use crate::shared::Shared;
use crate::state::{StreamEntry, StreamStatus};
use crate::stream_key::StreamKey;
use crate::write::{Writer, Written};

/// A stream's first response may take so many times longer: the broker compiles the module, and
/// those of all other streams with it, which was seen to take seconds on a busy machine.
const FIRST_RESPONSE_FACTOR: u32 = 4;

/// What a session works with; nothing of it outlives the session but what is in `entry`.
pub(crate) struct Session<'a> {
    pub(crate) key: &'a StreamKey,
    pub(crate) shared: &'a Shared,
    pub(crate) entry: &'a StreamEntry,
    pub(crate) choice: &'a ModuleChoice<Arc<LoadedModule>>,
    pub(crate) recovery: &'a mut Recovery,
    pub(crate) module: &'a Arc<LoadedModule>,
}

/// The reading half.
struct Reader<'a> {
    session: &'a Session<'a>,
    stream: PartitionStream,
    decoder: Decoder,
    /// How long the broker may send nothing.
    silence_max: Duration,
    listening: Listening,
}

impl Session<'_> {
    /// Opens the stream and moves its outputs into Postgres until the session ends.
    pub(crate) async fn run(
        mut self,
        connection: &mut PgConnection,
        cursor: &Cursor,
    ) -> Result<SessionOutcome, SinkError> {
        let range = log_check::check(&self.shared.cluster, self.key, cursor).await?;
        let (stations, locations) = match self.key.module {
            Module::TripSplit => {
                let loading = load_stations(connection, self.key.partition);
                self.shared
                    .with_timeout("read the stations", self.key, loading)
                    .await?
            }
            Module::DockWindow => (Vec::new(), Vec::new()),
        };
        let stream = self.open(cursor, range).await?;
        let decoder = Decoder::resume(self.key.clone(), cursor, stations);
        let writer = Writer::resume(
            self.key.clone(),
            cursor,
            SessionVersion::of(self.module, cursor),
            locations,
            Arc::clone(&self.shared.recent),
        );
        let (batches, queue) = mpsc::channel(1);
        let reader = Reader {
            session: &self,
            stream,
            decoder,
            silence_max: self.recovery.patience() * FIRST_RESPONSE_FACTOR,
            listening: Listening::new(self.key.module),
        };
        let (read, written) =
            tokio::join!(reader.run(batches), self.write(writer, connection, queue));
        written?;
        read
    }

    async fn open(
        &mut self,
        cursor: &Cursor,
        range: OffsetRange,
    ) -> Result<PartitionStream, SinkError> {
        let params = params(self.key, &self.shared.config, cursor);
        let module = self.module.module();
        let request = StreamRequest::through(module, params, cursor.next_offset)
            .fetch_bytes(self.recovery.fetch_bytes());
        let partition = self.key.topic_partition();
        let stream = PartitionStream::open(&self.shared.cluster, partition, request).await?;
        self.recovery.in_range();
        self.entry.update(|state| {
            state.status = StreamStatus::Running;
            state.high_watermark = range.end;
            state.module_version = self.module.version().to_owned();
            state.opened += 1;
        });
        Ok(stream)
    }

    /// Writes what the reader hands over, small batches gathered for a moment.
    async fn write(
        &self,
        mut writer: Writer,
        connection: &mut PgConnection,
        mut queue: mpsc::Receiver<Batch>,
    ) -> Result<(), SinkError> {
        while let Some(batch) = self.gather(&mut queue).await {
            let writing = async {
                match &batch {
                    Batch::Split(chunks) => writer.write_split(connection, chunks).await,
                    Batch::Windows(chunk) => writer.write_windows(connection, chunk).await,
                }
            };
            let started = Instant::now();
            let written = self
                .shared
                .with_timeout("write rows", self.key, writing)
                .await?;
            self.show_written(&written, started.elapsed());
            self.shared.written.notify_one();
        }
        Ok(())
    }

    /// The next batch, and what follows it within a moment; none when the reader has ended.
    async fn gather(&self, queue: &mut mpsc::Receiver<Batch>) -> Option<Batch> {
        let SinkConfig {
            linger,
            batch_rows_max,
            ..
        } = *self.shared.config;
        let mut batch = queue.recv().await?;
        let deadline = tokio::time::Instant::now() + linger;
        while batch.rows() < batch_rows_max {
            match timeout_at(deadline, queue.recv()).await {
                Ok(Some(later)) => batch.append(later),
                Ok(None) | Err(_) => break,
            }
        }
        Some(batch)
    }

    /// Waits until another module is to run.
    async fn other_module(&self, modules: &mut watch::Receiver<LoadedModules>) {
        let is_other = |modules: &LoadedModules| {
            let wanted = modules.get(&self.key.module).cloned();
            self.choice.choose(wanted).as_ref() != Some(self.module)
        };
        if modules.wait_for(is_other).await.is_err() {
            // The task that follows the modules has ended: the sink is about to stop.
            std::future::pending().await
        }
    }

    fn show_written(&self, written: &Written, took: Duration) {
        self.entry.update(|stream| {
            stream.commits += 1;
            stream.writing += took;
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
}

impl Reader<'_> {
    /// Reads responses and hands their rows to the writer, until the session ends.
    async fn run(mut self, batches: mpsc::Sender<Batch>) -> Result<SessionOutcome, SinkError> {
        let shared = self.session.shared;
        let mut modules = shared.modules.clone();
        while let Ok(permit) = batches.reserve().await {
            let event = tokio::select! {
                () = shared.stop.cancelled() => return Ok(SessionOutcome::Stop),
                () = batches.closed() => return Ok(SessionOutcome::Writer),
                () = self.session.other_module(&mut modules) => return Ok(SessionOutcome::Reload),
                event = timeout(self.silence_max, self.stream.next()) => event,
            };
            let end = match event {
                Ok(event) => match event? {
                    StreamEvent::OffsetRange(range) => self.on_range(range)?,
                    StreamEvent::Response(response) => {
                        self.on_response(&response, permit).await?;
                        None
                    }
                },
                Err(_) => {
                    self.on_silence().await?;
                    None
                }
            };
            if let Some(end) = end {
                return Ok(end);
            }
            if self.stream.bytes() >= shared.config.stream_bytes_max {
                return Ok(SessionOutcome::Bytes);
            }
        }
        Ok(SessionOutcome::Writer)
    }

    /// The broker runs on while these outputs are decoded and written; there is no more than one
    /// response on its way.
    async fn on_response(
        &mut self,
        response: &FetchResponse,
        permit: mpsc::Permit<'_, Batch>,
    ) -> Result<(), SinkError> {
        self.silence_max = self.session.recovery.patience();
        self.listening.heard();
        self.stream.acknowledge(response).await?;
        self.session
            .entry
            .update(|stream| stream.high_watermark = response.high_watermark);
        if let Some(batch) = self.decoder.decode(self.session.key, response)? {
            permit.send(batch);
        }
        self.check(response)
    }

    /// Requests the log's range; an error if the broker has not responded to the request before.
    async fn on_silence(&mut self) -> Result<(), SinkError> {
        if !self.listening.is_to_request_range() {
            let silence = anyhow::anyhow!("no response for {:?}", self.silence_max);
            return Err(SinkError::broker(
                format!("read {}", self.session.key),
                silence,
            ));
        }
        Ok(self.stream.request_offset_range().await?)
    }

    /// Takes the log's range, which was requested because nothing came.
    fn on_range(&mut self, range: OffsetRange) -> Result<Option<SessionOutcome>, SinkError> {
        let Session { key, recovery, .. } = self.session;
        let offset = self.decoder.next_offset();
        let heard = self.listening.on_range(range.end, offset, recovery);
        let quiet_until = match heard {
            Silence::Skipped => {
                return Err(SinkError::Silence {
                    position: key.at(offset),
                    module: key.module.name(),
                    end: range.end,
                });
            }
            Silence::ReadAgain => return Ok(Some(SessionOutcome::Quiet { offset })),
            Silence::Quiet { until } => until,
        };
        self.session.entry.update(|stream| {
            stream.high_watermark = range.end;
            stream.quiet_until = stream.quiet_until.max(quiet_until);
        });
        Ok(None)
    }

    /// The error that came after the outputs, if one did.
    fn check(&self, response: &FetchResponse) -> Result<(), SinkError> {
        let Some(code) = &response.error else {
            return Ok(());
        };
        let Session { key, module, .. } = *self.session;
        if let Some(ModuleError { reason, .. }) = ModuleError::of(code) {
            return Err(SinkError::Module {
                position: key.at(self.decoder.next_offset()),
                module: format!("{}@{}", module.name(), module.version()),
                reason,
            });
        }
        let source = anyhow::anyhow!("{code}");
        Err(SinkError::broker(format!("read {key}"), source))
    }
}

/// The module's parameters.
#[must_use]
pub fn params(key: &StreamKey, config: &SinkConfig, cursor: &Cursor) -> Vec<(String, String)> {
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
