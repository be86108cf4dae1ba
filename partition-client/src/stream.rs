//! A partition's batches, one response at a time, as they are stored or through a SmartModule.
//!
//! ```text
//! reader                                 leader of the partition
//!   StreamFetch(offset, module, params) ─▶  runs the module over stored batches …
//!   ◀───────────── batches of records ────  one response, then waits for
//!   UpdateOffsets(next) ────────────────▶  … and goes on
//! ```
//!
//! A slow reader slows the broker, not the memory: the next response comes when this one is
//! acknowledged. Dropping the stream closes the connection, which is when the broker frees what a
//! module wrote.

pub(crate) mod checksum;
mod truncated;

use std::io;

use anyhow::anyhow;
use bytes::Bytes;
use fluvio::Isolation;
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_socket::{FluvioSink, FluvioStream};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use futures_util::StreamExt;

use crate::cluster::Cluster;
use crate::error::{Cause, ClientError, guarded, within};
use crate::fetch::fetch_request;
use crate::module::SmartModule;
use crate::partition::{OffsetRange, TopicPartition, find_range};

/// Which request a response belongs to.
const FETCH: i32 = 1;
const RANGE: i32 = 2;
const ACKNOWLEDGE: i32 = 3;

/// Bytes the broker may send at once where no more is said (chosen: some dozens of batches).
const FETCH_BYTES: i32 = 8 << 20;

/// Where to begin, how far to read, and what to run.
#[derive(Debug, Clone)]
pub struct StreamRequest<'a> {
    offset: i64,
    isolation: Isolation,
    fetch_bytes: i32,
    module: Option<&'a SmartModule>,
    params: Vec<(String, String)>,
}

impl<'a> StreamRequest<'a> {
    /// Records as they are stored, from an offset on, as far as they are replicated.
    #[must_use]
    pub fn stored(offset: i64) -> Self {
        Self {
            offset,
            isolation: Isolation::ReadCommitted,
            fetch_bytes: FETCH_BYTES,
            module: None,
            params: Vec::new(),
        }
    }

    /// Whatever is stored, replicated or not.
    #[must_use]
    pub fn unreplicated(offset: i64) -> Self {
        Self {
            isolation: Isolation::ReadUncommitted,
            ..Self::stored(offset)
        }
    }

    /// What a module gives for replicated records from an offset on.
    #[must_use]
    pub fn through(module: &'a SmartModule, params: Vec<(String, String)>, offset: i64) -> Self {
        Self {
            module: Some(module),
            params,
            ..Self::stored(offset)
        }
    }

    /// Bytes that the broker may send at once. It skips, in silence, a stored batch whose outputs
    /// take more.
    #[must_use]
    pub fn fetch_bytes(self, fetch_bytes: i32) -> Self {
        Self {
            fetch_bytes,
            ..self
        }
    }
}

/// What a broker sends on a stream.
#[derive(Debug)]
pub enum StreamEvent {
    /// Batches.
    Response(FetchResponse),
    /// The response to [`PartitionStream::request_offset_range`].
    OffsetRange(OffsetRange),
}

/// One response with whole batches, in order; the first may begin before the offset that was
/// requested. The error comes after them.
#[derive(Debug)]
pub struct FetchResponse {
    /// Stored batches have true offsets; those with a module's outputs have made-up ones.
    pub batches: Vec<Batch<RawRecords>>,
    /// Offset after the last replicated record.
    pub high_watermark: i64,
    /// What stopped the broker, or the module.
    pub error: Option<ErrorCode>,
    /// What to acknowledge: the stream's number and the offset to go on at.
    next: Option<(u32, i64)>,
}

impl FetchResponse {
    /// The offset after the last record that the response is about; none if it is about none.
    #[must_use]
    pub fn next_offset(&self) -> Option<i64> {
        self.next.map(|(_, offset)| offset)
    }

    /// Fails if the broker has stopped with an error.
    ///
    /// # Errors
    /// That error.
    pub fn check(&self, partition: &TopicPartition) -> Result<(), ClientError> {
        match &self.error {
            None => Ok(()),
            Some(code) => Err(read_failed(partition, Cause::Refused(code.clone()))),
        }
    }

    /// The leader epoch of its last batch, if the broker gives one.
    #[must_use]
    pub fn leader_epoch(&self) -> Option<i32> {
        self.batches.last().and_then(leader_epoch)
    }
}

/// The leader epoch under which a batch was stored; a real SPU leaves it at −1.
pub(crate) fn leader_epoch(batch: &Batch<RawRecords>) -> Option<i32> {
    Some(batch.header.partition_leader_epoch).filter(|epoch| *epoch >= 0)
}

/// An open stream; dropping it ends it at the broker too.
pub struct PartitionStream {
    partition: TopicPartition,
    response_max: std::time::Duration,
    fetch_bytes: i32,
    /// Whether the batches are as they are stored, and not a module's outputs.
    is_stored: bool,
    sink: FluvioSink,
    frames: FluvioStream,
    fetch_version: i16,
    range_version: i16,
    bytes: u64,
}

impl std::fmt::Debug for PartitionStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartitionStream({})", self.partition)
    }
}

impl PartitionStream {
    /// Connects to the leader and starts reading at an offset that the log has.
    ///
    /// # Errors
    /// If the leader cannot be reached. A module that cannot run is told by the first response, not
    /// here.
    pub async fn open(
        cluster: &Cluster,
        partition: TopicPartition,
        request: StreamRequest<'_>,
    ) -> Result<Self, ClientError> {
        let socket = cluster.connect_leader(&partition).await?;
        let (socket, _, versions) = socket.split();
        let range_version = versions.lookup_version::<FetchOffsetsRequest>();
        let fetch_version = versions.lookup_version::<DefaultStreamFetchRequest>();
        let (sink, frames) = socket.split();
        let mut stream = Self {
            partition,
            response_max: cluster.response_max(),
            fetch_bytes: request.fetch_bytes,
            is_stored: request.module.is_none(),
            sink,
            frames,
            fetch_version: fetch_version.unwrap_or(DefaultStreamFetchRequest::DEFAULT_API_VERSION),
            range_version: range_version.unwrap_or(FetchOffsetsRequest::DEFAULT_API_VERSION),
            bytes: 0,
        };
        stream.fetch(request).await?;
        Ok(stream)
    }

