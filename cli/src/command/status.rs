//! `bikeshare status`: is everything that was produced stored and shown, and has anything stopped?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use app::{AppConfig, read_failures, stale_seconds};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use sqlx::PgConnection;
use tokio::time::{Instant, MissedTickBehavior};

use crate::addresses::{DataDirFlag, DatabaseFlag, FluvioFlag, connect_database};
use crate::cluster::TOPIC;
use crate::counts::Counts;
use crate::{output, shutdown};

/// Show how far each partition is stored and by whom, the clock and the tables' sizes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bikeshare status                                    of the `up` running on ./data
  bikeshare status --fluvio sc.example:9003 --database-url postgres://…
  bikeshare status --watch                            the same anew each second

Exit status: 0 if all goes on; 3 if a stream has stopped or the clock is older than it should be,
each of which is named on a line of its own; 1 if it could not be found out; 2 for a wrong call.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    fluvio: FluvioFlag,
    #[command(flatten)]
    database: DatabaseFlag,
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// Seconds without a publish after which the clock is older than it should be, as for the page:
    /// 10, and 180 where a live feed's counts are stored.
    #[arg(long, value_name = "SECONDS", env = "BIKESHARE_STALE_AFTER")]
    stale_after: Option<u64>,
    /// Show it anew each second, until Ctrl-C. What cannot be found out meanwhile is shown, too.
    #[arg(long)]
    watch: bool,
}

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Exit status if something has stopped.
const STOPPED: i32 = 3;

/// A live feed has news as often as its operator says; as in `up`.
const LIVE_STALE_AFTER_S: u64 = 180;

/// One stream's line: partition, module, next offset, watermark, late events, duplicates, owner, version.
type Cursor = (
    i16,
    String,
    i64,
    Option<DateTime<Utc>>,
    i64,
    i64,
    Option<String>,
    Option<String>,
);

/// One sink's line: name, seconds since its last heartbeat, address, partitions.
type Sink = (String, f64, Option<String>, i64);

const CURSORS: &str = "\
    select partition, module, next_offset, watermark, late_events, duplicates, member, \
        (select left(sha256, 12) from module_version v \
         where (v.topic, v.partition, v.module) = (c.topic, c.partition, c.module) \
         order by from_offset desc limit 1) \
    from stream_cursor c left join partition_lease using (topic, partition) \
    where topic = $1 order by partition, module desc";
const SINKS: &str = "\
    select member, extract(epoch from clock_timestamp() - heartbeat_at)::float8, host(address), \
        (select count(*) from partition_lease l where l.member = m.member) \
    from sink_member m order by joined_at, member";
const CLOCK: &str = "\
    select at, version, published_at, \
        (extract(epoch from now() - published_at) * 1000)::int8, \
        exists (select from dock_status) \
    from replay_clock";

/// Runs the subcommand.
///
/// Ends the program with status 3 if something has stopped.
///
/// # Errors
/// If Fluvio or Postgres cannot be reached.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    if arguments.watch {
        return watch(&arguments).await;
    }
    let status = Status::read(&arguments).await?;
    output::all(status.text.as_bytes());
    if status.has_stopped {
        std::process::exit(STOPPED);
    }
    Ok(())
}

/// Ends without an error when it is told to end: by then it has said what is so.
async fn watch(arguments: &Arguments) -> Result<()> {
    let stop = shutdown::on_signal()?;
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // Connections are made anew, so that it goes on when what it asks was started again.
        let Some(status) = stop.run_until_cancelled(Status::read(arguments)).await else {
            break;
        };
        let text = status.map_or_else(|error| format!("{error:#}\n"), |status| status.text);
        let seconds = begun.elapsed().as_secs();
        output::anew(&format!("{text}seen for {seconds} s; Ctrl-C ends it\n"));
    }
    Ok(())
}

/// What is so, in lines.
struct Status {
    text: String,
    has_stopped: bool,
}

