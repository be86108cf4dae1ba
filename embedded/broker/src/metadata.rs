//! The catalog of topics and `SmartModule`s: on disk, and watched.
//!
//! Every change raises the epoch; a watch then compares what it has sent with what there is.
//! Specs are stored in the wire encoding, so that they come back exactly as they were sent, in sealed
//! files. What is in a broken one does not exist; the file goes into quarantine.
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

use crate::error::BrokerError;
use crate::files::{create_folder, file_name_of, remove};
use crate::topic_logs::LOGS;
use crate::{quarantine, sealed};

const TOPICS: &str = "topics";
const SMARTMODULES: &str = "smartmodules";

/// Protocol version of newly written files; each file names its own.
const ENCODING_VERSION: i16 = 19;

/// An object and the epoch at which it was last changed.
#[derive(Debug, Clone)]
pub(crate) struct Revised<S> {
    pub(crate) epoch: i64,
    pub(crate) spec: S,
}

#[derive(Debug)]
struct Objects {
    epoch: i64,
    topics: BTreeMap<String, Revised<TopicSpec>>,
    smartmodules: BTreeMap<String, Revised<SmartModuleSpec>>,
}

/// Topics and `SmartModule`s by name.
#[derive(Debug)]
pub(crate) struct MetadataStore {
    topics_folder: PathBuf,
    smartmodules_folder: PathBuf,
    objects: RwLock<Objects>,
    /// Sent after each change, so that watches wake up.
    epoch: watch::Sender<i64>,
}

