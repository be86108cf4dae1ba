//! `bikeshare`: every role of the system in one program, one file per subcommand.
//!
//! Start at [`command::up`]; it starts all roles in the order in which trips flow. What the
//! subcommands share is beside this file: configuration, addresses, data folder, signals.

mod addresses;
mod cluster;
mod command;
mod config;
mod counts;
mod data_dir;
mod database_url;
mod failure;
mod logging;
mod metrics;
mod modules;
mod output;
mod progress;
mod secrets;
mod shutdown;
mod trial;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use command::{
    audit, basemap_command, bridge_command, broker, cluster_command, completions, debug, doctor,
    migrate, prepare, produce, rejected, serve,
};
use command::{simulate, sink_command, smartmodule, status, up};

/// Bike-share availability, live: trips go through Fluvio SmartModules into Postgres and onto a map.
#[derive(Debug, Parser)]
#[command(name = "bikeshare", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Settings, as TOML: `listen = "0.0.0.0:80"` for all commands, `[up]` for one.
    ///
    /// A flag wins over the environment, the environment over this file. Without the flag,
    /// `bikeshare.toml` of the current folder is read if it is there.
    #[arg(long, global = true, value_name = "FILE", env = "BIKESHARE_CONFIG")]
    config: Option<std::path::PathBuf>,
    /// What to log to stderr: a level, or levels by module such as `info,sink=debug`.
    #[arg(long, global = true, value_name = "LEVELS", env = "RUST_LOG", default_value = logging::DEFAULT)]
    log: String,
}

const EXAMPLES: &str = "\
Examples:
  bikeshare up                                     a simulated city on this machine
  bikeshare up --source trips.csv --speed max --once   load a file, print the counts, stop
  bikeshare up --fluvio sc.example:9003            the same on a real Fluvio cluster
  bikeshare smartmodule push trip_split.wasm       change a SmartModule of a running `up`
  bikeshare prepare --source trips/ --to s3://my-trips   trip files as Parquet, by month
  bikeshare status                                 is everything stored?
  bikeshare doctor                                 what is missing on this machine?";

#[derive(Debug, Subcommand)]
enum Command {
    // By far the largest.
    Up(Box<up::Arguments>),
    Produce(produce::Arguments),
    Prepare(prepare::Arguments),
    Sink(sink_command::Arguments),
    Serve(serve::Arguments),
    Migrate(migrate::Arguments),
    Bridge(bridge_command::Arguments),
    Broker(broker::Arguments),
    Cluster(cluster_command::Arguments),
    #[command(name = "smartmodule")]
    SmartModule(smartmodule::Arguments),
    Rejected(rejected::Arguments),
    Audit(audit::Arguments),
    Status(status::Arguments),
    Doctor(doctor::Arguments),
    Debug(debug::Arguments),
    Basemap(basemap_command::Arguments),
    Simulate(simulate::Arguments),
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let arguments: Arguments = match config::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(failure) => return failure::report(&failure),
    };
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure::report(&failure),
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    logging::start(&arguments.log)?;
    raise_file_limit();
    database_url::warn_of_passwords(std::env::args_os());
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Up(up) => Box::pin(up::run(*up)).await,
            Command::Prepare(prepare) => Box::pin(prepare::run(prepare)).await,
            Command::Produce(produce) => Box::pin(produce::run(produce)).await,
            Command::Sink(sink) => Box::pin(sink_command::run(sink)).await,
            Command::Migrate(migrate) => Box::pin(migrate::run(migrate)).await,
            Command::Serve(serve) => Box::pin(serve::run(serve)).await,
            Command::Bridge(bridge) => Box::pin(bridge_command::run(bridge)).await,
            Command::Broker(broker) => broker::run(broker).await,
            Command::Cluster(cluster) => Box::pin(cluster_command::run(cluster)).await,
            Command::SmartModule(module) => Box::pin(smartmodule::run(module)).await,
            Command::Basemap(basemap) => basemap_command::run(basemap),
            Command::Rejected(rejected) => rejected::run(rejected).await,
            Command::Audit(audit) => audit::run(audit).await,
            Command::Status(status) => Box::pin(status::run(status)).await,
            Command::Debug(debug) => Box::pin(debug::run(debug)).await,
            Command::Doctor(doctor) => Box::pin(doctor::run(doctor)).await,
            Command::Simulate(simulate) => simulate::run(simulate),
            Command::Completions(completions) => {
                completions::run(&completions, Arguments::command());
                Ok(())
            }
        }
    });
    // What is still blocked in a thread, such as a read of a terminal, must not hold up the end.
    runtime.shutdown_background();
    outcome
}

/// Takes as many open files as the system allows: broker and page have one for each client, and
/// 1,024, a usual limit that is kept low for programs of `select`, would be shared by both.
fn raise_file_limit() {
    let files = getrlimit(Resource::Nofile);
    let current = files.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, ..files }) {
        tracing::warn!(%error, "could not raise the limit of open files");
    }
}
