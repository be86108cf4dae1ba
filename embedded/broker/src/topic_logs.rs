//! The folders of topics' logs: how they are deleted, and what becomes of those without a topic.
//!
//! ```text
//! logs/trips/0/…   a topic's partitions
//! deleted/trips    a deleted topic's file: says, until they are gone, that its logs may go
//! ```
//! Only what a file in `deleted/` names is deleted. Logs that have no topic otherwise were left by
//! a creation that a crash cut short, and are empty, or have lost their topic's file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::BrokerError;
use crate::files::{create_folder, file_name_of, remove};
use crate::quarantine;

/// Folder of all logs in the data folder.
pub(crate) const LOGS: &str = "logs";
const DELETED: &str = "deleted";

/// All topics' logs, as folders.
#[derive(Debug)]
pub(crate) struct TopicLogs {
    data_dir: PathBuf,
}

impl TopicLogs {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        for name in [LOGS, DELETED] {
            let folder = data_dir.join(name);
            create_folder(&folder).map_err(BrokerError::file("create", folder))?;
        }
        Ok(Self {
            data_dir: data_dir.to_path_buf(),
        })
    }

    /// Where a partition's log is.
    pub(crate) fn folder_of(&self, topic: &str, partition: u32) -> PathBuf {
        self.topic_folder(topic).join(partition.to_string())
    }

    /// Where a topic's file goes when the topic is deleted.
    pub(crate) fn deleted(&self, topic: &str) -> PathBuf {
        self.data_dir.join(DELETED).join(file_name_of(topic))
    }

    /// Removes the logs of a topic whose file is in [`Self::deleted`].
    pub(crate) fn remove(&self, topic: &str) -> Result<(), BrokerError> {
        let (logs, deleted) = (self.topic_folder(topic), self.deleted(topic));
        remove(&logs).map_err(BrokerError::file("remove", logs))?;
        remove(&deleted).map_err(BrokerError::file("remove", deleted))
    }

    /// Clears the folder for the logs of a new topic.
    pub(crate) fn clear(&self, topic: &str) -> Result<(), BrokerError> {
        if self.deleted(topic).exists() {
            return self.remove(topic);
        }
        self.settle(&Path::new(LOGS).join(topic), topic)
    }

    /// Ends what a crash has cut short and sets aside logs without a topic.
    ///
    /// `topics` are those there are, with their numbers of partitions.
    pub(crate) fn tidy(&self, topics: &BTreeMap<String, u32>) -> Result<(), BrokerError> {
        for deleted in names_in(&self.data_dir.join(DELETED))? {
            match deleted.to_str() {
                // The topic's file was restored: its logs must stay.
                Some(name) if topics.contains_key(name) => {
                    let path = self.deleted(name);
                    remove(&path).map_err(BrokerError::file("remove", path))?;
                }
                Some(name) if self.deleted(name).exists() => self.remove(name)?,
                _ => {}
            }
        }
        for name in names_in(&self.data_dir.join(LOGS))? {
            let (path, topic) = (Path::new(LOGS).join(&name), name.to_string_lossy());
            match topics.get(&*topic) {
                None => self.settle(&path, &topic)?,
                Some(partitions) => self.tidy_topic(&path, &topic, *partitions)?,
            }
        }
        Ok(())
    }

    fn tidy_topic(&self, path: &Path, topic: &str, partitions: u32) -> Result<(), BrokerError> {
        for name in names_in(&self.data_dir.join(path))? {
            let index: Option<u32> = name.to_str().and_then(|name| name.parse().ok());
            if index.is_none_or(|index| index >= partitions) {
                self.settle(&path.join(name), topic)?;
            }
        }
        Ok(())
    }

    /// Removes a folder that holds no byte, and moves any other into quarantine.
    fn settle(&self, path: &Path, topic: &str) -> Result<(), BrokerError> {
        let full = self.data_dir.join(path);
        if is_empty(&full).map_err(BrokerError::file("read", &full))? {
            return remove(&full).map_err(BrokerError::file("remove", full));
        }
        let folder = quarantine::take(&self.data_dir, topic, &[path])?;
        tracing::error!(
            topic,
            quarantine = %folder.display(),
            "logs without a topic: moved \"{}\" to \"{}\"; to get the topic back, stop the broker, \
             put the topic's file from a backup into \"topics\" and move the folder back to where it \
             was",
            full.display(),
            folder.display(),
        );
        Ok(())
    }

    fn topic_folder(&self, topic: &str) -> PathBuf {
        self.data_dir.join(LOGS).join(topic)
    }
}

fn names_in(folder: &Path) -> Result<Vec<OsString>, BrokerError> {
    let entries = fs::read_dir(folder).map_err(BrokerError::file("list", folder))?;
    entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()
        .map_err(BrokerError::file("list", folder))
}

/// Whether there is no byte of content in a file or folder, or no such thing.
fn is_empty(path: &Path) -> io::Result<bool> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        metadata => metadata?,
    };
    if !metadata.is_dir() {
        return Ok(metadata.is_file() && metadata.len() == 0);
    }
    for entry in fs::read_dir(path)? {
        if !is_empty(&entry?.path())? {
            return Ok(false);
        }
    }
    Ok(true)
}
