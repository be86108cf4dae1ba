//! A disk in memory that forgets what was not synced when its power is cut, and that can fill up.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::log::storage::{LogFile, Storage};

/// What a disk writes at once; a real one's is larger, and so are its batches.
const SECTOR_BYTES: usize = 32;

/// Copies are the same disk.
#[derive(Debug, Clone)]
pub(super) struct Forgetful(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    contents: Vec<Content>,
    /// Names as they are, and as they are on the disk: numbers of contents.
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    /// The disk's room.
    bytes_max: usize,
    /// After so many more changes the power is cut: everything fails.
    changes_left: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

impl Forgetful {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            contents: Vec::new(),
            names: BTreeMap::new(),
            synced_names: BTreeMap::new(),
            bytes_max: usize::MAX,
            changes_left: None,
        })))
    }

    pub(super) fn set_room(&self, bytes_max: usize) {
        self.state().bytes_max = bytes_max;
    }

    /// Lets so many changes pass, then fails, as for who is killed or has no power.
    pub(super) fn cut_after(&self, changes: usize) {
        self.state().changes_left = Some(changes);
    }

    /// As before, after a kill: what the system had is there.
    pub(super) fn go_on(&self) {
        self.state().changes_left = None;
    }

    /// The power comes back: of what was not synced each sector and each name is there or not, by chance.
    pub(super) fn restart(&self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut state = self.state();
        state.changes_left = None;
        for content in &mut state.contents {
            content.forget(&mut random);
        }
        let (names, synced) = (state.names.clone(), state.synced_names.clone());
        for path in names.keys().chain(synced.keys()) {
            let kept = if random.random() { &names } else { &synced };
            match kept.get(path) {
                Some(content) => state.names.insert(path.clone(), *content),
                None => state.names.remove(path),
            };
        }
        state.synced_names = state.names.clone();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk, for a change.
    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match &mut state.changes_left {
            Some(0) => return Err(io::Error::other("the power is cut")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }

    fn file(&self, content: usize) -> Arc<dyn LogFile> {
        let disk = self.clone();
        Arc::new(OpenFile { disk, content })
    }
}

impl Content {
    fn forget(&mut self, random: &mut StdRng) {
        if self.now == self.synced {
            return;
        }
        let (short, long) = (
            self.now.len().min(self.synced.len()),
            self.now.len().max(self.synced.len()),
        );
        let bytes = random.random_range(short..=long);
        let mut left = vec![0; bytes];
        for (sector, place) in left.chunks_mut(SECTOR_BYTES).enumerate() {
            let from = if random.random() {
                &self.now
            } else {
                &self.synced
            };
            let at = sector * SECTOR_BYTES;
            let found = from.get(at..).unwrap_or_default();
            let found = &found[..found.len().min(place.len())];
            place[..found.len()].copy_from_slice(found);
        }
        *self = Self {
            now: left.clone(),
            synced: left,
        };
    }
}

impl State {
    fn create(&mut self, path: &Path) -> usize {
        let new = self.contents.len();
        let content = *self.names.entry(path.to_path_buf()).or_insert(new);
        if content == new {
            self.contents.push(Content::default());
        }
        content
    }

    fn used(&self) -> usize {
        let sizes = self
            .names
            .values()
            .map(|content| self.contents[*content].now.len());
        sizes.sum()
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Storage for Forgetful {
    /// Folders are there.
    fn create_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        let paths = state
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        Ok(paths.cloned().collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let content = self.state().names.get(path).copied();
        Ok(self.file(content.ok_or_else(missing)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn LogFile>> {
        let content = self.changing()?.create(path);
        Ok(self.file(content))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.state();
        let content = state.names.get(path).ok_or_else(missing)?;
        Ok(state.contents[*content].now.clone())
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut state = self.changing()?;
        if state.used() + content.len() > state.bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let (now, synced) = (content.to_vec(), content.to_vec());
        state.contents.push(Content { now, synced });
        let new = state.contents.len() - 1;
        state.names.insert(path.to_path_buf(), new);
        drop(state);
        self.sync_folder(path.parent().unwrap())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.changing()?.names.remove(path);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        let is_in = |path: &Path| path.parent() == Some(folder);
        let now: Vec<_> = state.names.clone().into_iter().collect();
        state.synced_names.retain(|path, _| !is_in(path));
        let now = now.into_iter().filter(|(path, _)| is_in(path));
        state.synced_names.extend(now);
        Ok(())
    }
}

#[derive(Debug)]
struct OpenFile {
    disk: Forgetful,
    content: usize,
}

impl LogFile for OpenFile {
    fn append(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        for part in parts {
            let mut state = self.disk.changing()?;
            let room = state.bytes_max.saturating_sub(state.used());
            let fits = part.len().min(room);
            state.contents[self.content].now.extend(&part[..fits]);
            if fits < part.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let state = self.disk.state();
        let at = usize::try_from(position).map_err(io::Error::other)?;
        let found = state.contents[self.content].now.get(at..at + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.state().contents[self.content].now.len() as u64)
    }

    fn age(&self) -> io::Result<Duration> {
        Ok(Duration::ZERO)
    }

    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        self.disk.changing()?.contents[self.content]
            .now
            .truncate(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        let content = &mut state.contents[self.content];
        content.synced = content.now.clone();
        Ok(())
    }
}