    async fn fetch(&mut self, request: StreamRequest<'_>) -> Result<(), ClientError> {
        let StreamRequest {
            offset,
            isolation,
            fetch_bytes,
            module,
            params,
        } = request;
        let modules = module.map(|module| module.invocation(&params));
        let fetch = fetch_request(&self.partition, offset, fetch_bytes, isolation)
            .smartmodules(modules.into_iter().collect::<Vec<_>>())
            .build()
            .map_err(|cause| self.failed(anyhow::Error::from(cause)))?;
        self.send(FETCH, self.fetch_version, fetch).await
    }

    /// Bytes received since the stream was opened: about what a module has written, which the
    /// broker frees only when the stream ends.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits for what comes next. Cancel safe: a frame begun is kept.
    ///
    /// # Errors
    /// If the connection ends, a stored batch is damaged, or one is larger than the stream may take at
    /// once.
    pub async fn next(&mut self) -> Result<StreamEvent, ClientError> {
        let event = guarded(self.read_event()).await;
        event.map_err(|cause| self.failed(cause))
    }

    async fn read_event(&mut self) -> anyhow::Result<StreamEvent> {
        loop {
            let frame = self.frames.get_mut_tcp_stream().next().await;
            let frame = frame.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))??;
            self.bytes += frame.len() as u64;
            if let Some(event) = self.decode(frame.freeze())? {
                return Ok(event);
            }
        }
    }

    /// Waits for the next batches. Cancel safe.
    ///
    /// # Errors
    /// As [`PartitionStream::next`].
    pub async fn next_response(&mut self) -> Result<FetchResponse, ClientError> {
        loop {
            if let StreamEvent::Response(response) = self.next().await? {
                return Ok(response);
            }
        }
    }

    /// Tells the broker that the response is taken care of; it goes on.
    ///
    /// # Errors
    /// If the connection has ended, or the broker takes nothing any more.
    pub async fn acknowledge(&mut self, response: &FetchResponse) -> Result<(), ClientError> {
        let Some((session_id, offset)) = response.next else {
            return Ok(());
        };
        let update = UpdateOffsetsRequest::new(vec![OffsetUpdate { offset, session_id }]);
        let version = UpdateOffsetsRequest::DEFAULT_API_VERSION;
        self.send(ACKNOWLEDGE, version, update).await
    }

    /// Asks where the log ends; the response comes as [`StreamEvent::OffsetRange`].
    ///
    /// # Errors
    /// As [`PartitionStream::acknowledge`].
    pub async fn request_offset_range(&mut self) -> Result<(), ClientError> {
        let TopicPartition { topic, partition } = self.partition.clone();
        let request = FetchOffsetsRequest::new(topic, partition);
        self.send(RANGE, self.range_version, request).await
    }

    async fn send<R>(&mut self, id: i32, version: i16, request: R) -> Result<(), ClientError>
    where
        R: Request,
        RequestMessage<R>: Encoder,
    {
        let mut message = RequestMessage::new_request(request);
        message.header.set_correlation_id(id);
        message.header.set_api_version(version);
        // A broker that takes nothing any more must not hold the stream for ever.
        let sending = async { Ok(self.sink.send_request(&message).await?) };
        let sent = within(self.response_max, sending).await;
        sent.map_err(|cause| self.failed(cause))
    }

    fn decode(&self, mut frame: Bytes) -> anyhow::Result<Option<StreamEvent>> {
        match i32::decode_from(&mut frame, 0)? {
            FETCH => {
                let version = self.fetch_version;
                let response = DefaultStreamFetchResponse::decode_from(&mut frame, version)?;
                self.response(response).map(StreamEvent::Response).map(Some)
            }
            RANGE => {
                type Response = <FetchOffsetsRequest as Request>::Response;
                let response = Response::decode_from(&mut frame, self.range_version)?;
                let range = find_range(response, &self.partition)?;
                Ok(Some(StreamEvent::OffsetRange(range)))
            }
            _ => Ok(None), // The response to an acknowledgement says nothing of use.
        }
    }

    fn response(&self, response: DefaultStreamFetchResponse) -> anyhow::Result<FetchResponse> {
        let stream_id = response.stream_id;
        let partition = response.partition;
        let next = partition.next_offset_for_fetch();
        let mut batches = partition.records.batches;
        let truncated_at = truncated::take_off(&mut batches);
        if let (Some(offset), true) = (truncated_at, batches.is_empty()) {
            let max = self.fetch_bytes;
            return Err(anyhow!("the batch of {offset} is larger than {max} bytes"));
        }
        if self.is_stored {
            batches.iter().try_for_each(checksum::check)?;
        }
        Ok(FetchResponse {
            batches,
            high_watermark: partition.high_watermark,
            error: Some(partition.error_code).filter(|code| *code != ErrorCode::None),
            next: truncated_at.or(next).map(|offset| (stream_id, offset)),
        })
    }

    fn failed(&self, cause: impl Into<Cause>) -> ClientError {
        read_failed(&self.partition, cause)
    }
}

pub(crate) fn read_failed(partition: &TopicPartition, cause: impl Into<Cause>) -> ClientError {
    ClientError::new(format!("read {partition} in Fluvio"), cause)
}
