//! How fast trips come from a file into the three tables, beside what this machine allows and, where
//! they are installed, beside what people use for it.
//!
//! Several systems in turn, each into a fresh database of one Postgres with the same durability. The
//! *roofline* parses the file and copies into the same tables over one connection and does nothing
//! else; `bikeshare up --once` goes through the broker, both SmartModules and the sink. After each
//! load its tables are compared with the roofline's: a wrong result has no rate. Start with `cargo
//! xtask bench`, or with `cargo xtask bench peers`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod digest;
mod memory;
mod peer;
mod pipeline;
mod roofline;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use embedded_postgres::Postgres;
use sqlx::{Connection, PgConnection};
use testkit::{Figure, median, postgres};

use digest::{Digest, Tables};
use peer::Peer;

/// Trips, and how often they are loaded by each system: the median counts.
const SIZES: [(u64, usize); 3] = [(100_000, 3), (1_000_000, 3), (10_000_000, 1)];
/// With peers, of which some take most of a short load to start.
const SIZES_WITH_PEERS: [(u64, usize); 1] = [(1_000_000, 3)];
/// Of a city in summer.
const TRIPS_A_DAY: u64 = 100_000;

/// Who loads.
#[derive(Debug, Clone, Copy, PartialEq)]
enum System {
    Roofline,
    Bikeshare,
    Peer(Peer),
}

/// One load.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// From the start of the process to its end, in seconds.
    seconds: f64,
    /// Peak memory of the process, its children and Postgres, in bytes.
    memory_bytes_max: u64,
    /// Bytes on disk afterwards beside the database.
    disk_bytes: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let python = std::env::var_os(peer::PYTHON).map(PathBuf::from);
    let folder = postgres::folder();
    let postgres = postgres::start(folder.path().join("postgres")).await;
    let mut bench = Bench {
        postgres: &postgres,
        folder: folder.path(),
        python: python.as_deref(),
        databases: 0,
    };
    let sizes: &[_] = match python {
        Some(_) => &SIZES_WITH_PEERS,
        None => &SIZES,
    };
    for (trips, rounds) in sizes {
        bench.measure(*trips, *rounds).await?;
    }
    postgres.shutdown().await?;
    Ok(())
}

struct Bench<'a> {
    postgres: &'a Postgres,
    folder: &'a Path,
    /// An interpreter that has the peers.
    python: Option<&'a Path>,
    databases: u32,
}

impl Bench<'_> {
    async fn measure(&mut self, trips: u64, rounds: usize) -> Result<()> {
        let file = simulate(self.folder, trips)?;
        let mut systems = vec![
            (System::Roofline, Vec::new(), 0),
            (System::Bikeshare, Vec::new(), 0),
        ];
        if self.python.is_some() {
            systems.extend(Peer::ALL.map(|peer| (System::Peer(peer), Vec::new(), 0)));
        }
        let mut expected: Option<Digest> = None;
        for _ in 0..rounds {
            for (system, runs, disk_bytes) in &mut systems {
                let url = self.fresh_database(*system).await?;
                let run = self.load(*system, &url, &file, trips).await?;
                let digest = Digest::read(&url, system.tables()).await?;
                digest.check(trips, expected.as_ref())?;
                expected.get_or_insert(digest);
                *disk_bytes = run.disk_bytes + self.drop_database(&url).await?;
                runs.push(run);
            }
        }
        std::fs::remove_file(&file).context("could not remove the trips")?;
        println!("{trips} trips, median of {rounds} (least to most), durable, tables compared");
        let rooflines: Vec<_> = systems[0].1.iter().map(|run: &Run| run.seconds).collect();
        for (system, runs, disk_bytes) in &systems {
            report(*system, trips, runs, *disk_bytes, median(&rooflines));
        }
        Ok(())
    }

    async fn load(&self, system: System, url: &str, file: &Path, trips: u64) -> Result<Run> {
        match system {
            System::Roofline => Ok(Run {
                seconds: roofline::load(url, file).await?,
                memory_bytes_max: 0,
                disk_bytes: 0,
            }),
            System::Bikeshare => pipeline::load(url, file, &self.folder.join("data"), trips),
            System::Peer(peer) => {
                let python = self.python.context("peers need their Python")?;
                peer.load(python, url, file, self.folder)
            }
        }
    }

    async fn fresh_database(&mut self, system: System) -> Result<String> {
        self.databases += 1;
        let name = format!("load_{}", self.databases);
        self.admin(&format!("create database {name}")).await?;
        let (server, _) = self
            .postgres
            .url()
            .rsplit_once('/')
            .context("the URL names a database")?;
        let url = format!("{server}/{name}");
        match system {
            System::Peer(peer) => peer.create_tables(&url).await?,
            System::Roofline | System::Bikeshare => sink::migrate(&url).await?,
        }
        self.admin("checkpoint").await?;
        Ok(url)
    }

    /// Gives the bytes that the database took.
    async fn drop_database(&self, url: &str) -> Result<u64> {
        let name = url.rsplit('/').next().unwrap_or_default();
        let mut connection = PgConnection::connect(self.postgres.url()).await?;
        let bytes: i64 = sqlx::query_scalar("select pg_database_size($1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        self.admin(&format!("drop database {name} with (force)"))
            .await?;
        Ok(bytes.unsigned_abs())
    }

    async fn admin(&self, statement: &str) -> Result<()> {
        let mut connection = PgConnection::connect(self.postgres.url()).await?;
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }
}

impl System {
    fn name(self) -> &'static str {
        match self {
            Self::Roofline => "parse and COPY, one connection",
            Self::Bikeshare => "bikeshare up --once",
            Self::Peer(peer) => peer.name(),
        }
    }

    fn tables(self) -> Tables {
        match self {
            Self::Roofline | Self::Bikeshare => Tables::Ours,
            Self::Peer(_) => Tables::Plain,
        }
    }
}

/// Has the binary write the trips of a simulated city into a file.
fn simulate(folder: &Path, trips: u64) -> Result<PathBuf> {
    let file = folder.join("trips.csv");
    let days = (trips / TRIPS_A_DAY).max(1);
    let status = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
        .args(["simulate", "--city", &format!("trips={trips},days={days}")])
        .arg("--out")
        .arg(&file)
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "bikeshare simulate ended with {status}");
    Ok(file)
}

fn report(system: System, trips: u64, runs: &[Run], disk_bytes: u64, roofline_s: f64) {
    let seconds: Vec<_> = runs.iter().map(|run| run.seconds).collect();
    let rates: Vec<_> = seconds
        .iter()
        .map(|seconds| trips as f64 / seconds)
        .collect();
    let figure = Figure::new("load", system.name(), "trips/s", rates).of(trips);
    let mut line = format!(
        "  {:<31} {:>6.1} s  {figure}  {:>4.0} % of the roofline",
        system.name(),
        median(&seconds),
        100.0 * roofline_s / median(&seconds),
    );
    figure.record();
    if system != System::Roofline {
        let memory = runs.iter().map(|run| run.memory_bytes_max).max();
        let memory_mb = memory.unwrap_or_default() as f64 / 1e6;
        Figure::new("memory", system.name(), "MB", vec![memory_mb])
            .of(trips)
            .record();
        line += &format!("  {memory_mb:>5.0} MB at most");
    }
    if system == System::Bikeshare {
        let disk_mb = disk_bytes as f64 / trips as f64;
        Figure::new("disk", system.name(), "MB a million trips", vec![disk_mb])
            .of(trips)
            .record();
        line += &format!("  {disk_mb:.0} MB of disk a million trips");
    }
    println!("{line}");
}
