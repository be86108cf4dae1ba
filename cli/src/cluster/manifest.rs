//! Reads `fluvio-cluster.yaml`: documents in the shape of Fluvio's Kubernetes resources.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use partition_client::{TopicRetention, TopicShape};
use serde::Deserialize as _;
use serde_yaml_ng::{Deserializer, Value};

mod documents;

use self::documents::{SmartModuleSpec, SpuGroupSpec, TopicSpec, document, read_spec};

/// The file in the repository's root, used where no other is named.
const DEFAULT: &str = include_str!("../../../fluvio-cluster.yaml");
/// Instead of a path: the wasm inside this program.
const CARRIED: &str = "carried";

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

impl Topic {
    pub(crate) fn shape(&self) -> TopicShape {
        TopicShape {
            partitions: self.partitions,
            replication: self.replication_factor,
        }
    }
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

    /// The file that declares this, which is read as the same.
    ///
    /// # Errors
    /// None that is known: every object can be written.
    pub(crate) fn to_yaml(&self) -> Result<String> {
        let groups = self
            .spu_groups
            .iter()
            .map(|group| document("SpuGroup", &group.name, SpuGroupSpec::of(group)));
        let topics = self
            .topics
            .iter()
            .map(|topic| document("Topic", &topic.name, TopicSpec::of(topic)));
        let modules = self
            .smart_modules
            .iter()
            .map(|module| document("SmartModule", &module.name, SmartModuleSpec::of(module)));
        let documents: Vec<_> = groups.chain(topics).chain(modules).collect::<Result<_>>()?;
        Ok(documents.join("---\n"))
    }

    fn add(&mut self, title: &Title, text: Deserializer<'_>, folder: &Path) -> Result<()> {
        ensure!(
            is_name(&title.name),
            "metadata.name: only a-z, 0-9 and inner \"-\" are allowed"
        );
        let name = title.name.clone();
        match title.kind.as_str() {
            "SpuGroup" => {
                let spec: SpuGroupSpec = read_spec(title, text)?;
                ensure!(spec.replicas > 0, "spec.replicas: must be at least 1");
                self.spu_groups.push(SpuGroup {
                    name,
                    replicas: spec.replicas,
                });
            }
            "Topic" => {
                let spec: TopicSpec = read_spec(title, text)?;
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
                let spec: SmartModuleSpec = read_spec(title, text)?;
                let source = match spec.wasm.source.as_str() {
                    CARRIED => WasmSource::Carried,
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

/// `1 topic, 2 smartmodules`
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let topics = counted(self.topics.len(), "topic");
        let modules = counted(self.smart_modules.len(), "smartmodule");
        write!(f, "{topics}, {modules}")
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

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "document {} ({} \"{}\")",
            self.number, self.kind, self.name
        )
    }
}

/// Fluvio allows these characters in names.
fn is_name(name: &str) -> bool {
    let plain = name
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    plain && !name.is_empty() && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests;
