//! Which sources are watched, and when they have changed.
//!
//! The folders are looked through again and again: some hundred files take less than a millisecond, and it
//! is the same on every file system, those of containers and networks among them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use tokio::time::sleep;

/// Between two looks. Chosen: shorter than a person notices beside a build; an editor that makes several
/// changes when it saves has made them by then.
const INTERVAL: Duration = Duration::from_millis(250);

/// Files that are looked at, at most (chosen: fifty times those of the project's modules).
const FILES_MAX: usize = 5_000;

/// Folders whose changes are told.
#[derive(Debug)]
pub(super) struct Sources {
    folders: Vec<PathBuf>,
    known: Snapshot,
}

/// When each file was written, and its bytes.
type Snapshot = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Sources {
    /// Begins to watch.
    ///
    /// # Errors
    /// If one is no folder, or has too many files.
    pub(super) fn watch(folders: Vec<PathBuf>) -> Result<Self> {
        if let Some(folder) = folders.iter().find(|folder| !folder.is_dir()) {
            bail!(
                "there is no folder {folder:?}: run this in the root of the repository, or name the \
                 module's sources with --source"
            );
        }
        let known = snapshot(&folders)?;
        Ok(Self { folders, known })
    }

    /// For people.
    pub(super) fn names(&self) -> String {
        let names = self.folders.iter().map(|it| it.display().to_string());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Waits until something is another than the last time, and nothing changes any more.
    ///
    /// # Errors
    /// If there are too many files.
    pub(super) async fn changed(&mut self) -> Result<()> {
        let mut before = snapshot(&self.folders)?;
        loop {
            sleep(INTERVAL).await;
            let now = snapshot(&self.folders)?;
            if now == before && now != self.known {
                self.known = now;
                return Ok(());
            }
            before = now;
        }
    }
}

/// What is there now. What cannot be read is not there: it is being replaced, perhaps.
fn snapshot(folders: &[PathBuf]) -> Result<Snapshot> {
    let mut snapshot = Snapshot::new();
    let mut left = folders.to_vec();
    while let Some(folder) = left.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        for entry in entries.filter_map(io::Result::ok) {
            let path = entry.path();
            if !is_source(&path) {
                continue;
            }
            // Of a link it is the link's: what it points to may be a folder that holds it.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                left.push(path);
            } else {
                snapshot.insert(path, (metadata.modified().ok(), metadata.len()));
            }
        }
        if snapshot.len() + left.len() > FILES_MAX {
            bail!(
                "{folder:?} and others have more than {FILES_MAX} files: name less with --source"
            );
        }
    }
    Ok(snapshot)
}

/// What a build or an editor puts beside sources is none.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name != OsStr::new("target") && !name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_made_renamed_or_removed_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("src")).unwrap();
        std::fs::write(path("src/lib.rs"), "one").unwrap();
        let mut sources = Sources::watch(vec![folder.path().to_owned()]).unwrap();
        let changes: [&dyn Fn() -> io::Result<()>; 4] = [
            &|| std::fs::write(path("src/lib.rs"), "three"),
            &|| std::fs::write(path("src/new.rs"), "new"),
            &|| std::fs::rename(path("src/new.rs"), path("src/other.rs")),
            &|| std::fs::remove_file(path("src/other.rs")),
        ];
        for change in changes {
            change().unwrap();
            sources.changed().await.unwrap();
        }
    }

    #[test]
    fn what_builds_and_editors_put_beside_sources_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        std::fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let before = snapshot(&folders).unwrap();
        std::fs::create_dir(folder.path().join("target")).unwrap();
        std::fs::write(folder.path().join("target/libdomain.rlib"), "").unwrap();
        std::fs::write(folder.path().join(".split.rs.swp"), "").unwrap();
        assert_eq!(snapshot(&folders).unwrap(), before);
    }
}
