//! `cargo xtask bench`: rates, as ratios measured in one run, into `docs/FIGURES.md`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{setup, shell, wasm, workspace};

/// The benchmarks, in the order of the page.
const BENCHMARKS: [&str; 4] = ["load", "read", "modules", "mirror"];
/// The only place for figures of a run: README and docs link here.
const PAGE: &str = "docs/FIGURES.md";

/// Builds what operators run, then measures it beside the roofline of this machine, the SmartModules
/// beside the same rules compiled for it, and the bridge beside Kafka's `MirrorMaker`.
///
/// # Errors
/// If something does not build, or a load is not complete: a wrong result has no rate.
pub(crate) fn run() -> Result<()> {
    setup::openssl()?;
    setup::postgres()?;
    wasm::run()?;
    let (kafka, python) = (setup::kafka()?, setup::python()?);
    let mut page = head()?;
    for benchmark in BENCHMARKS {
        // The whole workspace, as the tests are built: another selection would compile much anew.
        let mut command = shell::cargo(&["bench", "--workspace", "--bench", benchmark]);
        command.env("BIKESHARE_KAFKA_JARS", &kafka);
        command.env("BIKESHARE_PYTHON", &python);
        let figures = show_and_read(&mut command)?;
        page.push_str(&format!("\n## {benchmark}\n\n```text\n{figures}```\n"));
    }
    workspace::write_if_changed(&workspace::root().join(PAGE), page.as_bytes())
}

/// When, where and of what the figures are.
fn head() -> Result<String> {
    let commit = shell::read(Command::new("git").args(["describe", "--always", "--dirty"]))?;
    let date = shell::read(Command::new("date").args(["-u", "+%F"]))?;
    let cores = std::thread::available_parallelism().context("could not count the cores")?;
    Ok(format!(
        "# Figures\n\nWritten by `cargo xtask bench` on {date}, of commit {commit}, on {cores} cores. What is compared\nran in turn in one run: the ratios hold elsewhere, the rates do not.\n"
    ))
}

/// Runs a benchmark; shows its lines as they come and gives them back.
fn show_and_read(command: &mut Command) -> Result<String> {
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.context("could not run cargo bench")?;
    let output = child.stdout.take().context("stdout is piped")?;
    let mut figures = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("could not read the benchmark's output")?;
        println!("{line}");
        figures.push_str(line.trim_end());
        figures.push('\n');
    }
    let status = child.wait().context("could not wait for cargo bench")?;
    if !status.success() {
        bail!("cargo bench ended with {status}");
    }
    Ok(figures)
}
