//! One batch here or there, and how far a consumer has read.

use anyhow::anyhow;
use fluvio::Isolation;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords};
use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};

use super::Log;
use crate::error::BridgeError;

/// Enough for a batch's head; a broker that sends whole batches only sends one.
const HEAD_BYTES_MAX: i32 = 1024;

impl Log {
    /// The batch that holds a replicated offset; its records may be cut.
    pub(crate) async fn batch_head(
        &mut self,
        offset: i64,
    ) -> Result<Batch<RawRecords>, BridgeError> {
        let opened = self.open_stream(offset, None).await;
        let found = opened.and_then(|response| {
            let mut batches = response.partition.records.batches.into_iter();
            batches
                .find(|batch| batch.base_offset <= offset && offset <= batch.get_last_offset())
                .ok_or_else(|| anyhow!("no batch holds offset {offset}"))
        });
        found.map_err(|source| self.place.failed("read", source))
    }

    /// Stores the last record that a consumer has seen; the log must hold one at `at`.
    ///
    /// Fluvio takes this of a stream only, which must have sent something.
    pub(crate) async fn set_seen(
        &mut self,
        consumer: &str,
        seen: i64,
        at: i64,
    ) -> Result<(), BridgeError> {
        let set = async {
            let stream = self.open_stream(at, Some(consumer.to_owned())).await?;
            let update = UpdateConsumerOffsetRequest::new(seen, stream.stream_id);
            match self.ask(update).await?.error_code {
                ErrorCode::None => Ok(()),
                code => Err(anyhow!("{code}")),
            }
        };
        let set = set.await;
        set.map_err(|source| {
            let doing = format!("store how far \"{consumer}\" has read");
            self.place.failed(&doing, source)
        })
    }

    /// Opens a stream and takes its first answer. It is not acknowledged, so nothing more comes
    /// and the next request can be sent.
    async fn open_stream(
        &mut self,
        offset: i64,
        consumer: Option<String>,
    ) -> anyhow::Result<DefaultStreamFetchResponse> {
        let fetch = DefaultStreamFetchRequest::builder()
            .topic(self.place.topic.clone())
            .partition(self.place.partition)
            .fetch_offset(offset)
            .max_bytes(HEAD_BYTES_MAX)
            .isolation(Isolation::ReadCommitted)
            .consumer_id(consumer)
            .build()?;
        let response = self.ask(fetch).await?;
        match &response.partition.error_code {
            ErrorCode::None => Ok(response),
            code => Err(anyhow!("{code}")),
        }
    }
}
