//! Fluvio → Kafka, one partition: records and how far they go in one Kafka transaction.
//!
//! ```text
//! session: fence older bridges ─▶ read the progress ─▶ stream from there
//!          answer ─▶ begin ─ records ─ progress ─ commit ─▶ acknowledge
//! ```
//! After any failure the session ends. The next one's producer has the same transactional id, so
//! Kafka ends what was left open before the progress is read.

mod transaction;

use std::sync::Arc;

use anyhow::anyhow;
use fluvio::Isolation;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::transaction::Writer;
use crate::batch::{self, Decoded};
use crate::cluster::Cluster;
use crate::config::BridgeConfig;
use crate::counts::Counts;
use crate::error::BridgeError;
use crate::headers::HeaderReader;
use crate::kafka::{Kafka, blocking};
use crate::log::{Answer, Log, LogRange, LogStream, Place, StreamRequest};
use crate::progress::{self, Progress};
use crate::record::Record;
use crate::retry::Retry;
use crate::route::Route;

/// Copies one partition.
pub(crate) struct ToKafka<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) kafka: &'a Kafka,
    pub(crate) config: &'a BridgeConfig,
    pub(crate) route: &'a Route,
    pub(crate) partition: u32,
    pub(crate) counts: &'a Counts,
    pub(crate) stop: &'a CancellationToken,
}

/// Where a session stands.
struct Session<'a> {
    writer: Arc<Writer>,
    stream: LogStream,
    headers: HeaderReader<'a>,
    next_offset: i64,
    /// The end of the log when the session began.
    end: i64,
}

impl ToKafka<'_> {
    /// Copies until told to stop, or the end that was there at the start.
    pub(crate) async fn run(&self) -> Result<(), BridgeError> {
        let mut retry = Retry::new();
        let what = format!("{}/{}", self.route, self.partition);
        while !self.stop.is_cancelled() {
            match self.session(&mut retry).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.counts.failed(error.chain());
                    retry.wait(&what, error, self.stop).await?;
                }
            }
        }
        Ok(())
    }

    async fn session(&self, retry: &mut Retry) -> Result<(), BridgeError> {
        let mut session = tokio::select! {
            session = self.resume() => session?,
            () = self.stop.cancelled() => return Ok(()),
        };
        while !self.config.once || session.next_offset < session.end {
            let answer = tokio::select! {
                answer = session.stream.next() => answer?,
                () = self.stop.cancelled() => return Ok(()),
            };
            self.copy(&mut session, &answer).await?;
            session.stream.acknowledge(&answer).await?;
            retry.reset();
        }
        Ok(())
    }

    /// Fences older bridges and finds where to go on.
    async fn resume(&self) -> Result<Session<'_>, BridgeError> {
        let (kafka, name) = (self.kafka.clone(), self.config.name.clone());
        let (route, partition) = (self.route.clone(), self.partition);
        let (writer, progress) = blocking(move || {
            let writer = Writer::open(&kafka, &name, &route, partition)?;
            let key = progress::key(&route, partition);
            let progress = progress::read(&kafka, &progress::topic(&name), &key)?;
            Ok::<_, BridgeError>((writer, progress))
        })
        .await?;
        let progress = progress.unwrap_or_default();
        let place = self.place();
        let range = Log::open(self.cluster, place.clone())
            .await?
            .range()
            .await?;
        let next_offset = self.checked(&place, progress.next_offset, range)?;
        info!(
            topic = self.route.target,
            partition = self.partition,
            offset = next_offset,
            "{}/{}: goes on at Fluvio offset {next_offset}",
            self.route,
            self.partition,
        );
        let request = StreamRequest::new(next_offset, Isolation::ReadCommitted);
        let stream = LogStream::open(self.cluster, place.clone(), request).await?;
        self.counts.connected(next_offset);
        Ok(Session {
            writer: Arc::new(writer),
            stream,
            headers: HeaderReader::new(self.cluster, &place, progress.next_headers_offset),
            next_offset,
            end: range.end,
        })
    }

    /// The offset to go on at, which Fluvio must still have.
    fn checked(&self, place: &Place, next: i64, range: LogRange) -> Result<i64, BridgeError> {
        let at = place.at(next);
        if next > range.end {
            let end = range.end;
            return Err(BridgeError::BeyondEnd { at, end });
        }
        if next < range.start {
            let lost = range.start - next;
            warn!(
                topic = at.topic,
                partition = at.partition,
                offset = next,
                "{at}: {lost} records were deleted in Fluvio before they could be copied"
            );
            self.counts.add_deleted(lost);
        }
        Ok(next.max(range.start))
    }

    /// Copies one answer of the broker in one transaction.
    async fn copy(&self, session: &mut Session<'_>, answer: &Answer) -> Result<(), BridgeError> {
        let mut records = Vec::new();
        for batch in &answer.batches {
            let decoded = match batch::decode(batch) {
                Ok(decoded) => decoded,
                // Whole batches before it are copied first; then it is asked for again.
                Err(batch::BatchError::Cut { .. }) if !records.is_empty() => break,
                Err(source) => return Err(self.place().failed("read", source)),
            };
            for decoded in decoded {
                if let Some(record) = self.take(session, decoded).await? {
                    records.push(record);
                }
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let progress = Progress {
            next_offset: session.next_offset,
            next_headers_offset: session.headers.next_offset(),
        };
        let count = records.len();
        let writer = Arc::clone(&session.writer);
        blocking(move || writer.write(&records, progress)).await?;
        self.counts.add_copied(count);
        self.counts.moved(session.next_offset);
        Ok(())
    }

    /// Checks that the record is the next one and completes it; none if it was copied before.
    async fn take(
        &self,
        session: &mut Session<'_>,
        decoded: Decoded,
    ) -> Result<Option<Record>, BridgeError> {
        let Decoded {
            mut record,
            kafka_offset,
            has_headers,
        } = decoded;
        // A batch may begin before the offset that was asked for.
        if record.offset < session.next_offset {
            return Ok(None);
        }
        if record.offset > session.next_offset {
            // Another session asks where the log starts now, and counts what was deleted.
            let expected = session.next_offset;
            let reason = anyhow!("{} came where {expected} should have", record.offset);
            return Err(self.place().failed("read", reason));
        }
        session.next_offset += 1;
        if let Some(offset) = kafka_offset.filter(|_| has_headers) {
            record.headers = session.headers.find(offset).await?;
        }
        Ok(Some(record))
    }

    fn place(&self) -> Place {
        Place {
            topic: self.route.source.clone(),
            partition: self.partition,
            answer_within: self.config.answer_within,
            fetch_bytes: self.config.fetch_bytes,
        }
    }
}
