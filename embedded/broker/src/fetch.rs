//! Streams a partition's records to a consumer, through its chain if it has one.
//!
//! ```text
//!          ┌── send from position ──▶ wait for the client's acknowledgement ──┐
//!          │                                                                  │
//!  log ────┴── nothing to send: wait for the log's end to move ◀──────────────┘
//! ```
//! One response is under way at a time: a slow consumer takes no memory but its own.
//!
//! A response without a chain ends with a whole batch. A real SPU 0.18.1 cuts it at `max_bytes`,
//! and its clients lose the records behind the cut without an error (seen: 10 of 1,000 records
//! of 5 kB); that is not followed here.

use std::io;
use std::sync::Arc;

use fluvio_protocol::api::RequestHeader;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{RawRecords, RecordSet};
use fluvio_spu_schema::fetch::FetchablePartitionResponse;
use fluvio_spu_schema::server::smartmodule::SmartModuleInvocation;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse, StreamFetchResponse,
};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::batch::encode_head;
use crate::chain::{Chain, Input, Output};
use crate::connection::Connection;
use crate::limits::{LARGEST_RESPONSE_BYTES, RESPONSE_BYTES, RESPONSES_MAX};
use crate::log::LogError;
use crate::node::{Node, Partition};
use crate::streams::{StreamHandle, crowded_out};
use crate::text::printable;

/// Opens a stream and lets it run; `None` if there is no such partition, which is an error for the client.
pub(crate) async fn start(
    connection: &Connection,
    header: RequestHeader,
    request: DefaultStreamFetchRequest,
    stream_id: u32,
) -> io::Result<Option<StreamHandle>> {
    let topic = request.topic.clone();
    let found = connection.node.partition(&topic, request.partition);
    let mut key = StreamKey {
        topic,
        partition: request.partition,
        stream_id: 0,
        header,
    };
    let Some(partition) = found else {
        let response = key.error(ErrorCode::NotLeaderForPartition);
        connection.responses.send(&key.header, &response).await?;
        return Ok(None);
    };
    key.stream_id = stream_id;
    let handle = StreamHandle::new(&request);
    let mut ends = partition.log.follow_end();
    ends.mark_changed();
    let stream = Stream {
        connection: connection.clone(),
        partition,
        key,
        max_bytes: usize::try_from(request.max_bytes)
            .unwrap_or(0)
            .min(LARGEST_RESPONSE_BYTES),
        acknowledgements: handle.acknowledgements(),
        ends,
        crowded_out: handle.crowded_out(),
    };
    let running = stream.run(request.fetch_offset, request.smartmodules);
    connection.spawn(running);
    Ok(Some(handle))
}

/// Identifies the stream in each of its responses.
#[derive(Debug)]
struct StreamKey {
    topic: String,
    partition: u32,
    stream_id: u32,
    header: RequestHeader,
}

type PartitionResponse = FetchablePartitionResponse<RecordSet<RawRecords>>;

impl StreamKey {
    fn response(&self, partition: PartitionResponse) -> DefaultStreamFetchResponse {
        StreamFetchResponse {
            topic: self.topic.clone(),
            stream_id: self.stream_id,
            partition: PartitionResponse {
                partition_index: self.partition,
                ..partition
            },
        }
    }

    fn error(&self, error_code: ErrorCode) -> DefaultStreamFetchResponse {
        self.response(PartitionResponse {
            error_code,
            ..PartitionResponse::default()
        })
    }
}

/// Why a stream ends while its client is there.
#[derive(Debug)]
enum StreamEnd {
    /// The client gets this error.
    Refused(ErrorCode),
    /// The connection is broken.
    Connection(io::Error),
}

