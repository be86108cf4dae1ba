//! Reads `fluvio-cluster.yaml`: documents in the shape of Fluvio's Kubernetes resources.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use partition_client::TopicRetention;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_yaml_ng::{Deserializer, Value};

/// The file in the repository's root, used where no other is named.
const DEFAULT: &str = include_str!("../../../fluvio-cluster.yaml");

/// Fluvio's own limits, and the size of a segment that says nothing of it: fluvio-types, `defaults`. The
/// segment's is greater than Fluvio's, so that any batch fits.
const RETENTION_SECONDS_MIN: u32 = 10;
const SEGMENT_BYTES_MIN: u32 = 16 << 20;
const SEGMENT_BYTES: u32 = 1 << 30;

/// All objects of a file, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) spu_groups: Vec<SpuGroup>,
    pub(crate) topics: Vec<Topic>,
    pub(crate) smart_modules: Vec<SmartModule>,
}

/// How many SPUs the cluster should have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SpuGroup {
    pub(crate) name: String,
    pub(crate) replicas: u16,
}

/// A topic whose partitions the cluster places itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) replication_factor: u32,
    pub(crate) retention: TopicRetention,
}

/// A SmartModule and where its wasm comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SmartModule {
    pub(crate) name: String,
    pub(crate) source: WasmSource,
}

/// Where a SmartModule's wasm comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WasmSource {
    /// From inside this program, under the module's name.
    Carried,
    /// From a file.
    File(PathBuf),
}

impl Manifest {
    /// The one this program carries.
    ///
    /// # Errors
    /// None, unless the repository's file is broken, which a test excludes.
    pub(crate) fn carried() -> Result<Self> {
        Self::parse(DEFAULT, Path::new(".")).context("the carried fluvio-cluster.yaml is broken")
    }

    /// Reads a file; paths in it are relative to its folder.
    ///
    /// # Errors
    /// If it cannot be read, or says something we do not understand.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("could not read cluster file {path:?}"))?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        Self::parse(&text, folder).with_context(|| format!("could not use cluster file {path:?}"))
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let mut manifest = Self {
            spu_groups: Vec::new(),
            topics: Vec::new(),
            smart_modules: Vec::new(),
        };
        let mut names = HashSet::new();
        let pairs = Deserializer::from_str(text).zip(Deserializer::from_str(text));
        for (number, (first, second)) in (1..).zip(pairs) {
            let value = Value::deserialize(first).with_context(|| format!("document {number}"))?;
            if value.is_null() {
                continue;
            }
            let title = Title::of(&value, number)?;
            manifest
                .add(&title, second, folder)
                .with_context(|| title.to_string())?;
            ensure!(
                names.insert((title.kind.clone(), title.name.clone())),
                "{title} is declared twice"
            );
        }
        manifest.check_replication()?;
        Ok(manifest)
    }

    fn add(&mut self, title: &Title, text: Deserializer<'_>, folder: &Path) -> Result<()> {
        ensure!(
            is_name(&title.name),
            "metadata.name: only a-z, 0-9 and inner \"-\" are allowed"
        );
        let name = title.name.clone();
        match title.kind.as_str() {
            "SpuGroup" => {
                let spec: SpuGroupSpec = read_spec(title, "v1", text)?;
                ensure!(spec.replicas > 0, "spec.replicas: must be at least 1");
                self.spu_groups.push(SpuGroup {
                    name,
                    replicas: spec.replicas,
                });
            }
            "Topic" => {
                let spec = read_spec::<TopicSpec>(title, "v2", text)?;
                let retention = spec.retention()?;
                let computed = spec.replicas.computed;
                let (partitions, replication_factor) =
                    (computed.partitions, computed.replication_factor);
                let at = "spec.replicas.computed";
                ensure!(
                    (1..=1024).contains(&partitions),
                    "{at}.partitions: must be 1 to 1024"
                );
                ensure!(
                    replication_factor > 0,
                    "{at}.replicationFactor: must be at least 1"
                );
                self.topics.push(Topic {
                    name,
                    partitions,
                    replication_factor,
                    retention,
                });
            }
            "SmartModule" => {
                let spec: SmartModuleSpec = read_spec(title, "v2", text)?;
                let source = match spec.wasm.source.as_str() {
                    "carried" => WasmSource::Carried,
                    path => WasmSource::File(folder.join(path)),
                };
                self.smart_modules.push(SmartModule { name, source });
            }
            kind => bail!("kind: unknown kind \"{kind}\", expected SpuGroup, Topic or SmartModule"),
        }
        Ok(())
    }

    fn check_replication(&self) -> Result<()> {
        let spus: u32 = self
            .spu_groups
            .iter()
            .map(|group| u32::from(group.replicas))
            .sum();
        for topic in self.topics.iter().filter(|_| spus > 0) {
            ensure!(
                topic.replication_factor <= spus,
                "Topic \"{}\": replicationFactor {} needs as many SPUs, the SpuGroups have {spus}",
                topic.name,
                topic.replication_factor
            );
        }
        Ok(())
    }
}

/// What an error names a document by.
#[derive(Debug)]
struct Title {
    number: usize,
    kind: String,
    name: String,
}

impl Title {
    fn of(value: &Value, number: usize) -> Result<Self> {
        let text = |value: Option<&Value>, field: &str| {
            let found = value.and_then(Value::as_str).map(str::to_owned);
            found.with_context(|| format!("document {number}: {field} is missing"))
        };
        let kind = text(value.get("kind"), "kind")?;
        let name = text(
            value.get("metadata").and_then(|meta| meta.get("name")),
            "metadata.name",
        )?;
        Ok(Self { number, kind, name })
    }
}

impl std::fmt::Display for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "document {} ({} \"{}\")",
            self.number, self.kind, self.name
        )
    }
}

/// Reads the document again as what its kind says; an unknown field is an error with its place.
fn read_spec<S: DeserializeOwned>(
    title: &Title,
    version: &str,
    text: Deserializer<'_>,
) -> Result<S> {
    let document: Document<S> = Document::deserialize(text)?;
    let expected = format!("fluvio.infinyon.com/{version}");
    ensure!(
        document.api_version == expected,
        "apiVersion: a {} is of \"{expected}\", not \"{}\"",
        title.kind,
        document.api_version
    );
    Ok(document.spec)
}

/// Fluvio allows these characters in names.
fn is_name(name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    plain && !name.is_empty() && !name.starts_with('-') && !name.ends_with('-')
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<S> {
    api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "metadata")]
    _metadata: Metadata,
    spec: S,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(rename = "name")]
    _name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SpuGroupSpec {
    replicas: u16,
    /// First id; used by who starts the SPUs.
    #[serde(default, rename = "minId")]
    _min_id: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TopicSpec {
    replicas: Replicas,
    cleanup_policy: Option<CleanupPolicy>,
    storage: Option<Storage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CleanupPolicy {
    segment: SegmentPolicy,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SegmentPolicy {
    time_in_seconds: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Storage {
    segment_size: Option<u32>,
    max_partition_size: Option<u64>,
}

impl TopicSpec {
    /// What a cluster would refuse is refused here, with its place.
    fn retention(&self) -> Result<TopicRetention> {
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replicas {
    computed: Computed,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Computed {
    partitions: u32,
    replication_factor: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmartModuleSpec {
    wasm: Wasm,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wasm {
    source: String,
}

#[cfg(test)]
mod tests;
