//! `bikeshare smartmodule push|rollback|watch|list`: the SmartModules of a cluster.

mod list;
mod push;
mod watch;

use anyhow::Result;
use clap::{Args, Subcommand};
use fluvio::FluvioClusterConfig;
use partition_client::{Cluster, module_version, short_version};

use crate::addresses::{DataDirFlag, FluvioFlag, connect_cluster};

/// Change or list the SmartModules that run inside the broker, while everything runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask wasm && bikeshare smartmodule push target/assets/smartmodules/trip-split.wasm
  bikeshare smartmodule push trip_split.wasm       also cargo's own file name is understood
  bikeshare smartmodule push new.wasm --name trip-split --fluvio sc.example:9003
  bikeshare smartmodule rollback trip-split        back to the version before
  bikeshare smartmodule watch trip-split           build, test and push whenever a source is saved
  bikeshare smartmodule list

A module is run over a sample of records first, here: trips as files of each generation have them, statuses,
ticks, rejects, and bytes that are no record. It is not uploaded if it panics, runs for ever, takes too much
memory, or gives what the sink could not store; then this says which record it was, what came out and what was
expected. Outputs may be others than those of the module before: that is what one changes it for.

A running `bikeshare up` or `bikeshare sink` takes a changed module up by itself: each stream
finishes at a commit and goes on with the new module, so nothing is lost or doubled. Which version made which
rows is in table module_version; `bikeshare status` shows the present ones. The next
`bikeshare up` or `cluster apply` uploads what fluvio-cluster.yaml declares again.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Push(push::Arguments),
    Rollback(push::RollbackArguments),
    Watch(watch::Arguments),
    List(list::Arguments),
}

/// Which cluster it is about.
#[derive(Debug, Args)]
struct Target {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

impl Target {
    fn cluster(&self) -> Result<FluvioClusterConfig> {
        self.fluvio.resolve(&self.data_dir)
    }

    async fn connect(&self) -> Result<Cluster> {
        connect_cluster(&self.cluster()?).await
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If a file or the cluster cannot be used, or the module is refused.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    match arguments.task {
        Task::Push(push) => push::run(push).await,
        Task::Rollback(rollback) => push::roll_back(rollback).await,
        Task::Watch(watch) => watch::run(watch).await,
        Task::List(list) => list::run(list).await,
    }
}

/// A module's version as people are shown it.
fn shown_version(wasm: &[u8]) -> String {
    short_version(&module_version(wasm)).to_owned()
}
