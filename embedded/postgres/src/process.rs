//! Server processes that an earlier run left behind, found and stopped.
//!
//! `postmaster.pid` alone is no proof: after a crash its number may belong to any other
//! process by now, even to us. A server works inside its cluster folder, so on Linux the
//! processes' working directories say so; elsewhere their command lines do.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{PostgresError, io_at};

/// How often a wanted state is looked for.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Signals that end a postmaster, from polite to final, and how long each may take. The
/// first writes a checkpoint, which can be large; the second leaves recovery to the next
/// start; the third also, and leaves orphans that end by themselves.
const STOP_STEPS: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(60)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// The same where the postmaster is gone: its backends end when they notice. Chosen: a backend
/// notices at its next wait, which a long statement may not come to.
const ORPHAN_STEPS: [(Signal, Duration); 2] = [
    (Signal::INT, Duration::from_secs(2)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) -> std::io::Result<()> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Err(std::io::Error::other(format!("{pid} is not a process id")));
    };
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Stops every server process still at work in `cluster` and removes its stale pid file.
/// The caller holds the folder's lock, so none of them belongs to a living bikeshare.
pub(crate) async fn stop_leftovers(cluster: &Path) -> Result<(), PostgresError> {
    let pid_file = cluster.join("postmaster.pid");
    let postmaster = match std::fs::read_to_string(&pid_file) {
        Ok(text) => text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_at("read", &pid_file)(error)),
    };
    let is_alive = postmaster.is_some_and(|pid| servers_in(cluster).contains(&pid));
    if is_alive {
        tracing::info!(
            "stopping a postgres that an earlier run left in \"{}\"",
            cluster.display()
        );
    }
    let steps: &[_] = match is_alive {
        true => &STOP_STEPS,
        false => &ORPHAN_STEPS,
    };
    for (step, patience) in steps.iter().copied() {
        for pid in servers_in(cluster) {
            // Others of this server end with their postmaster.
            if postmaster == Some(pid) || step == Signal::KILL {
                signal(pid, step).map_err(io_at("stop the server in", cluster))?;
            }
        }
        if wait_until_none(cluster, patience).await {
            return remove_stale(&pid_file);
        }
    }
    let pid = servers_in(cluster).first().copied().unwrap_or_default();
    Err(PostgresError::Leftover {
        pid,
        folder: cluster.to_owned(),
    })
}

/// Kills every server process in `cluster`, also one that is halted.
pub(crate) fn kill_all(cluster: &Path) -> std::io::Result<()> {
    servers_in(cluster)
        .into_iter()
        .try_for_each(|pid| signal(pid, Signal::KILL))
}

/// The postmaster refuses to start while the process named here lives, whatever it is.
fn remove_stale(pid_file: &Path) -> Result<(), PostgresError> {
    match std::fs::remove_file(pid_file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_at("remove", pid_file)(error)),
        _ => Ok(()),
    }
}

async fn wait_until_none(cluster: &Path, patience: Duration) -> bool {
    let none = async {
        while !servers_in(cluster).is_empty() {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(patience, none).await.is_ok()
}

/// Ids of the living Postgres processes that work in `cluster`.
fn servers_in(cluster: &Path) -> Vec<u32> {
    if Path::new("/proc/self/cwd").exists() {
        from_proc(cluster)
    } else {
        from_ps(cluster)
    }
}

fn from_proc(cluster: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            let process = entry.path();
            // A dead process that nobody has waited for has no working directory.
            std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == cluster)
                && std::fs::read_to_string(process.join("comm"))
                    .is_ok_and(|name| name.trim() == "postgres")
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn from_ps(cluster: &Path) -> Vec<u32> {
    let Ok(output) = Command::new("ps").args(["-A", "-o", "pid=,args="]).output() else {
        return Vec::new();
    };
    let folder = cluster.to_string_lossy();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter(|(_, args)| args.contains("postgres -D") && args.contains(folder.as_ref()))
        .filter_map(|(pid, _)| pid.parse().ok())
        .collect()
}
