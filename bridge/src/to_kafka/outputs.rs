//! What a SmartModule gives for records, and which records that was.
//!
//! ```text
//! stored batches   0‥2 3‥5 6‥9 │ 10‥12 …        an answer covers whole batches
//! outputs          a   –   b   │ –              and ends with their last record: the progress
//! ```
//! Offsets of outputs are made up by the broker; only the range of an answer is true. A stretch
//! without outputs is not told at all, and neither is a batch whose outputs are larger than an
//! answer may be: the broker goes on behind it. So a stretch without outputs is asked for a second
//! time, with room for larger answers, before it is believed.
//!
//! A stream is opened anew when there is another module, and long before the module has filled its
//! memory, which is freed with the stream only.

use std::ops::Range;

use anyhow::anyhow;
use tokio::time::Instant;
use tracing::{debug, info};

use super::{Taken, ToKafka};
use crate::batch;
use crate::cluster::Cluster;
use crate::config::BridgeConfig;
use crate::error::BridgeError;
use crate::log::{Answer, Log, LogStream, Place, StreamRequest};
use crate::module::Module;
use crate::progress::{BatchId, Progress};
use crate::record::Record;

/// How much more room answers get where nothing came.
const WIDER: i32 = 8;

/// One partition's outputs from an offset on.
pub(super) struct ModuleOutputs<'a> {
    cluster: &'a Cluster,
    config: &'a BridgeConfig,
    place: Place,
    module: Module,
    stream: LogStream,
    next_offset: i64,
    /// Of the log, when the session began.
    end: i64,
    /// Taken, but not yet acknowledged.
    answer: Option<Answer>,
    /// Bytes that the module wrote since the stream was opened, about.
    written: u64,
    /// Whether answers have their largest room, so that silence means that nothing was given.
    wide: bool,
    /// When the broker said something, or had no reason to.
    heard_at: Instant,
    /// When to look at the module and at the log's end.
    look_at: Instant,
}

impl<'a> ModuleOutputs<'a> {
    /// Begins at the first of `offsets`; the log ended with the last one.
    pub(super) async fn open(
        task: &'a ToKafka<'_>,
        module: &str,
        offsets: Range<i64>,
    ) -> Result<Self, BridgeError> {
        let (cluster, config, place) = (task.cluster, task.config, task.place());
        let module = Module::load(cluster, module).await?;
        let request = StreamRequest::through(&module, offsets.start);
        Ok(Self {
            stream: LogStream::open(cluster, place.clone(), request).await?,
            cluster,
            config,
            place,
            module,
            next_offset: offsets.start,
            end: offsets.end,
            answer: None,
            written: 0,
            wide: false,
            heard_at: Instant::now(),
            look_at: Instant::now() + config.module_every,
        })
    }

    /// Waits for outputs; none if there are none before the end that was there at the start.
    pub(super) async fn next(&mut self) -> Result<Option<Taken>, BridgeError> {
        loop {
            let answer = tokio::select! {
                answer = self.stream.next() => Some(answer?),
                () = tokio::time::sleep_until(self.look_at) => None,
            };
            match answer {
                Some(answer) => {
                    if let Some(taken) = self.take(answer).await? {
                        return Ok(Some(taken));
                    }
                }
                None => {
                    self.look_at = Instant::now() + self.config.module_every;
                    if !self.follow_module().await? && self.is_over().await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The outputs are in Kafka: the broker may run the module on.
    pub(super) async fn acknowledge(&mut self) -> Result<(), BridgeError> {
        let answer = self.answer.take();
        if self.written >= self.config.stream_bytes_max {
            return self.reopen().await;
        }
        match answer {
            Some(answer) => self.stream.acknowledge(&answer).await,
            None => Ok(()),
        }
    }

    /// Checks where the answer stands; none if it is to be asked for again.
    async fn take(&mut self, answer: Answer) -> Result<Option<Taken>, BridgeError> {
        self.heard_at = Instant::now();
        let records = self.records(&answer)?;
        let (Some(first), Some(next)) = (records.first(), answer.next_offset()) else {
            return Ok(None);
        };
        let (first, expected) = (first.offset, self.next_offset);
        // Progress is always the end of a stored batch, so no answer begins before it.
        if first < expected || next <= first {
            let reason = anyhow!("outputs of {first}..{next} came where {expected} should have");
            return Err(self.place.failed("read", reason));
        }
        if first > expected && !self.wide {
            self.widen().await?;
            return Ok(None);
        }
        let bytes = records.iter().map(|record| record.bytes() as u64);
        self.written += bytes.sum::<u64>();
        // Outputs do not tell which batches they are of.
        let mut log = Log::open(self.cluster, self.place.clone()).await?;
        let last = log.batch_head(next - 1).await?;
        self.next_offset = next;
        self.answer = Some(answer);
        let progress = Progress {
            next_offset: next,
            next_headers_offset: 0,
            last_batch: Some(BatchId::of(&last)),
        };
        Ok(Some(Taken { records, progress }))
    }

    fn records(&self, answer: &Answer) -> Result<Vec<Record>, BridgeError> {
        let mut records = Vec::new();
        for batch in &answer.batches {
            let outputs = batch::decode_outputs(batch);
            records.extend(outputs.map_err(|source| self.place.failed("read", source))?);
        }
        Ok(records)
    }

    /// Goes on with the cluster's module if it is another one now.
    async fn follow_module(&mut self) -> Result<bool, BridgeError> {
        let found = match Module::load(self.cluster, self.module.name()).await {
            Ok(found) => found,
            // The module that runs goes on running.
            Err(error) if error.is_transient() || matches!(error, BridgeError::NoModule(_)) => {
                debug!("the module cannot be looked at: {}", error.chain());
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if found == self.module {
            return Ok(false);
        }
        let at = self.place.at(self.next_offset);
        info!("{at}: goes on with another smartmodule {}", found.name());
        self.module = found;
        self.reopen().await?;
        Ok(true)
    }

    /// Whether the last records gave nothing, and nothing more is to be waited for.
    async fn is_over(&mut self) -> Result<bool, BridgeError> {
        if self.heard_at.elapsed() < self.config.silence_max {
            return Ok(false);
        }
        self.heard_at = Instant::now();
        let end = match self.config.once {
            true => self.end,
            false => {
                let log = Log::open(self.cluster, self.place.clone());
                log.await?.range().await?.end
            }
        };
        if end <= self.next_offset {
            return Ok(false);
        }
        if !self.wide {
            self.widen().await?;
            return Ok(false);
        }
        if self.config.once {
            let at = self.place.at(self.next_offset);
            let module = self.module.name();
            info!("{at}: smartmodule {module} gave nothing for the records from here to {end}");
        }
        Ok(self.config.once)
    }

    /// Asks again where nothing came, with room for larger answers from now on.
    async fn widen(&mut self) -> Result<(), BridgeError> {
        self.wide = true;
        self.place.fetch_bytes = self.place.fetch_bytes.saturating_mul(WIDER);
        self.reopen().await
    }

    /// Opens a stream at what was copied last; with the old one ends what its module keeps.
    async fn reopen(&mut self) -> Result<(), BridgeError> {
        let request = StreamRequest::through(&self.module, self.next_offset);
        self.stream = LogStream::open(self.cluster, self.place.clone(), request).await?;
        self.written = 0;
        self.heard_at = Instant::now();
        Ok(())
    }
}
