//! Offset syncs of a mirror in Fluvio: the stamps in its own batches.

use fluvio_protocol::record::{Batch, RawRecords};
use partition_client::{OffsetRange, PartitionClient};

use super::offset_sync::{Found, OffsetSync, Search};
use crate::error::BridgeError;
use crate::stamp::Stamp;

/// The last batch that does not begin after a Kafka offset; none if none is kept.
pub(super) async fn find(
    client: &mut PartitionClient,
    range: OffsetRange,
    kafka_offset: i64,
) -> Result<Option<OffsetSync>, BridgeError> {
    let mut search = Search::new(range.start..range.end, kafka_offset);
    while let Some(offset) = search.next_offset() {
        let batch = client.batch_head(offset).await?;
        let found = found(&batch).ok_or_else(|| BridgeError::OtherWriter {
            at: client.partition().at(offset),
            found: "this record was not copied from Kafka".to_owned(),
        })?;
        search.observe(offset, Some(found));
    }
    Ok(search.found())
}

fn found(batch: &Batch<RawRecords>) -> Option<Found> {
    let stamp = Stamp::read(batch.get_header())?;
    let end = batch.get_last_offset() + 1;
    Some(Found {
        sync: OffsetSync {
            source: stamp.first_offset,
            target: batch.base_offset,
            records: end - batch.base_offset,
        },
        at: batch.base_offset..end,
    })
}
