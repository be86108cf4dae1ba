//! Follows Postgres: one connection that listens, reads what changed and feeds the board.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::shared_board::SharedBoard;
use crate::model::Database;
use crate::query::docks::read_changes;
use crate::query::past::read_range;
use crate::query::streams::read_failures;
use crate::text::one_line;

/// The channel on which the sink announces each publish.
const CHANNEL: &str = "availability";

/// Without a notification for this long the docks are read anyway: a connection that died in
/// silence is found this way.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// Time between two readings of which of the sink's streams have stopped and which seconds of the past
/// are stored; no publish tells that.
const ASIDE_EVERY: Duration = Duration::from_secs(1);

/// A reading takes milliseconds; past this the connection counts as lost.
const READ_MAX: Duration = Duration::from_secs(5);

/// Lets Postgres end a statement that takes longer, and a connection whose other end is gone.
const SESSION: &str = "\
    set statement_timeout = '5s'; set tcp_user_timeout = '30s'; set tcp_keepalives_idle = 30";

/// Waits between attempts to reach Postgres, shortened by up to half by chance, so that many
/// servers do not come at once.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// See [`BACKOFF_MIN`].
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Characters of an error that are logged or shown (chosen: a message with its causes).
const ERROR_CHARS_MAX: usize = 500;

/// Keeps `board` in step with Postgres until `stop`.
pub(crate) async fn follow(database_url: String, board: SharedBoard, stop: CancellationToken) {
    let mut backoff = BACKOFF_MIN;
    let mut failures = 0_u64;
    while !stop.is_cancelled() {
        // Boxed: a connection's future is large, and this one is made anew for each attempt.
        let listening = Box::pin(listen(&database_url, &board, &mut failures));
        let ended = stop.run_until_cancelled(listening).await;
        let Some(Err(error)) = ended else { return };
        if failures == 0 {
            let error = one_line(&error.to_string(), ERROR_CHARS_MAX);
            tracing::warn!(
                error,
                "lost postgres; the page shows the last state until it is back"
            );
            backoff = BACKOFF_MIN;
        }
        failures += 1;
        board.set_database(Database::Down);
        let wait = tokio::time::sleep(backoff.mul_f64(rand::random_range(0.5..1.0)));
        backoff = (backoff * 2).min(BACKOFF_MAX);
        stop.run_until_cancelled(wait).await;
    }
}

/// Listens on one connection until it breaks; `failures` is set back once it works.
async fn listen(database_url: &str, board: &SharedBoard, failures: &mut u64) -> sqlx::Result<()> {
    let mut listener = within(READ_MAX, PgListener::connect(database_url)).await?;
    listener.eager_reconnect(false);
    within(READ_MAX, execute(&mut listener, SESSION)).await?;
    // Listen first, read then: what is published in between is read twice, and not missed.
    within(READ_MAX, listener.listen(CHANNEL)).await?;
    let mut is_first = true;
    let mut aside_at = None::<Instant>;
    loop {
        let before = board.version();
        within(READ_MAX, read(&mut listener, board, is_first)).await?;
        if board.version() != before {
            tokio::time::sleep(board.sending_time()).await;
        }
        if is_first && *failures > 0 {
            tracing::info!(attempts = *failures, "postgres is back");
        }
        (is_first, *failures) = (false, 0);
        if aside_at.is_none_or(|at| at.elapsed() >= ASIDE_EVERY) {
            within(READ_MAX, read_stopped_streams(&mut listener, board)).await?;
            within(READ_MAX, read_past_range(&mut listener, board)).await?;
            aside_at = Some(Instant::now());
        }
        board.set_database(Database::Up);
        match tokio::time::timeout(QUIET_MAX, listener.try_recv()).await {
            Ok(Ok(None)) => return Err(sqlx::Error::PoolClosed),
            Ok(Ok(Some(_))) | Err(_) => {}
            Ok(Err(error)) => return Err(error),
        }
        // Notifications that came meanwhile are covered by the same reading.
        while listener.next_buffered().is_some() {}
    }
}

/// Reads what changed; everything on a new connection, or from a database made anew.
async fn read(listener: &mut PgListener, board: &SharedBoard, all: bool) -> sqlx::Result<()> {
    let connection = sqlx::Acquire::acquire(listener).await?;
    let before = board.version();
    let reading = read_changes(connection, if all { i64::MIN } else { before }).await?;
    let version = reading.clock.map_or(0, |clock| clock.version);
    if all {
        board.replace(reading);
    } else if board.is_ahead_of(&reading) {
        board.replace(read_changes(connection, i64::MIN).await?);
    } else if version > before || !reading.docks.is_empty() {
        board.apply(reading);
    }
    Ok(())
}

/// Notes which of the sink's streams have stopped. A login that may not read that, or a database with
/// an older schema, is a line of `/healthz` and no error: the docks can be read all the same.
async fn read_stopped_streams(listener: &mut PgListener, board: &SharedBoard) -> sqlx::Result<()> {
    let connection = sqlx::Acquire::acquire(listener).await?;
    let failures = match read_failures(connection).await {
        Ok(failures) => failures,
        Err(sqlx::Error::Database(error)) => {
            let reason = one_line(error.message(), ERROR_CHARS_MAX);
            vec![format!(
                "streams: could not read table \"stream_cursor\": {reason}"
            )]
        }
        Err(error) => return Err(error),
    };
    board.set_failures(failures);
    Ok(())
}

/// Notes which seconds of the past are stored; none in a database with an older schema.
async fn read_past_range(listener: &mut PgListener, board: &SharedBoard) -> sqlx::Result<()> {
    let connection = sqlx::Acquire::acquire(listener).await?;
    let range = match read_range(connection).await {
        Ok(range) => range,
        Err(sqlx::Error::Database(_)) => None,
        Err(error) => return Err(error),
    };
    board.set_past(range);
    Ok(())
}

async fn execute(listener: &mut PgListener, sql: &'static str) -> sqlx::Result<()> {
    let connection = sqlx::Acquire::acquire(listener).await?;
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

fn within<T>(
    limit: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> impl Future<Output = sqlx::Result<T>> {
    // Boxed: what connects is tens of kilobytes, and whoever waits would be as large.
    let work = tokio::time::timeout(limit, Box::pin(work));
    async {
        match work.await {
            Ok(done) => done,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}
