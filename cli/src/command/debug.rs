//! `bikeshare debug bundle`: what somebody needs to find out from afar what is wrong.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::addresses::{DataDirFlag, DatabaseFlag, FluvioFlag, connect_database};
use crate::output::say;
use crate::secrets::masked;

/// Help others to find out what is wrong.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Bundle(Box<Bundle>),
}

/// Collect versions, settings, status, tables, plans and metrics into one archive, without passwords.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare debug bundle                              of the `up` running on ./data
  bikeshare debug bundle --metrics 10.0.0.1:9464 --metrics 10.0.0.2:9464 --to sinks.zip

What could not be found out is in it as such: a bundle is written whatever is down. Passwords and tokens are
taken out of settings, addresses and logs; rows of trips are not in it. Look before you send it.")]
pub(crate) struct Bundle {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// Where a role shows its metrics; may be given several times.
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Vec<String>,
    /// The archive to write; an existing one is replaced.
    #[arg(long, value_name = "FILE", default_value = "bikeshare-debug.zip")]
    to: PathBuf,
}

/// Longest wait for one part (chosen: more than any takes that goes well).
const PART_MAX: Duration = Duration::from_secs(20);
/// A table that somebody has locked ends one query, not those behind it.
const SESSION: &str = "set statement_timeout = '10s'; set lock_timeout = '2s'";
/// Bytes of one part; what is behind is left out.
const PART_BYTES_MAX: usize = 1 << 20;

/// Environment variables that are settings.
const VARIABLES: [&str; 5] = ["BIKESHARE_", "DATABASE_URL", "PG", "AWS_", "RUST_LOG"];

/// What is asked of Postgres; one line of JSON a row.
const QUERIES: [(&str, &str); 7] = [
    ("postgres.txt", "select version()"),
    (
        "tables.txt",
        "select relname, n_live_tup, n_dead_tup, seq_scan, idx_scan, last_autovacuum, last_autoanalyze,
             pg_relation_size(relid) as bytes, pg_indexes_size(relid) as index_bytes
         from pg_stat_user_tables order by relname",
    ),
    // Open windows are long, and say nothing that a person could read.
    ("cursors.txt", "select to_jsonb(c) - 'state' as cursor from stream_cursor c order by topic, partition, module"),
    (
        "sinks.txt",
        "select member, joined_at, heartbeat_at, now() as now, address, topic, partition, generation
             from sink_member full join partition_lease using (member) order by partition, member",
    ),
    ("clock.txt", "select * from replay_clock"),
    (
        "activity.txt",
        "select pid, application_name, state, wait_event_type, wait_event, now() - query_start as since,
             pg_blocking_pids(pid) as blocked_by, left(query, 500) as query
         from pg_stat_activity where datname = current_database() order by query_start",
    ),
    (
        "postgres-settings.txt",
        "select name, setting, unit from pg_settings where source not in ('default', 'override') order by name",
    ),
];

/// What page and sink ask most: plans that read a whole table are why they are slow.
const PLANS: [&str; 4] = [
    "select * from availability where version > (select version from replay_clock)",
    "select * from records where id >= 1 and id < 1000000",
    "select * from dock_status where id >= 1 and id < 1000000",
    "select * from frequency where time > (select at from replay_clock) - interval '1 hour'",
];

/// Runs the subcommand.
///
/// # Errors
/// If the archive cannot be written.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let What::Bundle(bundle) = arguments.what;
    let mut parts = vec![
        ("version.txt".to_owned(), Ok(version())),
        ("settings.txt".to_owned(), Ok(settings())),
    ];
    for command in ["status", "doctor", "audit"] {
        parts.push((format!("{command}.txt"), bundle.output_of(command).await));
    }
    parts.extend(bundle.of_database().await);
    for address in &bundle.metrics {
        for path in ["/metrics", "/healthz", "/readyz"] {
            let name = format!("{}{path}.txt", address.replace([':', '/'], "-"));
            parts.push((name, within(get(address, path)).await));
        }
    }
    let failed = || format!("could not write {:?}", bundle.to);
    let names: Vec<_> = parts.iter().map(|(name, _)| name.clone()).collect();
    write(&bundle, parts).with_context(failed)?;
    say!("{}: {}", bundle.to.display(), names.join(" "));
    Ok(())
}