impl Status {
    async fn read(arguments: &Arguments) -> Result<Self> {
        let fluvio = arguments.fluvio.resolve(&arguments.data_dir)?;
        let database = arguments.database.resolve(&arguments.data_dir)?;
        let mut database = connect_database(&database).await?;
        let ends = sink::log_ends(&fluvio, TOPIC).await?;
        let mut text = streams(&mut database, &ends).await?;
        text += &sinks(&mut database).await?;
        let (clock, stale) = clock(&mut database, arguments.stale_after).await?;
        text += &clock;
        let counts = Counts::read(&mut database).await?;
        let stopped = read_failures(&mut database).await;
        let mut stopped = stopped.context("could not read table \"stream_cursor\"")?;
        stopped.extend(stale);
        writeln!(
            text,
            "records {}  locations {}  windows {}  departures {}  rejected {}",
            counts.records, counts.locations, counts.windows, counts.departures, counts.rejected
        )?;
        for cause in &stopped {
            writeln!(text, "STOPPED  {cause}")?;
        }
        Ok(Self {
            text,
            has_stopped: !stopped.is_empty(),
        })
    }
}

/// A line for each stream, and a head.
async fn streams(database: &mut PgConnection, ends: &BTreeMap<u32, i64>) -> Result<String> {
    let cursors = sqlx::query_as::<_, Cursor>(CURSORS)
        .bind(TOPIC)
        .fetch_all(database)
        .await;
    let cursors = cursors.context("could not read table \"stream_cursor\"")?;
    let mut text = "partition  module       stored to    of    behind  watermark             late  resent  version       sink\n".to_owned();
    for (partition, module, next_offset, watermark, late_events, duplicates, owner, version) in
        cursors
    {
        let end = u32::try_from(partition)
            .ok()
            .and_then(|partition| ends.get(&partition));
        let end = end.copied().unwrap_or(next_offset);
        let watermark = watermark.map_or_else(|| "none yet".to_owned(), shown);
        writeln!(
            text,
            "{:<10} {module:<12} {next_offset:>9} {end:>9} {:>6}  {watermark:<20} {late_events:>5} {duplicates:>7}  {:<12}  {}",
            format!("{TOPIC}/{partition}"),
            end - next_offset,
            version.as_deref().unwrap_or("none yet"),
            owner.as_deref().unwrap_or("none"),
        )?;
    }
    Ok(text)
}

/// Which sinks share the partitions.
async fn sinks(database: &mut PgConnection) -> Result<String> {
    let sinks = sqlx::query_as::<_, Sink>(SINKS).fetch_all(database).await;
    let sinks = sinks.context("could not read table \"sink_member\"")?;
    if sinks.is_empty() {
        return Ok("no sink runs\n".to_owned());
    }
    let mut text = String::new();
    for (name, silent_s, address, partitions) in sinks {
        let address = address.map_or_else(String::new, |address| format!(" from {address}"));
        writeln!(
            text,
            "sink {name}{address}: partitions {partitions}, heartbeat {silent_s:.1} s ago"
        )?;
    }
    Ok(text)
}

/// The clock, and what is wrong with it.
async fn clock(
    database: &mut PgConnection,
    stale_after: Option<u64>,
) -> Result<(String, Option<String>)> {
    let clock = sqlx::query_as::<_, (DateTime<Utc>, i64, DateTime<Utc>, i64, bool)>(CLOCK);
    let clock = clock.fetch_optional(database).await;
    let Some(clock) = clock.context("could not read table \"replay_clock\"")? else {
        let text = "clock not started: nothing has been published yet\n";
        return Ok((text.to_owned(), None));
    };
    let (at, version, published_at, age_ms, is_live) = clock;
    let text = format!(
        "clock {}  publish {version} at {}\n",
        shown(at),
        published_at.to_rfc3339_opts(SecondsFormat::Millis, true)
    );
    let usual = if is_live {
        LIVE_STALE_AFTER_S
    } else {
        AppConfig::default().stale_after.as_secs()
    };
    let stale_after_ms = stale_after.unwrap_or(usual).saturating_mul(1_000);
    let seconds = stale_seconds(u64::try_from(age_ms).ok(), stale_after_ms);
    let stale = seconds.map(|seconds| format!("clock: nothing was published for {seconds} s"));
    Ok((text, stale))
}

/// `2020-03-01T05:14:05Z`
fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
