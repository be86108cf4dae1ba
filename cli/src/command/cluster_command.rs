//! `bikeshare cluster apply|diff`: a Fluvio cluster as `fluvio-cluster.yaml` declares it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::addresses::{DataDirFlag, FluvioFlag, connect_admin};
use crate::cluster::{Action, Manifest, apply, plan};

/// Make a Fluvio cluster what fluvio-cluster.yaml declares: topics and SmartModules.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare cluster diff --fluvio sc.example:9003       what would be done?
  bikeshare cluster apply --fluvio sc.example:9003      do it
  bikeshare cluster apply -f mine.yaml --fluvio …       another declaration")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Create what is missing, update SmartModules; refuse what cannot be changed.
    Apply(Cluster),
    /// Tell what `apply` would do and change nothing; exit status 1 if it would do anything.
    Diff(Cluster),
}

#[derive(Debug, Args)]
struct Cluster {
    /// The declaration; without it, the one this program carries.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// Runs the subcommand.
///
/// # Errors
/// If the declaration or the cluster cannot be used, or `diff` finds a difference.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let (cluster, is_diff) = match &arguments.task {
        Task::Apply(cluster) => (cluster, false),
        Task::Diff(cluster) => (cluster, true),
    };
    let manifest = read(cluster.file.as_ref())?;
    let address = cluster.fluvio.resolve(&cluster.data_dir)?;
    let steps = if is_diff {
        plan(&connect_admin(&address).await?, &manifest).await?
    } else {
        apply(&address, &manifest).await?
    };
    for step in &steps {
        println!("{step}");
    }
    let same = |action: &Action| matches!(action, Action::Nothing | Action::Note(_));
    if is_diff && !steps.iter().all(|step| same(&step.action)) {
        bail!("the cluster differs from its declaration: `bikeshare cluster apply` makes it so");
    }
    Ok(())
}

/// The declaration in `file`, or the carried one.
///
/// # Errors
/// If the file cannot be read or understood.
pub(crate) fn read(file: Option<&PathBuf>) -> Result<Manifest> {
    file.map_or_else(Manifest::carried, |file| Manifest::read(file))
}
