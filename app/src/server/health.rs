//! `/healthz`: whether anything has stopped, a line of plain text for each thing that has.
//!
//! No request reaches Postgres: the task that follows it asks every few seconds, within a deadline,
//! and what it found last is told.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::board::Board;
use super::state::AppState;
use crate::model::{Database, stale_seconds};

/// Answers 200 and one line, or 503 and a line for each cause.
pub(super) async fn healthz(State(app): State<AppState>) -> Response {
    let stale_after_ms = app.stale_after_ms();
    let (causes, fine) = app
        .board
        .read(|board| (causes(board, stale_after_ms), fine(board)));
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    if causes.is_empty() {
        return (fresh, fine).into_response();
    }
    let text = causes.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, fresh, text).into_response()
}

pub(super) fn causes(board: &Board, stale_after_ms: u64) -> Vec<String> {
    let heartbeat = board.heartbeat();
    let mut causes = Vec::new();
    if heartbeat.database == Database::Down {
        causes.push("database: postgres does not respond".to_owned());
    }
    causes.extend(board.failures().iter().cloned());
    if let Some(seconds) = stale_seconds(heartbeat.age_ms, stale_after_ms) {
        causes.push(format!("clock: nothing was published for {seconds} s"));
    }
    causes
}

fn fine(board: &Board) -> String {
    match board.clock() {
        Some(clock) => format!("ok: version {} at {}\n", board.version(), clock.utc),
        None => "ok: nothing has been published yet\n".to_owned(),
    }
}
