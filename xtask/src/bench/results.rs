//! What a benchmark gave: a JSON file and a chart each, and one page of all.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{BENCHMARKS, chart};
use crate::{shell, workspace};

const FOLDER: &str = "docs/figures";
/// The only place for figures of a run: README and docs link here.
const PAGE: &str = "docs/FIGURES.md";

/// What one benchmark has measured, and when, where and of what.
pub(crate) struct Results {
    benchmark: &'static str,
    json: Value,
}

impl Results {
    /// Reads what the benchmark has recorded, a line each.
    pub(crate) fn new(
        benchmark: &'static str,
        build: &str,
        text: String,
        figures: &Path,
    ) -> Result<Self> {
        let lines = std::fs::read_to_string(figures).context("could not read the figures")?;
        let figures: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
        let cores = std::thread::available_parallelism().context("could not count the cores")?;
        let json = json!({
            "benchmark": benchmark,
            "date": shell::read(Command::new("date").args(["-u", "+%F"]))?,
            "commit": shell::read(Command::new("git").args(["describe", "--always", "--dirty"]))?,
            "cores": cores,
            "build": build,
            "figures": figures.context("a benchmark records JSON")?,
            "text": text,
        });
        Ok(Self { benchmark, json })
    }

    pub(crate) fn write(&self) -> Result<()> {
        let text = format!("{:#}\n", self.json);
        workspace::write_if_changed(&file(self.benchmark, "json"), text.as_bytes())
    }
}

/// Draws the last results of each benchmark, and puts all into one page.
pub(crate) fn write_page() -> Result<()> {
    let mut page = "# Figures\n\nWritten by `cargo xtask bench`. What a section compares ran in turn, in one run: \
                    the ratios hold\nelsewhere, the rates do not.\n"
        .to_owned();
    for benchmark in BENCHMARKS {
        let Ok(text) = std::fs::read_to_string(file(benchmark, "json")) else {
            continue;
        };
        let json: Value = serde_json::from_str(&text).context("figures are JSON")?;
        let chart = chart::svg(&json["figures"]);
        workspace::write_if_changed(&file(benchmark, "svg"), chart.as_bytes())?;
        let word = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let figures = word("text");
        page.push_str(&format!(
            "\n## {benchmark}\n\nOn {}, commit {}, {} build, {} cores ([JSON](figures/{benchmark}.json)).\n\n\
             ```text\n{figures}```\n\n![{benchmark}](figures/{benchmark}.svg)\n",
            word("date"),
            word("commit"),
            word("build"),
            json["cores"],
        ));
    }
    workspace::write_if_changed(&workspace::root().join(PAGE), page.as_bytes())
}

fn file(benchmark: &str, end: &str) -> PathBuf {
    let folder = workspace::root().join(FOLDER);
    folder.join(format!("{benchmark}.{end}"))
}
