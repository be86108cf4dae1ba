//! What can go wrong with the private Postgres, in words that say what to do.

use std::path::{Path, PathBuf};

/// Why the private Postgres could not be started or stopped. Nothing here is worth a retry
/// without a change by the user, except [`PostgresError::PortTaken`] later on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// No usable server binaries on this machine.
    #[error(
        "no postgres server found on this machine ({tried}); install one with \
         `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora) \
         or `brew install postgresql@17` (macOS), or set PG_BIN to a folder holding postgres, \
         initdb and pg_ctl, or set DATABASE_URL to a server that runs already"
    )]
    NoBinaries {
        /// Where we looked and why each place was refused.
        tried: String,
    },
    /// The folder named by the user, or found, does not hold a working server.
    #[error("\"{}\" is not a postgres server's folder: {reason}", folder.display())]
    BadBinaries {
        /// The folder looked at.
        folder: PathBuf,
        /// What is missing or did not run.
        reason: String,
    },
    /// A file or process operation failed.
    #[error("could not {action} \"{}\"", path.display())]
    Io {
        /// What was being done, as a verb phrase before the path.
        action: &'static str,
        /// The file, folder or program.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Started by root, but there is no unprivileged user to run the server as.
    #[error(
        "postgres refuses to run as root and there is no user \"postgres\" or \"nobody\" to run \
         it as; create one with `useradd --system postgres` or start bikeshare as another user"
    )]
    NoAccount,
    /// The account that runs the server may not pass through a folder above `target`.
    #[error(
        "user \"{account}\", who runs postgres because root may not, cannot enter \"{}\" on the \
         way to \"{}\"; allow it with `chmod o+x {}`, choose another folder, or start bikeshare \
         as another user", folder.display(), target.display(), folder.display()
    )]
    Blocked {
        /// Name of the account.
        account: String,
        /// The folder that does not let it through.
        folder: PathBuf,
        /// What it has to reach.
        target: PathBuf,
    },
    /// The data folder holds something that we did not put there.
    #[error(
        "data folder \"{}\" is not empty and was not made by bikeshare; name a new or empty \
         folder", folder.display()
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// The data folder belongs to another user.
    #[error(
        "data folder \"{}\" belongs to user id {owner}, and this is user id {current}; start \
         bikeshare as that user or as root, or choose another folder", folder.display()
    )]
    ForeignOwner {
        /// The folder.
        folder: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Our user id.
        current: u32,
    },
    /// Another bikeshare process holds the data folder.
    #[error(
        "data folder \"{}\" is in use by another bikeshare (process {holder}); stop that one or \
         choose another folder", folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The other process's id as it wrote it, or "unknown".
        holder: String,
    },
    /// The data folder was made by another major version.
    #[error(
        "data folder \"{}\" was made by postgres {folder_major}, but the server in \"{}\" is \
         postgres {server_version}; install postgres {folder_major} beside it (Debian: \
         `apt-get install postgresql-{folder_major}`) or name its folder in PG_BIN, or move the \
         data folder away to start empty", folder.display(), bin.display()
    )]
    OtherVersion {
        /// The data folder.
        folder: PathBuf,
        /// Major version that made it.
        folder_major: u32,
        /// Folder of the binaries found.
        bin: PathBuf,
        /// Their version.
        server_version: String,
    },
    /// `PG_VERSION` is not a number.
    #[error(
        "\"{}\" says \"{text}\" where a postgres version was expected; the data folder is \
         damaged: restore it, or move it away to start empty", path.display()
    )]
    BadVersionFile {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
    },
    /// The password of an existing database is lost.
    #[error(
        "password file \"{}\" is missing or damaged, and the database beside it needs it; \
         restore the file, or move the data folder away to start empty", path.display()
    )]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// `initdb` did not succeed.
    #[error("initdb failed ({status}) while making \"{}\":\n{output}", folder.display())]
    InitFailed {
        /// The folder it was to fill.
        folder: PathBuf,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last lines it wrote.
        output: String,
    },
    /// The server ended before it accepted connections.
    #[error(
        "postgres stopped while starting ({status}); the last lines of \"{}\":\n{tail}",
        log.display()
    )]
    StartFailed {
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The server's log file.
        log: PathBuf,
        /// The log's last lines of this start.
        tail: String,
    },
    /// The server runs but was not ready in time.
    #[error(
        "postgres was not ready after {waited_s} s and was stopped; the last lines of \
         \"{}\":\n{tail}", log.display()
    )]
    StartTimeout {
        /// How long we waited, in seconds.
        waited_s: u64,
        /// The server's log file.
        log: PathBuf,
        /// The log's last lines of this start.
        tail: String,
    },
    /// The requested port is in use.
    #[error(
        "port {port} on 127.0.0.1 is in use by another program; choose another port, or none to \
         get a free one"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A server left behind by a killed run does not end.
    #[error(
        "process {pid}, a postgres left behind in \"{}\", does not end; stop it with \
         `kill -9 {pid}`", folder.display()
    )]
    Leftover {
        /// Its process id.
        pid: u32,
        /// The cluster folder it runs in.
        folder: PathBuf,
    },
    /// The server ended by itself again and again.
    #[error(
        "postgres ended by itself ({status}) and is not started again after {starts} starts in \
         ten minutes; \"{}\" says why", log.display()
    )]
    GaveUp {
        /// How often it was started again.
        starts: usize,
        /// How it ended last.
        status: std::process::ExitStatus,
        /// The server's log file.
        log: PathBuf,
        /// Why the last start failed, if it did.
        source: Option<Box<PostgresError>>,
    },
    /// The server did not stop in time.
    #[error(
        "postgres did not stop within {waited_s} s and was killed; it loses nothing by that, and \
         repairs itself at the next start"
    )]
    Killed {
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// A login with fewer rights than the owner's could not be made.
    #[error("could not make the login \"{name}\"")]
    Login {
        /// Its name.
        name: &'static str,
        /// What sqlx says.
        source: sqlx::Error,
    },
    /// The server accepted no session, or refused to make the database.
    #[error("could not open or create database \"{name}\"")]
    Database {
        /// The database.
        name: &'static str,
        /// What sqlx says.
        source: sqlx::Error,
    },
}

/// Turns an I/O error into one that says what was being done to which path.
pub(crate) fn io_at(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> PostgresError {
    let path = path.to_owned();
    move |source| PostgresError::Io {
        action,
        path,
        source,
    }
}
