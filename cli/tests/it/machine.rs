//! One machine under test: the real binary on a data folder of its own, and what its tables hold.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Utc};
use embedded_postgres::Postgres;
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};

/// What every reader of the tables sees, in any order of loading: no key that depends on the order.
const DIGESTS: [(&str, &str); 4] = [
    (
        "records",
        "select time, bike_id, station_id, docked from records_view",
    ),
    (
        "location",
        "select station_id, street, latitude, longitude from location",
    ),
    ("frequency", "select time, partition, amount from frequency"),
    ("rejected", "select file, line, reason, row from rejected"),
];

/// Offset of its record, whether the bike was docked, when, which bike, and where.
pub(crate) type Event = (i64, bool, DateTime<Utc>, Option<String>, String);

/// A data folder and the binary that works on it.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            folder: testkit::postgres::folder(),
        }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `bikeshare up` on this folder, at full speed, on a free port, its output captured.
    pub(crate) fn up(&self, source: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command
            .args([
                "up",
                "--source",
                source,
                "--speed",
                "max",
                "--listen",
                "127.0.0.1:0",
            ])
            .arg("--data-dir")
            .arg(self.data_dir())
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `bikeshare up --once`: everything loaded and stored; the JSON object of its last line.
    pub(crate) fn once(&self, source: &str) -> Value {
        self.finish(self.up(source).arg("--once"))
    }

    /// Runs a command to its good end; the JSON object of its last line.
    pub(crate) fn finish(&self, command: &mut Command) -> Value {
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}\n{stdout}\n{stderr}",
            output.status
        );
        assert!(
            !stderr.contains(" ERROR "),
            "a good run complains\n{stderr}"
        );
        let last = stdout
            .lines()
            .last()
            .unwrap_or_else(|| panic!("no output\n{stderr}"));
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}\n{stderr}"))
    }

    /// Where `up` keeps its topics.
    pub(crate) fn fluvio_dir(&self) -> PathBuf {
        self.data_dir().join("fluvio")
    }

    /// The digest of the tables that a load fills which nothing disturbs.
    pub(crate) async fn undisturbed(source: &str) -> Vec<String> {
        let machine = Self::new();
        machine.once(source);
        machine.digest().await
    }

    /// The tables' [`Tables::digest`]; the binary must not be running.
    pub(crate) async fn digest(&self) -> Vec<String> {
        let mut tables = self.tables().await;
        let digest = tables.digest().await;
        tables.close().await;
        digest
    }

    /// Opens the tables; the binary must not be running.
    pub(crate) async fn tables(&self) -> Tables {
        let postgres = testkit::postgres::start(self.data_dir().join("postgres")).await;
        let connection = testkit::postgres::connect(postgres.url()).await;
        Tables {
            postgres,
            connection,
        }
    }
}

/// Kills `child` as a power cut would: at once, with no chance to tidy up.
pub(crate) fn kill_9(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Rows and content of each table, comparable between databases.
pub(crate) async fn digest(connection: &mut PgConnection) -> Vec<String> {
    let mut lines = Vec::new();
    for (table, rows) in DIGESTS {
        let sql = format!(
            "select count(*), coalesce(sum(hashtextextended(r::text, 0)::numeric), 0)::text \
             from ({rows}) r"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await;
        let row = row.unwrap();
        let (count, sum): (i64, String) = (row.get(0), row.get(1));
        lines.push(format!("{table}: {count} rows, {sum}"));
    }
    lines
}

/// The tables of a machine that is switched off.
pub(crate) struct Tables {
    postgres: Postgres,
    connection: PgConnection,
}

impl Tables {
    /// One number asked for in SQL.
    pub(crate) async fn number(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&mut self.connection)
            .await
            .unwrap()
    }

    /// [`digest`]
    pub(crate) async fn digest(&mut self) -> Vec<String> {
        digest(&mut self.connection).await
    }

    /// Windows that differ from GROUP BY over `records`.
    pub(crate) async fn windows_that_differ(&mut self) -> i64 {
        self.number(
            "select count(*) from (select time, sum(amount) amount from frequency group by time) f
             full join (select to_timestamp(floor(extract(epoch from time) / 5) * 5) time,
                               count(*) amount
                        from records where not docked group by 1) g
             using (time) where f.amount is distinct from g.amount",
        )
        .await
    }

    /// Docks whose published count differs from the definition, worked out by brute force: a bike
    /// is at a dock if its latest event at or before the clock is an arrival there.
    pub(crate) async fn docks_that_differ(&mut self) -> i64 {
        self.number(
            "with latest as (
                 select distinct on (bike_id) bike_id, location_id, docked
                 from records where bike_id is not null and time <= (select at from replay_clock)
                 order by bike_id, time desc, id desc),
             counted as (
                 select location_id, count(*) bikes from latest where docked group by location_id)
             select count(*) from location
             left join counted using (location_id) left join availability a using (location_id)
             where not coalesce(a.estimated, false)
               and coalesce(counted.bikes, 0) <> coalesce(a.bikes, 0)",
        )
        .await
    }

    /// Departures and arrivals of a partition, in the order of their records.
    pub(crate) async fn events(&mut self, partition: i32) -> Vec<Event> {
        let sql = "select \"offset\", docked, time, bike_id, station_id from records_view \
                   where partition = $1 order by id";
        let events = sqlx::query_as(sql).bind(partition);
        events.fetch_all(&mut self.connection).await.unwrap()
    }

    /// Where they are.
    pub(crate) fn url(&self) -> &str {
        self.postgres.url()
    }

    /// The docks as they are published: street and bikes, in order.
    pub(crate) async fn docks(&mut self) -> Vec<String> {
        let sql = "select street || ': ' || bikes from location join availability \
                   using (location_id) order by street";
        sqlx::query_scalar(sql)
            .fetch_all(&mut self.connection)
            .await
            .unwrap()
    }

    /// All that is said of each dock: as JSON without what is not known.
    pub(crate) async fn full_docks(&mut self) -> Vec<String> {
        let sql = "select jsonb_strip_nulls(to_jsonb(d))::text from \
                   (select station_id, bikes, ebikes, broken_bikes, capacity, free_docks, broken_docks, \
                           is_installed, is_renting, is_returning, last_reported \
                      from availability_view) d order by station_id";
        sqlx::query_scalar(sql)
            .fetch_all(&mut self.connection)
            .await
            .unwrap()
    }

    /// What was rejected: `file:line: reason`, in order.
    pub(crate) async fn rejects(&mut self) -> Vec<String> {
        let sql = "select file || ':' || line || ': ' || reason from rejected order by file, line";
        sqlx::query_scalar(sql)
            .fetch_all(&mut self.connection)
            .await
            .unwrap()
    }

    /// Changes something that no role would.
    pub(crate) async fn execute(&mut self, statement: &'static str) {
        let statement = sqlx::query(statement);
        statement.execute(&mut self.connection).await.unwrap();
    }

    pub(crate) async fn close(self) {
        self.connection.close().await.unwrap();
        self.postgres.shutdown().await.unwrap();
    }
}