impl Bundle {
    /// What another command says of the same system.
    async fn output_of(&self, command: &str) -> Result<String> {
        let mut child = Command::new(std::env::current_exe()?);
        child
            .arg(command)
            .arg("--data-dir")
            .arg(&self.data_dir.data_dir);
        if let Some(fluvio) = self.fluvio.fluvio.as_ref().filter(|_| command != "audit") {
            child
                .args(["--fluvio", fluvio])
                .args(self.fluvio.tls.arguments());
        }
        if let Some(url) = &self.database.database_url {
            // Not on the command line, which others can read.
            child.env("DATABASE_URL", url.read()?);
        }
        let output = within(async { Ok(child.kill_on_drop(true).output().await?) }).await?;
        let [stdout, stderr] = [output.stdout, output.stderr];
        let [stdout, stderr] =
            [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        Ok(format!("{stdout}{stderr}{}\n", output.status))
    }

    async fn of_database(&self) -> Vec<(String, Result<String>)> {
        let connecting = async {
            let url = self.database.resolve(&self.data_dir)?;
            let mut connection = connect_database(&url).await?;
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            Ok(connection)
        };
        let mut connection = match within(connecting).await {
            Ok(connection) => connection,
            Err(error) => return vec![("postgres.txt".to_owned(), Err(error))],
        };
        let mut parts = Vec::new();
        for (name, query) in QUERIES {
            let rows = format!("select to_jsonb(r)::text from ({query}) r");
            let part = within(lines(&mut connection, rows)).await;
            let is_silent = part.as_ref().is_err_and(is_silence);
            parts.push((name.to_owned(), part));
            if is_silent {
                return parts;
            }
        }
        let mut plans = String::new();
        for query in PLANS {
            let plan = within(lines(&mut connection, format!("explain {query}"))).await;
            let is_silent = plan.as_ref().is_err_and(is_silence);
            let plan = plan.unwrap_or_else(|error| format!("{error:#}"));
            plans += &format!("{query}\n{plan}\n");
            if is_silent {
                break;
            }
        }
        parts.push(("plans.txt".to_owned(), Ok(plans)));
        parts
    }
}

/// Who gave no response to this gives none to what is asked next.
fn is_silence(error: &anyhow::Error) -> bool {
    error.is::<Elapsed>()
}

async fn lines(connection: &mut PgConnection, query: String) -> Result<String> {
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(connection)
        .await?;
    Ok(rows.join("\n") + "\n")
}

async fn within<T>(part: impl Future<Output = Result<T>>) -> Result<T> {
    let part = timeout(PART_MAX, part).await;
    part.with_context(|| format!("it took longer than {PART_MAX:?}"))?
}

async fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    let limit = PART_BYTES_MAX as u64;
    stream.take(limit).read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

fn version() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    format!(
        "bikeshare {}\n{}{cores} cores\n{}\n",
        env!("CARGO_PKG_VERSION"),
        read("/proc/version"),
        memory.lines().next().unwrap_or_default(),
    )
}

/// Of the configuration file and the environment.
fn settings() -> String {
    let path = std::env::var("BIKESHARE_CONFIG").unwrap_or_else(|_| "bikeshare.toml".to_owned());
    let mut text = match std::fs::read_to_string(&path) {
        Ok(settings) => format!("# {path}\n{settings}\n"),
        Err(error) => format!("# {path}: {error}\n"),
    };
    for (name, value) in std::env::vars() {
        if VARIABLES.iter().any(|start| name.starts_with(start)) {
            text += &format!("{name}={value}\n");
        }
    }
    text
}

fn write(bundle: &Bundle, parts: Vec<(String, Result<String>)>) -> Result<()> {
    let mut archive = ZipWriter::new(std::fs::File::create(&bundle.to)?);
    for (name, part) in parts {
        let text = part.unwrap_or_else(|error| format!("could not be found out: {error:#}\n"));
        let text = masked(&text);
        archive.start_file(name, SimpleFileOptions::default())?;
        archive.write_all(&text.as_bytes()[..text.floor_char_boundary(PART_BYTES_MAX)])?;
    }
    archive.finish()?.sync_all()?;
    Ok(())
}
