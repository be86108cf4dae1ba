//! Rows of `records` on their way into Postgres: a few by INSERT, many by COPY.
//!
//! COPY takes two messages of the client in a row, its rows and their end. sqlx 0.9 leaves Nagle's algorithm
//! on, so over TCP the second may wait until the first is acknowledged, which Linux puts off by up to 40 ms.
//! Transactions of some 30 rows took 49 ms by COPY and take 4.7 by INSERT.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::copy::{RecordColumns, RecordRow, RecordsEncoder, letter};

/// Rows that an INSERT takes (chosen: far more than a live stream gathers before it is written).
const INSERT_ROWS_MAX: usize = 1_000;

/// Writes so many rows in the transaction under way.
pub(crate) async fn write<'a>(
    connection: &mut PgConnection,
    columns: RecordColumns,
    count: usize,
    rows: impl Iterator<Item = RecordRow<'a>> + Clone,
) -> Result<(), sqlx::Error> {
    if count <= INSERT_ROWS_MAX
        && let Some(arrays) = Arrays::of(rows.clone())
    {
        return insert(connection, columns, arrays).await;
    }
    copy(connection, columns, count, rows).await
}

async fn copy<'a>(
    connection: &mut PgConnection,
    columns: RecordColumns,
    count: usize,
    rows: impl Iterator<Item = RecordRow<'a>>,
) -> Result<(), sqlx::Error> {
    let names = columns.names();
    let statement = format!("copy records ({names}) from stdin (format binary)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut encoder = RecordsEncoder::with_rows(count, columns);
    rows.for_each(|row| encoder.push(&row));
    copy.send(encoder.finish()).await?;
    copy.finish().await?;
    Ok(())
}

/// The same rows, a list for each column.
#[derive(Default)]
struct Arrays<'a> {
    ids: Vec<i64>,
    times: Vec<DateTime<Utc>>,
    bike_ids: Vec<Option<&'a str>>,
    location_ids: Vec<i32>,
    docked: Vec<bool>,
    inferred: Vec<bool>,
    bike_kinds: Vec<Option<&'static str>>,
}

impl<'a> Arrays<'a> {
    /// None if a time is none that a calendar has: COPY writes it as the number that it is.
    fn of(rows: impl Iterator<Item = RecordRow<'a>>) -> Option<Self> {
        let mut arrays = Self::default();
        for row in rows {
            arrays.ids.push(row.id);
            arrays.times.push(row.at.to_utc()?);
            arrays.bike_ids.push(row.bike_id);
            arrays.location_ids.push(row.location_id);
            arrays.docked.push(row.docked);
            arrays.inferred.push(row.inferred);
            arrays.bike_kinds.push(row.bike_kind.map(letter));
        }
        Some(arrays)
    }
}

async fn insert(
    connection: &mut PgConnection,
    columns: RecordColumns,
    arrays: Arrays<'_>,
) -> Result<(), sqlx::Error> {
    let names = columns.names();
    let statement = format!(
        "insert into records ({names})
         select {names} from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::int[], $5::bool[],
             $6::bool[], $7::text[]::\"char\"[])
         as row (id, time, bike_id, location_id, docked, inferred, bike_kind)"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(arrays.ids)
        .bind(arrays.times)
        .bind(arrays.bike_ids)
        .bind(arrays.location_ids)
        .bind(arrays.docked)
        .bind(arrays.inferred)
        .bind(arrays.bike_kinds)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::{BikeKind, EventTime};
    use expect_test::expect;
    use sqlx::Connection as _;
    use testkit::postgres::{self, Database};

    use super::*;

    fn rows() -> [RecordRow<'static>; 3] {
        let row = |id, bike_id, bike_kind| RecordRow {
            id,
            at: EventTime::from_micros(1_583_038_805_088_001),
            bike_id,
            location_id: 1,
            docked: id == 3,
            inferred: id == 2,
            bike_kind,
        };
        [
            row(1, Some("42381"), Some(BikeKind::Electric)),
            row(2, None, None),
            row(3, Some("\"é"), Some(BikeKind::Docked)),
        ]
    }

    #[tokio::test]
    async fn an_insert_writes_what_a_copy_writes() {
        if !postgres::is_installed() {
            return;
        }
        let database = Database::empty().await;
        crate::migrate(&database.url()).await.unwrap();
        let station = "insert into location (station_id, street, latitude, longitude)
                       values ('3202', 'Newport PATH', 40.7, -74);
                       select make_month('2020-03-01')";
        database.execute(station).await;
        let mut connection = database.connect().await;
        let both = [false, true];
        for (inferred, bike_kind) in both.iter().flat_map(|a| both.map(|b| (*a, b))) {
            let columns = RecordColumns {
                inferred,
                bike_kind,
            };
            let (mut by, mut tables) = (connection.begin().await.unwrap(), Vec::new());
            for with_copy in both {
                if with_copy {
                    let rows = rows();
                    copy(&mut by, columns, rows.len(), rows.into_iter())
                        .await
                        .unwrap();
                } else {
                    let arrays = Arrays::of(rows().into_iter()).unwrap();
                    insert(&mut by, columns, arrays).await.unwrap();
                }
                let written: String = sqlx::query_scalar(
                    "with taken as (delete from records returning *)
                     select string_agg(taken::text, E'\\n' order by id) from taken",
                )
                .fetch_one(&mut *by)
                .await
                .unwrap();
                tables.push(written);
            }
            assert_eq!(tables[0], tables[1]);
            if inferred && bike_kind {
                expect![[r#"
                    (1,"2020-03-01 05:00:05.088001+00",42381,1,f,f,e)
                    (2,"2020-03-01 05:00:05.088001+00",,1,f,t,)
                    (3,"2020-03-01 05:00:05.088001+00","""é",1,t,f,d)"#]]
                .assert_eq(&tables[0]);
            }
        }
    }
}
