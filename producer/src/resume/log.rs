//! Reads stretches of one partition, as they are stored.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::Position;
use fluvio::dataplane::link::ErrorCode;
use fluvio::dataplane::record::Batch;
use fluvio::{ConsumerConfig, Fluvio, Isolation, Offset, PartitionConsumer};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};

use crate::config::ProducerConfig;
use crate::error::{ClusterError, ProducerError};

/// Bytes the broker may send at once (chosen: some dozens of our batches).
const FETCH_BYTES: i32 = 8 << 20;

/// When a log that is not replicated yet says nothing for so long, its end was reached.
const QUIET_AFTER: Duration = Duration::from_millis(500);

/// One partition, to be read.
pub(crate) struct Log {
    consumer: PartitionConsumer,
    answer_within: Duration,
}

/// The offsets that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Offset of the first record.
    pub(crate) start: i64,
    /// Offset after the last record.
    pub(crate) end: i64,
}

/// A stream that goes on with the log.
///
/// For those who look again and again: a client cannot end a stream, so one for each look would pile
/// up at the broker.
pub(crate) struct Following {
    /// Never locked: in a mutex a stream may be shared, which nobody does.
    batches: Mutex<Batches>,
    end: i64,
}

/// Stored batches with their true offsets.
type Batches = BoxStream<'static, Result<Batch, ErrorCode>>;

/// Is given every record's value.
pub(crate) type Look<'a> = dyn FnMut(&[u8]) + Send + 'a;

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Log({}/{})", self.topic(), self.partition())
    }
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Following({})", self.end)
    }
}

