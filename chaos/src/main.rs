#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, reason = "the report is for people")]

mod checker;
mod follower;
mod ledger;
mod plan;
mod postgres;
mod progress;
mod proxy;
mod report;
mod roles;
mod run;
mod system;
mod tables;
mod topic;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::run::Outcome;
use crate::system::Settings;

/// Break the parts of a whole system while trips flow, and check that nothing is lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask chaos")]
struct Arguments {
    /// The same seed gives the same trips and the same plan of faults; without it a random one.
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults go on; checking comes after it.
    #[arg(long, default_value = "5")]
    minutes: f64,
    /// Controller of a Fluvio cluster whose topic `trips` is empty; without it a broker of our own,
    /// which is then broken too.
    #[arg(long, value_name = "HOST:PORT")]
    cluster: Option<String>,
    /// Also write the report there, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let settings = Settings {
        seed: arguments.seed.unwrap_or_else(rand::random),
        minutes: arguments.minutes,
        cluster: arguments.cluster,
    };
    eprintln!("seed {}", settings.seed);
    let outcome = Box::pin(run::run(&settings)).await?;
    println!("{}", outcome.text);
    if let Some(path) = arguments.report {
        let written = std::fs::write(&path, format!("{:#}\n", outcome.json));
        written.with_context(|| format!("could not write {path:?}"))?;
    }
    check(&settings, &outcome)?;
    println!("no law was broken");
    Ok(())
}

fn check(settings: &Settings, outcome: &Outcome) -> Result<()> {
    if outcome.broken.is_empty() {
        return Ok(());
    }
    let kept = outcome.kept.as_deref().unwrap_or_else(|| Path::new("-"));
    bail!(
        "seed {} broke:\n  {}\nkept: {}",
        settings.seed,
        outcome.broken.join("\n  "),
        kept.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_minute_of_faults_loses_and_doubles_nothing_and_turns_no_clock_back() {
        let missing = [
            roles::program().err(),
            embedded_postgres::find_binaries().err().map(Into::into),
        ];
        if let Some(missing) = missing.into_iter().flatten().next() {
            return testkit::skip(&format!("{missing:#}"));
        }
        let settings = Settings {
            seed: 1,
            minutes: 1.0,
            cluster: None,
        };
        let outcome = Box::pin(run::run(&settings)).await.unwrap();
        println!("{}", outcome.text);
        check(&settings, &outcome).unwrap();
    }
}
