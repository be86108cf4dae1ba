//! What is kept of a unit, so that a restart need not read and order it again.
//!
//! ```text
//!  <spill_dir>/<store>/<unit>/   0-0.run 0-1.run 1-0.run   rows, while they are sent
//!                              unit.json                 what the runs are; written last
//! ```
//!
//! When the topic has confirmed all rows the runs are removed and the note stays, so that the unit
//! is not read again. A unit is known by its file's version: a changed file is another unit. Not
//! here: which rows were sent; that is read from the topic.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;
use xxhash_rust::xxh3::Xxh3;

use crate::catalog::Unit;
use crate::compact::{Names, Texts};
use crate::note;
use crate::sample::Sample;
use crate::sort::{Counts, Run, Sorted};
use crate::store::Store;
use crate::table::Table;

const NOTE: &str = "unit.json";

/// Format of the notes and runs that this program writes; others are not read.
const FORMAT: u32 = 4;

/// One unit's folder; it exists only if something was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub(crate) folder: PathBuf,
}

/// A unit's note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    format: u32,
    /// Whether the topic has confirmed all rows: then there are no runs any more.
    is_sent: bool,
    files: Vec<FileNote>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileNote {
    name: String,
    hash: u64,
    counts: Counts,
    runs: Vec<Run>,
    names: Texts,
    /// None once it was sent.
    sample: Option<Sample>,
}

/// A file all of whose rows were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    pub name: String,
    pub hash: u64,
    pub counts: Counts,
}

/// The folder of a store, in which its units are kept.
pub(crate) fn store_folder(spill: &Path, store: &dyn Store) -> PathBuf {
    spill.join(hash_of(&[&store.identity()]))
}

