//! `bikeshare sink`: stage ③ alone, against a cluster and a database given by address.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use sink::{Archive, Keep, ModuleSources, OtherLog, SinkConfig, SinkRole, SinkState};
use tokio::sync::watch;
use trip_files::Target;

use crate::addresses::{DataDirFlag, DatabaseFlag, FluvioFlag};
use crate::command::produce::BucketFlags;
use crate::metrics::MetricsFlag;
use crate::output::say;
use crate::{cluster, shutdown};

/// Store what the SmartModules give: topic trips → Postgres. Runs until stopped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare sink --fluvio sc.example:9003 --database-url postgres://bikes@db.example/bikes

Its user needs the role bikeshare_writer, and `bikeshare migrate` to have been run by the owner;
without that, the right to make tables. Start as many as there are partitions, at most, with one login:
they share the partitions, and those of one that ends, dies or is frozen go on in the others within
five seconds. `bikeshare status` shows which sink has which. A sink whose log is not the one that the
tables were filled from changes nothing and ends with an error; --on-other-log says what else to do, once.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    sink: SinkFlags,
    #[command(flatten)]
    bucket: BucketFlags,
    #[command(flatten)]
    metrics: MetricsFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// Nothing younger is dropped.
const AGE_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Settings of the sink that `up` has, too.
#[derive(Debug, Clone, Args)]
pub(crate) struct SinkFlags {
    /// What to do if the tables were filled from another log (a topic created anew, a data folder
    /// restored or exchanged, a tail lost in a power cut).
    #[arg(
        long,
        value_name = "WHAT",
        env = "BIKESHARE_ON_OTHER_LOG",
        default_value = "stop"
    )]
    on_other_log: OnOtherLog,
    /// How long departures and arrivals are kept: `90days`, `6months`. Whole months (UTC) are dropped when
    /// all of them is older than that, by the city's clock; docks, windows and the page's past stay right.
    /// Without it, for ever.
    #[arg(long, value_name = "AGE", env = "BIKESHARE_KEEP_RECORDS", value_parser = parse_age)]
    keep_records: Option<Duration>,
    /// How long windows, and what the page looks back at, are kept: at least as long as --keep-records.
    /// Without it, for ever.
    #[arg(
        long,
        value_name = "AGE",
        env = "BIKESHARE_KEEP_PAST",
        requires = "keep_records",
        value_parser = parse_age
    )]
    keep_past: Option<Duration>,
    /// Where months are written, as Parquet, before they are dropped: a folder, or `s3://BUCKET/PREFIX`.
    /// Without it, what is dropped is gone.
    #[arg(
        long,
        value_name = "PLACE",
        env = "BIKESHARE_ARCHIVE",
        requires = "keep_records"
    )]
    archive: Option<Target>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnOtherLog {
    /// End with an error, change nothing
    Stop,
    /// Empty the tables and read this log from its start
    Rebuild,
    /// Keep the tables, add what this log has; the gap is noted in the table `log_gap`
    Continue,
}

impl SinkFlags {
    fn policy(&self) -> OtherLog {
        match self.on_other_log {
            OnOtherLog::Stop => OtherLog::Stop,
            OnOtherLog::Rebuild => OtherLog::Rebuild,
            OnOtherLog::Continue => OtherLog::Continue,
        }
    }

    /// How long rows are kept.
    ///
    /// # Errors
    /// If windows would be kept for a shorter time than what they are made of.
    pub(crate) fn keep(&self) -> Result<Keep> {
        let keep = Keep {
            records: self.keep_records,
            past: self.keep_past,
        };
        ensure!(
            keep.past.is_none_or(|past| keep.records <= Some(past)),
            "--keep-past is shorter than --keep-records: windows and the past are made of records, so keep \
             them at least as long"
        );
        Ok(keep)
    }
}

/// An age in words. Less than a day is somebody's slip: `3m` are three minutes.
fn parse_age(text: &str) -> Result<Duration> {
    let age = humantime::parse_duration(text)
        .context("an age is a number with its unit, such as `90days` or `6months`")?;
    ensure!(
        age >= AGE_MIN,
        "{text} is less than a day: for months write `3months`"
    );
    Ok(age)
}

/// The sink's configuration, the same in `up`.
///
/// # Errors
/// If the flags contradict each other.
pub(crate) fn config(
    database_url: String,
    flags: &SinkFlags,
    bucket: &BucketFlags,
) -> Result<SinkConfig> {
    let archive = flags.archive.clone().map(|target| Archive {
        target,
        s3: bucket.config(),
    });
    Ok(SinkConfig {
        topic: cluster::TOPIC.to_owned(),
        database_url,
        on_other_log: flags.policy(),
        keep: flags.keep()?,
        archive,
        ..SinkConfig::default()
    })
}

/// Runs the subcommand.
///
/// # Errors
/// If the tables cannot be made, or all partitions failed for good.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let fluvio = arguments.fluvio.resolve(&arguments.data_dir)?;
    let database_url = arguments.database.resolve_for_sink(&arguments.data_dir)?;
    let config = config(database_url.clone(), &arguments.sink, &arguments.bucket)?;
    let stop = shutdown::on_signal()?;
    sink::migrate(&database_url).await?;
    let (state, watching) = watch::channel(SinkState::default());
    let role = Arc::new(SinkRole(watching));
    let _serving = arguments.metrics.serve(vec![role]).await?;
    let (_unchanged, sources) = watch::channel(ModuleSources::default());
    let sink = sink::run(fluvio, config, sources, state, stop);
    let last = Box::pin(sink).await;
    let last = last.context("the sink has stopped")?;
    say!("{} records stored", last.records());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_unit_and_is_a_day_at_least() {
        for (text, days) in [("90days", 90), ("1day", 1), ("2weeks", 14)] {
            assert_eq!(parse_age(text).unwrap(), AGE_MIN * days);
        }
        assert!(parse_age("6months").unwrap() > parse_age("180days").unwrap());
        for (text, error) in [
            (
                "soon",
                "an age is a number with its unit, such as `90days` or `6months`",
            ),
            ("3m", "3m is less than a day: for months write `3months`"),
        ] {
            assert_eq!(parse_age(text).unwrap_err().to_string(), error);
        }
    }
}
