//! A private Postgres that can be killed and frozen with all its processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use embedded_postgres::{Postgres, PostgresConfig};
use rustix::process::Signal;

use crate::roles;

#[derive(Debug)]
pub(crate) struct Database {
    /// None while it is killed.
    postgres: Option<Postgres>,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    /// The owner's.
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let postgres = start(folder, None).await?;
        let url = postgres.url().to_owned();
        let address = url
            .split_once('@')
            .and_then(|(_, rest)| rest.split('/').next());
        let address = address.context("the url has no address")?.parse()?;
        Ok(Self {
            postgres: Some(postgres),
            folder: folder.to_owned(),
            address,
            url,
        })
    }

    /// The address of a login of a role of `migrations/roles.sql`.
    pub(crate) async fn login(&self, name: &'static str, role: &'static str) -> Result<String> {
        let postgres = self.postgres.as_ref().context("postgres does not run")?;
        Ok(postgres.login(name, role).await?)
    }

    /// SIGKILL of the postmaster; it is not started again by itself.
    pub(crate) fn kill(&mut self) -> Result<()> {
        roles::send(self.postmaster()?, Signal::KILL)?;
        drop(self.postgres.take());
        Ok(())
    }

    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.postgres = Some(start(&self.folder, Some(self.address.port())).await?);
        Ok(())
    }

    /// SIGSTOP or SIGCONT to the postmaster and all that it has started.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let postmaster = self.postmaster()?;
        roles::send(postmaster, signal)?;
        children_of(postmaster)?
            .into_iter()
            .try_for_each(|pid| roles::send(pid, signal))
    }

    fn postmaster(&self) -> Result<u32> {
        let path = self.folder.join("cluster/postmaster.pid");
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("could not read {path:?}"))?;
        let pid = text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok());
        pid.with_context(|| format!("{path:?} begins with no process id"))
    }
}

async fn start(folder: &Path, listen: Option<u16>) -> Result<Postgres> {
    let config = PostgresConfig {
        data_dir: folder.to_owned(),
        listen,
    };
    Postgres::start(config)
        .await
        .context("could not start postgres")
}

fn children_of(parent: u32) -> Result<Vec<u32>> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("could not read {path}"))?;
    Ok(text
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect())
}
