//! What the page's server counts, for those who run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use telemetry::{Metric, Role, Value};

use super::health;
use super::quota::Quota;
use super::shared_board::SharedBoard;
use crate::model::Database;

/// Counts of all requests and event streams; copies share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Meters(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By the first digit of their status: 2xx to 5xx.
    responses: [AtomicU64; 4],
    streams_refused: AtomicU64,
    events: AtomicU64,
    event_bytes: AtomicU64,
}

/// The classes of statuses in [`Counts::responses`].
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

impl Meters {
    pub(super) fn stream_refused(&self) {
        self.0.streams_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// An event of so many bytes was handed to a stream.
    pub(super) fn event(&self, bytes: usize) {
        self.0.events.fetch_add(1, Ordering::Relaxed);
        self.0
            .event_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn response(&self, status: u16) {
        let class = usize::from(status / 100).checked_sub(2);
        if let Some(count) = class.and_then(|class| self.0.responses.get(class)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The middleware that counts responses.
pub(super) async fn count(State(meters): State<Meters>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    meters.response(response.status().as_u16());
    response
}

/// The page as a role that is watched.
#[derive(Debug, Clone)]
pub struct PageRole {
    pub(super) board: SharedBoard,
    pub(super) streams: Quota,
    pub(super) meters: Meters,
    /// Milliseconds without a publish after which the page calls itself stale.
    pub(super) stale_after_ms: u64,
}

impl Role for PageRole {
    fn name(&self) -> &'static str {
        "page"
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.traffic();
        metrics.extend(self.shown());
        metrics
    }

    fn failures(&self) -> Vec<String> {
        let causes = self
            .board
            .read(|board| health::causes(board, self.stale_after_ms));
        causes
            .into_iter()
            .map(|cause| format!("page: {cause}"))
            .collect()
    }

    fn waits(&self) -> Vec<String> {
        let has_clock = self.board.read(|board| board.clock().is_some());
        let waiting = (!has_clock).then(|| "page: nothing has been published yet".to_owned());
        waiting.into_iter().collect()
    }
}

impl PageRole {
    fn traffic(&self) -> Vec<Metric> {
        let counts = &self.meters.0;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let responses = CLASSES
            .iter()
            .zip(&counts.responses)
            .map(|(class, responses)| {
                let labels = vec![("status", (*class).to_owned())];
                (labels, Value::Count(count(responses)))
            });
        vec![
            Metric::labelled("responses", "Responses by status", responses),
            Metric::gauge(
                "event_streams",
                "Event streams that are open: pages that are looked at",
                Some(self.streams.held() as f64),
            ),
            Metric::count(
                "event_streams_refused",
                "Event streams refused, because too many are open",
                count(&counts.streams_refused),
            ),
            Metric::count(
                "events_sent",
                "Events given to event streams",
                count(&counts.events),
            ),
            Metric::count(
                "event_bytes_sent",
                "Bytes of these events' data",
                count(&counts.event_bytes),
            ),
        ]
    }

    fn shown(&self) -> Vec<Metric> {
        self.board.read(|board| {
            let heartbeat = board.heartbeat();
            let clock = board.clock();
            vec![
                Metric::gauge(
                    "database_up",
                    "1 while Postgres responds, else 0",
                    Some(f64::from(u8::from(heartbeat.database != Database::Down))),
                ),
                Metric::gauge(
                    "publish_age_seconds",
                    "Time since the last publish that is shown",
                    heartbeat.age_ms.map(|age| age as f64 / 1e3),
                ),
                Metric::gauge(
                    "clock_timestamp_seconds",
                    "The replay clock that is shown, in seconds since 1970",
                    clock.and_then(|clock| timestamp(&clock.utc)),
                ),
                Metric::gauge(
                    "shown_version",
                    "Number of the publish that is shown",
                    Some(board.version() as f64),
                ),
                Metric::gauge("docks", "Docks shown", Some(board.docks() as f64)),
            ]
        })
    }
}

/// Seconds since 1970 of an instant as the page writes it.
fn timestamp(utc: &str) -> Option<f64> {
    let at: DateTime<Utc> = utc.parse().ok()?;
    Some(at.timestamp() as f64)
}
