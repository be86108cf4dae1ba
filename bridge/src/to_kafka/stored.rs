//! Records as they are stored, headers included, without a gap.

use anyhow::anyhow;
use partition_client::{FetchResponse, PartitionStream, StreamRequest, TopicPartition};

use super::{Taken, ToKafka};
use crate::batch::{self, Decoded};
use crate::error::BridgeError;
use crate::headers::HeaderReader;
use crate::progress::{BatchId, Progress};
use crate::record::Record;

/// One partition's records from an offset on.
pub(super) struct StoredRecords<'a> {
    partition: TopicPartition,
    stream: PartitionStream,
    headers: HeaderReader<'a>,
    next_offset: i64,
    last_batch: Option<BatchId>,
    /// Taken, but not yet acknowledged.
    response: Option<FetchResponse>,
}

impl<'a> StoredRecords<'a> {
    pub(super) async fn open(task: &ToKafka<'a>, from: Progress) -> Result<Self, BridgeError> {
        let (cluster, config, partition) = (task.cluster, task.config, task.source());
        let request = StreamRequest::stored(from.next_offset).fetch_bytes(config.fetch_bytes);
        Ok(Self {
            stream: PartitionStream::open(cluster, partition.clone(), request).await?,
            headers: HeaderReader::new(cluster, config, &partition, from.next_headers_offset),
            next_offset: from.next_offset,
            last_batch: from.last_batch,
            partition,
            response: None,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Taken, BridgeError> {
        loop {
            let response = self.stream.next_response().await?;
            response.check(&self.partition)?;
            let records = self.records(&response).await?;
            self.response = Some(response);
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
        match self.response.take() {
            Some(response) => Ok(self.stream.acknowledge(&response).await?),
            None => Ok(()),
        }
    }

    async fn records(&mut self, response: &FetchResponse) -> Result<Vec<Record>, BridgeError> {
        let mut records = Vec::new();
        for batch in &response.batches {
            let decoded = batch::decode(batch);
            for decoded in
                decoded.map_err(|source| BridgeError::unreadable(&self.partition, source))?
            {
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
            return Err(BridgeError::unreadable(&self.partition, reason));
        }
        self.next_offset += 1;
        if let Some(offset) = kafka_offset.filter(|_| has_headers) {
            record.headers = self.headers.find(offset).await?;
        }
        Ok(Some(record))
    }
}