impl MetadataStore {
    /// Reads what earlier runs stored.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        let mut topics = read_all::<TopicSpec>(data_dir, TOPICS)?;
        // Clients find out from its partition which SPU has consumer offsets.
        topics.insert(
            CONSUMER_STORAGE_TOPIC.to_owned(),
            revised(consumer_offset_topic()),
        );
        let smartmodules = read_all::<SmartModuleSpec>(data_dir, SMARTMODULES)?;
        Ok(Self {
            topics_folder: data_dir.join(TOPICS),
            smartmodules_folder: data_dir.join(SMARTMODULES),
            objects: RwLock::new(Objects {
                epoch: 0,
                topics,
                smartmodules,
            }),
            epoch: watch::Sender::new(0),
        })
    }

    pub(crate) fn topic(&self, name: &str) -> Option<TopicSpec> {
        self.read().topics.get(name).map(|topic| topic.spec.clone())
    }

    /// All topics, the system's own included, and the epoch.
    pub(crate) fn topics(&self) -> (i64, BTreeMap<String, Revised<TopicSpec>>) {
        let objects = self.read();
        (objects.epoch, objects.topics.clone())
    }

    /// All `SmartModule`s, and the epoch.
    pub(crate) fn smartmodules(&self) -> (i64, BTreeMap<String, Revised<SmartModuleSpec>>) {
        let objects = self.read();
        (objects.epoch, objects.smartmodules.clone())
    }

    /// Finds a module by its key, or by `group/name@version` of its package.
    pub(crate) fn find_smartmodule(&self, name: &str) -> Option<SmartModuleSpec> {
        let wanted = SmartModulePackageKey::from_qualified_name(name).ok()?;
        let objects = self.read();
        let found = objects.smartmodules.iter().find(|(key, module)| {
            wanted.is_match(key, module.spec.meta.as_ref().map(|meta| &meta.package))
        });
        found.map(|(_, module)| module.spec.clone())
    }

    /// Stores a new topic or a new version of it.
    pub(crate) fn put_topic(&self, name: &str, spec: TopicSpec) -> Result<(), BrokerError> {
        write(&self.topics_folder, name, &spec)?;
        self.change(|objects, epoch| {
            objects
                .topics
                .insert(name.to_owned(), Revised { epoch, spec });
        });
        Ok(())
    }

    /// Takes a topic's file out of the catalog, to a path of the caller's.
    pub(crate) fn remove_topic(&self, name: &str, to: &Path) -> Result<(), BrokerError> {
        let path = self.topics_folder.join(file_name_of(name));
        fs::rename(&path, to).map_err(BrokerError::file("remove", path))?;
        self.change(|objects, _| {
            objects.topics.remove(name);
        });
        Ok(())
    }

    /// Stores a new module or a new version of it.
    pub(crate) fn put_smartmodule(
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

    /// Removes a module; `false` if it was not there.
    pub(crate) fn remove_smartmodule(&self, name: &str) -> Result<bool, BrokerError> {
        if !self.read().smartmodules.contains_key(name) {
            return Ok(false);
        }
        erase(&self.smartmodules_folder, name)?;
        self.change(|objects, _| {
            objects.smartmodules.remove(name);
        });
        Ok(true)
    }

    /// Receives the epoch after each change.
    pub(crate) fn follow(&self) -> watch::Receiver<i64> {
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
        .and_then(|content| sealed::write(&path, &content))
        .map_err(BrokerError::file("write", path))
}

fn erase(folder: &Path, name: &str) -> Result<(), BrokerError> {
    let path = folder.join(file_name_of(name));
    remove(&path).map_err(BrokerError::file("remove", path))
}

fn read_all<S: Decoder + Default>(
    data_dir: &Path,
    kind: &str,
) -> Result<BTreeMap<String, Revised<S>>, BrokerError> {
    let folder = data_dir.join(kind);
    create_folder(&folder).map_err(BrokerError::file("create", &folder))?;
    let mut objects = BTreeMap::new();
    for entry in fs::read_dir(&folder).map_err(BrokerError::file("list", &folder))? {
        let path = entry.map_err(BrokerError::file("list", &folder))?.path();
        // What a crash left of a write that never took effect.
        if path.extension().is_some() {
            continue;
        }
        match read_one(&path) {
            Ok((name, spec)) => {
                objects.insert(name, revised(spec));
            }
            Err(error) if sealed::is_broken(&error) => set_aside(data_dir, &path, kind, &error)?,
            Err(error) => return Err(BrokerError::file("read", path)(error)),
        }
    }
    Ok(objects)
}

/// Moves a broken file into quarantine, with the logs if it is a topic's.
fn set_aside(
    data_dir: &Path,
    path: &Path,
    kind: &str,
    error: &io::Error,
) -> Result<(), BrokerError> {
    let name = path.file_name().unwrap_or_default();
    let (file, logs) = (Path::new(kind).join(name), Path::new(LOGS).join(name));
    let name = name.to_string_lossy();
    let mut paths = vec![file.as_path()];
    if kind == TOPICS {
        paths.push(&logs);
    }
    let folder = quarantine::take(data_dir, &name, &paths)?;
    tracing::error!(
        path = %path.display(),
        quarantine = %folder.display(),
        error = error as &dyn std::error::Error,
        "a file of the catalog is broken: what it describes is not served, and was moved to \"{}\" \
         with its data; to get it back, stop the broker, put a good copy of \"{}\" in its old place \
         and move the other content of that folder back to where it was",
        folder.display(),
        file.display(),
    );
    Ok(())
}

/// # Errors
/// [`io::ErrorKind::InvalidData`] if the file does not describe the object it is named after.
fn read_one<S: Decoder + Default>(path: &Path) -> io::Result<(String, S)> {
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let old_start = ENCODING_VERSION.to_be_bytes();
    let content = sealed::read(path, |content| content.starts_with(&old_start))?;
    let content = content.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let (name, spec) = decode::<S>(content.into()).map_err(|error| invalid(error.to_string()))?;
    if path.file_name() != Some(file_name_of(&name).as_ref()) {
        return Err(invalid(format!("it describes \"{name}\"")));
    }
    Ok((name, spec))
}

fn decode<S: Decoder + Default>(mut content: Bytes) -> io::Result<(String, S)> {
    let version = i16::decode_from(&mut content, 0)?;
    let name = String::decode_from(&mut content, version)?;
    let spec = S::decode_from(&mut content, version)?;
    Ok((name, spec))
}
