//! The running server: started, watched until it is ready, stopped.
//!
//! ```text
//! bikeshare ──spawns──► postgres      own process group: Ctrl-C in a terminal reaches only us
//!     │                     ▲
//!     └──pipe──► guard ─────┘         our end closes when we die in any way, even by kill -9:
//!                  SIGINT             the guard then stops the server
//! ```
//!
//! The guard is a shell that reads from a pipe. Linux could send the signal itself, but only
//! when the *thread* that spawned the server ends, and async runtimes end threads at will.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::{PostgresError, io_at};
use crate::folder::Folder;
use crate::process::{POLL, kill_all, signal};

/// How long the server may take to be ready. Chosen: recovery after a crash replays up to
/// about `max_wal_size` (2 GB), and a slow disk reads 10 MB/s.
const START_MAX: Duration = Duration::from_secs(300);
/// How often another free port is tried when a program took the one just found.
const PORT_ATTEMPTS_MAX: usize = 8;
/// Lines of the server log kept in an error.
const LOG_LINES_MAX: usize = 20;
/// How long each step after the polite one may take: an immediate stop and a kill.
const FORCED_PATIENCE: Duration = Duration::from_secs(1);
/// How long dropping a running server waits before the kill that cannot fail.
const DROP_PATIENCE: Duration = Duration::from_secs(5);
/// How long backends of a killed postmaster may hold its shared memory.
const SHARED_MEMORY_PATIENCE: Duration = Duration::from_secs(15);

/// Waits for the end of its input, then stops the server `$1`.
const GUARD: &str = r#"read -r _; kill -INT "$1""#;

/// Settings of a private server on a small machine: durable (fsync and synchronous commit
/// stay on), few and large checkpoints, no replication, little memory, no log kept for later use: it
/// would take more room than the tables of a million trips.
const SETTINGS: [&str; 15] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_permissions=0700",
    "max_connections=50",
    "shared_buffers=128MB",
    "fsync=on",
    "synchronous_commit=on",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "wal_recycle=off",
    "checkpoint_timeout=15min",
    "jit=off",
    "logging_collector=off",
    "log_destination=stderr",
    "log_line_prefix=%m [%p] ",
];

/// A server process and the guard beside it; dropped, both are killed.
pub(crate) struct Server {
    postmaster: Child,
    guard: Option<Child>,
    port: u16,
}

/// Why a server that was spawned is not ready.
enum NotReady {
    Ended(ExitStatus),
    TooLate,
    Unwatched(std::io::Error),
}

/// Starts the server and returns when it accepts connections.
pub(crate) async fn start(
    folder: &Folder,
    bin: &Path,
    listen: Option<u16>,
) -> Result<Server, PostgresError> {
    let begun = Instant::now();
    let mut ports_taken = 0;
    loop {
        let port = listen.map_or_else(free_port, Ok)?;
        let (mut server, log_start) = Server::spawn(folder, bin, port)?;
        let reason = match server.wait_until_ready(&folder.cluster()).await {
            Ok(()) => return Ok(server),
            Err(reason) => reason,
        };
        let tail = folder.log_tail(log_start, LOG_LINES_MAX)?;
        let log = folder.log();
        match reason {
            NotReady::Unwatched(source) => return Err(io_at("wait for", bin)(source)),
            NotReady::TooLate => {
                if let Err(error) = server.stop(&folder.cluster(), FORCED_PATIENCE).await {
                    tracing::warn!(%error, "postgres was slow to start and to stop");
                }
                let waited_s = START_MAX.as_secs();
                return Err(PostgresError::StartTimeout {
                    waited_s,
                    log,
                    tail,
                });
            }
            NotReady::Ended(_) if is_port_taken(&tail) && listen.is_some() => {
                return Err(PostgresError::PortTaken { port });
            }
            NotReady::Ended(_) if is_port_taken(&tail) && ports_taken < PORT_ATTEMPTS_MAX => {
                ports_taken += 1;
            }
            NotReady::Ended(_)
                if is_memory_held(&tail) && begun.elapsed() < SHARED_MEMORY_PATIENCE =>
            {
                tokio::time::sleep(10 * POLL).await;
            }
            NotReady::Ended(status) => {
                return Err(PostgresError::StartFailed { status, log, tail });
            }
        }
    }
}

impl Server {
    /// The loopback port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts the process; also gives the log's length before it, in bytes.
    fn spawn(folder: &Folder, bin: &Path, port: u16) -> Result<(Server, u64), PostgresError> {
        let (log, log_start) = folder.open_log()?;
        let log_too = log.try_clone().map_err(io_at("open", &folder.log()))?;
        let program = bin.join("postgres");
        let socket = folder.socket()?.unwrap_or_default();
        let mut command = folder.account().command(&program);
        command
            .arg("-D")
            .arg(folder.cluster())
            .arg("-p")
            .arg(port.to_string());
        command.arg("-k").arg(socket).stdout(log).stderr(log_too);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let postmaster = command.spawn().map_err(io_at("run", &program))?;
        let guard = spawn_guard(folder, postmaster.id());
        Ok((
            Server {
                postmaster,
                guard,
                port,
            },
            log_start,
        ))
    }

