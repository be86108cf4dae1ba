//! The whole of it: broker, SmartModules, sink and page in one process.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{Run, memory};

/// Runs `bikeshare up --once` on a data folder of its own, which is removed afterwards.
pub(crate) fn load(url: &str, file: &Path, data: &Path, trips: u64) -> Result<Run> {
    let started = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(["up", "--once", "--speed", "max", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", url)
        .args(["--log", "error", "--source"])
        .arg(file)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let memory = memory::Watch::start(child.id());
    let output = child.wait_with_output()?;
    let seconds = started.elapsed().as_secs_f64();
    let memory_bytes_max = memory.finish();
    ensure!(
        output.status.success(),
        "bikeshare up ended with {}",
        output.status
    );
    let stdout = String::from_utf8(output.stdout)?;
    let last = stdout.lines().last().context("up printed nothing")?;
    let summary: serde_json::Value = serde_json::from_str(last)?;
    ensure!(
        summary["records"] == 2 * trips && summary["departures"] == trips,
        "not all trips were stored and counted: {summary}"
    );
    let disk_bytes = bytes_in(data)?;
    std::fs::remove_dir_all(data).context("could not remove the data folder")?;
    Ok(Run {
        seconds,
        memory_bytes_max,
        disk_bytes,
    })
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_in(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
