//! The documents of a `fluvio-cluster.yaml`, as they are written in it.

use anyhow::{Result, ensure};
use partition_client::TopicRetention;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_yaml_ng::Deserializer;

use super::{CARRIED, SmartModule, SpuGroup, Title, Topic, WasmSource};

/// Fluvio's own limits, and the size of a segment that says nothing of it: fluvio-types, `defaults`. The
/// segment's is greater than Fluvio's, so that any batch fits.
const RETENTION_SECONDS_MIN: u32 = 10;
const SEGMENT_BYTES_MIN: u32 = 16 << 20;
const SEGMENT_BYTES: u32 = 1 << 30;

/// What a kind says of its objects, in which version of Fluvio's resources.
pub(super) trait Spec {
    const VERSION: &'static str;
}

impl Spec for SpuGroupSpec {
    const VERSION: &'static str = "v1";
}

impl Spec for TopicSpec {
    const VERSION: &'static str = "v2";
}

impl Spec for SmartModuleSpec {
    const VERSION: &'static str = "v2";
}

fn api_version<S: Spec>() -> String {
    format!("fluvio.infinyon.com/{}", S::VERSION)
}

/// Reads the document again as what its kind says; an unknown field is an error with its place.
pub(super) fn read_spec<S: Spec + DeserializeOwned>(
    title: &Title,
    text: Deserializer<'_>,
) -> Result<S> {
    let document: Document<S> = Document::deserialize(text)?;
    let expected = api_version::<S>();
    ensure!(
        document.api_version == expected,
        "apiVersion: a {} is of \"{expected}\", not \"{}\"",
        title.kind,
        document.api_version
    );
    Ok(document.spec)
}

/// One object as a document.
pub(super) fn document<S: Spec + Serialize>(kind: &str, name: &str, spec: S) -> Result<String> {
    let document = Document {
        api_version: api_version::<S>(),
        kind: kind.to_owned(),
        metadata: Metadata {
            name: name.to_owned(),
        },
        spec,
    };
    Ok(serde_yaml_ng::to_string(&document)?)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SpuGroupSpec {
    pub(super) replicas: u16,
    /// First id; used by who starts the SPUs.
    #[serde(rename = "minId", default, skip_serializing)]
    _min_id: Option<u32>,
}

impl SpuGroupSpec {
    pub(super) fn of(group: &SpuGroup) -> Self {
        Self {
            replicas: group.replicas,
            _min_id: None,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TopicSpec {
    pub(super) replicas: Replicas,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleanup_policy: Option<CleanupPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Storage>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CleanupPolicy {
    segment: SegmentPolicy,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SegmentPolicy {
    time_in_seconds: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Storage {
    #[serde(skip_serializing_if = "Option::is_none")]
    segment_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_partition_size: Option<u64>,
}

impl TopicSpec {
    pub(super) fn of(topic: &Topic) -> Self {
        let TopicRetention {
            seconds,
            segment_bytes,
            partition_bytes,
        } = topic.retention;
        let is_sized = segment_bytes.is_some() || partition_bytes.is_some();
        Self {
            replicas: Replicas {
                computed: Computed {
                    partitions: topic.partitions,
                    replication_factor: topic.replication_factor,
                },
            },
            cleanup_policy: seconds.map(|time_in_seconds| CleanupPolicy {
                segment: SegmentPolicy { time_in_seconds },
            }),
            storage: is_sized.then_some(Storage {
                segment_size: segment_bytes,
                max_partition_size: partition_bytes,
            }),
        }
    }

    /// What a cluster would refuse is refused here, with its place.
    pub(super) fn retention(&self) -> Result<TopicRetention> {
        let seconds = self.cleanup_policy.as_ref();
        let seconds = seconds.map(|policy| policy.segment.time_in_seconds);
        ensure!(
            seconds.is_none_or(|seconds| seconds >= RETENTION_SECONDS_MIN),
            "spec.cleanupPolicy.segment.timeInSeconds: must be at least {RETENTION_SECONDS_MIN}"
        );
        let storage = self.storage.as_ref();
        let segment_bytes = storage.and_then(|storage| storage.segment_size);
        ensure!(
            segment_bytes.is_none_or(|bytes| bytes >= SEGMENT_BYTES_MIN),
            "spec.storage.segmentSize: must be at least {SEGMENT_BYTES_MIN} bytes"
        );
        let partition_bytes = storage.and_then(|storage| storage.max_partition_size);
        let segment = u64::from(segment_bytes.unwrap_or(SEGMENT_BYTES));
        ensure!(
            partition_bytes.is_none_or(|bytes| bytes >= segment),
            "spec.storage.maxPartitionSize: must be at least segmentSize, {segment} bytes"
        );
        Ok(TopicRetention {
            seconds,
            segment_bytes,
            partition_bytes,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replicas {
    pub(super) computed: Computed,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Computed {
    pub(super) partitions: u32,
    pub(super) replication_factor: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmartModuleSpec {
    pub(super) wasm: Wasm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wasm {
    pub(super) source: String,
}

impl SmartModuleSpec {
    pub(super) fn of(module: &SmartModule) -> Self {
        let source = match &module.source {
            WasmSource::Carried => CARRIED.to_owned(),
            WasmSource::File(path) => path.to_string_lossy().into_owned(),
        };
        Self {
            wasm: Wasm { source },
        }
    }
}
