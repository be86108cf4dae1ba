//! What three tables hold, in a form that tells two loads apart.

use anyhow::{Result, ensure};
use sqlx::{Connection, PgConnection};

/// Whose tables.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tables {
    /// As `migrations/` has them; times are instants.
    Ours,
    /// As peers write them; times are those of the file, taken for UTC.
    Plain,
}

/// Numbers and sums of hashes of all rows: the same for the same rows in any order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Digest {
    records: i64,
    departures: i64,
    hashes: Vec<String>,
}

impl Digest {
    pub(crate) async fn read(url: &str, tables: Tables) -> Result<Self> {
        let (records, location, frequency) = match tables {
            Tables::Ours => (
                "select time at time zone 'America/New_York', bike_id, latitude, longitude, docked
                 from records join location using (location_id)",
                "select street, latitude, longitude from location",
                "select time at time zone 'America/New_York', amount::int from frequency_view",
            ),
            Tables::Plain => (
                "select ts at time zone 'UTC', bike_id::text, lat, lon, docked from records",
                "select street, lat, lon from location",
                "select ts at time zone 'UTC', amount from frequency",
            ),
        };
        let mut connection = PgConnection::connect(url).await?;
        let mut hashes = Vec::new();
        for rows in [records, location, frequency] {
            let hash = format!(
                "select coalesce(sum(hashtextextended(row::text, 0)), 0)::text from ({rows}) row"
            );
            let hash = sqlx::query_scalar(sqlx::AssertSqlSafe(hash));
            hashes.push(hash.fetch_one(&mut connection).await?);
        }
        let count =
            "select (select count(*) from records), (select sum(amount)::bigint from frequency)";
        let (records, departures) = sqlx::query_as(count).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(Self {
            records,
            departures,
            hashes,
        })
    }

    /// That nothing is missing, and that it is what others have stored.
    pub(crate) fn check(&self, trips: u64, expected: Option<&Self>) -> Result<()> {
        let trips = i64::try_from(trips)?;
        ensure!(
            (self.records, self.departures) == (2 * trips, trips),
            "not all of {trips} trips are there: {self:?}"
        );
        ensure!(
            expected.is_none_or(|expected| expected == self),
            "the tables differ: {self:?}, not {expected:?}"
        );
        Ok(())
    }
}