/// Removes what was kept of units that are no more.
///
/// # Errors
/// If the folder cannot be read or a part of it not be removed.
pub(crate) fn remove_others(store: &Path, units: &[Kept]) -> io::Result<()> {
    let folders = match fs::read_dir(store) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folders => folders?,
    };
    for folder in folders {
        let folder = folder?.path();
        if units.iter().all(|unit| unit.folder != folder) {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

impl Kept {
    /// The folder of a unit below its store's.
    pub(crate) fn of(store: &Path, unit: &Unit) -> Self {
        let mut parts = vec![unit.entry.name.as_str(), &unit.entry.version];
        parts.extend(unit.members.iter().map(String::as_str));
        Self {
            folder: store.join(hash_of(&parts)),
        }
    }

    /// The files of a unit that was sent, if it was.
    pub(crate) fn sent(&self) -> Option<Vec<SentFile>> {
        let note = self.note().filter(|note| note.is_sent)?;
        let sent = note.files.into_iter().map(|file| SentFile {
            name: file.name,
            hash: file.hash,
            counts: file.counts,
        });
        Some(sent.collect())
    }

    /// The tables of a unit that was read to its end, if all of it is here.
    pub(crate) fn tables(&self) -> Option<Vec<(String, Table)>> {
        let note = self.note().filter(|note| !note.is_sent)?;
        // A prepared file is in order where it lies: nothing of it is kept but this note.
        let is_here = |file: &FileNote| {
            file.sample.is_some() && (!file.runs.is_empty() || file.counts.rows == 0)
        };
        if !note.files.iter().all(is_here) {
            return None;
        }
        let mut runs = note.files.iter().flat_map(|file| &file.runs);
        if !runs.all(|run| run.is_whole(&self.folder)) {
            warn!(
                "what was kept in {:?} is not whole: it is read again",
                self.folder
            );
            return None;
        }
        let tables = note.files.into_iter().map(|file| {
            let table = Table {
                names: Names::from_texts(&file.names),
                rows: Sorted::Runs(file.runs),
                counts: file.counts,
                hash: file.hash,
                sample: file.sample.unwrap_or_default(),
            };
            (file.name, table)
        });
        Some(tables.collect())
    }

    /// Keeps tables, if none of their rows are in memory; tells whether it does.
    ///
    /// # Errors
    /// If they cannot be written onto the disk.
    pub(crate) fn save(&self, tables: &[(String, Table)]) -> io::Result<bool> {
        let mut files = Vec::new();
        for (name, table) in tables {
            let runs = match &table.rows {
                Sorted::Runs(runs) => runs.as_slice(),
                Sorted::Prepared(_) => &[],
                Sorted::Memory(_) => return Ok(false),
            };
            for run in runs {
                // The note must not be there before its runs are, whatever the machine does.
                File::open(self.folder.join(&run.name))?.sync_all()?;
            }
            files.push(FileNote {
                name: name.clone(),
                hash: table.hash,
                counts: table.counts,
                runs: runs.to_vec(),
                names: table.names.to_texts(),
                sample: Some(table.sample.clone()),
            });
        }
        self.write(&Note {
            format: FORMAT,
            is_sent: false,
            files,
        })?;
        Ok(true)
    }

    /// Keeps only that the unit was sent; removes it if nothing was kept of it.
    ///
    /// # Errors
    /// If its files cannot be written or removed.
    pub fn finish(&self) -> io::Result<()> {
        let Some(mut note) = self.note() else {
            return self.clear();
        };
        let runs = std::mem::take(&mut note.files);
        note.is_sent = true;
        note.files = runs
            .iter()
            .map(|file| FileNote {
                runs: Vec::new(),
                names: Texts::default(),
                sample: None,
                ..file.clone()
            })
            .collect();
        self.write(&note)?;
        for run in runs.iter().flat_map(|file| &file.runs) {
            fs::remove_file(self.folder.join(&run.name))?;
        }
        Ok(())
    }

    /// Removes everything.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The note, if there is one of this program's that is whole: without it the unit is read again.
    fn note(&self) -> Option<Note> {
        let note: Note = note::read(&self.folder.join(NOTE)).ok()??;
        Some(note).filter(|note| note.format == FORMAT)
    }

    fn write(&self, note: &Note) -> io::Result<()> {
        note::write(&self.folder.join(NOTE), note)
    }
}

fn hash_of(parts: &[&str]) -> String {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    format!("{:016x}", hash.digest())
}

#[cfg(test)]
mod tests {
    use domain::Reject;

    use super::*;
    use crate::sort::{SortConfig, Sorter};

    /// A unit of one file with three rows, each in a run of its own.
    fn kept(folder: &Path) -> (Kept, Vec<(String, Table)>) {
        let kept = Kept {
            folder: folder.join("unit"),
        };
        let mut sorter = Sorter::new(SortConfig {
            buffer_bytes: 1,
            memory: None,
            folder: kept.folder.clone(),
            prefix: "0".to_owned(),
        });
        for line in 1..=3 {
            let reject = Reject::new("x.csv", line, "no trip", "a,b");
            sorter.push_reject(reject).unwrap();
        }
        let table = Table {
            names: Names::default(),
            counts: sorter.counts,
            rows: sorter.finish().unwrap(),
            hash: 7,
            sample: Sample::default(),
        };
        (kept, vec![("x.csv".to_owned(), table)])
    }

    #[test]
    fn what_is_kept_is_used_only_if_all_of_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, tables) = kept(folder.path());
        assert!(
            kept.tables().is_none(),
            "a unit without a note was not read to its end"
        );
        assert!(kept.save(&tables).unwrap());
        assert_eq!(kept.tables().unwrap()[0].1.counts.rows, 3);
        assert_eq!(kept.sent(), None);
        let run = File::options()
            .write(true)
            .open(kept.folder.join("0-1.run"));
        run.unwrap().set_len(5).unwrap();
        assert!(kept.tables().is_none());
    }

    #[test]
    fn of_a_unit_that_was_sent_only_the_note_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, tables) = kept(folder.path());
        assert!(kept.save(&tables).unwrap());
        kept.finish().unwrap();
        let sent = kept.sent().unwrap();
        assert_eq!((sent[0].hash, sent[0].counts), (7, tables[0].1.counts));
        assert!(kept.tables().is_none());
        assert_eq!(fs::read_dir(&kept.folder).unwrap().count(), 1);
    }

    #[test]
    fn what_is_kept_of_other_versions_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, tables) = kept(folder.path());
        assert!(kept.save(&tables).unwrap());
        remove_others(folder.path(), std::slice::from_ref(&kept)).unwrap();
        assert!(kept.tables().is_some());
        remove_others(folder.path(), &[]).unwrap();
        assert!(!kept.folder.exists());
    }
}