impl Log {
    pub(crate) async fn new(
        fluvio: &Fluvio,
        config: &ProducerConfig,
        partition: u32,
    ) -> Result<Self, ProducerError> {
        // The newer interface hides batches, and with them true offsets and ends.
        #[expect(
            deprecated,
            reason = "its batch stream is not, and nothing else gives one"
        )]
        let consumer = fluvio.partition_consumer(&config.topic, partition).await;
        let consumer = consumer.map_err(|error| ProducerError::Topic {
            topic: config.topic.clone(),
            source: error.into(),
        })?;
        Ok(Self {
            consumer,
            answer_within: config.answer_within,
        })
    }

    pub(crate) fn topic(&self) -> &str {
        self.consumer.topic()
    }

    pub(crate) fn partition(&self) -> u32 {
        self.consumer.partition()
    }

    /// Reads about the last `count` replicated records.
    ///
    /// The client ends such a stream by counting records. It counts those of the first batch that
    /// lie before the start, too, so it may end early: go on with [`Log::read_on`].
    pub(crate) async fn read_last(
        &self,
        count: u32,
        look: &mut Look<'_>,
    ) -> Result<Stretch, ProducerError> {
        let stream = self.open(Offset::from_end(count), Reach::Committed).await;
        let mut stream = stream.map_err(|e| self.error(0, e))?;
        let mut stretch = Stretch { start: 0, end: 0 };
        let mut is_first = true;
        while let Some(batch) = self.next(stretch.end, &mut stream).await? {
            if is_first {
                stretch.start = batch.base_offset;
                is_first = false;
            }
            stretch.end = batch.get_last_offset() + 1;
            show(&batch, i64::MAX, look);
        }
        Ok(stretch)
    }

    /// Reads from the start of a batch to the end of what is replicated; gives that end.
    pub(crate) async fn read_on(
        &self,
        from: i64,
        look: &mut Look<'_>,
    ) -> Result<i64, ProducerError> {
        let stream = self.open_at(from, Reach::Committed).await;
        let mut stream = stream.map_err(|e| self.error(from, e))?;
        let mut end = from;
        while let Some(batch) = self.next(end, &mut stream).await? {
            end = batch.get_last_offset() + 1;
            show(&batch, i64::MAX, look);
        }
        Ok(end)
    }

    /// Reads records from `from` up to, not including, `to`, all of which are replicated; gives the
    /// offset of the first one, which is later than `from` where older ones were deleted.
    pub(crate) async fn read_between(
        &self,
        from: i64,
        to: i64,
        look: &mut Look<'_>,
    ) -> Result<i64, ProducerError> {
        let stream = match self.open_at(from, Reach::Following).await {
            Err(_) if from > 0 => self.open(Offset::beginning(), Reach::Following).await,
            stream => stream,
        };
        let mut stream = stream.map_err(|e| self.error(from, e))?;
        let mut start = None;
        let mut end = from;
        while end < to {
            let Some(batch) = self.next(end, &mut stream).await? else {
                return Err(self.error(end, ClusterError::Silent(self.answer_within)));
            };
            start.get_or_insert_with(|| batch.base_offset.max(from));
            end = batch.get_last_offset() + 1;
            show(&batch, to, look);
        }
        Ok(start.unwrap_or(from))
    }

    /// Opens a stream that follows the log from the start of a batch on; what is replicated.
    pub(crate) async fn follow(&self, from: i64) -> Result<Following, ProducerError> {
        let stream = self.open_at(from, Reach::Following).await;
        Ok(Following {
            batches: Mutex::new(stream.map_err(|e| self.error(from, e))?),
            end: from,
        })
    }

    /// Reads what a stream has brought by now, without waiting; gives where it stands.
    ///
    /// # Errors
    /// If the stream has ended: another one is to be opened.
    pub(crate) fn read_brought(
        &self,
        following: &mut Following,
        look: &mut Look<'_>,
    ) -> Result<i64, ProducerError> {
        let batches = following.batches.get_mut();
        let batches = batches.unwrap_or_else(PoisonError::into_inner);
        while let Some(brought) = batches.next().now_or_never() {
            let ended = || code_error(ErrorCode::Other("the stream has ended".to_owned()));
            let batch = brought.ok_or_else(ended);
            let batch = batch.and_then(|batch| batch.map_err(code_error));
            let batch = batch.map_err(|error| self.error(following.end, error))?;
            following.end = batch.get_last_offset() + 1;
            show(&batch, i64::MAX, look);
        }
        Ok(following.end)
    }

    /// Reads from the start of a batch what is stored at all, replicated or not; gives its end.
    pub(crate) async fn read_unreplicated(
        &self,
        from: i64,
        look: &mut Look<'_>,
    ) -> Result<i64, ProducerError> {
        let stream = self.open_at(from, Reach::Uncommitted).await;
        let mut stream = stream.map_err(|e| self.error(from, e))?;
        let mut end = from;
        // Nothing tells where such a log ends, only that nothing comes any more.
        while let Ok(Some(batch)) = tokio::time::timeout(QUIET_AFTER, stream.next()).await {
            let batch = batch.map_err(|code| self.error(end, code_error(code)))?;
            end = batch.get_last_offset() + 1;
            show(&batch, i64::MAX, look);
        }
        Ok(end)
    }

    async fn open_at(&self, from: i64, reach: Reach) -> Result<Batches, ClusterError> {
        let offset = Offset::absolute(from).map_err(|e| ClusterError::Fluvio(e.to_string()))?;
        self.open(offset, reach).await
    }

    async fn open(&self, offset: Offset, reach: Reach) -> Result<Batches, ClusterError> {
        let config = ConsumerConfig::builder()
            .disable_continuous(reach == Reach::Committed)
            .max_bytes(FETCH_BYTES)
            .isolation(match reach {
                Reach::Uncommitted => Isolation::ReadUncommitted,
                Reach::Committed | Reach::Following => Isolation::ReadCommitted,
            })
            .build()?;
        let opening = self.consumer.stream_batches_with_config(offset, config);
        match tokio::time::timeout(self.answer_within, opening).await {
            Ok(stream) => Ok(stream?.boxed()),
            Err(_) => Err(ClusterError::Silent(self.answer_within)),
        }
    }

    async fn next(&self, at: i64, stream: &mut Batches) -> Result<Option<Batch>, ProducerError> {
        match tokio::time::timeout(self.answer_within, stream.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(batch))) => Ok(Some(batch)),
            Ok(Some(Err(code))) => Err(self.error(at, code_error(code))),
            Err(_) => Err(self.error(at, ClusterError::Silent(self.answer_within))),
        }
    }

    fn error(&self, offset: i64, source: ClusterError) -> ProducerError {
        let at = Position {
            topic: self.topic().to_owned(),
            partition: self.partition(),
            offset,
        };
        ProducerError::Tail { at, source }
    }
}

/// How far a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// To the end of what is replicated when it is opened.
    Committed,
    /// On and on, replicated records only.
    Following,
    /// On and on, whatever is stored.
    Uncommitted,
}

fn code_error(code: ErrorCode) -> ClusterError {
    ClusterError::Fluvio(code.to_string())
}

/// Shows the records of a batch that lie before `to`.
fn show(batch: &Batch, to: i64, look: &mut Look<'_>) {
    let count = usize::try_from(to - batch.base_offset).unwrap_or(usize::MAX);
    for record in batch.records().iter().take(count) {
        look(record.value.as_ref());
    }
}
