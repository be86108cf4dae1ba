//! Stores what producers send.
//!
//! ```text
//! request ─▶ per partition: chain (if any) ─▶ checks ─▶ log ─▶ base offset or error code
//! ```
//! What is stored is committed at once, so both isolations get the same response and no timeout
//! can pass.

use std::io;
use std::sync::Arc;

use fluvio_compression::Compression;
use fluvio_controlplane_metadata::topic::CompressionAlgorithm;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::record::{Batch, RawRecords, ReplicaKey};
use fluvio_spu_schema::produce::{
    DefaultPartitionRequest, DefaultProduceRequest, DefaultTopicRequest, PartitionProduceResponse,
    ProduceResponse, TopicProduceResponse,
};
use fluvio_spu_schema::server::smartmodule::SmartModuleInvocation;
use fluvio_types::defaults::STORAGE_MAX_REQUEST_SIZE;

use crate::chain::{Chain, Input};
use crate::compression::{DECOMPRESSED_BYTES_MAX, check_compressed};
use crate::connection::Connection;
use crate::limits::PARTITIONS_MAX;
use crate::log::LogError;
use crate::node::{Node, Partition};
use crate::wire::Request;

/// Stores a request's batches and responds with their offsets.
pub(crate) async fn handle(connection: &Connection, mut request: Request) -> io::Result<()> {
    let produce: DefaultProduceRequest = request.decode()?;
    let partitions = produce.topics.iter().map(|topic| topic.partitions.len());
    if partitions.sum::<usize>() > PARTITIONS_MAX {
        let message = format!("a request names more than {PARTITIONS_MAX} partitions");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let node = Arc::clone(&connection.node);
    let version = request.header.api_version();
    let stored = tokio::task::spawn_blocking(move || store(&node, produce, version));
    let response = stored.await.map_err(io::Error::other)?;
    connection.responses.send(&request.header, &response).await
}

fn store(node: &Node, request: DefaultProduceRequest, version: i16) -> ProduceResponse {
    let modules = request.smartmodules;
    let topics = request.topics.into_iter();
    ProduceResponse {
        responses: topics
            .map(|topic| store_topic(node, topic, &modules, version))
            .collect(),
        ..ProduceResponse::default()
    }
}

fn store_topic(
    node: &Node,
    request: DefaultTopicRequest,
    modules: &[SmartModuleInvocation],
    version: i16,
) -> TopicProduceResponse {
    let name = request.name;
    let mut partitions = Vec::with_capacity(request.partitions.len());
    for request in request.partitions {
        let partition_index = request.partition_index;
        let stored = node
            .partition(&name, partition_index)
            .ok_or(ErrorCode::NotLeaderForPartition)
            .and_then(|partition| {
                let replica = ReplicaKey::new(name.clone(), partition_index);
                let batches = transform(node, &partition, request, modules, version)?;
                append(&partition, batches, replica)
            });
        let (base_offset, error_code) = match stored {
            Ok(base_offset) => (base_offset, ErrorCode::None),
            Err(error_code) => (0, error_code),
        };
        partitions.push(PartitionProduceResponse {
            partition_index,
            error_code,
            base_offset,
            ..PartitionProduceResponse::default()
        });
    }
    TopicProduceResponse { name, partitions }
}

/// Replaces the batches by what the producer's chain makes of them.
fn transform(
    node: &Node,
    partition: &Partition,
    request: DefaultPartitionRequest,
    modules: &[SmartModuleInvocation],
    version: i16,
) -> Result<Vec<Batch<RawRecords>>, ErrorCode> {
    let batches = request.records.batches;
    if !batches.iter().all(Batch::validate_decoding) {
        let reason = "a batch is not as long as its head says".to_owned();
        return Err(ErrorCode::Other(reason));
    }
    let Some(mut chain) = Chain::start(node, modules.to_vec(), version)? else {
        // A batch that cannot be decompressed would stop each stream with a module that reads it.
        batches.iter().try_for_each(check_compression)?;
        return Ok(batches);
    };
    chain.look_back(&partition.log)?;
    let mut bytes_left = DECOMPRESSED_BYTES_MAX;
    let inputs = batches.iter().map(|batch| {
        let input = Input::from_produced(batch)?;
        let left = bytes_left.checked_sub(input.records.len());
        bytes_left = left.ok_or_else(|| io::Error::other("too much at once for a module"))?;
        Ok::<_, io::Error>(input)
    });
    let output = chain.process(inputs, usize::MAX)?;
    match output.error {
        Some(error) => Err(ErrorCode::SmartModuleRuntimeError(Box::new(error))),
        // Everything was filtered: that is a success, and nothing to store.
        None if output.batch.records_len() == 0 => Ok(Vec::new()),
        None => Ok(vec![output.batch]),
    }
}

fn append(
    partition: &Partition,
    batches: Vec<Batch<RawRecords>>,
    replica_key: ReplicaKey,
) -> Result<i64, ErrorCode> {
    if batches.is_empty() {
        return Ok(0);
    }
    if !batches
        .iter()
        .all(|batch| is_allowed(batch, &partition.compression))
    {
        return Err(ErrorCode::CompressionError);
    }
    let limit = STORAGE_MAX_REQUEST_SIZE as usize;
    if batches.iter().any(|batch| batch.records().0.len() > limit) {
        return Err(ErrorCode::MessageTooLarge);
    }
    match partition.log.append(batches) {
        Ok(appended) => Ok(appended.base_offset),
        Err(error) => Err(refused(&error, replica_key)),
    }
}

fn refused(error: &LogError, replica_key: ReplicaKey) -> ErrorCode {
    tracing::error!(
        topic = replica_key.topic,
        partition = replica_key.partition,
        error = error as &dyn std::error::Error,
        "could not store a batch"
    );
    match error {
        LogError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        LogError::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            ErrorCode::PartitionFull { replica_key }
        }
        LogError::Damaged(damage) => ErrorCode::Other(damage.to_string()),
        _ => ErrorCode::StorageError,
    }
}

fn check_compression(batch: &Batch<RawRecords>) -> Result<(), ErrorCode> {
    let compression = batch.get_compression();
    let compression = compression.map_err(|_| ErrorCode::CompressionError)?;
    check_compressed(compression, &batch.records().0).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => ErrorCode::MessageTooLarge,
        _ => ErrorCode::CompressionError,
    })
}

fn is_allowed(batch: &Batch<RawRecords>, allowed: &CompressionAlgorithm) -> bool {
    let Ok(used) = batch.get_compression() else {
        return false;
    };
    match allowed {
        CompressionAlgorithm::Any => true,
        CompressionAlgorithm::None => used == Compression::None,
        CompressionAlgorithm::Gzip => used == Compression::Gzip,
        CompressionAlgorithm::Snappy => used == Compression::Snappy,
        CompressionAlgorithm::Lz4 => used == Compression::Lz4,
        CompressionAlgorithm::Zstd => used == Compression::Zstd,
    }
}
