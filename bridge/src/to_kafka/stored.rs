//! Records as they are stored, headers included, without a gap.

use anyhow::anyhow;
use fluvio::Isolation;

use super::Taken;
use crate::batch::{self, Decoded};
use crate::cluster::Cluster;
use crate::error::BridgeError;
use crate::headers::HeaderReader;
use crate::log::{Answer, LogStream, Place, StreamRequest};
use crate::progress::{BatchId, Progress};
use crate::record::Record;

/// One partition's records from an offset on.
pub(super) struct StoredRecords<'a> {
    place: Place,
    stream: LogStream,
    headers: HeaderReader<'a>,
    next_offset: i64,
    last_batch: Option<BatchId>,
    /// Taken, but not yet acknowledged.
    answer: Option<Answer>,
}

impl<'a> StoredRecords<'a> {
    pub(super) async fn open(
        cluster: &'a Cluster,
        place: Place,
        from: Progress,
    ) -> Result<Self, BridgeError> {
        let request = StreamRequest::new(from.next_offset, Isolation::ReadCommitted);
        Ok(Self {
            stream: LogStream::open(cluster, place.clone(), request).await?,
            headers: HeaderReader::new(cluster, &place, from.next_headers_offset),
            next_offset: from.next_offset,
            last_batch: from.last_batch,
            place,
            answer: None,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Taken, BridgeError> {
        loop {
            let answer = self.stream.next().await?;
            let records = self.records(&answer).await?;
            self.answer = Some(answer);
            if !records.is_empty() {
                let progress = Progress {
                    next_offset: self.next_offset,
                    next_headers_offset: self.headers.next_offset(),
                    last_batch: self.last_batch,
                };
                return Ok(Taken { records, progress });
            }
            self.acknowledge().await?;
        }
    }

    pub(super) async fn acknowledge(&mut self) -> Result<(), BridgeError> {
        match self.answer.take() {
            Some(answer) => self.stream.acknowledge(&answer).await,
            None => Ok(()),
        }
    }

    async fn records(&mut self, answer: &Answer) -> Result<Vec<Record>, BridgeError> {
        let mut records = Vec::new();
        for batch in &answer.batches {
            let decoded = batch::decode(batch);
            for decoded in decoded.map_err(|source| self.place.failed("read", source))? {
                records.extend(self.take(decoded).await?);
            }
            self.last_batch = Some(BatchId::of(batch));
        }
        Ok(records)
    }

    /// Checks that the record is the next one and completes it; none if it was copied before.
    async fn take(&mut self, decoded: Decoded) -> Result<Option<Record>, BridgeError> {
        let Decoded {
            mut record,
            kafka_offset,
            has_headers,
        } = decoded;
        // A batch may begin before the offset that was asked for.
        if record.offset < self.next_offset {
            return Ok(None);
        }
        if record.offset > self.next_offset {
            // Another session asks where the log starts now, and counts what was deleted.
            let expected = self.next_offset;
            let reason = anyhow!("{} came where {expected} should have", record.offset);
            return Err(self.place.failed("read", reason));
        }
        self.next_offset += 1;
        if let Some(offset) = kafka_offset.filter(|_| has_headers) {
            record.headers = self.headers.find(offset).await?;
        }
        Ok(Some(record))
    }
}
