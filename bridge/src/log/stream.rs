//! The batches of a partition, one answer at a time, on a connection of its own.
//!
//! The broker sends the next answer when this one is acknowledged, so a slow reader slows the
//! broker, not the memory.

use std::io;

use anyhow::anyhow;
use fluvio::Isolation;
use fluvio_protocol::api::{Request, RequestMessage};
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_socket::{FluvioSink, FluvioStream};
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use fluvio_spu_schema::server::update_offset::{OffsetUpdate, UpdateOffsetsRequest};
use futures_util::StreamExt;

use super::{Place, cut};
use crate::cluster::Cluster;
use crate::error::BridgeError;
use crate::module::{self, Module};

/// Which request an answer belongs to.
const FETCH: i32 = 1;
const ACKNOWLEDGE: i32 = 2;

/// Where to begin, and what to run.
#[derive(Clone, Copy)]
pub(crate) struct StreamRequest<'a> {
    offset: i64,
    isolation: Isolation,
    module: Option<&'a Module>,
}

impl<'a> StreamRequest<'a> {
    pub(crate) fn new(offset: i64, isolation: Isolation) -> Self {
        Self {
            offset,
            isolation,
            module: None,
        }
    }

    /// What the module gives for committed records.
    pub(crate) fn through(module: &'a Module, offset: i64) -> Self {
        Self {
            offset,
            isolation: Isolation::ReadCommitted,
            module: Some(module),
        }
    }
}

/// Batches in order; the first may begin before the offset that was asked for.
pub(crate) struct Answer {
    pub(crate) batches: Vec<Batch<RawRecords>>,
    /// What to acknowledge.
    next: Option<(u32, i64)>,
}

impl Answer {
    /// The offset after the last record that the answer is about; none if it is about none.
    pub(crate) fn next_offset(&self) -> Option<i64> {
        self.next.map(|(_, offset)| offset)
    }
}

/// An open stream; dropping it ends it at the broker too.
pub(crate) struct LogStream {
    place: Place,
    sink: FluvioSink,
    frames: FluvioStream,
    version: i16,
    /// The name of what runs in it.
    module: Option<String>,
    /// Everything before it was acknowledged.
    next_offset: i64,
}

impl LogStream {
    pub(crate) async fn open(
        cluster: &Cluster,
        place: Place,
        request: StreamRequest<'_>,
    ) -> Result<Self, BridgeError> {
        let socket = cluster
            .connect_leader(&place.topic, place.partition)
            .await?;
        let (socket, _, versions) = socket.split();
        let version = versions.lookup_version::<DefaultStreamFetchRequest>();
        let (sink, frames) = socket.split();
        let mut stream = Self {
            place,
            sink,
            frames,
            version: version.unwrap_or(DefaultStreamFetchRequest::DEFAULT_API_VERSION),
            module: request.module.map(|module| module.name().to_owned()),
            next_offset: request.offset,
        };
        let modules = request.module.map(Module::invocation);
        let fetch = DefaultStreamFetchRequest::builder()
            .topic(stream.place.topic.clone())
            .partition(stream.place.partition)
            .fetch_offset(request.offset)
            .max_bytes(stream.place.fetch_bytes)
            .isolation(request.isolation)
            .smartmodules(modules.into_iter().collect::<Vec<_>>())
            .build()
            .map_err(|source| stream.broken(source))?;
        stream.send(FETCH, stream.version, fetch).await?;
        Ok(stream)
    }

    /// Waits for the next answer. Cancel safe: a frame begun is kept.
    pub(crate) async fn next(&mut self) -> Result<Answer, BridgeError> {
        loop {
            let frame = self.frames.get_mut_tcp_stream().next().await;
            let mut frame = frame
                .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::UnexpectedEof)))
                .map_err(|source| self.broken(source))?
                .freeze();
            let mut id = 0_i32;
            id.decode(&mut frame, 0)
                .map_err(|source| self.broken(source))?;
            if id == FETCH {
                let response = DefaultStreamFetchResponse::decode_from(&mut frame, self.version);
                let response = response.map_err(|source| self.broken(source))?;
                return self.answer(response);
            }
        }
    }

    fn answer(&self, response: DefaultStreamFetchResponse) -> Result<Answer, BridgeError> {
        let stream_id = response.stream_id;
        let partition = response.partition;
        if partition.error_code != ErrorCode::None {
            return Err(self.refused(&partition.error_code));
        }
        let next = partition.next_offset_for_fetch();
        let mut batches = partition.records.batches;
        let cut_at = cut::take_off(&mut batches);
        if let (Some(offset), true) = (cut_at, batches.is_empty()) {
            let room = self.place.fetch_bytes;
            return Err(self.broken(anyhow!("the batch of {offset} is larger than {room} bytes")));
        }
        let next = cut_at.or(next);
        Ok(Answer {
            batches,
            next: next.map(|offset| (stream_id, offset)),
        })
    }

    /// Tells the broker that the answer is taken care of.
    pub(crate) async fn acknowledge(&mut self, answer: &Answer) -> Result<(), BridgeError> {
        let Some((session_id, offset)) = answer.next else {
            return Ok(());
        };
        self.next_offset = offset;
        let update = UpdateOffsetsRequest::new(vec![OffsetUpdate { offset, session_id }]);
        self.send(
            ACKNOWLEDGE,
            UpdateOffsetsRequest::DEFAULT_API_VERSION,
            update,
        )
        .await
    }

    async fn send<R>(&mut self, id: i32, version: i16, request: R) -> Result<(), BridgeError>
    where
        R: Request,
        RequestMessage<R>: Encoder,
    {
        let mut message = RequestMessage::new_request(request);
        message.header.set_correlation_id(id);
        message.header.set_api_version(version);
        let sent = self.sink.send_request(&message).await;
        sent.map_err(|source| self.broken(source))
    }

    /// The answer is an error, or ends with one: then nothing of it is used.
    fn refused(&self, code: &ErrorCode) -> BridgeError {
        let complaint = self.module.as_ref().zip(module::complaint(code));
        let Some((module, complaint)) = complaint else {
            return self.broken(anyhow!("{code}"));
        };
        BridgeError::Module {
            at: self.place.at(complaint.offset.unwrap_or(self.next_offset)),
            module: module.clone(),
            reason: complaint.reason,
        }
    }

    fn broken(&self, source: impl Into<anyhow::Error>) -> BridgeError {
        self.place.failed("read", source)
    }
}
