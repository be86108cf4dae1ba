//! The tables that the page reads, and their changes, published as the sink publishes them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sqlx::PgConnection;
use testkit::postgres;

pub(crate) const CHANGES_A_SECOND: u32 = 500;

/// The sink waits 10 ms between two publishes, which take some more.
pub(crate) const PUBLISHES_A_SECOND: u32 = 50;

/// As many as New York has.
const DOCKS: i32 = 2_300;

/// Streets as long as real ones, on a grid of a large city.
const FILL: &str = "
    insert into location (station_id, street, latitude, longitude)
    select 'S' || n, 'E ' || n % 200 || ' St & Avenue ' || n, 40.6 + n % 50 * 4e-3, -74.05 + n / 50 * 4e-3
      from generate_series(1, $1) n";

/// When each version was sent to Postgres.
pub(crate) type Published = Vec<(i64, Instant)>;

pub(crate) struct Tables {
    connection: PgConnection,
    version: i64,
}

impl Tables {
    pub(crate) async fn fill(database_url: &str) -> Result<Self> {
        let migrated = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
            .args(["migrate", "--log", "warn"])
            .env("DATABASE_URL", database_url)
            .stdout(Stdio::null())
            .status()?;
        ensure!(migrated.success(), "migrate ended with {migrated}");
        let mut connection = postgres::connect(database_url).await;
        sqlx::query(FILL)
            .bind(DOCKS)
            .execute(&mut connection)
            .await?;
        for statement in [
            "insert into availability (location_id, bikes, estimated, version)
             select location_id, 10, false, 1 from location",
            "insert into replay_clock values (true, '2026-06-01T12:00:00Z', 1, now())",
        ] {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        Ok(Self {
            connection,
            version: 1,
        })
    }

    /// The last one published.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// Publishes changes, evenly in time.
    pub(crate) async fn publish_for(&mut self, time: Duration) -> Result<Published> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / PUBLISHES_A_SECOND);
        let mut published = Published::new();
        let begun = Instant::now();
        while begun.elapsed() < time {
            ticks.tick().await;
            let sent = Instant::now();
            self.publish().await?;
            published.push((self.version, sent));
        }
        Ok(published)
    }

    /// Changes the next docks, and tells of it, in one statement as the sink does.
    async fn publish(&mut self) -> Result<()> {
        let docks = i32::try_from(CHANGES_A_SECOND / PUBLISHES_A_SECOND)?;
        let first = i32::try_from(self.version)? * docks % DOCKS;
        let docks: Vec<_> = (first..first + docks)
            .map(|dock| dock % DOCKS + 1)
            .collect();
        let (version,): (i64,) = sqlx::query_as(
            "with clock as (
                 update replay_clock
                 set at = at + interval '20 ms', version = version + 1, published_at = clock_timestamp()
                 returning version
             ), docks as (
                 update availability a
                 set bikes = (a.bikes + 1) % 40, version = clock.version
                 from clock
                 where a.location_id = any($1)
             )
             select version from clock, pg_notify('availability', version::text)",
        )
        .bind(docks)
        .fetch_one(&mut self.connection)
        .await?;
        self.version = version;
        Ok(())
    }
}
