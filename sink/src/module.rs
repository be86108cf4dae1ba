//! Where the SmartModules come from, and how a changed one reaches a running sink.
//!
//! The sink never asks the broker to run a module *by name*: a module that was uploaded reaches
//! the brokers some time later, and until then a name still means the old one. It fetches the
//! module's bytes from the controller (or is handed them) and sends them along when it opens a
//! stream, so it always knows which version runs. When the bytes change, each stream finishes at a
//! commit and opens again with the new ones; if they do not run, it goes on with the old ones.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fluvio::consumer::SmartModuleInvocationWasm;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::error::SinkError;

/// The two SmartModules whose outputs the sink stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// Departures, arrivals and rejects: tables `records` and `rejected`.
    TripSplit,
    /// Departures per window: table `frequency`.
    DockWindow,
}

impl Module {
    /// Both, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::TripSplit, Self::DockWindow];

    /// The name on the cluster and in `stream_cursor`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TripSplit => "trip-split",
            Self::DockWindow => "dock-window",
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a module's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleSource {
    /// The cluster's SmartModule of this name; the sink follows its changes.
    Named(String),
    /// These bytes, whatever the cluster has.
    Pinned {
        /// What the broker's log calls it.
        name: String,
        /// For people.
        version: String,
        /// The module, not packed.
        wasm: Bytes,
    },
}

/// Where both modules come from; send a new value to change them while the sink runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSources {
    /// Gives departures, arrivals and rejects.
    pub trip_split: ModuleSource,
    /// Gives windows.
    pub dock_window: ModuleSource,
}

impl ModuleSources {
    fn get(&self, module: Module) -> &ModuleSource {
        match module {
            Module::TripSplit => &self.trip_split,
            Module::DockWindow => &self.dock_window,
        }
    }
}

impl Default for ModuleSources {
    fn default() -> Self {
        let named = |module: Module| ModuleSource::Named(module.name().to_owned());
        Self {
            trip_split: named(Module::TripSplit),
            dock_window: named(Module::DockWindow),
        }
    }
}

/// A module ready to be sent to a broker.
#[derive(PartialEq, Eq)]
pub(crate) struct LoadedModule {
    name: String,
    version: String,
    gzip: Vec<u8>,
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{} ({} bytes)",
            self.name,
            self.version,
            self.gzip.len()
        )
    }
}

impl LoadedModule {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn wasm(&self) -> SmartModuleInvocationWasm {
        SmartModuleInvocationWasm::AdHoc(self.gzip.clone())
    }

    fn of_cluster(name: &str, gzip: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        gzip.hash(&mut hasher);
        let version = format!("{:016x}", hasher.finish());
        Self {
            name: name.to_owned(),
            version,
            gzip,
        }
    }

    fn pinned(name: &str, version: &str, wasm: &[u8]) -> Result<Self, SinkError> {
        let packed = SmartModuleInvocationWasm::adhoc_from_bytes(wasm);
        match packed.map_err(|source| SinkError::broker(format!("pack module {name}"), source))? {
            SmartModuleInvocationWasm::AdHoc(gzip) => Ok(Self {
                name: name.to_owned(),
                version: version.to_owned(),
                gzip,
            }),
            SmartModuleInvocationWasm::Predefined(_) => unreachable!("packed bytes are ad hoc"),
        }
    }
}

/// The modules as they are now; one that is missing has not been found yet.
pub(crate) type LoadedModules = BTreeMap<Module, Arc<LoadedModule>>;

/// Keeps `loaded` at what `sources` and the cluster say, until stopped.
pub(crate) async fn follow(
    cluster: &Cluster,
    mut sources: watch::Receiver<ModuleSources>,
    loaded: &watch::Sender<LoadedModules>,
    poll: Duration,
    stop: &CancellationToken,
) {
    let mut complaints = BTreeMap::new();
    loop {
        let now = sources.borrow_and_update().clone();
        for module in Module::ALL {
            match load(cluster, now.get(module)).await {
                Ok(found) => {
                    complaints.remove(&module);
                    publish(loaded, module, found);
                }
                Err(error) => complain(&mut complaints, module, &error),
            }
        }
        let following = Module::ALL
            .iter()
            .any(|m| matches!(now.get(*m), ModuleSource::Named(_)));
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = sources.changed() => {}
            () = tokio::time::sleep(poll), if following || !complaints.is_empty() => {}
        }
    }
}

async fn load(cluster: &Cluster, source: &ModuleSource) -> Result<LoadedModule, SinkError> {
    match source {
        ModuleSource::Pinned {
            name,
            version,
            wasm,
        } => LoadedModule::pinned(name, version, wasm),
        ModuleSource::Named(name) => match cluster.module(name).await? {
            Some(gzip) if !gzip.is_empty() => Ok(LoadedModule::of_cluster(name, gzip)),
            _ => Err(SinkError::broker(
                format!("find smartmodule {name}"),
                anyhow::anyhow!("the cluster has none: run `bikeshare cluster apply`"),
            )),
        },
    }
}

fn publish(loaded: &watch::Sender<LoadedModules>, module: Module, found: LoadedModule) {
    loaded.send_if_modified(|modules| {
        if modules.get(&module).is_some_and(|before| **before == found) {
            return false;
        }
        tracing::info!(%module, version = found.version(), "smartmodule {module} is loaded");
        modules.insert(module, Arc::new(found));
        true
    });
}

/// Says an error once, not at each poll.
fn complain(complaints: &mut BTreeMap<Module, String>, module: Module, error: &SinkError) {
    let text = error.chain();
    if complaints.get(&module) != Some(&text) {
        tracing::warn!(%module, error = %text, "smartmodule {module} could not be loaded");
        complaints.insert(module, text);
    }
}
