//! The data folder of `bikeshare up`: its version, and where its parts listen while they run.
//!
//! ```text
//! data/
//!   version        format of this folder; a newer one is refused
//!   running.toml   addresses of the running parts; locked while `up` runs, gone when it has stopped
//!   postgres/      the private database
//!   fluvio/        the embedded broker's topics
//!   spill/         rows of large files while they are sent, and which files were sent
//! ```
//! Only its owner may enter it, and read the files in it; started by root, the account that runs
//! Postgres may pass through.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Format of the folder that this program writes.
const VERSION: u32 = 1;
/// Where the addresses stand.
const RUNNING: &str = "running.toml";
/// Only its owner may read the file: the database address holds a password.
const PRIVATE: u32 = 0o600;

/// Only its owner may list the folder or enter it.
const CLOSED: u32 = 0o700;
/// What others than owner and group could do; the group is let through by
/// [`DataDir::let_postgres_through`].
const OTHERS: u32 = 0o067;

/// A data folder of a version this program knows.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Where the parts of a running `bikeshare up` are reached.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Fluvio, as `HOST:PORT`.
    pub(crate) fluvio: String,
    /// Postgres, with a login that may read.
    pub(crate) database_url: String,
    /// Postgres, with the sink's login.
    pub(crate) sink_database_url: String,
    /// The page.
    pub(crate) page: String,
}

impl DataDir {
    /// Opens the folder; a new or empty one gets this program's version. One that others may enter,
    /// as an older version made it, is closed to them; what this process makes from now on only its
    /// owner may read.
    ///
    /// # Errors
    /// If the folder is of a newer version or is not a data folder.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let version = path.join("version");
        match fs::read_to_string(&version) {
            Ok(text) => check(path, &text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(path)?;
                let mut options = fs::OpenOptions::new();
                let file = options
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(PRIVATE)
                    .open(&version);
                file.and_then(|mut file| writeln!(file, "{VERSION}"))
                    .with_context(|| format!("could not write {version:?}"))?;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {version:?}"));
            }
        }
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(!CLOSED & 0o777));
        let data_dir = Self {
            path: path.to_owned(),
        };
        for folder in [data_dir.path.clone(), data_dir.fluvio(), data_dir.spill()] {
            close(&folder).with_context(|| format!("could not change the mode of {folder:?}"))?;
        }
        Ok(data_dir)
    }

    /// Lets the account that runs the private Postgres pass through, if that is not ours.
    ///
    /// # Errors
    /// If the folder's group or mode cannot be changed.
    pub(crate) fn let_postgres_through(&self) -> Result<()> {
        let opened = embedded_postgres::let_server_through(&self.path, &self.postgres());
        opened.context("could not let postgres into the data folder")
    }

    /// Whether the folder could be opened; changes nothing.
    ///
    /// # Errors
    /// As [`DataDir::open`].
    pub(crate) fn check(path: &Path) -> Result<()> {
        match fs::read_to_string(path.join("version")) {
            Ok(text) => check(path, &text),
            Err(_) => check_empty(path),
        }
    }

    /// Folder of the private Postgres.
    pub(crate) fn postgres(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// Folder of the embedded broker.
    pub(crate) fn fluvio(&self) -> PathBuf {
        self.path.join("fluvio")
    }

    /// Folder for the rows of files that do not fit into memory.
    pub(crate) fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Whether there is a data folder, of whatever version.
    pub(crate) fn exists(path: &Path) -> bool {
        path.join("version").exists()
    }

    /// Tells other commands where to find the parts, until the result is dropped.
    ///
    /// # Errors
    /// If the file cannot be written or locked.
    pub(crate) fn announce(&self, running: &Running) -> Result<Announcement> {
        let path = self.path.join(RUNNING);
        let text = toml::to_string(running).context("could not write down the addresses")?;
        let announced = announce(&path, &text);
        let _locked = announced.with_context(|| format!("could not write {path:?}"))?;
        Ok(Announcement { path, _locked })
    }
}

/// Keeps `running.toml` in place.
#[derive(Debug)]
pub(crate) struct Announcement {
    path: PathBuf,
    // Held, never read: closing the file releases the lock, also after kill -9.
    _locked: File,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "could not remove {:?}", self.path);
        }
    }
}

