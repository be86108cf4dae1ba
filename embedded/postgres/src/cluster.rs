//! The database cluster on disk: made once by `initdb`, and bound to one major version.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::binaries;
use crate::error::{PostgresError, io_at};
use crate::folder::{Folder, last_lines};

/// The owner of the tables, a superuser of this private server; the parts of this program have
/// logins of their own, see [`crate::Postgres::login`].
pub(crate) const ROLE: &str = "bikeshare";
/// Lines of `initdb`'s output kept in an error.
const OUTPUT_LINES_MAX: usize = 20;
/// Longest wait for an `initdb` that outlives its run; it takes about two seconds.
const INITDB_MAX: Duration = Duration::from_secs(20);
const REMOVE_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Major version that made the cluster; `None` if there is no cluster yet.
pub(crate) fn major(folder: &Folder) -> Result<Option<u32>, PostgresError> {
    let path = folder.cluster().join("PG_VERSION");
    match std::fs::read_to_string(&path) {
        Ok(text) => match binaries::major_of(text.trim()) {
            Some(major) => Ok(Some(major)),
            None => Err(PostgresError::BadVersionFile {
                path,
                text: text.trim().to_owned(),
            }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_at("read", &path)(error)),
    }
}

/// Fails if the cluster was made by another major version than the binaries in `bin`.
pub(crate) fn check_version(
    folder: &Folder,
    folder_major: u32,
    bin: &Path,
) -> Result<(), PostgresError> {
    let server_version = binaries::version(bin)?;
    if binaries::major_of(&server_version) == Some(folder_major) {
        return Ok(());
    }
    let (folder, bin) = (folder.root().to_owned(), bin.to_owned());
    Err(PostgresError::OtherVersion {
        folder,
        folder_major,
        bin,
        server_version,
    })
}

/// Makes the cluster. It appears under its name only when it is whole, so that a run killed
/// on the way leaves nothing that a later start would take for a database.
pub(crate) async fn create(folder: &Folder, bin: &Path) -> Result<(), PostgresError> {
    tracing::info!(
        "making a postgres database in \"{}\", once: about two seconds",
        folder.root().display()
    );
    remove_partial(folder).await?;
    let partial = folder
        .root()
        .join(format!("cluster.partial-{}", std::process::id()));
    let program = bin.join("initdb");
    let mut command = folder.account().command(&program);
    command
        .arg("-D")
        .arg(&partial)
        .args([
            "-U",
            ROLE,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C",
            // A flipped bit on a page is an error then, and not another row.
            "--data-checksums",
        ])
        .arg("--pwfile")
        .arg(folder.password_file());
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(io_at("run", &program))?;
    if !output.status.success() {
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        return Err(PostgresError::InitFailed {
            folder: partial,
            status: output.status,
            output: last_lines(&text, OUTPUT_LINES_MAX),
        });
    }
    std::fs::rename(&partial, folder.cluster()).map_err(io_at("rename", &partial))
}

/// Removes what an interrupted `initdb` left.
async fn remove_partial(folder: &Folder) -> Result<(), PostgresError> {
    let root = folder.root();
    for entry in std::fs::read_dir(root).map_err(io_at("read", root))? {
        let path = entry.map_err(io_at("read", root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("cluster.partial-") {
            remove_in_use(&path).await.map_err(io_at("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes a folder in which the `initdb` of a killed run may still be writing, until it fails.
async fn remove_in_use(path: &Path) -> std::io::Result<()> {
    let deadline = Instant::now() + INITDB_MAX;
    loop {
        match std::fs::remove_dir_all(path) {
            // It has cleared up behind itself.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error)
                if error.kind() == ErrorKind::DirectoryNotEmpty && Instant::now() < deadline =>
            {
                tokio::time::sleep(REMOVE_AGAIN_AFTER).await;
            }
            removed => return removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_in_which_somebody_still_writes_is_removed_when_they_have_ended() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cluster.partial-1");
        let writing = {
            let path = path.clone();
            std::thread::spawn(move || {
                for file in 0..20_000 {
                    let _made = std::fs::create_dir_all(path.join("base"));
                    let _made = std::fs::write(path.join("base").join(file.to_string()), "");
                }
            })
        };
        while !writing.is_finished() {
            remove_in_use(&path).await.unwrap();
        }
        writing.join().unwrap();
        remove_in_use(&path).await.unwrap();
        assert!(!path.exists());
    }
}
