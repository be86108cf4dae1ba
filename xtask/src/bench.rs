//! `cargo xtask bench`: rates, as ratios measured in one run, into `docs/figures/` and `docs/FIGURES.md`.

mod chart;
mod results;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::results::Results;
use crate::{setup, shell, wasm, workspace};

/// In the order of the page.
pub(crate) const BENCHMARKS: [&str; 7] = [
    "load", "peers", "latency", "pages", "read", "modules", "mirror",
];
/// Measured by its name only: a gigabyte of other systems is downloaded for it.
const ON_REQUEST: &str = "peers";

/// Builds what operators run, then measures it beside the roofline of this machine, the page's server
/// under ten thousand pages, the SmartModules beside the same rules compiled for it, the bridge beside Kafka's `MirrorMaker`, and, by name only,
/// all of it beside Pathway and `PySpark`. `quick` builds what `cargo xtask up` starts instead.
///
/// # Errors
/// If something does not build, or a load is not complete: a wrong result has no rate.
pub(crate) fn run(names: &[String], quick: bool) -> Result<()> {
    setup::openssl()?;
    setup::postgres()?;
    wasm::run(&[])?;
    let is_wanted = |benchmark: &&str| match names {
        [] => *benchmark != ON_REQUEST,
        _ => names.iter().any(|name| name == benchmark),
    };
    for benchmark in BENCHMARKS.into_iter().filter(is_wanted) {
        measure(benchmark, quick)?.write()?;
    }
    results::write_page()
}

fn measure(benchmark: &'static str, quick: bool) -> Result<Results> {
    let figures = workspace::target()?.join("figures.jsonl");
    workspace::write_if_changed(&figures, b"")?;
    let target = match benchmark {
        "peers" => "load",
        other => other,
    };
    // The whole workspace, as the tests are built: another selection would compile much anew.
    let mut command = shell::cargo(&["bench", "--workspace", "--bench", target]);
    if quick {
        command.args(["--profile", workspace::PROFILE]);
    }
    command.env("BIKESHARE_FIGURES", &figures);
    match benchmark {
        "mirror" => {
            command.env("BIKESHARE_KAFKA_JARS", setup::kafka()?);
            command.env("BIKESHARE_PYTHON", setup::python()?);
        }
        "peers" => {
            command.env("BIKESHARE_PEERS_PYTHON", setup::peers()?);
        }
        "latency" => setup::browser()?,
        _ => {}
    }
    let text = show_and_read(&mut command)?;
    let build = if quick { workspace::PROFILE } else { "release" };
    Results::new(benchmark, build, text, &figures)
}

/// Runs a benchmark; shows its lines as they come and gives them back.
fn show_and_read(command: &mut Command) -> Result<String> {
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.context("could not run cargo bench")?;
    let output = child.stdout.take().context("stdout is piped")?;
    let mut text = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("could not read the benchmark's output")?;
        println!("{line}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let status = child.wait().context("could not wait for cargo bench")?;
    if !status.success() {
        bail!("cargo bench ended with {status}");
    }
    Ok(text)
}
