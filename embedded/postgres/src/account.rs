//! Who runs the server: ourselves, or an unprivileged user when we are root.
//!
//! Postgres refuses to run as root. Root therefore starts it as the owner of the data
//! folder if that is someone else, else as user `postgres`, else as `nobody`.

use std::ffi::OsStr;
use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{PostgresError, io_at};

/// Users that root may run the server as, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The account that owns the data folder and runs the server.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    uid: u32,
    gid: u32,
    /// True if we are root and processes have to change to this account.
    switch: bool,
}

/// Lets the account that will run the server on `data_dir` pass through `folder`, which lies above
/// it and stays closed to all others. Nothing to do unless started by root.
///
/// # Errors
/// [`PostgresError::Io`] if the folder cannot be changed.
pub fn let_server_through(folder: &Path, data_dir: &Path) -> Result<(), PostgresError> {
    let closest = if data_dir.exists() { data_dir } else { folder };
    let metadata = closest.metadata().map_err(io_at("look at", closest))?;
    let account = Account::for_folder(&metadata)?;
    if !account.switch {
        return Ok(());
    }
    std::os::unix::fs::chown(folder, None, Some(account.gid))
        .map_err(io_at("change the group of", folder))?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o710))
        .map_err(io_at("change the mode of", folder))
}

impl Account {
    /// The account for a data folder with this metadata.
    pub(crate) fn for_folder(folder: &Metadata) -> Result<Account, PostgresError> {
        let current = current_uid();
        if current != 0 {
            let gid = rustix::process::getegid().as_raw();
            return Ok(Account {
                name: format!("{current}"),
                uid: current,
                gid,
                switch: false,
            });
        }
        if folder.uid() != 0 {
            let uid = folder.uid().to_string();
            let name = read_id("-un", &uid).unwrap_or(uid);
            return Ok(Account {
                name,
                uid: folder.uid(),
                gid: folder.gid(),
                switch: true,
            });
        }
        CANDIDATES
            .iter()
            .find_map(|name| find_user(name))
            .ok_or(PostgresError::NoAccount)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run as this account: away from the terminal's process group, so
    /// that Ctrl-C reaches only us, and without the `PG…` variables that change what the
    /// server's tools do.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        // English messages, because start-up failures are told apart by their text; and a
        // working directory that every account may enter.
        command
            .env("LC_ALL", "C")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null());
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives `path` to this account if we are root.
    pub(crate) fn own(&self, path: &Path) -> Result<(), PostgresError> {
        if !self.switch {
            return Ok(());
        }
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))
            .map_err(io_at("change the owner of", path))
    }

    /// Gives `path` and everything under it to this account if we are root.
    pub(crate) fn own_tree(&self, path: &Path) -> Result<(), PostgresError> {
        self.own(path)?;
        // Not through a link: what it points to is not ours.
        if !self.switch || !path.is_dir() || path.is_symlink() {
            return Ok(());
        }
        for entry in std::fs::read_dir(path).map_err(io_at("read", path))? {
            self.own_tree(&entry.map_err(io_at("read", path))?.path())?;
        }
        Ok(())
    }

    /// Fails if this account may not pass through a folder above `target`.
    pub(crate) fn check_reach(&self, target: &Path) -> Result<(), PostgresError> {
        for folder in target.ancestors().skip(1) {
            let metadata = folder.metadata().map_err(io_at("look at", folder))?;
            if self.switch && !self.may_enter(&metadata) {
                return Err(PostgresError::Blocked {
                    account: self.name.clone(),
                    folder: folder.to_owned(),
                    target: target.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn may_enter(&self, folder: &Metadata) -> bool {
        let execute = if folder.uid() == self.uid {
            0o100
        } else if folder.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        folder.permissions().mode() & execute != 0
    }
}

/// The user id that file access is checked with.
pub(crate) fn current_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Looks a user up by name.
fn find_user(name: &str) -> Option<Account> {
    let number = |flag| read_id(flag, name)?.parse::<u32>().ok();
    Some(Account {
        name: name.to_owned(),
        uid: number("-u")?,
        gid: number("-g")?,
        switch: true,
    })
}

/// What `id` says; it also knows users that are not in `/etc/passwd`.
fn read_id(flag: &str, user: &str) -> Option<String> {
    let output = Command::new("id").args([flag, user]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(uid: u32, gid: u32) -> Account {
        Account {
            name: "someone".to_owned(),
            uid,
            gid,
            switch: true,
        }
    }

    #[test]
    fn a_folder_is_entered_by_the_bit_of_the_closest_class() {
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
            folder.path().metadata().unwrap()
        };
        let (owner, group) = {
            let metadata = set(0o700);
            (metadata.uid(), metadata.gid())
        };
        assert!(account(owner, group).may_enter(&set(0o700)));
        assert!(!account(owner + 1, group).may_enter(&set(0o701)));
        assert!(account(owner + 1, group).may_enter(&set(0o710)));
        assert!(!account(owner + 1, group + 1).may_enter(&set(0o770)));
        assert!(account(owner + 1, group + 1).may_enter(&set(0o701)));
    }

    #[test]
    fn the_blocking_folder_is_named() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::set_permissions(outer.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let owner = outer.path().metadata().unwrap().uid();
        let error = account(owner + 1, u32::MAX - 1)
            .check_reach(&inner)
            .unwrap_err();
        let PostgresError::Blocked { folder, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(folder, outer.path());
    }
}
