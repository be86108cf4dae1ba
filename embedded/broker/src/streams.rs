//! The streams that a client has opened on its connection: how many, and how far each is read.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fluvio_protocol::link::ErrorCode;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use fluvio_spu_schema::server::update_offset::{
    OffsetUpdateStatus, UpdateOffsetsRequest, UpdateOffsetsResponse,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::limits::STREAMS_MAX;

/// The streams of one connection by number.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: HashMap<u32, Arc<StreamHandle>>,
    /// Number of the newest stream.
    opened: u32,
    /// Counts uses of streams, to know which was used longest ago.
    used: u64,
}

impl Streams {
    /// Finds a stream that was not ended for being one too many.
    pub(crate) fn get(&self, id: u32) -> Option<Arc<StreamHandle>> {
        self.open.get(&id).cloned()
    }

    /// Gives the number of the next stream, and ends an older one if there are too many.
    ///
    /// # Errors
    /// If numbers are used up.
    pub(crate) fn next_id(&mut self) -> io::Result<u32> {
        self.end_oldest();
        let id = self.opened.checked_add(1);
        let id = id.ok_or_else(|| io::Error::other("a connection has opened all its streams"))?;
        self.opened = id;
        Ok(id)
    }

    /// Adds a stream under the number that was drawn for it.
    pub(crate) fn add(&mut self, id: u32, stream: StreamHandle) {
        self.used += 1;
        stream.used_at(self.used);
        self.open.insert(id, Arc::new(stream));
    }

    /// Forgets streams that have ended. Clients do not say when they leave one: of too many, the
    /// one that was acknowledged longest ago is ended with an error for its client.
    fn end_oldest(&mut self) {
        self.open.retain(|_, stream| !stream.has_ended());
        if self.open.len() >= STREAMS_MAX {
            let oldest = self.open.iter().min_by_key(|(_, stream)| stream.used());
            let oldest = oldest.map(|(id, _)| *id);
            if let Some(stream) = oldest.and_then(|id| self.open.remove(&id)) {
                stream.crowded_out.cancel();
            }
        }
    }

    /// Notes how far the client has read its streams.
    pub(crate) fn acknowledge(&mut self, request: UpdateOffsetsRequest) -> UpdateOffsetsResponse {
        self.used += 1;
        let statuses = request.offsets.into_iter().map(|update| {
            let stream = self.open.get(&update.session_id);
            let error = stream.map_or(ErrorCode::FetchSessionNotFoud, |stream| {
                stream.used_at(self.used);
                stream.acknowledged.send_replace(update.offset);
                ErrorCode::None
            });
            OffsetUpdateStatus {
                session_id: update.session_id,
                error,
            }
        });
        UpdateOffsetsResponse {
            status: statuses.collect(),
        }
    }
}

/// What a connection keeps of a stream that it has opened.
#[derive(Debug)]
pub(crate) struct StreamHandle {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    /// The name under which the client commits offsets.
    pub(crate) consumer: Option<String>,
    /// The newest offset up to which the client has everything. A watch channel, because a stream needs
    /// only the newest value.
    acknowledged: watch::Sender<i64>,
    /// When the client opened or last acknowledged it, by the connection's count.
    used: AtomicU64,
    /// Cancelled when there are too many streams.
    crowded_out: CancellationToken,
}

impl StreamHandle {
    pub(crate) fn new(request: &DefaultStreamFetchRequest) -> Self {
        Self {
            topic: request.topic.clone(),
            partition: request.partition,
            consumer: request.consumer_id.clone(),
            acknowledged: watch::Sender::new(request.fetch_offset),
            used: AtomicU64::new(0),
            crowded_out: CancellationToken::new(),
        }
    }

    /// Receives what the client has acknowledged. A stream that drops this has ended.
    pub(crate) fn acknowledgements(&self) -> watch::Receiver<i64> {
        self.acknowledged.subscribe()
    }

    /// Cancelled when the stream must end because there are too many.
    pub(crate) fn crowded_out(&self) -> CancellationToken {
        self.crowded_out.clone()
    }

    fn has_ended(&self) -> bool {
        self.acknowledged.is_closed()
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn used_at(&self, count: u64) {
        self.used.store(count, Ordering::Relaxed);
    }
}

/// The error of a stream that was ended because there are too many.
pub(crate) fn crowded_out() -> ErrorCode {
    ErrorCode::Other(format!(
        "a connection has {STREAMS_MAX} streams at most, and this one was used longest ago"
    ))
}
