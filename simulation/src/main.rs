#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    reason = "it talks to the terminal of who runs it"
)]

mod broker;
mod city;
mod database;
mod docks;
mod laws;
mod mirror;
mod plan;
mod producing;
mod run;
mod shrink;
mod sinks;
mod stream;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::plan::Plan;
use crate::run::Failure;

/// Runs the parts that decide in a simulated world, and checks that nothing is lost or doubled.
///
/// A run is a function of its seed alone. The first seed that breaks a law ends it; its shortest history is
/// printed, and `--seed` runs it again.
#[derive(Debug, Parser)]
#[command(name = "simulation")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Runs this one only, and prints what happens.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    // What panics is told as a law that was broken.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments = Arguments::parse();
    let failure = match arguments.seed {
        Some(seed) => one(seed),
        None => many(arguments.first, arguments.seeds),
    };
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            print_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64) -> Option<Failure> {
    let plan = Plan::draw(seed);
    println!("seed {seed}: {:?}", plan.shape);
    let ended = run::told(&plan, |step| println!("{step}"));
    match ended {
        Ok(()) => println!("seed {seed} breaks no law"),
        Err(violation) => println!("{}: {}", violation.law, violation.text),
    }
    run::failure(seed)
}

fn many(first: u64, seeds: u64) -> Option<Failure> {
    let started = Instant::now();
    let (ran, failure) = run::seeds(first, seeds, |ran| {
        let rate = ran as f64 / started.elapsed().as_secs_f64();
        println!("{ran} of {seeds} seeds, {rate:.0} a second");
    });
    let seconds = started.elapsed().as_secs_f64();
    let rate = ran as f64 / seconds;
    println!("{ran} seeds in {seconds:.1} s, {rate:.0} a second");
    failure
}

fn print_failure(Failure { plan, violation }: &Failure) {
    println!("\nthe shortest history of seed {}:", plan.seed);
    if run::told(plan, |step| println!("{step}")).is_ok() {
        println!("it breaks no law this time: it is not a function of its seed alone");
    }
    println!("\nseed {} breaks a law: {}", plan.seed, violation.law);
    println!("{}", violation.text);
    println!("run it again by: cargo xtask simulate --seed {}", plan.seed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_seeds_break_no_law() {
        let (ran, failure) = run::seeds(0, 1_000, |_| {});
        if let Some(failure) = failure {
            print_failure(&failure);
            panic!("seed {} breaks a law", failure.plan.seed);
        }
        assert_eq!(ran, 1_000);
    }
}
