//! One stream of a module's outputs, on a connection of its own.
//!
//! ```text
//! sink                                  leader of the partition
//!   FetchOffsets ───────────────────────▶  where the log starts and ends
//!   StreamFetch(offset, module, params) ─▶  runs the module over stored batches …
//!   ◀───────────────────────── outputs ──  one answer, then waits for
//!   UpdateOffsets(next) ────────────────▶  … and goes on
//! ```
//!
//! This speaks the wire messages of Fluvio's published schema crates rather than using
//! `PartitionConsumer`, for three things which that one does not give: the high watermark of each
//! answer, an acknowledgement only when the outputs are taken (so that a slow Postgres slows the
//! broker, not the memory), and an end that is one: dropping the stream closes the connection,
//! which is when the broker frees what the module wrote.

mod stored;

use std::io;

use anyhow::anyhow;
use bytes::Bytes;
use domain::Position;
use fluvio::Isolation;
use fluvio::consumer::{SmartModuleContextData, SmartModuleInvocation, SmartModuleKind};
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords, Record, ReplicaKey};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_socket::{FluvioSink, FluvioSocket, FluvioStream};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use futures_util::StreamExt;

use crate::cluster::{Cluster, timely};
use crate::error::SinkError;
use crate::module::LoadedModule;

pub(crate) use stored::stored_record;

/// Which request an answer belongs to.
const FETCH: i32 = 1;
const RANGE: i32 = 2;
const ACKNOWLEDGE: i32 = 3;

/// What to read.
pub(crate) struct StreamRequest<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: u32,
    /// First record to run the module over.
    pub(crate) offset: i64,
    pub(crate) module: &'a LoadedModule,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) fetch_bytes_max: i32,
}

/// The committed part of a partition's log: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogRange {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// What the broker sends.
pub(crate) enum Answer {
    /// Outputs of the module.
    Outputs(Outputs),
    /// The answer to [`ModuleStream::ask_range`].
    Range(LogRange),
}

/// One answer with outputs, in order; the error comes after them.
pub(crate) struct Outputs {
    pub(crate) records: Vec<Record>,
    pub(crate) high_watermark: i64,
    /// The leader epoch of the batches they come from, if the broker gives one.
    pub(crate) epoch: Option<i32>,
    pub(crate) error: Option<ErrorCode>,
    /// What to acknowledge.
    next: Option<(u32, i64)>,
}

/// An open stream; dropping it ends it at the broker too.
pub(crate) struct ModuleStream {
    position: Position,
    sink: FluvioSink,
    frames: FluvioStream,
    fetch_version: i16,
    range_version: i16,
    /// Bytes received so far, about what the module wrote.
    bytes: u64,
}

impl ModuleStream {
    /// Connects and starts the module at an offset that the log has.
    ///
    /// A module that cannot run is told by the first answer, not here.
    pub(crate) async fn open(
        cluster: &Cluster,
        request: StreamRequest<'_>,
    ) -> Result<Self, SinkError> {
        let position = Position {
            topic: request.topic.to_owned(),
            partition: request.partition,
            offset: request.offset,
        };
        let mut stream = Self::connect(cluster, position).await?;
        let fetch = stream.fetch_request(&request)?;
        stream.send(FETCH, stream.fetch_version, fetch).await?;
        Ok(stream)
    }

    /// A connection on which nothing is asked for yet.
    async fn connect(cluster: &Cluster, position: Position) -> Result<Self, SinkError> {
        let socket = cluster
            .connect_leader(&position.topic, position.partition)
            .await?;
        let (socket, _, versions) = socket.split();
        let range_version = versions.lookup_version::<FetchOffsetsRequest>();
        let fetch_version = versions.lookup_version::<DefaultStreamFetchRequest>();
        let (sink, frames) = socket.split();
        Ok(Self {
            position,
            sink,
            frames,
            fetch_version: fetch_version.unwrap_or(DefaultStreamFetchRequest::DEFAULT_API_VERSION),
            range_version: range_version.unwrap_or(FetchOffsetsRequest::DEFAULT_API_VERSION),
            bytes: 0,
        })
    }

