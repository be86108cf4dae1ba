//! What the page's server counts, for those who run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

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

    /// How many responses there were, by the class of their status.
    pub(super) fn responses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.into_iter().zip(self.0.responses.iter().map(read))
    }

    pub(super) fn streams_refused(&self) -> u64 {
        read(&self.0.streams_refused)
    }

    pub(super) fn events(&self) -> u64 {
        read(&self.0.events)
    }

    pub(super) fn event_bytes(&self) -> u64 {
        read(&self.0.event_bytes)
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

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
