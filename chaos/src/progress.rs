//! Follows what is committed, over a connection that no fault of a link harms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;

/// How exactly recoveries are timed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A Postgres that stands still says nothing.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The docks are compared with the rows so often: it takes Postgres a part of a second.
const COMPARE_EVERY: u32 = 60;

const CURSORS: &str = "select module || '/' || partition, next_offset from stream_cursor";

/// Docks that are neither those of all events up to the clock nor those before it: what comes at the
/// clock itself may come after its publish. Read at one instant, whatever is being written.
const UNEQUAL_DOCKS: &str = "
    with moment as (select at from replay_clock),
    upto as (
        select distinct on (bike_id) location_id, docked from records, moment
        where time <= at order by bike_id, time desc, id desc),
    before as (
        select distinct on (bike_id) location_id, docked from records, moment
        where time < at order by bike_id, time desc, id desc),
    u as (select location_id, count(*) bikes from upto where docked group by 1),
    b as (select location_id, count(*) bikes from before where docked group by 1)
    select coalesce(string_agg(format('%s shows %s bikes, not %s at %s', station_id,
        coalesce(a.bikes, 0), coalesce(u.bikes, 0), (select at from moment)), '; '), '')
    from location
    left join availability a using (location_id)
    left join u using (location_id) left join b using (location_id)
    where exists (select from moment) and coalesce(a.bikes, 0)
        not in (coalesce(u.bikes, 0), coalesce(b.bikes, 0))";

/// `next_offset` of each stream.
pub(crate) type Cursors = BTreeMap<String, i64>;
/// Laws that broke while it ran.
///
/// Copies share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Violations(Arc<Mutex<Vec<String>>>);

impl Violations {
    /// Notes a law that broke.
    pub(crate) fn add(&self, what: String) {
        eprintln!("BROKEN: {what}");
        self.lock().push(what);
    }

    /// All of them so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the follower has seen last.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    cursors: watch::Receiver<Cursors>,
    /// How often the docks were compared.
    compared: watch::Receiver<u64>,
}

impl Progress {
    /// Follows until the runtime ends.
    pub(crate) fn follow(url: String, violations: Violations) -> Self {
        let (sender, cursors) = watch::channel(Cursors::new());
        let (counter, compared) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                // Whatever fails, the next connection tells.
                drop(read(&url, &sender, &counter, &violations).await);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { cursors, compared }
    }

    pub(crate) fn cursors(&self) -> Cursors {
        self.cursors.borrow().clone()
    }

    pub(crate) fn compared(&self) -> u64 {
        *self.compared.borrow()
    }

    /// Waits until both streams of each of the three partitions have stored something.
    pub(crate) async fn has_streams(&mut self) {
        let has_streams = |now: &Cursors| now.len() == 6 && now.values().all(|offset| *offset > 0);
        // The sender lives as long as the runtime.
        drop(self.cursors.wait_for(has_streams).await);
    }

    /// Waits until every stream has committed more than it had.
    pub(crate) async fn beyond(&mut self, before: &Cursors) {
        let is_beyond = |now: &Cursors| {
            let mut before = before.iter();
            before.all(|(stream, offset)| now.get(stream).is_some_and(|now| now > offset))
        };
        // The sender lives as long as the runtime.
        drop(self.cursors.wait_for(is_beyond).await);
    }
}

async fn read(
    url: &str,
    sender: &watch::Sender<Cursors>,
    counter: &watch::Sender<u64>,
    violations: &Violations,
) -> anyhow::Result<()> {
    let connecting = PgConnection::connect(url);
    let mut connection = tokio::time::timeout(ANSWER_MAX, connecting).await??;
    for look in 1_u32.. {
        let reading = sqlx::query_as(CURSORS).fetch_all(&mut connection);
        let rows: Vec<(String, i64)> = tokio::time::timeout(ANSWER_MAX, reading).await??;
        let cursors: Cursors = rows.into_iter().collect();
        for (stream, before) in &*sender.borrow() {
            let now = cursors.get(stream);
            if now.is_none_or(|now| now < before) {
                violations.add(format!("cursor of {stream} went from {before} to {now:?}"));
            }
        }
        sender.send_replace(cursors);
        if look % COMPARE_EVERY == 0 {
            let comparing = sqlx::query_scalar(UNEQUAL_DOCKS).fetch_one(&mut connection);
            let unequal: String = comparing.await?;
            counter.send_modify(|compared| *compared += 1);
            if !unequal.is_empty() {
                violations.add(format!("availability while it ran: {unequal}"));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}
