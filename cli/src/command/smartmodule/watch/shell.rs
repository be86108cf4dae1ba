//! A command line of a shell, with all that it starts.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// Of what a failed command said, its last bytes are shown (chosen: the errors of a compiler that has some
/// hundreds).
const SAID_BYTES_MAX: usize = 64 << 10;

/// A command that runs, in a process group of its own; dropped, it is ended with all that it has started.
pub(super) struct ShellCommand {
    child: Child,
    group: Option<Pid>,
}

impl ShellCommand {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no shell.
    pub(super) fn start(command: &str) -> Result<Self> {
        let child = Command::new("sh")
            .arg("-c")
            // What it says is shown in the order in which it was said.
            .arg(format!("exec 2>&1\n{command}"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not run sh")?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            group: id.and_then(Pid::from_raw),
            child,
        })
    }

    /// Waits for its end; prints what it said if it fails.
    ///
    /// # Errors
    /// If it ends with another status than 0.
    pub(super) async fn finish(mut self) -> Result<()> {
        let said = self.read_to_end().await?;
        let status = self.child.wait().await.context("it was lost")?;
        // Its number may be another's from now on.
        self.group = None;
        if !status.success() {
            eprintln!("{}", String::from_utf8_lossy(&said).trim_end());
            bail!("{status}");
        }
        Ok(())
    }

    /// The last bytes of what it says.
    async fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut stdout = self.child.stdout.take().context("it has no output")?;
        let mut said = Vec::new();
        while stdout.read_buf(&mut said).await? > 0 {
            // Seldom, so that little is moved.
            if said.len() > 2 * SAID_BYTES_MAX {
                said.drain(..said.len() - SAID_BYTES_MAX);
            }
        }
        said.drain(..said.len().saturating_sub(SAID_BYTES_MAX));
        Ok(said)
    }
}

impl Drop for ShellCommand {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // It may have ended just now.
            kill_process_group(group, Signal::TERM).ok();
        }
    }
}
