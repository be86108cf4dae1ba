//! `bikeshare doctor`: what is here and what is missing, and what to do about it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use embedded_postgres::LeftOver;
use fluvio::FluvioClusterConfig;
use fluvio::config::TlsPolicy;

use crate::addresses::{DataDirFlag, DatabaseFlag, FluvioFlag, connect_admin, connect_database};
use crate::data_dir::{self, DataDir};
use crate::modules;
use crate::output::say;

/// Tell what this machine has, what is missing and what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare doctor
  bikeshare doctor --fluvio sc.example:9003 --database-url postgres://…   are they reachable?")]
pub(crate) struct Arguments {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// The page's address, to see whether it is free.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "BIKESHARE_LISTEN",
        default_value = "127.0.0.1:3000"
    )]
    listen: SocketAddr,
}

/// What became of the checks.
#[derive(Debug, Default)]
struct Findings {
    missing: usize,
}

impl Findings {
    /// Something `up` needs.
    fn needed(&mut self, what: &str, outcome: Result<String>) {
        if let Err(error) = &outcome {
            self.missing += 1;
            say!("MISSING  {what}: {error:#}");
        }
        Self::good(what, outcome);
    }

    /// Something only developers or the tests need.
    fn optional(what: &str, outcome: Result<String>) {
        if let Err(error) = &outcome {
            say!("absent   {what}: {error:#}");
        }
        Self::good(what, outcome);
    }

    fn good(what: &str, outcome: Result<String>) {
        if let Ok(found) = outcome {
            say!("ok       {what}: {found}");
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// If something that `up` needs is missing; it was printed.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let mut findings = Findings::default();
    let running = data_dir::running(&arguments.data_dir.data_dir);
    findings.needed("smartmodules inside this program", carried());
    match arguments.database.resolve(&arguments.data_dir) {
        Ok(url) => findings.needed("database", database(&url).await),
        Err(_) => findings.needed("postgres server programs", postgres()),
    }
    match arguments.fluvio.resolve(&arguments.data_dir) {
        Ok(config) => findings.needed("fluvio", fluvio(&config).await),
        Err(_) => say!("ok       fluvio: the embedded broker, unless --fluvio is given"),
    }
    let data_dir = &arguments.data_dir.data_dir;
    findings.needed("data folder", folder(data_dir));
    match running {
        Some(running) => say!("ok       page: {}", running.page),
        None => findings.needed("page's address", address(arguments.listen)),
    }
    Findings::optional("wasm32 target, to build", wasm_target());
    Findings::optional("chromium, for tests of the page", program("chromium"));
    Findings::optional(
        "chromedriver, for tests of the page",
        program("chromedriver"),
    );
    for left in embedded_postgres::left_over() {
        say!("left     {}", removable(&left));
    }
    if findings.missing > 0 {
        bail!(
            "{} of what `bikeshare up` needs is missing",
            findings.missing
        );
    }
    Ok(())
}

fn carried() -> Result<String> {
    let mut sizes = Vec::new();
    for name in ["trip-split", "dock-window"] {
        sizes.push(format!("{name} {} kB", modules::wasm(name)?.len() / 1000));
    }
    Ok(sizes.join(", "))
}

fn postgres() -> Result<String> {
    let folder = embedded_postgres::find_binaries()?;
    Ok(format!(
        "version {} in {}",
        embedded_postgres::version(&folder)?,
        folder.display()
    ))
}

async fn database(url: &str) -> Result<String> {
    let mut database = connect_database(url).await?;
    let version: String = sqlx::query_scalar("show server_version")
        .fetch_one(&mut database)
        .await?;
    Ok(format!("reachable, Postgres {version}"))
}

async fn fluvio(config: &FluvioClusterConfig) -> Result<String> {
    let admin = connect_admin(config).await?;
    let topics = admin.all::<fluvio::metadata::topic::TopicSpec>().await?;
    let address = &config.endpoint;
    let how = match config.tls {
        TlsPolicy::Disabled => "",
        _ => " by TLS",
    };
    Ok(format!(
        "reachable at {address}{how}, {} topics",
        topics.len()
    ))
}

/// Looks without making the folder.
fn folder(path: &Path) -> Result<String> {
    if !path.exists() {
        return Ok(format!("{} will be made", path.display()));
    }
    DataDir::check(path)?;
    Ok(format!("{} is usable", path.display()))
}

fn removable(left: &LeftOver) -> String {
    let database = left.database.display();
    format!(
        "a database to which {} links no more: unless that was moved, `rm -r {database}`",
        left.linked_from.display()
    )
}

fn address(listen: SocketAddr) -> Result<String> {
    TcpListener::bind(listen)
        .with_context(|| format!("{listen} cannot be used: choose another with --listen"))?;
    Ok(format!("{listen} is free"))
}

fn wasm_target() -> Result<String> {
    let target = "wasm32-unknown-unknown";
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output();
    let output = output.context("no rustc: get it from rustup.rs")?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !output.status.success() || !folder.is_dir() {
        bail!("run `rustup target add {target}`; `cargo xtask wasm` has another way if that fails");
    }
    Ok("installed".to_owned())
}

fn program(name: &str) -> Result<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    let found = found.with_context(|| format!("not in PATH: install {name}"))?;
    Ok(found.display().to_string())
}
