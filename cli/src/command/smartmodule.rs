//! `bikeshare smartmodule push|list`: the SmartModules of a cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use fluvio::metadata::smartmodule::SmartModuleSpec;

use crate::addresses::{DataDirFlag, FluvioFlag, connect_admin, connect_cluster};
use crate::{cluster, modules};

/// Upload or list the SmartModules that run inside the broker.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask wasm && bikeshare smartmodule push target/assets/smartmodules/trip-split.wasm
  bikeshare smartmodule push trip_split.wasm       also cargo's own file name is understood
  bikeshare smartmodule push new.wasm --name trip-split --fluvio sc.example:9003
  bikeshare smartmodule list

The module is run over a sample of records first, and is not uploaded if it panics, runs for ever,
or takes too much memory.

A running `bikeshare up` or `bikeshare sink` takes a changed module up by itself: each stream
finishes at a commit and goes on with the new module, so nothing is lost or doubled. The next
`bikeshare up` or `cluster apply` uploads what fluvio-cluster.yaml declares again.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Upload a module, new or changed.
    Push {
        /// The wasm, as `cargo xtask wasm` builds it.
        file: PathBuf,
        /// Its name on the cluster; without it, the file's name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        fluvio: FluvioFlag,
        #[command(flatten)]
        data_dir: DataDirFlag,
    },
    /// List the cluster's modules with their sizes.
    List {
        #[command(flatten)]
        fluvio: FluvioFlag,
        #[command(flatten)]
        data_dir: DataDirFlag,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// If the file or the cluster cannot be used, or the module does harm.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    match arguments.task {
        Task::Push {
            file,
            name,
            fluvio,
            data_dir,
        } => {
            let wasm = std::fs::read(&file).with_context(|| format!("could not read {file:?}"))?;
            let name = name
                .or_else(|| name_of(&file))
                .context("give the module's --name")?;
            try_module(&name, &wasm).await?;
            let cluster = connect_cluster(&fluvio.resolve(&data_dir)?).await?;
            cluster::upload(&cluster, &name, &wasm).await?;
            println!("smartmodule \"{name}\": uploaded, {} bytes", wasm.len());
            Ok(())
        }
        Task::List { fluvio, data_dir } => list(&fluvio.resolve(&data_dir)?).await,
    }
}

/// Runs the module over a sample: a real cluster takes anything, and finds out when it is used.
async fn try_module(name: &str, wasm: &[u8]) -> Result<()> {
    let (name, wasm) = (name.to_owned(), wasm.to_vec());
    let trying =
        tokio::task::spawn_blocking(move || embedded_broker::smartmodule::check(&name, &wasm));
    Ok(trying.await.context("the trial was cut short")??)
}

async fn list(address: &str) -> Result<()> {
    let admin = connect_admin(address).await?;
    let found = admin.all::<SmartModuleSpec>().await;
    for module in found.context("could not list the cluster's smartmodules")? {
        let wasm = module
            .spec
            .wasm
            .as_raw_wasm()
            .context("a module on the cluster is damaged")?;
        let origin = match modules::wasm(&module.name) {
            Ok(carried) if *carried == *wasm => "as carried by this program",
            Ok(_) => "differs from the one this program carries",
            Err(_) => "not carried by this program",
        };
        println!("{:<20} {:>9} bytes  {origin}", module.name, wasm.len());
    }
    Ok(())
}

/// `trip-split` of `some/trip_split.wasm`: cargo writes underscores where Fluvio wants dashes.
fn name_of(file: &Path) -> Option<String> {
    Some(file.file_stem()?.to_str()?.replace('_', "-"))
}
