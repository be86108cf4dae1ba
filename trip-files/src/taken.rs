//! Which files' trips are taken, and what becomes of a file that holds trips of theirs.
//!
//! ```text
//!  file ─ read, sampled ─┬─ holds trips of no other ──────────────── taken
//!                        ├─ nine tenths of them are in others ────── left out
//!                        ├─ holds nearly all of others of its month  taken, they are left out
//!                        └─ holds a part of others ───────────────── refused
//! ```
//!
//! What was taken is noted beside the rows that wait on the disk, so that a later run leaves out
//! what an earlier one has sent under another name. A note counts only if the topic agrees. Not
//! here: files of equal content, which are one source (see [`crate::loader`]).

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::error::RefusedFile;
use crate::note;
use crate::sample::{SAMPLE_MAX, Sample, Shared};

/// Trips of all samples together (chosen: 15 MB; a year in parts keeps whole samples).
const SAMPLED_MAX: usize = 64 * SAMPLE_MAX;

/// Of a thousand trips, so many make two files the same (chosen: a corrected month lacks a few, and
/// of a sample that has lost its fractions two in a hundred are not found).
const SAME_OF_1000: u64 = 900;

/// Of a thousand trips, so many make a part (chosen: months share a few around midnight).
const PART_OF_1000: u64 = 100;

/// Fewer trips make no part: two riders may ride together.
const PART_TRIPS_MIN: u64 = 2;

/// What the names of notes end in.
const ENDING: &str = "json";

/// A file whose trips are taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TakenFile {
    /// With the archive's name before it.
    name: String,
    /// Hash of its content.
    hash: u64,
    /// Trips and rejects.
    rows: u64,
    sample: Sample,
    /// Whether an earlier run has sent a part of it only, and this one has not met it yet.
    #[serde(skip)]
    is_missing: bool,
    /// Whether its rows may be on their way already: then it is taken for good.
    #[serde(skip, default = "always")]
    is_final: bool,
}

fn always() -> bool {
    true
}

/// All files that are taken, by this run or an earlier one.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    files: Vec<TakenFile>,
    /// Where notes are; none if they would not outlast the run.
    folder: Option<PathBuf>,
}

/// What becomes of a file.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is taken, and files with these hashes are taken no more.
    Take { instead_of: Vec<u64> },
    /// Its trips are taken already.
    LeaveOut,
    /// Its trips are in files of which an earlier run has sent a part: if one of these hashes is still
    /// missing at the end, it is refused.
    Wait {
        on: Vec<u64>,
        else_refuse: RefusedFile,
    },
    /// It can be neither taken nor left out.
    Refuse(RefusedFile),
}

impl Taken {
    /// Reads the notes of earlier runs.
    ///
    /// # Errors
    /// If one is damaged: without it trips that were sent could be sent again from another file.
    pub(crate) fn read(folder: Option<PathBuf>) -> io::Result<Self> {
        let mut taken = Self {
            files: Vec::new(),
            folder,
        };
        let mut paths = taken.folder.as_deref().map_or(Ok(Vec::new()), notes)?;
        paths.sort();
        for path in paths {
            let file: Option<TakenFile> = note::read(&path)?;
            taken
                .files
                .extend(file.filter(|file| file.sample.is_valid()));
            taken.shrink();
        }
        Ok(taken)
    }