impl From<io::Error> for StreamEnd {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<LogError> for StreamEnd {
    fn from(error: LogError) -> Self {
        Self::Refused(match error {
            LogError::Evicted { offset, first } => ErrorCode::OffsetEvicted {
                offset,
                next_available: first,
            },
            LogError::BeyondEnd { offset, end } => {
                ErrorCode::Other(format!("start offset: {offset} is greater than leo: {end}"))
            }
            other => ErrorCode::Other(other.to_string()),
        })
    }
}

/// What became of an attempt to send.
#[derive(Debug, Clone, Copy)]
enum Sent {
    /// The client will acknowledge what it was sent.
    Something,
    /// There was nothing for the client up to this offset.
    Nothing { next_offset: i64 },
}

/// One consumer's way through one partition.
#[derive(Debug)]
struct Stream {
    connection: Connection,
    partition: Arc<Partition>,
    key: StreamKey,
    /// What the client accepts in one response, and no more than there is memory for.
    max_bytes: usize,
    /// Written by the session when the client acknowledges.
    acknowledgements: watch::Receiver<i64>,
    /// Written by the log when something is appended, or found to be damaged.
    ends: watch::Receiver<i64>,
    crowded_out: CancellationToken,
}

impl Stream {
    async fn run(mut self, start: i64, modules: Vec<SmartModuleInvocation>) -> io::Result<()> {
        match self.stream(start, modules).await {
            Ok(()) => Ok(()),
            Err(StreamEnd::Connection(error)) => Err(error),
            Err(StreamEnd::Refused(error_code)) => {
                tracing::warn!(
                    topic = self.key.topic,
                    partition = self.key.partition,
                    error = %printable(&error_code),
                    "a stream ends with an error"
                );
                let response = self.key.error(error_code);
                self.connection
                    .responses
                    .send(&self.key.header, &response)
                    .await
            }
        }
    }

    async fn stream(
        &mut self,
        start: i64,
        modules: Vec<SmartModuleInvocation>,
    ) -> Result<(), StreamEnd> {
        let mut chain = self.start_chain(modules).await?;
        let mut position = self.send(start, &mut chain).await?;
        loop {
            if let Sent::Nothing { next_offset } = position {
                self.partition.log.check_damage(next_offset)?;
                if next_offset < self.partition.log.end_offset() {
                    position = self.send(next_offset, &mut chain).await?;
                    continue;
                }
            }
            tokio::select! {
                biased;
                () = self.partition.deleted.cancelled() => {
                    return Err(StreamEnd::Refused(ErrorCode::TopicDeleted));
                }
                () = self.crowded_out.cancelled() => {
                    return Err(StreamEnd::Refused(crowded_out()));
                }
                Ok(()) = self.acknowledgements.changed() => {
                    position = Sent::Nothing {
                        next_offset: *self.acknowledgements.borrow_and_update(),
                    };
                }
                Ok(()) = self.ends.changed() => {}
                else => return Ok(()),
            }
        }
    }

    async fn start_chain(
        &self,
        modules: Vec<SmartModuleInvocation>,
    ) -> Result<Option<Chain>, StreamEnd> {
        if modules.is_empty() {
            return Ok(None);
        }
        let node: Arc<Node> = Arc::clone(&self.connection.node);
        let partition = Arc::clone(&self.partition);
        let version = self.key.header.api_version();
        let starting = spawn_blocking(move || {
            let mut chain = Chain::start(&node, modules, version)?;
            if let Some(chain) = &mut chain {
                chain.look_back(&partition.log)?;
            }
            Ok(chain)
        });
        starting
            .await
            .map_err(panicked)?
            .map_err(StreamEnd::Refused)
    }

    async fn send(&mut self, from: i64, chain: &mut Option<Chain>) -> Result<Sent, StreamEnd> {
        // Held until the response is sent. The semaphore is never closed.
        let semaphore = Arc::clone(&self.connection.response_permits);
        let permits = if self.max_bytes > RESPONSE_BYTES {
            RESPONSES_MAX
        } else {
            1
        };
        let _permits = semaphore.acquire_many_owned(permits).await;
        match chain.take() {
            None => self.send_stored(from).await,
            Some(running) => {
                let (running, sent) = self.send_processed(from, running).await?;
                *chain = Some(running);
                Ok(sent)
            }
        }
    }