    /// Bytes received since the stream was opened.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits for the next answer. Cancel safe: a frame begun is kept.
    pub(crate) async fn next(&mut self) -> Result<Answer, SinkError> {
        loop {
            let frame = self.frames.get_mut_tcp_stream().next().await;
            let frame = frame
                .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::UnexpectedEof)))
                .map_err(|source| self.broken(source))?;
            self.bytes += frame.len() as u64;
            if let Some(answer) = self.decode(frame.freeze())? {
                return Ok(answer);
            }
        }
    }

    /// Tells the broker that the outputs are taken; it runs the module on.
    pub(crate) async fn acknowledge(&mut self, outputs: &Outputs) -> Result<(), SinkError> {
        let Some((session_id, offset)) = outputs.next else {
            return Ok(());
        };
        let update = UpdateOffsetsRequest::new(vec![OffsetUpdate { offset, session_id }]);
        self.send(
            ACKNOWLEDGE,
            UpdateOffsetsRequest::DEFAULT_API_VERSION,
            update,
        )
        .await
    }

    /// Asks where the log ends; the answer comes as [`Answer::Range`].
    pub(crate) async fn ask_range(&mut self) -> Result<(), SinkError> {
        let Position {
            topic, partition, ..
        } = self.position.clone();
        let request = FetchOffsetsRequest::new(topic, partition);
        self.send(RANGE, self.range_version, request).await
    }

    fn fetch_request(
        &self,
        request: &StreamRequest<'_>,
    ) -> Result<DefaultStreamFetchRequest, SinkError> {
        let params = request
            .params
            .iter()
            .cloned()
            .collect::<std::collections::BTreeMap<_, _>>();
        let invocation = SmartModuleInvocation {
            wasm: request.module.wasm(),
            // The engine goes by what the module exports.
            kind: SmartModuleKind::Generic(SmartModuleContextData::None),
            params: params.into(),
            name: Some(request.module.name().to_owned()),
        };
        DefaultStreamFetchRequest::builder()
            .topic(request.topic.to_owned())
            .partition(request.partition)
            .fetch_offset(request.offset)
            .max_bytes(request.fetch_bytes_max)
            .isolation(Isolation::ReadCommitted)
            .smartmodules(vec![invocation])
            .build()
            .map_err(|source| self.broken(source))
    }

    async fn send<R>(&mut self, id: i32, version: i16, request: R) -> Result<(), SinkError>
    where
        R: Request,
        RequestMessage<R>: Encoder,
    {
        let mut message = RequestMessage::new_request(request);
        message.header.set_correlation_id(id);
        message.header.set_api_version(version);
        // A broker that takes nothing any more must not hold the stream for ever.
        let sent = timely(async { Ok(self.sink.send_request(&message).await?) }).await;
        sent.map_err(|source| self.broken(source))
    }

    fn decode(&self, mut frame: Bytes) -> Result<Option<Answer>, SinkError> {
        let mut id = 0_i32;
        id.decode(&mut frame, 0)
            .map_err(|source| self.broken(source))?;
        let answer = match id {
            FETCH => {
                let response =
                    DefaultStreamFetchResponse::decode_from(&mut frame, self.fetch_version);
                response
                    .map_err(anyhow::Error::from)
                    .and_then(outputs)
                    .map(Answer::Outputs)
            }
            RANGE => {
                decode_range(&mut frame, self.range_version, &self.position).map(Answer::Range)
            }
            _ => return Ok(None), // The answer to an acknowledgement says nothing of use.
        };
        answer.map(Some).map_err(|source| self.broken(source))
    }

    fn broken(&self, source: impl Into<anyhow::Error>) -> SinkError {
        let Position {
            topic, partition, ..
        } = &self.position;
        SinkError::broker(format!("read the stream of {topic}/{partition}"), source)
    }
}

fn outputs(response: DefaultStreamFetchResponse) -> anyhow::Result<Outputs> {
    let stream_id = response.stream_id;
    let partition = response.partition;
    let next = partition
        .next_offset_for_fetch()
        .map(|offset| (stream_id, offset));
    let error = Some(partition.error_code).filter(|code| *code != ErrorCode::None);
    let epoch = partition.records.batches.last().and_then(epoch);
    let mut records = Vec::new();
    for batch in partition.records.batches {
        let mut more = memory_records(&batch)?;
        if records.is_empty() {
            records = more
        } else {
            records.append(&mut more)
        }
    }
    Ok(Outputs {
        records,
        high_watermark: partition.high_watermark,
        epoch,
        error,
        next,
    })
}

/// The leader epoch under which a batch was stored; a real SPU leaves it at −1.
fn epoch(batch: &Batch<RawRecords>) -> Option<i32> {
    Some(batch.header.partition_leader_epoch).filter(|epoch| *epoch >= 0)
}

fn memory_records(batch: &Batch<RawRecords>) -> anyhow::Result<Vec<Record>> {
    batch
        .memory_records()
        .map_err(|source| anyhow!("undecodable batch: {source}"))
}

/// Reads the committed range of a partition's log over a fresh connection.
pub(crate) async fn log_range(
    cluster: &Cluster,
    topic: &str,
    partition: u32,
) -> Result<LogRange, SinkError> {
    let socket = cluster.connect_leader(topic, partition).await?;
    let (mut socket, _, versions) = socket.split();
    let version = versions.lookup_version::<FetchOffsetsRequest>();
    let version = version.unwrap_or(FetchOffsetsRequest::DEFAULT_API_VERSION);
    let position = Position {
        topic: topic.to_owned(),
        partition,
        offset: 0,
    };
    ask_range(&mut socket, version, &position).await
}

async fn ask_range(
    socket: &mut FluvioSocket,
    version: i16,
    position: &Position,
) -> Result<LogRange, SinkError> {
    let Position {
        topic, partition, ..
    } = position;
    let failed =
        |source| SinkError::broker(format!("read the range of {topic}/{partition}"), source);
    let request = FetchOffsetsRequest::new(topic.clone(), *partition);
    let mut message = RequestMessage::new_request(request);
    message.header.set_api_version(version);
    let answer = timely(async { Ok(socket.send(&message).await?) }).await;
    find_range(answer.map_err(failed)?.response, position).map_err(failed)
}

fn decode_range(frame: &mut Bytes, version: i16, position: &Position) -> anyhow::Result<LogRange> {
    type Response = <FetchOffsetsRequest as Request>::Response;
    find_range(Response::decode_from(frame, version)?, position)
}

fn find_range(
    response: <FetchOffsetsRequest as Request>::Response,
    position: &Position,
) -> anyhow::Result<LogRange> {
    let replica = ReplicaKey::new(position.topic.clone(), position.partition);
    let found = response
        .find_partition(&replica)
        .ok_or_else(|| anyhow!("no such partition"))?;
    if found.error_code != ErrorCode::None {
        return Err(anyhow!("{}", found.error_code));
    }
    Ok(LogRange {
        start: found.start_offset,
        end: found.last_stable_offset,
    })
}

pub(crate) fn check_range(position: &Position, range: LogRange) -> Result<(), SinkError> {
    if position.offset > range.end {
        return Err(SinkError::BeyondEnd {
            position: position.clone(),
            end: range.end,
        });
    }
    if position.offset < range.start {
        return Err(SinkError::Deleted {
            position: position.clone(),
            start: range.start,
        });
    }
    Ok(())
}
