//! `bikeshare audit`: whether the tables keep their laws.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::Utc;
use clap::Args;
use domain::error_chain;
use sink::{AuditRole, AuditState, Finding};
use tokio::sync::watch;

use crate::addresses::{DataDirFlag, DatabaseFlag};
use crate::metrics::MetricsFlag;
use crate::output::say;
use crate::shutdown;

/// How long Postgres may take to look at one law (chosen: of a million trips it takes about two seconds).
const LAW_MAX: Duration = Duration::from_secs(3_600);

/// Check that the tables keep their laws; if one is broken, exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare audit                    of the `up` running on ./data
  bikeshare audit --database-url postgres://reader@db.example/bikes
  bikeshare audit --every 1800 --metrics 127.0.0.1:9465   until stopped, for Prometheus

Reads table records in full several times; a sink may go on meanwhile. What breaks a law is looked at
twice, so that what is just being written does not count. Needs the role bikeshare_reader.")]
pub(crate) struct Arguments {
    /// Audit again and again, with pauses of so many seconds, until stopped.
    #[arg(long, value_name = "SECONDS", env = "BIKESHARE_AUDIT_EVERY")]
    every: Option<u64>,
    #[command(flatten)]
    metrics: MetricsFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// Runs the subcommand.
///
/// # Errors
/// If a law is broken, or Postgres cannot be reached or has no such tables; with `--every`, only if
/// the address for metrics is taken.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let database_url = arguments.database.resolve(&arguments.data_dir)?;
    if let Some(every) = arguments.every {
        return watch_on(&database_url, Duration::from_secs(every), arguments.metrics).await;
    }
    let findings = sink::audit(&database_url, LAW_MAX)
        .await
        .context("could not audit the tables")?;
    match show(&findings) {
        0 => Ok(()),
        broken => bail!("{broken} of {} laws are broken", findings.len()),
    }
}

/// Audits until stopped.
async fn watch_on(database_url: &str, pause: Duration, metrics: MetricsFlag) -> Result<()> {
    let stop = shutdown::on_signal()?;
    let (state, watched) = watch::channel(AuditState::default());
    let _serving = metrics.serve(vec![Arc::new(AuditRole(watched))]).await?;
    loop {
        let started = Instant::now();
        let Some(audited) = stop
            .run_until_cancelled(sink::audit(database_url, LAW_MAX))
            .await
        else {
            return Ok(());
        };
        match audited {
            Ok(findings) => {
                let broken = show(&findings);
                tracing::info!(broken, "{} laws audited", findings.len());
                state.send_replace(finished(findings, started.elapsed()));
            }
            Err(error) => {
                let text = error_chain(&error);
                tracing::warn!(error = text, "the tables could not be audited");
                state.send_modify(|state| state.error = Some(text));
            }
        }
        let paused = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        if paused.is_none() {
            return Ok(());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "those who watch compare it with their own clock"
)]
fn finished(findings: Vec<Finding>, took: Duration) -> AuditState {
    AuditState {
        findings,
        finished_at: Some(Utc::now()),
        took,
        error: None,
    }
}

/// Prints what was found; gives the number of broken laws.
fn show(findings: &[Finding]) -> usize {
    for finding in findings {
        say!("{finding}");
    }
    let broken = findings.iter().filter(|finding| finding.violations > 0);
    broken.count()
}
