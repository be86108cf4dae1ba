//! What people use for such work, each as its own documentation has it: see `pathway.py` and `spark.py`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, PgConnection};
use url::Url;

use crate::{Run, memory};

/// The environment variable that names a Python with both.
pub(crate) const PYTHON: &str = "BIKESHARE_PEERS_PYTHON";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Peer {
    Pathway,
    Spark,
}

impl Peer {
    pub(crate) const ALL: [Self; 2] = [Self::Pathway, Self::Spark];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pathway => "Pathway",
            Self::Spark => "PySpark Structured Streaming",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Pathway => include_str!("pathway.py"),
            Self::Spark => include_str!("spark.py"),
        }
    }

    /// The three tables as a peer writes them: all columns in `records`, no second key.
    pub(crate) async fn create_tables(self, url: &str) -> Result<()> {
        let more = match self {
            // Its fastest way is its stream of changes, which has two columns of its own.
            Self::Pathway => ", time bigint not null, diff smallint not null",
            Self::Spark => ", id bigint generated always as identity primary key",
        };
        let tables = format!(
            "create table records (ts timestamptz not null, bike_id int not null, lat float8 not null,
                 lon float8 not null, docked boolean not null{more});
             create table location (street text, lat float8, lon float8, primary key (street, lat, lon));
             create table frequency (ts timestamptz primary key, amount int not null)"
        );
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(tables))
            .execute(&mut connection)
            .await?;
        Ok(connection.close().await?)
    }

    pub(crate) fn load(self, python: &Path, url: &str, file: &Path, folder: &Path) -> Result<Run> {
        let source = folder.join("source");
        let checkpoint = folder.join("checkpoint");
        std::fs::create_dir(&source)?;
        std::fs::hard_link(file, source.join("trips.csv"))?;
        let url = Url::parse(url)?;
        let started = Instant::now();
        let mut command = Command::new(python);
        command
            .args(["-c", self.script()])
            .args([&source, &checkpoint])
            .env("PGHOST", url.host_str().context("the URL has a host")?)
            .env("PGPORT", url.port().unwrap_or(5_432).to_string())
            .env("PGUSER", url.username())
            .env("PGPASSWORD", url.password().unwrap_or_default())
            .env("PGDATABASE", url.path().trim_start_matches('/'))
            .env("PATHWAY_THREADS", "2")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let log = std::fs::File::create(folder.join("peer.log"))?;
        let mut child = command.stderr(log).spawn()?;
        let memory = memory::Watch::start(child.id());
        let status = child.wait()?;
        let seconds = started.elapsed().as_secs_f64();
        let memory_bytes_max = memory.finish();
        let log = std::fs::read_to_string(folder.join("peer.log")).unwrap_or_default();
        ensure!(
            status.success(),
            "{} ended with {status}\n{log}",
            self.name()
        );
        std::fs::remove_dir_all(&source)?;
        std::fs::remove_dir_all(&checkpoint).ok(); // Not every peer has one.
        Ok(Run {
            seconds,
            memory_bytes_max,
            disk_bytes: 0,
        })
    }
}