    /// Sends batches as they are stored.
    async fn send_stored(&self, from: i64) -> Result<Sent, StreamEnd> {
        let partition = Arc::clone(&self.partition);
        let max_bytes = self.max_bytes;
        let reading = spawn_blocking(move || partition.log.read(from, max_bytes));
        let slice = reading.await.map_err(panicked)??;
        if slice.bytes.is_empty() {
            return Ok(Sent::Nothing { next_offset: from });
        }
        let response = self
            .key
            .response(self.partition_response(self.partition.log.end_offset()));
        let responses = &self.connection.responses;
        responses
            .send_parts(&self.key.header, &response, &[slice.bytes])
            .await?;
        Ok(Sent::Something)
    }

    /// Sends what the chain makes of stored batches.
    async fn send_processed(
        &self,
        from: i64,
        mut chain: Chain,
    ) -> Result<(Chain, Sent), StreamEnd> {
        let partition = Arc::clone(&self.partition);
        let max_bytes = self.max_bytes;
        let processing = spawn_blocking(move || {
            let end = partition.log.end_offset();
            let (output, end) = process(&mut chain, &partition, from..end, max_bytes)?;
            Ok::<_, StreamEnd>((chain, output, end))
        });
        let (chain, output, end) = processing.await.map_err(panicked)??;
        let sent = self.send_output(output, end).await?;
        Ok((chain, sent))
    }

    /// As the SPU: if there is nothing to send, everything up to the end counts as read.
    async fn send_output(&self, output: Output, end: i64) -> Result<Sent, StreamEnd> {
        let has_records = output.has_records();
        if !has_records && output.error.is_none() {
            return Ok(Sent::Nothing { next_offset: end });
        }
        let next_filter_offset = if has_records {
            output.batch.get_last_offset() + 1
        } else {
            end
        };
        let error_code = output.error.map_or(ErrorCode::None, |error| {
            ErrorCode::SmartModuleRuntimeError(Box::new(error))
        });
        let partition = PartitionResponse {
            error_code,
            next_filter_offset,
            ..self.partition_response(end)
        };
        let head = encode_head(&output.batch)?;
        let tail = [head.into(), output.batch.own_records().0];
        let response = self.key.response(partition);
        self.connection
            .responses
            .send_parts(&self.key.header, &response, &tail)
            .await?;
        Ok(Sent::Something)
    }

    fn partition_response(&self, end: i64) -> PartitionResponse {
        PartitionResponse {
            high_watermark: end,
            log_start_offset: self.partition.log.start_offset(),
            ..PartitionResponse::default()
        }
    }
}

/// Runs the chain over stored batches; also gives the offset up to which they could be read.
fn process(
    chain: &mut Chain,
    partition: &Partition,
    offsets: std::ops::Range<i64>,
    max_bytes: usize,
) -> Result<(Output, i64), StreamEnd> {
    if offsets.start > offsets.end {
        // The log knows the error for it.
        partition.log.read(offsets.start, 0)?;
    }
    let mut readable_end = offsets.start;
    let mut unreadable = None;
    let batches =
        partition
            .log
            .batches(offsets.start, offsets.end)
            .map_while(|stored| match stored {
                Ok((head, batch)) => {
                    readable_end = head.next_offset();
                    Some(Input::from_stored(&head, &batch))
                }
                Err(error) => {
                    unreadable = Some(error);
                    None
                }
            });
    let output = chain
        .process(batches, max_bytes)
        .map_err(StreamEnd::Refused)?;
    match unreadable {
        // What is before it is sent first; the next pass begins with the error.
        Some(_) if readable_end > offsets.start => Ok((output, readable_end)),
        Some(error) => Err(error.into()),
        None => Ok((output, offsets.end)),
    }
}

fn panicked(error: tokio::task::JoinError) -> StreamEnd {
    StreamEnd::Refused(ErrorCode::Other(format!(
        "a task of the broker panicked: {error}"
    )))
}
