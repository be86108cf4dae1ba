//! Reads what a cluster has as what a file would declare.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fluvio::FluvioAdmin;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::topic::TopicSpec;
use partition_client::TopicRetention;

use super::is_previous_of;
use super::manifest::{Manifest, SmartModule, SpuGroup, Topic, WasmSource};
use crate::modules;

/// The name of the group that all SPUs are counted in, as in the carried file.
const SPU_GROUP: &str = "main";

/// What a cluster has.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) manifest: Manifest,
    /// Files that the manifest names: their names, and their wasm.
    wasm: Vec<(String, Vec<u8>)>,
    /// What cannot be declared, and why.
    pub(crate) left_out: Vec<String>,
}

impl Imported {
    /// Writes the manifest, and beside it the wasm that this program does not carry; replaces no file.
    ///
    /// # Errors
    /// If a file is there already or cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let yaml = self.manifest.to_yaml()?;
        let wasm = self
            .wasm
            .iter()
            .map(|(name, wasm)| (folder.join(name), wasm.as_slice()));
        let files: Vec<_> = wasm.chain([(path.to_owned(), yaml.as_bytes())]).collect();
        for (path, _) in &files {
            ensure!(
                !path.exists(),
                "{path:?} is there already: name another file"
            );
        }
        for (path, content) in &files {
            std::fs::write(path, content).with_context(|| format!("could not write {path:?}"))?;
        }
        Ok(())
    }
}

/// Reads all of a cluster's topics and SmartModules.
///
/// # Errors
/// If the cluster does not respond, or a module on it is damaged.
pub(crate) async fn import(admin: &FluvioAdmin) -> Result<Imported> {
    let spus = admin.all::<SpuSpec>().await;
    let spus = spus.context("could not list the cluster's SPUs")?;
    let topics = admin.all::<TopicSpec>().await;
    let topics = topics.context("could not list the cluster's topics")?;
    let modules = admin.all::<SmartModuleSpec>().await;
    let modules = modules.context("could not list the cluster's smartmodules")?;

    let spus =
        u16::try_from(spus.len()).context("the cluster has more SPUs than can be declared")?;
    let mut imported = Imported {
        manifest: Manifest {
            spu_groups: vec![SpuGroup {
                name: SPU_GROUP.to_owned(),
                replicas: spus,
            }],
            topics: Vec::new(),
            smart_modules: Vec::new(),
        },
        wasm: Vec::new(),
        left_out: Vec::new(),
    };
    for found in topics {
        imported.add_topic(found.name, &found.spec)?;
    }
    for found in modules {
        let wasm = found.spec.wasm.as_raw_wasm();
        let wasm = wasm
            .with_context(|| format!("smartmodule \"{}\" on the cluster is damaged", found.name))?;
        imported.add_module(found.name, wasm);
    }
    Ok(imported)
}

impl Imported {
    fn add_topic(&mut self, name: String, found: &TopicSpec) -> Result<()> {
        if found.is_system() {
            return Ok(());
        }
        if !found.replicas().is_computed() {
            let how = found.replicas().type_label();
            let note = format!("topic \"{name}\": its partitions are placed by hand ({how})");
            self.left_out.push(note);
            return Ok(());
        }
        let replication_factor = found.replication_factor().unwrap_or(1);
        // Who has asked for more replicas than there are SPUs waits for further ones.
        for group in &mut self.manifest.spu_groups {
            let replicas = u16::try_from(replication_factor).context("too many replicas")?;
            group.replicas = group.replicas.max(replicas);
        }
        let storage = found.get_storage();
        self.manifest.topics.push(Topic {
            name,
            partitions: found.partitions(),
            replication_factor,
            retention: TopicRetention {
                seconds: found.get_clean_policy().map(|_| found.retention_secs()),
                segment_bytes: storage.and_then(|storage| storage.segment_size),
                partition_bytes: storage.and_then(|storage| storage.max_partition_size),
            },
        });
        Ok(())
    }

    fn add_module(&mut self, name: String, wasm: Vec<u8>) {
        // Kept for `smartmodule rollback`; nobody declares it.
        if is_previous_of(&name).is_some() {
            return;
        }
        let source = match modules::wasm(&name) {
            Ok(carried) if *carried == *wasm => WasmSource::Carried,
            _ => {
                let file = format!("{name}.wasm");
                self.wasm.push((file.clone(), wasm));
                WasmSource::File(file.into())
            }
        };
        self.manifest
            .smart_modules
            .push(SmartModule { name, source });
    }
}