/// What a running `bikeshare up` said about itself, if there is one on this folder.
pub(crate) fn running(path: &Path) -> Option<Running> {
    let mut file = File::open(path.join(RUNNING)).ok()?;
    // One that was killed has left the file, and no lock.
    if file.try_lock_shared().is_ok() {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    toml::from_str(&text).ok()
}

/// Whether another `up` may run on this folder.
///
/// # Errors
/// If one runs already.
pub(crate) fn check_free(path: &Path) -> Result<()> {
    let Some(Running { page, .. }) = running(path) else {
        return Ok(());
    };
    bail!(
        "`bikeshare up` runs on data folder {path:?} already, its page is {page}: stop it, or \
         name another folder with --data-dir"
    )
}

/// Writes the file in one step, so that it is whole and locked from its first moment on.
fn announce(path: &Path, text: &str) -> std::io::Result<File> {
    let new = path.with_extension("toml.new");
    let mut options = fs::OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE);
    let mut file = options.open(&new)?;
    file.try_lock()?;
    // One that was killed just here has left something.
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&new, path)?;
    Ok(file)
}

fn check(path: &Path, text: &str) -> Result<()> {
    let Ok(found) = text.trim().parse::<u32>() else {
        bail!("{path:?} is not a data folder of bikeshare: its file \"version\" says {text:?}");
    };
    if found > VERSION {
        bail!(
            "data folder {path:?} is of version {found}, this bikeshare knows up to {VERSION}: \
             use the newer bikeshare, or another folder with --data-dir"
        );
    }
    Ok(())
}

fn create(path: &Path) -> Result<()> {
    // Its parents are not ours to close.
    let parent = path.parent().unwrap_or(path);
    let mut folder = fs::DirBuilder::new();
    let created =
        fs::create_dir_all(parent).and_then(|()| folder.recursive(true).mode(CLOSED).create(path));
    created.with_context(|| format!("could not create data folder {path:?}"))?;
    check_empty(path)
}

/// Takes from others what they may do in a folder, if it is there and they may do something.
fn close(folder: &Path) -> std::io::Result<()> {
    let Ok(metadata) = folder.metadata() else {
        return Ok(());
    };
    let mode = metadata.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    tracing::info!(
        "folder {folder:?} is closed to other users: its mode was {:o}",
        mode & 0o777
    );
    fs::set_permissions(folder, fs::Permissions::from_mode(CLOSED))
}

fn check_empty(path: &Path) -> Result<()> {
    let mut entries = fs::read_dir(path).with_context(|| format!("could not list {path:?}"))?;
    if entries.next().is_some() {
        bail!(
            "{path:?} is not empty and was not made by bikeshare: name a new or empty folder \
             with --data-dir"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check_open(prepare: impl FnOnce(&Path), expected: &Expect) {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let text = match DataDir::open(folder.path()) {
            Ok(_) => format!(
                "opened: {}",
                fs::read_to_string(folder.path().join("version")).unwrap()
            ),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&text.replace(folder.path().to_str().unwrap(), "DATA"));
    }

    #[test]
    fn an_empty_folder_gets_this_version() {
        check_open(
            |_| {},
            &expect![[r#"
            opened: 1
        "#]],
        );
    }

    #[test]
    fn a_folder_of_a_newer_version_is_refused() {
        let newer = |path: &Path| fs::write(path.join("version"), "2\n").unwrap();
        check_open(
            newer,
            &expect![[
                r#"data folder "DATA" is of version 2, this bikeshare knows up to 1: use the newer bikeshare, or another folder with --data-dir"#
            ]],
        );
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_refused() {
        let other = |path: &Path| fs::write(path.join("thesis.txt"), "").unwrap();
        check_open(
            other,
            &expect![[
                r#""DATA" is not empty and was not made by bikeshare: name a new or empty folder with --data-dir"#
            ]],
        );
    }

    #[test]
    fn the_addresses_are_there_as_long_as_they_are_announced() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let addresses = Running {
            fluvio: "127.0.0.1:9003".into(),
            ..Running::default()
        };
        let announcement = data.announce(&addresses).unwrap();
        assert_eq!(running(folder.path()).unwrap().fluvio, "127.0.0.1:9003");
        drop(announcement);
        assert!(running(folder.path()).is_none());
    }

    #[test]
    fn addresses_that_a_killed_one_left_are_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let announcement = data.announce(&Running::default()).unwrap();
        let path = folder.path().join(RUNNING);
        let left = fs::read(&path).unwrap();
        drop(announcement);
        fs::write(&path, left).unwrap();
        assert!(running(folder.path()).is_none());
        // The next start announces itself in its place.
        let _announcement = data.announce(&Running::default()).unwrap();
        assert!(running(folder.path()).is_some());
    }
}
