//! Where the SmartModules come from, and how a changed one reaches a running sink.
//!
//! The sink never has the broker run a module *by name*: a module that was uploaded reaches
//! the brokers some time later, and until then a name still means the old one. It fetches the
//! module's bytes from the controller (or is handed them) and sends them along when it opens a
//! stream, so it always knows which version runs. When the bytes change, each stream finishes at a
//! commit and opens again with the new ones; if they do not run, it goes on with the old ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use partition_client::{Cluster, SmartModule, short_version};
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

/// A module ready to be sent to a broker, and which version it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoadedModule {
    module: SmartModule,
    sha256: String,
    version: String,
}

impl LoadedModule {
    pub(crate) fn module(&self) -> &SmartModule {
        &self.module
    }

    pub(crate) fn name(&self) -> &str {
        self.module.name()
    }

    /// What people call its version: the first digits of [`LoadedModule::sha256`] unless it is pinned.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The SHA-256 of its wasm in hexadecimal digits.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    fn of(found: FoundModule) -> Result<Self, SinkError> {
        let FoundModule { module, version } = found;
        let sha256 = module.version().map_err(|source| {
            SinkError::broker(format!("unpack smartmodule {}", module.name()), source)
        })?;
        Ok(Self {
            version: version.unwrap_or_else(|| short_version(&sha256).to_owned()),
            module,
            sha256,
        })
    }
}

/// A module as its source gives it; `version` if it is pinned.
struct FoundModule {
    module: SmartModule,
    version: Option<String>,
}

impl FoundModule {
    fn is(&self, loaded: &LoadedModule) -> bool {
        let version = self.version.as_ref();
        self.module == loaded.module && version.is_none_or(|version| *version == loaded.version)
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
            let found = find(cluster, now.get(module)).await;
            match found.and_then(|found| publish(loaded, module, found)) {
                Ok(()) => {
                    errors.remove(&module);
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

async fn find(cluster: &Cluster, source: &ModuleSource) -> Result<FoundModule, SinkError> {
    match source {
        ModuleSource::Pinned {
            name,
            version,
            wasm,
        } => {
            let packed = SmartModule::from_wasm(name, wasm);
            Ok(FoundModule {
                module: packed.map_err(|source| {
                    SinkError::broker(format!("compress module {name}"), source)
                })?,
                version: Some(version.clone()),
            })
        }
        ModuleSource::Named(name) => match cluster.smart_module(name).await? {
            Some(module) => Ok(FoundModule {
                module,
                version: None,
            }),
            None => Err(SinkError::broker(
                format!("find smartmodule {name}"),
                anyhow::anyhow!("the cluster has none: run `bikeshare cluster apply`"),
            )),
        },
    }
}

fn publish(
    loaded: &watch::Sender<LoadedModules>,
    module: Module,
    found: FoundModule,
) -> Result<(), SinkError> {
    let before = loaded.borrow().get(&module).cloned();
    if before.is_some_and(|before| found.is(&before)) {
        return Ok(());
    }
    let found = LoadedModule::of(found)?;
    tracing::info!(%module, version = found.version(), "smartmodule {module} is loaded");
    loaded.send_modify(|modules| {
        modules.insert(module, Arc::new(found));
    });
    Ok(())
}

/// Logs an error once, not at each poll.
fn warn_once(errors: &mut BTreeMap<Module, String>, module: Module, error: &SinkError) {
    let text = error.chain();
    if errors.get(&module) != Some(&text) {
        tracing::warn!(%module, error = %text, "smartmodule {module} could not be loaded");
        errors.insert(module, text);
    }
}
