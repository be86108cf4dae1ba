//! The sink's streams that have stopped for good.

use sqlx::PgConnection;

use crate::text::one_line;

/// Failures read at once: more than there are streams in any cluster of this kind.
const FAILURES_MAX: i64 = 64;

/// Characters of a failure's text (chosen: a message with its causes).
const FAILURE_CHARS_MAX: usize = 500;

/// Reads a line for each stopped stream: `stream trips/0 trip-split: …`.
///
/// Reads `stream_cursor` (a few rows), at most 64 of them.
///
/// # Errors
/// Any error of the connection or of a missing table.
pub async fn read_failures(connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let rows: Vec<(String, i16, String, String)> = sqlx::query_as(
        "select left(topic, 100), partition, left(module, 100), left(failure, 1000)
           from stream_cursor
          where failure is not null
          order by topic, partition, module
          limit $1",
    )
    .bind(FAILURES_MAX)
    .fetch_all(connection)
    .await?;
    let line = |(topic, partition, module, failure): (String, i16, String, String)| {
        let line = format!("stream {topic}/{partition} {module}: {failure}");
        one_line(&line, FAILURE_CHARS_MAX)
    };
    Ok(rows.into_iter().map(line).collect())
}