    /// Returns once the server's own pid file says that it is ready. A connection would be
    /// no proof: on a port that was taken, another server could answer.
    async fn wait_until_ready(&mut self, cluster: &Path) -> Result<(), NotReady> {
        let pid_file = cluster.join("postmaster.pid");
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            if let Some(status) = self.postmaster.try_wait().map_err(NotReady::Unwatched)? {
                return Err(NotReady::Ended(status));
            }
            let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
            if says_ready(&text, self.postmaster.id()) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(NotReady::TooLate)
    }

    /// How the server ended, if it has.
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.postmaster.try_wait()
    }

    /// Stops the server, politely for as long as `patience`, and returns when its process is gone.
    pub(crate) async fn stop(
        &mut self,
        cluster: &Path,
        patience: Duration,
    ) -> Result<(), PostgresError> {
        if self.ends_after(Signal::INT, patience).await? {
            self.dismiss_guard();
            return Ok(());
        }
        let at_once = self.ends_after(Signal::QUIT, FORCED_PATIENCE).await?;
        if at_once {
            tracing::warn!(
                "postgres was stopped before its checkpoint was written: the next start takes longer"
            );
        } else {
            self.ends_after(Signal::KILL, FORCED_PATIENCE).await?;
            kill_all(cluster).map_err(io_at("stop the server in", cluster))?;
        }
        self.dismiss_guard();
        let waited_s = (patience + FORCED_PATIENCE).as_secs();
        at_once
            .then_some(())
            .ok_or(PostgresError::Killed { waited_s })
    }

    /// Sends a signal; `true` if the process ended within `patience`.
    async fn ends_after(
        &mut self,
        step: Signal,
        patience: Duration,
    ) -> Result<bool, PostgresError> {
        let program = Path::new("postgres");
        self.send(step).map_err(io_at("signal", program))?;
        let ended = self.wait_until_ended(patience).await;
        ended.map_err(io_at("wait for", program))
    }

    /// Signals the postmaster unless it has ended. Until we have waited for it, its id cannot
    /// belong to another process.
    fn send(&mut self, step: Signal) -> std::io::Result<()> {
        match self.postmaster.try_wait()? {
            Some(_) => Ok(()),
            None => signal(self.postmaster.id(), step),
        }
    }

    async fn wait_until_ended(&mut self, patience: Duration) -> std::io::Result<bool> {
        let begun = Instant::now();
        while self.postmaster.try_wait()?.is_none() {
            if begun.elapsed() >= patience {
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(true)
    }

    /// Ends the guard before its pipe closes, or it would signal a process that is gone.
    fn dismiss_guard(&mut self) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        if let Err(error) = guard.kill().and_then(|()| guard.wait()) {
            tracing::warn!(%error, "could not end the guard of postgres");
        }
    }

    /// Stops the server at once, for the case that nobody called [`Server::stop`].
    fn stop_now(&mut self) -> std::io::Result<()> {
        self.send(Signal::QUIT)?;
        let begun = Instant::now();
        while self.postmaster.try_wait()?.is_none() {
            if begun.elapsed() >= DROP_PATIENCE {
                self.postmaster.kill()?;
                self.postmaster.wait()?;
                break;
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop_now() {
            tracing::warn!(%error, "could not stop postgres");
        }
        self.dismiss_guard();
    }
}

/// Starts the guard. Without one the server still stops in every case but our `kill -9`, and
/// then at the next start: no reason to fail.
fn spawn_guard(folder: &Folder, postmaster: u32) -> Option<Child> {
    let mut command = folder.account().command("sh");
    command.args([
        "-c",
        GUARD,
        "bikeshare-postgres-guard",
        &postmaster.to_string(),
    ]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .spawn()
        .inspect_err(|error| tracing::warn!(%error, "could not start the guard of postgres"))
        .ok()
}

/// True if the pid file of `postmaster` says so on its eighth line.
fn says_ready(pid_file: &str, postmaster: u32) -> bool {
    let mut lines = pid_file.lines().map(str::trim);
    lines.next() == Some(postmaster.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn is_port_taken(log: &str) -> bool {
    log.contains("could not bind") || log.contains("could not create any TCP/IP sockets")
}

fn is_memory_held(log: &str) -> bool {
    log.contains("pre-existing shared memory block")
}

/// A loopback port that was free a moment ago.
fn free_port() -> Result<u16, PostgresError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(io_at("find a free port on", Path::new("127.0.0.1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_pid_file_makes_a_server_ready() {
        let file = |pid, status| {
            format!(
                "{pid}\n/data/cluster\n1700000000\n5432\n/data/socket\n127.0.0.1\n 1 2\n{status}\n"
            )
        };
        assert!(says_ready(&file(17, "ready   "), 17));
        assert!(!says_ready(&file(17, "starting"), 17));
        assert!(!says_ready(&file(18, "ready   "), 17));
        assert!(!says_ready("17\n/data/cluster\n", 17));
        assert!(!says_ready("", 17));
    }
}
