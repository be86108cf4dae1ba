//! The months of `records` and `dock_status` that a writer has found or made.

use std::ops::Range;

use chrono::{DateTime, Utc};
use domain::EventTime;
use sqlx::postgres::PgConnection;

use crate::error::SinkError;

/// Months that are made; what is before or after has its table from the start (2000 to 2099).
const MONTHS: Range<EventTime> =
    EventTime::from_micros(946_684_800_000_000)..EventTime::from_micros(4_102_444_800_000_000);

/// Known as long as a writer's session lives: a month that was dropped meanwhile ends the session of who
/// writes a late row of it, and the next session makes it anew.
#[derive(Debug)]
pub(crate) struct Months {
    known: Vec<Range<EventTime>>,
    /// The place in `known` of the last one: rows of one month come together.
    last: usize,
}

impl Default for Months {
    fn default() -> Self {
        Self {
            known: vec![
                EventTime::from_micros(i64::MIN)..MONTHS.start,
                MONTHS.end..EventTime::from_micros(i64::MAX),
            ],
            last: 0,
        }
    }
}

impl Months {
    /// Makes the months that are missing for rows of these times, outside any transaction.
    pub(crate) async fn make(
        &mut self,
        connection: &mut PgConnection,
        times: impl Iterator<Item = EventTime>,
    ) -> Result<(), SinkError> {
        for at in times {
            if self.has(at) {
                continue;
            }
            let Some(time) = at.to_utc() else { continue };
            let (start, end): (DateTime<Utc>, DateTime<Utc>) =
                sqlx::query_as("select start_at, end_at from make_month($1)")
                    .bind(time)
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(SinkError::database(format!("make the month of {time}")))?;
            self.last = self.known.len();
            self.known.push(start.into()..end.into());
        }
        Ok(())
    }

    fn has(&mut self, at: EventTime) -> bool {
        if self.known[self.last].contains(&at) {
            return true;
        }
        let found = self.known.iter().position(|month| month.contains(&at));
        self.last = found.unwrap_or(self.last);
        found.is_some()
    }
}
