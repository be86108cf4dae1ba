//! `bikeshare smartmodule push` and `rollback`: another version, and the one before again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use partition_client::Cluster;

use super::{Target, shown_version};
use crate::cluster::{Replaced, previous_name, replace};
use crate::output::say;
use crate::{modules, trial};

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

/// Go back to the version that was there before the last push; once more, and it is as it was.
///
/// The version before is kept on the cluster, as NAME-previous. Where none was, it is the module that this
/// program carries.
#[derive(Debug, Args)]
pub(super) struct RollbackArguments {
    /// The module's name on the cluster.
    name: String,
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
    say!("{}", upload(&cluster, &name, &wasm).await?);
    Ok(())
}

pub(super) async fn roll_back(arguments: RollbackArguments) -> Result<()> {
    let name = arguments.name;
    let cluster = arguments.target.connect().await?;
    let wasm = match cluster.smart_module(&previous_name(&name)).await? {
        Some(previous) => previous.wasm()?,
        None => modules::wasm(&name)
            .with_context(|| format!("no version of smartmodule \"{name}\" was replaced before"))?
            .into_owned(),
    };
    let current = cluster.smart_module(&name).await?;
    match current.map(|current| current.wasm()).transpose() {
        Ok(Some(current)) if current == wasm => bail!(
            "smartmodule \"{name}\" has nothing to go back to: version {} is there already",
            shown_version(&wasm)
        ),
        Ok(None) => bail!("the cluster has no smartmodule \"{name}\""),
        // What is damaged can be gone back from.
        Ok(Some(_)) | Err(_) => {}
    }
    arguments.force.run_trial(&name, &wasm).await?;
    say!("{}", upload(&cluster, &name, &wasm).await?);
    Ok(())
}

/// Uploads a module that was tried; says what became of it.
pub(super) async fn upload(cluster: &Cluster, name: &str, wasm: &[u8]) -> Result<String> {
    let version = shown_version(wasm);
    let replaced = replace(cluster, name, wasm).await?;
    let object = format!("smartmodule \"{name}\"");
    let bytes = wasm.len();
    Ok(match replaced {
        Replaced::Nothing => format!("{object}: version {version} is there already"),
        Replaced::New => format!("{object}: uploaded version {version}, {bytes} bytes"),
        Replaced::Previous(previous) => format!(
            "{object}: uploaded version {version}, {bytes} bytes; `bikeshare smartmodule rollback {name}` goes \
             back to {}",
            shown_version(&previous)
        ),
    })
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
