//! Where a stream goes on, who owns it, and what has been taken: `stream_cursor`, `source_cursor`.

use chrono::{DateTime, Utc};
use domain::Sources;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::error::SinkError;
use crate::last_record::LastRecord;
use crate::storable::storable;
use crate::stream_key::StreamKey;

/// Taken while cursors are created, so that two topics cannot both find the database empty.
const CREATE_LOCK: i64 = 0x6269_6b65_0001;

/// A row of `stream_cursor` with its rows of `source_cursor`.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    pub generation: i64,
    /// Everything before it is in the tables.
    pub next_offset: i64,
    /// The record before `next_offset`; none before the first one, or of an older version.
    pub last: Option<LastRecord>,
    /// Added to an offset of the log it gives the offset in ids.
    pub id_shift: i64,
    pub watermark: Option<DateTime<Utc>>,
    /// The module's state, as JSON.
    pub state: Option<String>,
    pub sources: Vec<(String, u64)>,
}

/// What [`cursor_of`] takes.
const COLUMNS: &str = "generation, next_offset, last_epoch, last_source, last_seq, id_shift,
         watermark, state::text";

type CursorRow = (
    i64,
    i64,
    Option<i32>,
    Option<String>,
    Option<i64>,
    i64,
    Option<DateTime<Utc>>,
    Option<String>,
);

/// Begins the cursors of all streams of a topic that have none, at the log's start, and the leases of
/// its partitions.
///
/// All before one of them is written: a partition that has no cursor would not hold the clock back, and
/// what comes from it later would come too late to be counted.
///
/// # Errors
/// [`SinkError::OtherTopic`] if the database belongs to another topic.
pub(crate) async fn create_missing(
    connection: &mut PgConnection,
    topic: &str,
    partitions: u32,
) -> Result<(), SinkError> {
    let failed = || SinkError::database(format!("begin the cursors of {topic}"));
    let mut transaction = connection.begin().await.map_err(failed())?;
    refuse_other_topic(&mut transaction, topic).await?;
    let keys = StreamKey::all(topic, partitions);
    let (numbers, modules): (Vec<_>, Vec<_>) = keys
        .map(|key| (key.partition_sql(), key.module.name()))
        .unzip();
    sqlx::query(
        "insert into stream_cursor (topic, partition, module, next_offset, owner, generation)
         select $1, partition, module, 0, 'nobody yet', 0
         from unnest($2::smallint[], $3::text[]) as s (partition, module)
         on conflict (topic, partition, module) do nothing",
    )
    .bind(topic)
    .bind(numbers)
    .bind(modules)
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    sqlx::query(
        "insert into partition_lease (topic, partition, generation)
         select topic, partition, max(generation) from stream_cursor where topic = $1 group by 1, 2
         on conflict (topic, partition) do nothing",
    )
    .bind(topic)
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// Gives the stream the generation of its partition's lease, so that whoever wrote it before can write no
/// more, and reads where to go on. Done again, it waits for a transaction whose end is unknown.
///
/// # Errors
/// [`SinkError::Fenced`] if another process owns the partition since.
pub(crate) async fn take(
    connection: &mut PgConnection,
    key: &StreamKey,
    member: &str,
    generation: i64,
) -> Result<Cursor, SinkError> {
    let failed = || SinkError::database(format!("take over {key}"));
    let mut transaction = connection.begin().await.map_err(failed())?;
    let row: Option<CursorRow> = sqlx::query_as(AssertSqlSafe(format!(
        "update stream_cursor set owner = $4, generation = $5, failure = null, updated_at = now()
         where topic = $1 and partition = $2 and module = $3
             and (generation < $5 or generation = $5 and owner = $4)
         returning {COLUMNS}"
    )))
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .bind(member)
    .bind(generation)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed())?;
    let Some(row) = row else {
        return Err(fenced(&mut transaction, key, 0).await);
    };
    let cursor = with_sources(&mut transaction, key, row).await?;
    forget_fenced(&mut transaction, key, &cursor.sources).await?;
    transaction.commit().await.map_err(failed())?;
    Ok(cursor)
}

