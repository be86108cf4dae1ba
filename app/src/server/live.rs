//! `/live`: server-sent events, what changed for each browser.
//!
//! Event `docks` (a [`crate::model::Delta`]) and event `heartbeat`, every [`HEARTBEAT`] and whenever Postgres
//! comes or goes. A page that is looked at is a subscription and a connection: it has no timer and no text
//! of its own.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::meters::Meters;
use super::quota::Permit;
use super::responses::{busy, client};
use super::shared_board::{SharedBoard, Subscriber};
use super::state::AppState;

/// Time between heartbeats: browsers take a stream for broken after about three without one.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The version a browser has, from the page; a reconnecting one says it in `Last-Event-ID`.
#[derive(Debug, Default, Deserialize)]
struct LiveQuery {
    /// Text, since an address can hold anything.
    since: Option<String>,
}

/// Answers `/live?since=12`.
pub(crate) async fn live(State(app): State<AppState>, request: Request) -> Response {
    let Some(permit) = app.streams.take(client(&request).peer, 1) else {
        app.meters.stream_refused();
        return busy("too many pages are open");
    };
    app.board.wait_for_reading().await;
    let event_stream = EventStream {
        subscriber: app.board.subscribe(version_of(&request)),
        meters: app.meters,
        stop: app.stop,
        _permit: permit,
    };
    let events = stream::unfold(event_stream, |mut event_stream| async {
        let event = event_stream.next().await?;
        Some((Ok::<_, Infallible>(event), event_stream))
    });
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies such as nginx would hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (head, Body::from_stream(events)).into_response()
}

/// The version the browser has: of its last event, else of its page.
fn version_of(request: &Request) -> Option<i64> {
    let last_event = request.headers().get("last-event-id");
    let last_event = last_event
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.parse().ok());
    let since = || {
        let Query(query) = Query::<LiveQuery>::try_from_uri(request.uri()).ok()?;
        query.since?.parse().ok()
    };
    last_event.or_else(since)
}

/// Sends heartbeats to all streams until `stop`.
pub(super) async fn send_heartbeats(board: SharedBoard, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        board.send_heartbeat();
    }
}

/// One browser's event stream; dropped when its connection ends.
struct EventStream {
    subscriber: Subscriber,
    meters: Meters,
    stop: CancellationToken,
    _permit: Permit,
}

impl EventStream {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        let event = self.stop.run_until_cancelled(self.subscriber.next());
        let event = event.await??;
        self.meters.event(event.len());
        Some(event)
    }
}
