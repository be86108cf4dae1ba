//! The catalog of topics and `SmartModule`s: on disk, and watched.
//!
//! Every change raises the epoch; who watches compares what it has sent with what there is.
//! Specs are stored in the wire encoding, so that they come back exactly as they were sent.
//!
//! Not here: partitions (they follow from topics) and their logs, see [`super::node`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use fluvio_controlplane_metadata::smartmodule::{SmartModulePackageKey, SmartModuleSpec};
use fluvio_controlplane_metadata::topic::TopicSpec;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_types::defaults::CONSUMER_STORAGE_TOPIC;
use tokio::sync::watch;

use super::error::BrokerError;
use super::folder::{file_name_of, remove, replace_file};

/// Protocol version of newly written files; each file names its own.
const ENCODING_VERSION: i16 = 19;

/// An object and the epoch at which it was last changed.
#[derive(Debug, Clone)]
pub(super) struct Revised<S> {
    pub(super) epoch: i64,
    pub(super) spec: S,
}

#[derive(Debug)]
struct Objects {
    epoch: i64,
    topics: BTreeMap<String, Revised<TopicSpec>>,
    smartmodules: BTreeMap<String, Revised<SmartModuleSpec>>,
}

/// Topics and `SmartModule`s by name.
#[derive(Debug)]
pub(super) struct MetadataStore {
    topics_folder: PathBuf,
    smartmodules_folder: PathBuf,
    objects: RwLock<Objects>,
    /// Sent after each change, so that watches wake up.
    epoch: watch::Sender<i64>,
}

impl MetadataStore {
    /// Reads what earlier runs stored.
    pub(super) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        let topics_folder = data_dir.join("topics");
        let smartmodules_folder = data_dir.join("smartmodules");
        let mut topics = read_all::<TopicSpec>(&topics_folder)?;
        // Clients find out from its partition where to ask for consumer offsets.
        topics.insert(
            CONSUMER_STORAGE_TOPIC.to_owned(),
            revised(consumer_offset_topic()),
        );
        let smartmodules = read_all::<SmartModuleSpec>(&smartmodules_folder)?;
        Ok(Self {
            topics_folder,
            smartmodules_folder,
            objects: RwLock::new(Objects {
                epoch: 0,
                topics,
                smartmodules,
            }),
            epoch: watch::Sender::new(0),
        })
    }

    pub(super) fn topic(&self, name: &str) -> Option<TopicSpec> {
        self.read().topics.get(name).map(|topic| topic.spec.clone())
    }

    /// All topics, the system's own included, and the epoch.
    pub(super) fn topics(&self) -> (i64, BTreeMap<String, Revised<TopicSpec>>) {
        let objects = self.read();
        (objects.epoch, objects.topics.clone())
    }

    /// All `SmartModule`s, and the epoch.
    pub(super) fn smartmodules(&self) -> (i64, BTreeMap<String, Revised<SmartModuleSpec>>) {
        let objects = self.read();
        (objects.epoch, objects.smartmodules.clone())
    }

    /// Finds a module by its key, or by `group/name@version` of its package.
    pub(super) fn find_smartmodule(&self, name: &str) -> Option<SmartModuleSpec> {
        let wanted = SmartModulePackageKey::from_qualified_name(name).ok()?;
        let objects = self.read();
        let found = objects.smartmodules.iter().find(|(key, module)| {
            wanted.is_match(key, module.spec.meta.as_ref().map(|meta| &meta.package))
        });
        found.map(|(_, module)| module.spec.clone())
    }

    /// Stores a new topic or a new version of it.
    pub(super) fn put_topic(&self, name: &str, spec: TopicSpec) -> Result<(), BrokerError> {
        write(&self.topics_folder, name, &spec)?;
        self.change(|objects, epoch| {
            objects
                .topics
                .insert(name.to_owned(), Revised { epoch, spec });
        });
        Ok(())
    }

    pub(super) fn remove_topic(&self, name: &str) -> Result<(), BrokerError> {
        erase(&self.topics_folder, name)?;
        self.change(|objects, _| {
            objects.topics.remove(name);
        });
        Ok(())
    }

    /// Stores a new module or a new version of it.
    pub(super) fn put_smartmodule(
        &self,
        name: &str,
        spec: SmartModuleSpec,
    ) -> Result<(), BrokerError> {
        write(&self.smartmodules_folder, name, &spec)?;
        self.change(|objects, epoch| {
            objects
                .smartmodules
                .insert(name.to_owned(), Revised { epoch, spec });
        });
        Ok(())
    }

    /// Removes a module; tells whether it was there.
    pub(super) fn remove_smartmodule(&self, name: &str) -> Result<bool, BrokerError> {
        if !self.read().smartmodules.contains_key(name) {
            return Ok(false);
        }
        erase(&self.smartmodules_folder, name)?;
        self.change(|objects, _| {
            objects.smartmodules.remove(name);
        });
        Ok(true)
    }

    /// Tells when the epoch changes.
    pub(super) fn follow(&self) -> watch::Receiver<i64> {
        self.epoch.subscribe()
    }

    fn change(&self, apply: impl FnOnce(&mut Objects, i64)) {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        objects.epoch += 1;
        let epoch = objects.epoch;
        apply(&mut objects, epoch);
        drop(objects);
        self.epoch.send_replace(epoch);
    }

    fn read(&self) -> RwLockReadGuard<'_, Objects> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn revised<S>(spec: S) -> Revised<S> {
    Revised { epoch: 0, spec }
}

fn consumer_offset_topic() -> TopicSpec {
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_system(true);
    spec
}

/// A file is the encoding's version, the object's name and its spec.
fn write<S: Encoder>(folder: &Path, name: &str, spec: &S) -> Result<(), BrokerError> {
    let path = folder.join(file_name_of(name));
    let encode = || -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        ENCODING_VERSION.encode(&mut content, 0)?;
        name.to_owned().encode(&mut content, ENCODING_VERSION)?;
        spec.encode(&mut content, ENCODING_VERSION)?;
        Ok(content)
    };
    encode()
        .and_then(|content| replace_file(&path, &content))
        .map_err(BrokerError::file("write", path))
}

fn erase(folder: &Path, name: &str) -> Result<(), BrokerError> {
    let path = folder.join(file_name_of(name));
    remove(&path).map_err(BrokerError::file("remove", path))
}

fn read_all<S: Decoder + Default>(
    folder: &Path,
) -> Result<BTreeMap<String, Revised<S>>, BrokerError> {
    fs::create_dir_all(folder).map_err(BrokerError::file("create", folder))?;
    let mut objects = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(BrokerError::file("list", folder))? {
        let path = entry.map_err(BrokerError::file("list", folder))?.path();
        // What a crash left of a write that never took effect.
        if path.extension().is_some() {
            continue;
        }
        let (name, spec) = read_one(&path).map_err(BrokerError::file("read", &path))?;
        objects.insert(name, revised(spec));
    }
    Ok(objects)
}

fn read_one<S: Decoder + Default>(path: &Path) -> io::Result<(String, S)> {
    let mut content = Bytes::from(fs::read(path)?);
    let version = i16::decode_from(&mut content, 0)?;
    let name = String::decode_from(&mut content, version)?;
    let spec = S::decode_from(&mut content, version)?;
    Ok((name, spec))
}
