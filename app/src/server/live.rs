//! `/live`: server-sent events, what changed for each browser.
//!
//! Event `docks` (a [`crate::model::Delta`], its id is the version, so that a browser that comes
//! back asks for what it missed) and event `heartbeat`, every [`HEARTBEAT`] and whenever Postgres
//! comes or goes.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::meters::Meters;
use super::quota::Permit;
use super::responses::{busy, client};
use super::shared_board::{News, Subscriber};
use super::state::AppState;

/// Time between heartbeats: browsers take a stream for broken after about three without one.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long a browser waits before it opens the stream again after it broke.
const RETRY: Duration = Duration::from_secs(1);

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
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let event_stream = EventStream {
        subscriber: app.board.subscribe(version_of(&request)),
        heartbeat,
        meters: app.meters,
        stop: app.stop,
        _permit: permit,
    };
    let events = stream::unfold(event_stream, |mut event_stream| async {
        let event = event_stream.next().await?;
        Some((Ok::<_, Infallible>(event), event_stream))
    });
    let mut response = Sse::new(events).into_response();
    let set = response.headers_mut();
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies such as nginx would hold events back.
    set.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
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

/// One browser's event stream; dropped when its connection ends.
struct EventStream {
    subscriber: Subscriber,
    heartbeat: Interval,
    meters: Meters,
    stop: CancellationToken,
    _permit: Permit,
}

impl EventStream {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<Event> {
        let news = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            news = self.subscriber.next() => news?,
            _ = self.heartbeat.tick() => News::Heartbeat(self.subscriber.heartbeat()),
        };
        let event = Event::default();
        Some(match news {
            News::Docks(version, json) => {
                self.meters.event(json.len());
                let event = event.event("docks").id(version.to_string());
                event.retry(RETRY).data(json)
            }
            News::Heartbeat(heartbeat) => {
                let json = serde_json::to_string(&heartbeat).unwrap_or_default();
                self.meters.event(json.len());
                event.event("heartbeat").data(json)
            }
        })
    }
}
