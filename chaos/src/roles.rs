//! The processes: started, killed, frozen, thawed, and started again with the same arguments.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A role of `bikeshare` as a process; killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where it reads and writes, and its log lies.
    folder: PathBuf,
    database_url: String,
    child: Option<Child>,
    /// How often it ended by itself, and not well.
    pub(crate) failures: u32,
}

impl Role {
    /// A role that does not run yet.
    pub(crate) fn new(
        name: &'static str,
        arguments: &[&str],
        folder: &Path,
        database_url: &str,
    ) -> Result<Self> {
        Ok(Self {
            name,
            program: program()?,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            folder: folder.to_owned(),
            database_url: database_url.to_owned(),
            child: None,
            failures: 0,
        })
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(self.log()?)
            .stderr(self.log()?);
        if !self.database_url.is_empty() {
            command.env("DATABASE_URL", &self.database_url);
        }
        Ok(command)
    }

    fn log(&self) -> Result<File> {
        let path = self.folder.join(self.name).with_extension("log");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.with_context(|| format!("could not write {path:?}"))
    }

    /// Runs it to its end.
    pub(crate) fn finish(&self) -> Result<()> {
        let status = self.command()?.status();
        let status = status.with_context(|| format!("could not run {:?}", self.program))?;
        if !status.success() {
            bail!(
                "{} ended with {status}: see its log in {:?}",
                self.name,
                self.folder
            );
        }
        Ok(())
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let child = self.command()?.spawn();
        self.child = Some(child.with_context(|| format!("could not run {:?}", self.program))?);
        Ok(())
    }

    /// SIGKILL; it may have ended.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child.kill().context("could not kill")?;
        child.wait().map(drop).context("could not wait")
    }

    /// SIGSTOP or SIGCONT; it may have ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match &self.child {
            Some(child) => send(child.id(), signal),
            None => Ok(()),
        }
    }

    /// Whether it has ended, and if so, well. One that has failed is started again, as a service
    /// manager does.
    pub(crate) fn tend(&mut self) -> Result<bool> {
        let Some(child) = &mut self.child else {
            return Ok(false);
        };
        match child.try_wait().context("could not wait")? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(_) => {
                self.failures += 1;
                self.start()?;
                Ok(false)
            }
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // What is left when a run fails; there is nobody to tell.
        drop(self.kill());
    }
}

/// Sends a signal; a process that is gone is no error.
pub(crate) fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match kill_process(pid.context("not a process id")?, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).context("could not signal"),
    }
}

/// `bikeshare` of the same build, which lies beside this program (of a test: one folder up).
pub(crate) fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("could not find this program's own path")?;
    let mut folders = own.ancestors().skip(1).take(2);
    let found = folders.find_map(|folder| {
        let program = folder.join("bikeshare");
        program.is_file().then_some(program)
    });
    found.with_context(|| format!("no bikeshare beside {own:?}: run `cargo xtask chaos`"))
}
