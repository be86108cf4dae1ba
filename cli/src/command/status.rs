//! `bikeshare status`: is everything that was produced stored and shown?

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use sqlx::PgConnection;

use crate::addresses::{DataDirFlag, DatabaseFlag, FluvioFlag, cluster_config, connect_database};
use crate::cluster::TOPIC;
use crate::counts::Counts;

/// Show how far each partition is stored, the city's clock and the tables' sizes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare status                                    of the `up` running on ./data
  bikeshare status --fluvio sc.example:9003 --database-url postgres://…")]
pub(crate) struct Arguments {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
}

/// One stream's line: partition, module, next offset, watermark, late events, duplicates.
type Cursor = (i16, String, i64, Option<DateTime<Utc>>, i64, i64);

const CURSORS: &str = "\
    select partition, module, next_offset, watermark, late_events, duplicates \
    from stream_cursor where topic = $1 order by partition, module desc";
const CLOCK: &str = "select at, version, published_at from replay_clock";

/// Runs the subcommand.
///
/// # Errors
/// If Fluvio or Postgres cannot be reached.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let fluvio = arguments.fluvio.resolve(&arguments.data_dir)?;
    let mut database = connect_database(&arguments.database.resolve(&arguments.data_dir)?).await?;
    let ends = sink::log_ends(&cluster_config(&fluvio), TOPIC).await?;
    print_streams(&mut database, &ends).await?;
    print_clock(&mut database).await?;
    let counts = Counts::read(&mut database).await?;
    println!(
        "records {}  locations {}  windows {}  departures {}  rejected {}",
        counts.records, counts.locations, counts.windows, counts.departures, counts.rejected
    );
    Ok(())
}

async fn print_streams(database: &mut PgConnection, ends: &BTreeMap<u32, i64>) -> Result<()> {
    let cursors = sqlx::query_as::<_, Cursor>(CURSORS)
        .bind(TOPIC)
        .fetch_all(database)
        .await;
    let cursors = cursors.context("could not read table \"stream_cursor\"")?;
    println!(
        "partition  module       stored to    of    behind  watermark             late  resent"
    );
    for (partition, module, next_offset, watermark, late_events, duplicates) in cursors {
        let end = u32::try_from(partition)
            .ok()
            .and_then(|partition| ends.get(&partition));
        let end = end.copied().unwrap_or(next_offset);
        let watermark = watermark.map_or_else(|| "none yet".to_owned(), text);
        println!(
            "{:<10} {module:<12} {next_offset:>9} {end:>9} {:>6}  {watermark:<20} {late_events:>5} {duplicates:>7}",
            format!("{TOPIC}/{partition}"),
            end - next_offset,
        );
    }
    Ok(())
}

async fn print_clock(database: &mut PgConnection) -> Result<()> {
    let clock = sqlx::query_as::<_, (DateTime<Utc>, i64, DateTime<Utc>)>(CLOCK);
    let clock = clock.fetch_optional(database).await;
    match clock.context("could not read table \"replay_clock\"")? {
        Some((at, version, published_at)) => println!(
            "clock {}  publish {version} at {}",
            text(at),
            published_at.to_rfc3339_opts(SecondsFormat::Millis, true)
        ),
        None => println!("clock not started: nothing has been published yet"),
    }
    Ok(())
}

/// `2020-03-01T05:14:05Z`
fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
