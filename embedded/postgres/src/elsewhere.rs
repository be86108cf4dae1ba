//! Databases outside their data folder, for a server that root starts.
//!
//! The server's account may not pass `/root`, for example. A database below such a folder is kept
//! in `/var/lib/bikeshare`, and the data folder is a link to it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::error::{PostgresError, io_at};
use crate::files::create_with_parents;
use crate::random::random_hex;

/// Where such databases are; its own parent must exist.
const PARENT: &str = "/var/lib/bikeshare";
/// In such a database: the path of the data folder that links to it.
const LINKED_FROM: &str = "linked-from";

/// A database in `/var/lib/bikeshare` to which no data folder links any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOver {
    /// The folder it is in.
    pub database: PathBuf,
    /// The data folder that linked to it when it last ran.
    pub linked_from: PathBuf,
}

/// The databases whose data folder was removed, or moved and not used since, by path.
///
/// Only those that this process may read; nothing is removed, because a moved folder still links.
#[must_use]
pub fn left_over() -> Vec<LeftOver> {
    let entries = std::fs::read_dir(PARENT).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let database = entry.path();
            let note = std::fs::read(database.join(LINKED_FROM)).ok()?;
            let linked_from = PathBuf::from(OsString::from_vec(note));
            // A process killed while it wrote the note leaves an empty one.
            let is_known = !linked_from.as_os_str().is_empty();
            let is_linked = linked_from.canonicalize().ok() == database.canonicalize().ok();
            (is_known && !is_linked).then_some(LeftOver {
                database,
                linked_from,
            })
        })
        .collect();
    found.sort();
    found
}

/// Replaces the empty folder `requested` with a link to a new one which the account can reach.
pub(crate) fn link_to_new_database(
    requested: &Path,
    account: &Account,
    blocked: PostgresError,
) -> Result<PathBuf, PostgresError> {
    let parent = Path::new(PARENT);
    if !parent.parent().is_some_and(Path::is_dir) {
        return Err(blocked);
    }
    create_with_parents(parent)?;
    let name: String = random_hex()?.chars().take(12).collect();
    let target = parent.join(format!("postgres-{name}"));
    account.check_reach(&target)?;
    std::fs::create_dir(&target).map_err(io_at("create", &target))?;
    std::fs::remove_dir(requested).map_err(io_at("replace", requested))?;
    symlink(&target, requested).map_err(io_at("create", requested))?;
    tracing::warn!(
        "user \"{}\", who runs postgres, cannot enter every folder above \"{}\": the database is \
         kept in \"{}\" and linked from there; who removes the link should remove that too",
        account.name(),
        requested.display(),
        target.display()
    );
    Ok(target)
}

/// Records in a database which data folder links to it; one in the data folder itself needs none.
pub(crate) fn record_link(database: &Path, requested: &Path) -> Result<(), PostgresError> {
    if !requested.is_symlink() {
        return Ok(());
    }
    let path = database.join(LINKED_FROM);
    let text = requested.as_os_str().as_encoded_bytes();
    std::fs::write(&path, text).map_err(io_at("write", &path))
}