    /// Hashes of the files.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.files.iter().map(|file| file.hash)
    }

    /// Forgets all files but these, of which the topic has so many rows, also on the disk.
    ///
    /// # Errors
    /// If a note cannot be removed.
    pub(crate) fn keep_only(&mut self, rows: &HashMap<u64, u64>) -> io::Result<()> {
        for mut file in std::mem::take(&mut self.files) {
            match rows.get(&file.hash) {
                None => self.remove_note(file.hash)?,
                Some(there) => {
                    file.is_missing = *there < file.rows;
                    self.files.push(file);
                }
            }
        }
        Ok(())
    }

    /// Whether one of these files was sent in part and is not in the source any more; to be asked when
    /// all was read.
    pub(crate) fn are_missing(&self, hashes: &[u64]) -> bool {
        let mut missing = self.files.iter().filter(|file| file.is_missing);
        missing.any(|file| hashes.contains(&file.hash))
    }

    /// Decides about a file of so many rows, and takes it if it is to be.
    pub(crate) fn judge(
        &mut self,
        name: &str,
        (hash, rows): (u64, u64),
        sample: &Sample,
    ) -> Verdict {
        if let Some(own) = self.files.iter_mut().find(|file| file.hash == hash) {
            // An earlier run's own file: it goes on.
            own.is_missing = false;
            return Verdict::Take {
                instead_of: Vec::new(),
            };
        }
        let mut others: Vec<_> = self
            .files
            .iter()
            .map(|file| (file, sample.shared(&file.sample)))
            .filter(|(_, shared)| shared.trips > 0)
            .collect();
        others.sort_by_key(|(_, shared)| std::cmp::Reverse(shared.trips));
        let verdict = decide(name, sample, &others);
        if let Verdict::Take { instead_of } = &verdict {
            let instead_of = instead_of.clone();
            self.files.retain(|file| !instead_of.contains(&file.hash));
            self.take(name, (hash, rows), sample);
        }
        verdict
    }

    fn take(&mut self, name: &str, (hash, rows): (u64, u64), sample: &Sample) {
        if sample.trips == 0 {
            return;
        }
        self.files.push(TakenFile {
            name: name.to_owned(),
            hash,
            rows,
            sample: sample.clone(),
            is_missing: false,
            is_final: false,
        });
        self.shrink();
    }

    /// Keeps all samples together within bounds: each of them half as large, as often as needed.
    fn shrink(&mut self) {
        let mut len = SAMPLE_MAX;
        let total = |files: &[TakenFile]| files.iter().map(|file| file.sample.len()).sum::<usize>();
        while total(&self.files) > SAMPLED_MAX && len > 1 {
            len /= 2;
            self.files
                .iter_mut()
                .for_each(|file| file.sample.shrink(len));
        }
    }

    /// Notes what was taken, before the first row of it is on its way.
    ///
    /// # Errors
    /// If a note cannot be written.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let folder = self.folder.as_deref();
        for file in self.files.iter_mut().filter(|file| !file.is_final) {
            if let Some(folder) = folder {
                note::write(&folder.join(note_name(file.hash)), file)?;
            }
            file.is_final = true;
        }
        Ok(())
    }

    fn remove_note(&self, hash: u64) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        match fs::remove_file(folder.join(note_name(hash))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Decides about a file, given what it shares with which others, most first.
fn decide(name: &str, sample: &Sample, others: &[(&TakenFile, Shared)]) -> Verdict {
    let parts: Vec<_> = others
        .iter()
        .filter(|(_, shared)| is_part(shared))
        .collect();
    let Some((most, shared)) = parts.first() else {
        others
            .iter()
            .for_each(|(other, shared)| warn_of_few(name, &other.name, *shared));
        return Verdict::Take {
            instead_of: Vec::new(),
        };
    };
    let is_within =
        |other: &TakenFile, shared: &Shared| !other.is_final && shared.of_other >= SAME_OF_1000;
    let trips: u64 = parts.iter().map(|(other, _)| other.sample.trips).sum();
    if sample.trips > trips && parts.iter().all(|(other, shared)| is_within(other, shared)) {
        for (other, shared) in &parts {
            warn_of(&other.name, other.sample.trips, name, *shared);
        }
        return Verdict::Take {
            instead_of: parts.iter().map(|(other, _)| other.hash).collect(),
        };
    }
    let of_this: u64 = others.iter().map(|(_, shared)| shared.of_this).sum();
    if of_this >= SAME_OF_1000 {
        let missing = parts.iter().filter(|(other, _)| other.is_missing);
        let Some((first, shared)) = missing.clone().next() else {
            warn_of(name, sample.trips, &most.name, *shared);
            return Verdict::LeaveOut;
        };
        return Verdict::Wait {
            on: missing.map(|(other, _)| other.hash).collect(),
            else_refuse: RefusedFile::PartSent {
                shared: text(*shared),
                trips: sample.trips,
                other: first.name.clone(),
            },
        };
    }
    Verdict::Refuse(RefusedFile::PartTaken {
        shared: text(*shared),
        trips: sample.trips,
        other: most.name.clone(),
    })
}

/// Whether so much of one of the files is in the other that they cannot both be taken.
fn is_part(shared: &Shared) -> bool {
    let share = shared.of_this.max(shared.of_other);
    share >= SAME_OF_1000 || (share >= PART_OF_1000 && shared.trips >= PART_TRIPS_MIN)
}

fn warn_of_few(name: &str, other: &str, shared: Shared) {
    warn!(
        file = name,
        other,
        "\"{name}\" and \"{other}\" share {} trips, which count twice",
        text(shared),
    );
}

fn warn_of(name: &str, trips: u64, other: &str, shared: Shared) {
    warn!(
        file = name,
        duplicate_of = other,
        "file \"{name}\" is left out: {} of its {trips} trips are in \"{other}\", which is taken",
        text(shared),
    );
}

/// How many trips are shared.
fn text(shared: Shared) -> String {
    match shared.is_exact {
        true => shared.trips.to_string(),
        false => format!("about {}", shared.trips),
    }
}

/// The notes in a folder, which need not be there.
fn notes(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    let paths: io::Result<Vec<_>> = paths.collect();
    let is_note = |path: &PathBuf| path.extension().is_some_and(|ending| ending == ENDING);
    Ok(paths?.into_iter().filter(is_note).collect())
}

fn note_name(hash: u64) -> String {
    format!("{hash:016x}.{ENDING}")
}
