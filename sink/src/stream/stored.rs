//! One record as it is stored, no module run over it.

use std::io;

use anyhow::anyhow;
use bytes::Bytes;
use domain::Position;
use fluvio::Isolation;
use fluvio_protocol::Decoder;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords};
use fluvio_spu_schema::server::stream_fetch::{
    DefaultStreamFetchRequest, DefaultStreamFetchResponse,
};
use futures_util::StreamExt;

use super::{FETCH, ModuleStream};
use crate::cluster::{Cluster, timely};
use crate::error::SinkError;

/// First and largest answer asked for: a real SPU cuts an answer in the middle of a batch, and a
/// batch that is cut is asked for again (a producer's batches have 16 KiB to 2 MiB).
const BYTES_FIRST: i32 = 64 << 10;
const BYTES_MAX: i32 = 64 << 20;
/// How much larger the next answer may be.
const GROWTH: i32 = 8;

/// The record at a position, and the leader epoch of its batch if the broker gives one.
///
/// Read whether it is committed or not: what was stored once was committed then.
///
/// # Errors
/// [`SinkError::Broker`] if the log has no such record or the broker does not answer.
pub(crate) async fn stored_record(
    cluster: &Cluster,
    position: &Position,
) -> Result<(Option<i32>, Bytes), SinkError> {
    let mut bytes_max = BYTES_FIRST;
    loop {
        let found = timely(record(cluster, position, bytes_max)).await;
        let failed = |source| SinkError::broker(format!("read the record at {position}"), source);
        match found.map_err(failed)? {
            Some(found) => return Ok(found),
            None if bytes_max >= BYTES_MAX => {
                return Err(failed(anyhow!(
                    "its batch is larger than {BYTES_MAX} bytes"
                )));
            }
            None => bytes_max = bytes_max.saturating_mul(GROWTH).min(BYTES_MAX),
        }
    }
}

/// The record; none if its batch does not fit into an answer of this size.
async fn record(
    cluster: &Cluster,
    position: &Position,
    bytes_max: i32,
) -> anyhow::Result<Option<(Option<i32>, Bytes)>> {
    let mut stream = ModuleStream::connect(cluster, position.clone()).await?;
    let request = DefaultStreamFetchRequest::builder()
        .topic(position.topic.clone())
        .partition(position.partition)
        .fetch_offset(position.offset)
        .max_bytes(bytes_max)
        .isolation(Isolation::ReadUncommitted)
        .build()?;
    stream.send(FETCH, stream.fetch_version, request).await?;
    let Some(batch) = first_batch(&mut stream).await? else {
        return Ok(None);
    };
    let index = usize::try_from(position.offset - batch.base_offset).ok();
    let records = batch.memory_records()?;
    let record = index.and_then(|index| records.into_iter().nth(index));
    let record = record.ok_or_else(|| anyhow!("the log has no such record"))?;
    Ok(Some((super::epoch(&batch), Bytes::clone(&record.value))))
}

/// The first batch of the first answer; none if it was cut.
async fn first_batch(stream: &mut ModuleStream) -> anyhow::Result<Option<Batch<RawRecords>>> {
    let frame = stream.frames.get_mut_tcp_stream().next().await;
    let frame = frame.unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::UnexpectedEof)))?;
    let mut frame = frame.freeze();
    // The answer's number: it is the only one on this connection.
    i32::decode_from(&mut frame, 0)?;
    let response = DefaultStreamFetchResponse::decode_from(&mut frame, stream.fetch_version)?;
    let partition = response.partition;
    if partition.error_code != ErrorCode::None {
        return Err(anyhow!("{}", partition.error_code));
    }
    let first = partition.records.batches.into_iter().next();
    Ok(first.filter(Batch::validate_decoding))
}
