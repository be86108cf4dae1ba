//! `bikeshare cluster apply|diff|import`: a Fluvio cluster as `fluvio-cluster.yaml` declares it.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::addresses::{DataDirFlag, FluvioFlag, connect_admin};
use crate::cluster::{Action, Manifest, Step, apply, import, plan};
use crate::output::say;

/// Make a Fluvio cluster what fluvio-cluster.yaml declares: topics and SmartModules.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare cluster diff --fluvio sc.example:9003       what would be done?
  bikeshare cluster apply --fluvio sc.example:9003      do it
  bikeshare cluster import mine.yaml --fluvio …         declare what is there
  bikeshare cluster apply -f mine.yaml --fluvio …       another declaration")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Create what is missing, update SmartModules, wait until all replicas are in sync; refuse what cannot
    /// be changed.
    Apply {
        #[command(flatten)]
        cluster: Cluster,
        /// Tell what would be done and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Tell what `apply` would do and change nothing; exit status 1 if it would do anything.
    Diff(Cluster),
    /// Write the file that declares what the cluster has, and beside it the SmartModules that this program
    /// does not carry.
    Import {
        /// Where to write it; a file that is there is not replaced.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        fluvio: FluvioFlag,
        #[command(flatten)]
        data_dir: DataDirFlag,
    },
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
    match arguments.task {
        Task::Apply {
            cluster,
            dry_run: true,
        } => show(&cluster.plan().await?),
        Task::Apply { cluster, .. } => {
            let manifest = read(cluster.file.as_ref())?;
            let config = cluster.fluvio.resolve(&cluster.data_dir)?;
            show(&apply(&config, &manifest).await?);
        }
        Task::Diff(cluster) => {
            let steps = cluster.plan().await?;
            show(&steps);
            let same = |action: &Action| matches!(action, Action::Nothing | Action::Note(_));
            if !steps.iter().all(|step| same(&step.action)) {
                bail!(
                    "the cluster differs from its declaration: `bikeshare cluster apply` makes it so"
                );
            }
        }
        Task::Import {
            file,
            fluvio,
            data_dir,
        } => {
            let admin = connect_admin(&fluvio.resolve(&data_dir)?).await?;
            let imported = import(&admin).await?;
            imported.write(&file)?;
            for note in &imported.left_out {
                say!("left out: {note}");
            }
            say!("{}: {}", file.display(), imported.manifest);
        }
    }
    Ok(())
}

impl Cluster {
    /// What `apply` would do.
    async fn plan(&self) -> Result<Vec<Step>> {
        let manifest = read(self.file.as_ref())?;
        let config = self.fluvio.resolve(&self.data_dir)?;
        plan(&connect_admin(&config).await?, &manifest).await
    }
}

fn show(steps: &[Step]) {
    for step in steps {
        say!("{step}");
    }
}

/// The declaration in `file`, or the carried one.
///
/// # Errors
/// If the file cannot be read or understood.
pub(crate) fn read(file: Option<&PathBuf>) -> Result<Manifest> {
    file.map_or_else(Manifest::carried, |file| Manifest::read(file))
}
