//! `bikeshare smartmodule push`: another version.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use partition_client::Cluster;

use super::{Target, shown_version};
use crate::cluster::upload as upload_wasm;
use crate::trial;

/// Upload a module, new or changed, if it passes the trial.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The wasm, as `cargo xtask wasm` builds it.
    file: PathBuf,
    /// Its name on the cluster; without it, the file's name.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Copy, Args)]
struct Force {
    /// Upload it although it does not pass the trial.
    ///
    /// For a module that belongs to a sink of another version. A sink that cannot use what it gives says so
    /// and goes on with the module before.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<()> {
    let file = &arguments.file;
    let wasm = std::fs::read(file).with_context(|| format!("could not read {file:?}"))?;
    let name = arguments.name.or_else(|| name_of(file));
    let name = name.context("give the module's --name")?;
    arguments.force.run_trial(&name, &wasm).await?;
    let cluster = arguments.target.connect().await?;
    println!("{}", upload(&cluster, &name, &wasm).await?);
    Ok(())
}

/// Uploads a module that was tried; says what became of it.
pub(super) async fn upload(cluster: &Cluster, name: &str, wasm: &[u8]) -> Result<String> {
    let version = shown_version(wasm);
    upload_wasm(cluster, name, wasm).await?;
    Ok(format!(
        "smartmodule \"{name}\": uploaded version {version}, {} bytes",
        wasm.len()
    ))
}

impl Force {
    /// Tries a module; with `--force` what is found is said, and nothing more.
    async fn run_trial(self, name: &str, wasm: &[u8]) -> Result<()> {
        match trial::run(name, wasm).await {
            Err(refused) if self.force => {
                tracing::warn!("{refused}: uploaded all the same");
                Ok(())
            }
            tried => tried.map(drop),
        }
    }
}

/// `trip-split` of `some/trip_split.wasm`: cargo writes underscores where Fluvio wants dashes.
fn name_of(file: &Path) -> Option<String> {
    Some(file.file_stem()?.to_str()?.replace('_', "-"))
}
