//! Waits for rows' time, and tells the time to every partition meanwhile.

use std::time::Duration;

use domain::window::{WIDTH, window_start};
use trip_files::instant;

use super::replay::{End, Reached, Replay};
use crate::clock;
use crate::send::{Closed, Outgoing, Queues};

/// Ticks are sent at least this often while rows wait for their time.
const TICK_EVERY: Duration = Duration::from_millis(200);

/// At full speed a tick is sent after so many rows.
const TICK_ROWS: u64 = 2_000;

impl Replay<'_> {
    /// Waits until a row that departed `at` is due, and sends ticks meanwhile.
    pub(super) async fn wait_for(&mut self, at: i64, queues: &Queues) -> Result<(), End> {
        if self.links.stop.is_cancelled() {
            return Err(End::Stopped);
        }
        // A reject before the first good row has no time to wait for.
        if at == i64::MIN {
            return Ok(());
        }
        let Some(due) = self.clock.due(at) else {
            return Ok(());
        };
        while clock::now() < due {
            let wake = due.min(self.last_tick + TICK_EVERY);
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                () = self.links.stop.cancelled() => return Err(End::Stopped),
            }
            self.tick_while_waiting(at, queues).await?;
        }
        Ok(())
    }

    /// Sends the replay clock's time, which is before the next row's departure.
    async fn tick_while_waiting(&mut self, next_at: i64, queues: &Queues) -> Result<(), End> {
        if self.last_tick.elapsed() < TICK_EVERY {
            return Ok(());
        }
        self.last_tick = clock::now();
        if let (Some(now), Some(reached)) = (self.clock.event_time(), self.reached) {
            let at = now.min(next_at).max(reached.at);
            self.tick(at, reached, queues).await?;
            self.report_at(at);
        }
        Ok(())
    }

    /// Sends the departure reached, if the last tick was long ago.
    pub(super) async fn tick_if_due(&mut self, queues: &Queues) -> Result<(), End> {
        let is_due = if self.clock.is_paced() {
            self.last_tick.elapsed() >= TICK_EVERY
        } else {
            self.rows_since_tick >= TICK_ROWS
        };
        if let (true, Some(reached)) = (is_due, self.reached) {
            self.last_tick = clock::now();
            self.rows_since_tick = 0;
            self.tick(reached.at, reached, queues).await?;
            self.let_go()?;
        }
        Ok(())
    }

    /// Sends a tick to every partition.
    async fn tick(&mut self, at: i64, reached: Reached, queues: &Queues) -> Result<(), Closed> {
        if at == i64::MIN {
            return Ok(());
        }
        self.summary.ticks += 1;
        for partition in self.links.partitions.iter() {
            self.tick_to(partition, at, reached, queues).await?;
        }
        Ok(())
    }

    async fn tick_to(
        &self,
        partition: u32,
        at: i64,
        reached: Reached,
        queues: &Queues,
    ) -> Result<(), Closed> {
        // An earlier run was further here: later rows have told the time already, and a tick's
        // `seq` must not go back.
        if self.held[partition as usize].is_past(reached.source, reached.next_seq) {
            return Ok(());
        }
        let value = self.encoders[reached.source].tick(reached.next_seq, at);
        let value = value.into();
        queues.send(partition, Outgoing { key: None, value }).await
    }

    /// Sends the end of the last departure's window to the partitions that do not hold it yet, and to
    /// those that were sent a row: what a run leaves ends in a tick, if any row of it had a time.
    pub(super) async fn last_tick(&mut self, queues: &Queues) -> Result<(), Closed> {
        let Some(reached) = self.reached.filter(|reached| reached.at != i64::MIN) else {
            return Ok(());
        };
        let end = window_start(instant(reached.at), WIDTH) + WIDTH;
        let at = end.timestamp_micros();
        let is_due = |partition: &u32| {
            let index = *partition as usize;
            self.held[index].ticked < at || self.queued[index] > 0
        };
        let partitions: Vec<_> = self.links.partitions.iter().filter(is_due).collect();
        for &partition in &partitions {
            self.tick_to(partition, at, reached, queues).await?;
        }
        self.summary.ticks += u64::from(!partitions.is_empty());
        self.reached = Some(Reached { at, ..reached });
        Ok(())
    }
}
