//! The data folder: who owns it, who holds it, and what lies in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::account::{Account, current_uid};
use crate::elsewhere;
use crate::error::{PostgresError, io_at};
use crate::files::{create_with_parents, set_mode};
use crate::random::{PASSWORD_BYTES, random_hex};

/// Held while a process uses the folder; also the mark that the folder is ours.
const LOCK: &str = "bikeshare.lock";
/// Longest path of a unix socket that every system takes (macOS: 104 with its end mark).
const SOCKET_PATH_BYTES_MAX: usize = 103;
/// The longest name Postgres gives a socket in its folder.
const SOCKET_NAME_LONGEST: &str = "/.s.PGSQL.65535.lock";
/// A log above this many bytes is set aside at the next start, replacing the one before.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// An opened data folder; the lock is held until this is dropped.
pub(crate) struct Folder {
    root: PathBuf,
    account: Account,
    _lock: Lock,
}

/// Keeps other bikeshare processes out of a folder; the system releases it when ours ends.
#[derive(Debug)]
struct Lock {
    file: File,
}

/// Closing the file is not enough: a process that is being started at this moment holds a copy
/// of it until it has become another program.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "could not unlock the database's folder");
        }
    }
}

impl Folder {
    /// Makes the folder if needed, gives it to the account that will run the server, and
    /// locks it against other bikeshare processes.
    pub(crate) fn open(data_dir: &Path) -> Result<Folder, PostgresError> {
        let requested = std::path::absolute(data_dir).map_err(io_at("resolve", data_dir))?;
        create_with_parents(&requested)?;
        let mut root = requested
            .canonicalize()
            .map_err(io_at("resolve", &requested))?;
        let metadata = root.metadata().map_err(io_at("look at", &root))?;
        let current = current_uid();
        if current != 0 && metadata.uid() != current {
            let owner = metadata.uid();
            return Err(PostgresError::ForeignOwner {
                folder: root,
                owner,
                current,
            });
        }
        let is_new = is_empty(&root)?;
        if !is_new && !root.join(LOCK).exists() {
            return Err(PostgresError::NotOurs { folder: root });
        }
        let account = Account::for_folder(&metadata)?;
        match account.check_reach(&root) {
            Err(blocked) if is_new => {
                root = elsewhere::link_to_new_database(&requested, &account, blocked)?
            }
            reached => reached?,
        }
        set_mode(&root, 0o700)?;
        let lock = lock(&root)?;
        elsewhere::record_link(&root, &requested)?;
        let folder = Folder {
            root,
            account,
            _lock: lock,
        };
        folder.settle_ownership(metadata.uid() == 0)?;
        folder.set_long_log_aside()?;
        Ok(folder)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// The database cluster itself (PGDATA).
    pub(crate) fn cluster(&self) -> PathBuf {
        self.root.join("cluster")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The folder for the unix socket, made if missing; `None` if its path is too long for
    /// one or would be misread in a comma-separated setting.
    pub(crate) fn socket(&self) -> Result<Option<PathBuf>, PostgresError> {
        let path = self.root.join("socket");
        let fits = path.as_os_str().len() + SOCKET_NAME_LONGEST.len() <= SOCKET_PATH_BYTES_MAX;
        let readable = path.to_str().is_some_and(|text| !text.contains([',', '"']));
        if !fits || !readable {
            return Ok(None);
        }
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(io_at("create", &path)(error));
            }
            _ => self.account.own(&path)?,
        }
        Ok(Some(path))
    }

    /// The role's password; made now if there is no database yet.
    pub(crate) fn password(&self, has_cluster: bool) -> Result<String, PostgresError> {
        let path = self.password_file();
        let known = std::fs::read_to_string(&path).map(|text| text.trim().to_owned());
        let is_whole = |text: &String| {
            text.len() == PASSWORD_BYTES * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        match known {
            Ok(text) if is_whole(&text) => Ok(text),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_at("read", &path)(error)),
            _ if has_cluster => Err(PostgresError::NoPassword { path }),
            _ => self.new_password(&path),
        }
    }

    fn new_password(&self, path: &Path) -> Result<String, PostgresError> {
        let password = random_hex()?;
        private_file(
            path,
            OpenOptions::new().write(true).create(true).truncate(true),
        )?
        .write_all(password.as_bytes())
        .map_err(io_at("write", path))?;
        self.account.own(path)?;
        Ok(password)
    }

    /// The log, opened for appending, and its length so far in bytes.
    pub(crate) fn open_log(&self) -> Result<(File, u64), PostgresError> {
        let path = self.log();
        let log = private_file(&path, OpenOptions::new().append(true).create(true))?;
        self.account.own(&path)?;
        let length = log.metadata().map_err(io_at("look at", &path))?.len();
        Ok((log, length))
    }

    /// The log's last `lines` lines after byte `from`.
    pub(crate) fn log_tail(&self, from: u64, lines: usize) -> Result<String, PostgresError> {
        let path = self.log();
        let mut file = File::open(&path).map_err(io_at("open", &path))?;
        file.seek(SeekFrom::Start(from))
            .map_err(io_at("read", &path))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(io_at("read", &path))?;
        Ok(last_lines(&String::from_utf8_lossy(&bytes), lines))
    }

    fn settle_ownership(&self, whole_tree: bool) -> Result<(), PostgresError> {
        // A tree that belongs to root was new, or copied by root.
        if whole_tree {
            self.account.own_tree(&self.root)
        } else {
            self.account.own(&self.root)
        }
    }

    fn set_long_log_aside(&self) -> Result<(), PostgresError> {
        let path = self.log();
        if path
            .metadata()
            .is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX)
        {
            std::fs::rename(&path, self.root.join("server.log.old"))
                .map_err(io_at("rename", &path))?;
        }
        Ok(())
    }
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let mut lines: Vec<&str> = text.lines().rev().take(count).collect();
    lines.reverse();
    lines.join("\n")
}

fn is_empty(folder: &Path) -> Result<bool, PostgresError> {
    let mut entries = std::fs::read_dir(folder).map_err(io_at("read", folder))?;
    Ok(entries.next().is_none())
}

fn lock(root: &Path) -> Result<Lock, PostgresError> {
    let path = root.join(LOCK);
    let mut file = private_file(
        &path,
        OpenOptions::new().read(true).write(true).create(true),
    )?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(io_at("lock", &path)(error)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            let holder = if known {
                holder.trim().to_owned()
            } else {
                "unknown".to_owned()
            };
            return Err(PostgresError::InUse {
                folder: root.to_owned(),
                holder,
            });
        }
    }
    file.set_len(0).map_err(io_at("write", &path))?;
    writeln!(file, "{}", std::process::id()).map_err(io_at("write", &path))?;
    Ok(Lock { file })
}

/// Opens a file that, if made now, only its owner may read or write.
fn private_file(path: &Path, options: &mut OpenOptions) -> Result<File, PostgresError> {
    options.mode(0o600).open(path).map_err(io_at("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_order_of_the_lines() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_folder_that_was_released_is_free_though_a_copy_of_its_lock_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let _copy = first.file.try_clone().unwrap();
        lock(folder.path()).unwrap_err();
        drop(first);
        lock(folder.path()).unwrap();
    }
}
