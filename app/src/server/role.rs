//! What the page's server shows to those who run it.

use chrono::{DateTime, Utc};
use telemetry::{Metric, Role, Value};

use super::health;
use super::state::AppState;
use crate::model::Database;

/// The page as a role that is watched.
#[derive(Debug, Clone)]
pub struct PageRole(pub(super) AppState);

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
            .0
            .board
            .read(|board| health::causes(board, self.0.stale_after_ms()));
        causes
            .into_iter()
            .map(|cause| format!("page: {cause}"))
            .collect()
    }

    fn waits(&self) -> Vec<String> {
        let has_clock = self.0.board.read(|board| board.clock().is_some());
        let waiting = (!has_clock).then(|| "page: nothing has been published yet".to_owned());
        waiting.into_iter().collect()
    }
}

impl PageRole {
    fn traffic(&self) -> Vec<Metric> {
        let responses = self.0.meters.responses().map(|(class, responses)| {
            let labels = vec![("status", class.to_owned())];
            (labels, Value::Count(responses))
        });
        vec![
            Metric::labelled("responses", "Responses by status", responses),
            Metric::gauge(
                "event_streams",
                "Event streams that are open: pages that are looked at",
                Some(self.0.streams.held() as f64),
            ),
            Metric::count(
                "event_streams_refused",
                "Event streams refused, because too many are open",
                self.0.meters.streams_refused(),
            ),
            Metric::count(
                "events_sent",
                "Events given to event streams",
                self.0.meters.events(),
            ),
            Metric::count(
                "event_bytes_sent",
                "Bytes of these events",
                self.0.meters.event_bytes(),
            ),
        ]
    }

    fn shown(&self) -> Vec<Metric> {
        self.0.board.read(|board| {
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
