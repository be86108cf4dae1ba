//! How fast trips come from a file into the three tables, beside what this machine allows.
//!
//! Two ways, in turn, into fresh databases of one Postgres: the *roofline*, which parses the file
//! and copies into the same tables over one connection and does nothing else, and `bikeshare up
//! --once`, through the broker, both SmartModules and the sink. Start with `cargo xtask bench`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod memory;
mod roofline;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use embedded_postgres::Postgres;
use sqlx::{Connection, PgConnection};
use testkit::{median, postgres};

/// Each way is measured this many times; the median counts.
const ROUNDS: usize = 3;

const TRIPS: u64 = 300_000;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = postgres::folder();
    let file = simulate(folder.path())?;
    let postgres = postgres::start(folder.path().join("postgres")).await;

    let mut roofline = Vec::new();
    let mut pipeline = Vec::new();
    for round in 0..ROUNDS {
        let url = fresh_database(&postgres, &format!("roofline_{round}")).await?;
        roofline.push(roofline::load(&url, &file).await?);
        let url = fresh_database(&postgres, &format!("pipeline_{round}")).await?;
        let data = folder.path().join(format!("data-{round}"));
        pipeline.push(up_once(&url, &file, &data)?);
        std::fs::remove_dir_all(&data).context("could not remove the round's data folder")?;
    }
    postgres.shutdown().await?;

    let roofline_s = median(&roofline);
    let pipeline_s = median(&pipeline.iter().map(|run| run.load_s).collect::<Vec<_>>());
    let memory = pipeline
        .iter()
        .map(|run| run.memory_bytes_max)
        .max()
        .unwrap_or_default();
    println!("{TRIPS} trips, median of {ROUNDS} rounds, durable, checked");
    println!("  parse and COPY, one connection: {}", rate(roofline_s));
    println!("  bikeshare up --once:            {}", rate(pipeline_s));
    println!(
        "  share of the roofline:          {:.0} %",
        100.0 * roofline_s / pipeline_s
    );
    println!(
        "  peak memory, everything (PSS):  {} MB",
        memory / 1_000_000
    );
    Ok(())
}

fn rate(seconds: f64) -> String {
    format!("{seconds:.2} s, {:.0} trips/s", TRIPS as f64 / seconds)
}

/// Has the binary write the trips of a simulated city into a file.
fn simulate(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("trips.csv");
    let status = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(["simulate", "--city", &format!("trips={TRIPS}"), "--out"])
        .arg(&file)
        .status()?;
    ensure!(status.success(), "bikeshare simulate ended with {status}");
    Ok(file)
}

/// One run of the whole pipeline.
struct Run {
    /// From the start of the process to its end, in seconds.
    load_s: f64,
    /// Peak of the whole pipeline's memory, Postgres included.
    memory_bytes_max: u64,
}

fn up_once(url: &str, file: &Path, data: &Path) -> Result<Run> {
    let started = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(["up", "--once", "--speed", "max", "--listen", "127.0.0.1:0"])
        .args(["--database-url", url, "--log", "warn", "--source"])
        .arg(file)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let memory = memory::Watch::start(child.id());
    let output = child.wait_with_output()?;
    let load_s = started.elapsed().as_secs_f64();
    let memory_bytes_max = memory.finish();
    ensure!(
        output.status.success(),
        "bikeshare up ended with {}",
        output.status
    );
    let stdout = String::from_utf8(output.stdout)?;
    let summary: serde_json::Value = serde_json::from_str(
        stdout
            .lines()
            .last()
            .context("bikeshare up printed nothing")?,
    )?;
    ensure!(
        summary["records"] == 2 * TRIPS,
        "not all trips were stored: {summary}"
    );
    ensure!(
        summary["departures"] == TRIPS,
        "not all departures were counted: {summary}"
    );
    Ok(Run {
        load_s,
        memory_bytes_max,
    })
}

async fn fresh_database(postgres: &Postgres, name: &str) -> Result<String> {
    let mut connection = PgConnection::connect(postgres.url()).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}")))
        .execute(&mut connection)
        .await?;
    let (server, _) = postgres
        .url()
        .rsplit_once('/')
        .context("the URL names a database")?;
    let url = format!("{server}/{name}");
    sink::migrate(&url).await?;
    Ok(url)
}
