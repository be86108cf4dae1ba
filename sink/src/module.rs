//! Where the SmartModules come from, and how a changed one reaches a running sink.
//!
//! The sink never has the broker run a module *by name*: a module that was uploaded reaches
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
use partition_client::{Cluster, SmartModule};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

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
        /// The module, not compressed.
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

/// A module ready to be sent to a broker, and what people call its version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoadedModule {
    module: SmartModule,
    version: String,
}

impl LoadedModule {
    pub(crate) fn module(&self) -> &SmartModule {
        &self.module
    }

    pub(crate) fn name(&self) -> &str {
        self.module.name()
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn of_cluster(module: SmartModule) -> Self {
        let mut hasher = DefaultHasher::new();
        module.gzip().hash(&mut hasher);
        let version = format!("{:016x}", hasher.finish());
        Self { module, version }
    }

    fn pinned(name: &str, version: &str, wasm: &[u8]) -> Result<Self, SinkError> {
        let compressed = SmartModule::from_wasm(name, wasm);
        Ok(Self {
            module: compressed
                .map_err(|source| SinkError::broker(format!("compress module {name}"), source))?,
            version: version.to_owned(),
        })
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
    let mut errors = BTreeMap::new();
    loop {
        let now = sources.borrow_and_update().clone();
        for module in Module::ALL {
            match load(cluster, now.get(module)).await {
                Ok(found) => {
                    errors.remove(&module);
                    publish(loaded, module, found);
                }
                Err(error) => warn_once(&mut errors, module, &error),
            }
        }
        let following = Module::ALL
            .iter()
            .any(|m| matches!(now.get(*m), ModuleSource::Named(_)));
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = sources.changed() => {}
            () = tokio::time::sleep(poll), if following || !errors.is_empty() => {}
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
        ModuleSource::Named(name) => match cluster.smart_module(name).await? {
            Some(module) => Ok(LoadedModule::of_cluster(module)),
            None => Err(SinkError::broker(
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

/// Logs an error once, not at each poll.
fn warn_once(errors: &mut BTreeMap<Module, String>, module: Module, error: &SinkError) {
    let text = error.chain();
    if errors.get(&module) != Some(&text) {
        tracing::warn!(%module, error = %text, "smartmodule {module} could not be loaded");
        errors.insert(module, text);
    }
}