/// Reads the cursor without becoming its owner, and without its sources.
pub(crate) async fn peek(
    connection: &mut PgConnection,
    key: &StreamKey,
) -> Result<Cursor, SinkError> {
    match read(connection, key).await? {
        Some(row) => Ok(cursor_of(row, Vec::new())),
        None => Err(fenced(connection, key, 0).await),
    }
}

/// Records why the stream has stopped for good, unless another sink has taken it over.
pub(crate) async fn record_failure(
    connection: &mut PgConnection,
    key: &StreamKey,
    generation: i64,
    failure: &str,
) -> Result<(), SinkError> {
    sqlx::query(
        "update stream_cursor set failure = $5
         where topic = $1 and partition = $2 and module = $3 and generation = $4",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .bind(generation)
    .bind(storable(failure))
    .execute(connection)
    .await
    .map_err(SinkError::database(format!("note the failure of {key}")))?;
    Ok(())
}

async fn read(
    connection: &mut PgConnection,
    key: &StreamKey,
) -> Result<Option<CursorRow>, SinkError> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {COLUMNS} from stream_cursor where topic = $1 and partition = $2 and module = $3"
    )))
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .fetch_optional(connection)
    .await
    .map_err(SinkError::database(format!("read the cursor of {key}")))
}

/// The error that says who owns the stream now.
pub(crate) async fn fenced(
    connection: &mut PgConnection,
    key: &StreamKey,
    offset: i64,
) -> SinkError {
    let owner: Result<(String, i64), _> = sqlx::query_as(
        "select owner, generation from stream_cursor
         where topic = $1 and partition = $2 and module = $3",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .fetch_one(connection)
    .await;
    match owner {
        Ok((owner, generation)) => SinkError::Fenced {
            position: key.at(offset),
            module: key.module.name(),
            owner: format!("{owner} (generation {generation})"),
        },
        Err(source) => SinkError::Database {
            doing: format!("read the owner of {key}"),
            source,
        },
    }
}

async fn refuse_other_topic(connection: &mut PgConnection, topic: &str) -> Result<(), SinkError> {
    let failed = || SinkError::database("look for another topic's cursor");
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(CREATE_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let other: Option<(String,)> =
        sqlx::query_as("select topic from stream_cursor where topic <> $1 limit 1")
            .bind(topic)
            .fetch_optional(connection)
            .await
            .map_err(failed())?;
    match other {
        Some((found,)) => Err(SinkError::OtherTopic {
            topic: topic.to_owned(),
            found,
        }),
        None => Ok(()),
    }
}

async fn with_sources(
    connection: &mut PgConnection,
    key: &StreamKey,
    row: CursorRow,
) -> Result<Cursor, SinkError> {
    let sources: Vec<(String, i64)> = sqlx::query_as(
        "select source, seq from source_cursor
         where topic = $1 and partition = $2 and module = $3",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .fetch_all(connection)
    .await
    .map_err(SinkError::database(format!("read the sources of {key}")))?;
    let sources = sources
        .into_iter()
        .map(|(source, seq)| (source, seq.unsigned_abs()))
        .collect();
    Ok(cursor_of(row, sources))
}

fn cursor_of(row: CursorRow, sources: Vec<(String, u64)>) -> Cursor {
    let (generation, next_offset, epoch, source, seq, id_shift, ..) = row;
    let (.., watermark, state) = row;
    let last = source.zip(seq).map(|(source, seq)| LastRecord {
        epoch,
        source,
        seq: seq.unsigned_abs(),
    });
    Cursor {
        generation,
        next_offset,
        last,
        id_shift,
        watermark,
        state,
        sources,
    }
}

/// Removes older runs of live feeds: nothing of them is taken any more.
async fn forget_fenced(
    connection: &mut PgConnection,
    key: &StreamKey,
    sources: &[(String, u64)],
) -> Result<(), SinkError> {
    let fenced = Sources::fenced(sources);
    if fenced.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "delete from source_cursor
         where topic = $1 and partition = $2 and module = $3 and source = any($4)",
    )
    .bind(&key.topic)
    .bind(key.partition_sql())
    .bind(key.module.name())
    .bind(fenced)
    .execute(connection)
    .await
    .map_err(SinkError::database(format!("forget sources of {key}")))?;
    Ok(())
}
