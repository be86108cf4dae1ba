//! `cargo xtask`: one command per intention, the same for a developer and for CI.
//!
//! Start at [`up`] (everything on this machine) or at [`mod@test`] (what CI runs).
#![expect(
    clippy::print_stdout,
    reason = "a developer's tool talks to its terminal"
)]

mod basemap;
mod bench;
mod browser_client;
mod chaos;
mod deny;
mod report;
mod setup;
mod shell;
mod simulate;
mod test;
mod tidy;
mod up;
mod wasm;
mod wasm_toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Sets up, builds, tests and checks this workspace"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing, build what it runs (all but the Kafka bridge), start it
    /// and print the address.
    ///
    /// What follows is passed on to `bikeshare up`, for example
    /// `cargo xtask up --source trips.csv --speed max --once`.
    #[command(disable_help_flag = true)]
    Up {
        /// Arguments of `bikeshare up`; see `cargo xtask up --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Run exactly what CI runs; set up what the tests need first.
    Test,
    /// Prepare the base map anew, from data in `PyPI`'s packages.
    Basemap,
    /// Measure how fast trips are stored, beside what this machine allows, in one run.
    ///
    /// Writes `docs/FIGURES.md`, with a JSON file and a chart for each benchmark in `docs/figures/`.
    Bench {
        /// Which benchmarks; without a name, all but `peers`, which downloads Pathway and `PySpark`.
        #[arg(value_name = "BENCHMARK", value_parser = bench::BENCHMARKS)]
        names: Vec<String>,
        /// Measure the build that `cargo xtask up` starts: it compiles in a third of the time.
        #[arg(long)]
        quick: bool,
    },
    /// Break the parts of a whole system while trips flow, and check that nothing is lost or doubled.
    ///
    /// What follows is passed on, for example `cargo xtask chaos --seed 7 --minutes 10`.
    #[command(disable_help_flag = true)]
    Chaos {
        /// Arguments of chaos; see `cargo xtask chaos --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Drive what decides through faults of a simulated world, as many histories as there are seeds.
    ///
    /// What follows is passed on, for example `cargo xtask simulate --seeds 100000`.
    #[command(disable_help_flag = true)]
    Simulate {
        /// Arguments of the simulation; see `cargo xtask simulate --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Build the SmartModules and the page's script to wasm32 and print their sizes.
    Wasm {
        /// SmartModules to build; without a name, all of them and the page's script.
        #[arg(value_name = "MODULE", value_parser = wasm::SMART_MODULES)]
        modules: Vec<String>,
    },
    /// Check the rules no compiler checks: layers, stage sentences, names, links.
    Tidy,
    /// Hold licences, sources and advisories of all dependencies to `deny.toml`.
    Deny,
}

fn main() -> ExitCode {
    let Err(error) = run() else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

fn run() -> Result<()> {
    match Arguments::parse().task {
        Task::Up { arguments } => up::run(arguments),
        Task::Test => test::run(),
        Task::Basemap => basemap::run(),
        Task::Bench { names, quick } => bench::run(&names, quick),
        Task::Chaos { arguments } => chaos::run(arguments),
        Task::Simulate { arguments } => simulate::run(arguments),
        Task::Wasm { modules } => wasm::run(&modules),
        Task::Tidy => tidy::run(),
        Task::Deny => deny::run(),
    }
}
