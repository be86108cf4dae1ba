//! What a SmartModule gives for records, and which records that was.
//!
//! ```text
//! stored batches   0‥2 3‥5 6‥9 │ 10‥12 …        a response covers whole batches
//! outputs          a   –   b   │ –              and ends with their last record: the progress
//! ```
//! Offsets of outputs are made up by the broker; only the range of a response is true. Records without
//! outputs are not told at all, and neither is a batch whose outputs are larger than a response may
//! be: the broker goes on behind it. So records without outputs are read a second time, with larger
//! responses, before that is believed.
//!
//! A stream is opened anew when there is another module, and long before the module has filled its
//! memory, which is freed with the stream only.

use std::ops::Range;
use std::time::Duration;

use anyhow::anyhow;
use partition_client::{
    Cluster, FetchResponse, ModuleError, PartitionClient, PartitionStream, Recovery,
    RecoveryConfig, SessionEnd, SmartModule, StreamRequest, TopicPartition,
};
use tokio::time::Instant;
use tracing::{debug, info};

use super::{Taken, ToKafka};
use crate::batch;
use crate::config::BridgeConfig;
use crate::error::BridgeError;
use crate::module;
use crate::progress::{BatchId, Progress};
use crate::record::Record;

/// How much larger a response may get where nothing came.
const FETCH_BYTES_GROWTH: i32 = 8;

/// One partition's outputs from an offset on.
pub(super) struct ModuleOutputs<'a> {
    cluster: &'a Cluster,
    config: &'a BridgeConfig,
    partition: TopicPartition,
    module: SmartModule,
    stream: PartitionStream,
    next_offset: i64,
    /// Of the log, when the session began.
    end: i64,
    /// Taken, but not yet acknowledged.
    response: Option<FetchResponse>,
    /// Bytes that the module wrote since the stream was opened.
    written: u64,
    recovery: Recovery,
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
        let (cluster, config, partition) = (task.cluster, task.config, task.source());
        let module = module::load(cluster, module).await?;
        let recovery = Recovery::new(RecoveryConfig {
            fetch_bytes: config.fetch_bytes,
            fetch_bytes_max: config.fetch_bytes.saturating_mul(FETCH_BYTES_GROWTH),
            silence_max: config.silence_max,
            beyond_end_max: Duration::ZERO,
        });
        let stream = open(cluster, &partition, &module, offsets.start, &recovery).await?;
        Ok(Self {
            stream,
            cluster,
            config,
            partition,
            module,
            next_offset: offsets.start,
            end: offsets.end,
            response: None,
            written: 0,
            recovery,
            heard_at: Instant::now(),
            look_at: Instant::now() + config.module_every,
        })
    }

    /// Waits for outputs; none if there are none before the end that was there at the start.
    pub(super) async fn next(&mut self) -> Result<Option<Taken>, BridgeError> {
        loop {
            let response = tokio::select! {
                response = self.stream.next_response() => Some(response?),
                () = tokio::time::sleep_until(self.look_at) => None,
            };
            match response {
                Some(response) => {
                    if let Some(taken) = self.take(response).await? {
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
        let response = self.response.take();
        if self.written >= self.config.stream_bytes_max {
            return self.reopen().await;
        }
        match response {
            Some(response) => Ok(self.stream.acknowledge(&response).await?),
            None => Ok(()),
        }
    }

    /// Checks where the response stands; none if it is to be read again.
    async fn take(&mut self, response: FetchResponse) -> Result<Option<Taken>, BridgeError> {
        self.heard_at = Instant::now();
        self.check(&response)?;
        let records = self.records(&response)?;
        let (Some(first), Some(next)) = (records.first(), response.next_offset()) else {
            return Ok(None);
        };
        let (first, expected) = (first.offset, self.next_offset);
        // Progress is always the end of a stored batch, so no response begins before it.
        if first < expected || next <= first {
            let reason = anyhow!("outputs of {first}..{next} came where {expected} should have");
            return Err(BridgeError::unreadable(&self.partition, reason));
        }
        if first > expected && self.recovery.can_grow() {
            self.read_again().await?;
            return Ok(None);
        }
        let bytes = records.iter().map(|record| record.bytes() as u64);
        self.written += bytes.sum::<u64>();
        // Outputs do not tell which batches they are of.
        let mut client = PartitionClient::open(self.cluster, self.partition.clone()).await?;
        let last = client.batch_head(next - 1).await?;
        self.next_offset = next;
        self.response = Some(response);
        let progress = Progress {
            next_offset: next,
            next_headers_offset: 0,
            last_batch: Some(BatchId::of(&last)),
        };
        Ok(Some(Taken { records, progress }))
    }

    /// The response is an error, or ends with one: then nothing of it is used.
    fn check(&self, response: &FetchResponse) -> Result<(), BridgeError> {
        let Some(ModuleError { offset, reason }) =
            response.error.as_ref().and_then(ModuleError::of)
        else {
            return Ok(response.check(&self.partition)?);
        };
        Err(BridgeError::Module {
            at: self.partition.at(offset.unwrap_or(self.next_offset)),
            module: self.module.name().to_owned(),
            reason,
        })
    }

    fn records(&self, response: &FetchResponse) -> Result<Vec<Record>, BridgeError> {
        let mut records = Vec::new();
        for batch in &response.batches {
            let outputs = batch::decode_outputs(batch);
            records.extend(
                outputs.map_err(|source| BridgeError::unreadable(&self.partition, source))?,
            );
        }
        Ok(records)
    }

    /// Goes on with the cluster's module if it is another one now.
    async fn follow_module(&mut self) -> Result<bool, BridgeError> {
        let found = match module::load(self.cluster, self.module.name()).await {
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
        let at = self.partition.at(self.next_offset);
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
                let client = PartitionClient::open(self.cluster, self.partition.clone());
                client.await?.offset_range().await?.end
            }
        };
        if end <= self.next_offset {
            return Ok(false);
        }
        if self.recovery.can_grow() {
            self.read_again().await?;
            return Ok(false);
        }
        if self.config.once {
            let at = self.partition.at(self.next_offset);
            let module = self.module.name();
            info!("{at}: smartmodule {module} gave nothing for the records from here to {end}");
        }
        Ok(self.config.once)
    }

    /// Reads again where nothing came, with larger responses from now on.
    async fn read_again(&mut self) -> Result<(), BridgeError> {
        let quiet = SessionEnd::Quiet {
            offset: self.next_offset,
        };
        self.recovery.after(quiet, Instant::now().into_std());
        self.reopen().await
    }

    /// Opens a stream at what was copied last; with the old one ends what its module keeps.
    async fn reopen(&mut self) -> Result<(), BridgeError> {
        let (cluster, offset) = (self.cluster, self.next_offset);
        self.stream = open(
            cluster,
            &self.partition,
            &self.module,
            offset,
            &self.recovery,
        )
        .await?;
        self.written = 0;
        self.heard_at = Instant::now();
        Ok(())
    }
}

/// Opens a stream of a module's outputs.
async fn open(
    cluster: &Cluster,
    partition: &TopicPartition,
    module: &SmartModule,
    offset: i64,
    recovery: &Recovery,
) -> Result<PartitionStream, BridgeError> {
    let request = StreamRequest::through(module, Vec::new(), offset);
    let request = request.fetch_bytes(recovery.fetch_bytes());
    Ok(PartitionStream::open(cluster, partition.clone(), request).await?)
}
