//! This process among the sinks that share the partitions: it joins, sends heartbeats and leaves.
//!
//! ```text
//! sink_member, partition_lease ─▶ [`Group::heartbeat`] ─▶ sink_member, partition_lease
//!   one transaction under a lock, every half second    └▶ [`Assignment`] ─▶ `partition`
//! ```
//!
//! Only the database's clock counts. A lease alone stops nobody: a partition's new owner gives its streams
//! the lease's generation ([`crate::cursor::take`]), and the commits of whoever had it before fail.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;

use crate::config::SinkConfig;
use crate::database;
use crate::error::SinkError;
use crate::group::{Change, Group, Lease, Limits, Member};
use crate::module::Module;
use crate::shared::Shared;
use crate::state::{MembershipState, StreamStatus};

/// Held while members and leases are read and changed.
const GROUP_LOCK: i64 = 0x6269_6b65_0003;
/// What the connection of the heartbeats is called.
const ROLE: &str = "membership";
/// Longest wait to leave; who does not is taken for dead soon after.
const LEAVE_MAX: Duration = Duration::from_millis(500);

/// Generations of the partitions that this process owns.
pub(crate) type Assignment = BTreeMap<u32, i64>;

/// Sends heartbeats and keeps `assignment` current until stopped, then leaves.
pub(crate) async fn run(shared: &Shared, assignment: watch::Sender<Assignment>) {
    let mut kept = None;
    while !shared.stop.is_cancelled() {
        let beating = beat(shared, &mut kept);
        match shared.stop.run_until_cancelled(beating).await {
            Some(Ok(leases)) => show(shared, &assignment, &leases),
            Some(Err(error)) => show_error(shared, &error),
            None => break,
        }
        shared.pause(shared.config.heartbeat_interval).await;
    }
    match database::with_timeout(LEAVE_MAX, "leave the other sinks", leave(shared)).await {
        Ok(()) => tracing::info!("{} has left", shared.config.member),
        Err(error) => tracing::warn!(
            error = error.chain(),
            "could not leave the other sinks: they find out by themselves"
        ),
    }
}

/// One heartbeat; gives all leases. A connection that failed is not kept.
async fn beat(
    shared: &Shared,
    kept: &mut Option<PgConnection>,
) -> Result<BTreeMap<u32, Lease>, SinkError> {
    let config = &shared.config;
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => connect(shared).await?,
    };
    let beating = async {
        let leases = heartbeat(&mut connection, config).await?;
        let owned = |lease: &Lease| lease.owner.as_deref() == Some(&*config.member);
        if !leases.values().all(owned) {
            read_unassigned(&mut connection, shared).await?;
        }
        Ok(leases)
    };
    let leases = database::with_timeout(config.database_max, "send a heartbeat", beating).await?;
    *kept = Some(connection);
    Ok(leases)
}

async fn connect(shared: &Shared) -> Result<PgConnection, SinkError> {
    let mut connection = shared.connect(ROLE).await?;
    // A process that is frozen while it holds the lock must not hold the others up for long.
    let idle_max = shared.config.session_timeout.as_millis() / 2;
    let limit = format!("set idle_in_transaction_session_timeout = {idle_max}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit))
        .execute(&mut connection)
        .await
        .map_err(SinkError::database("limit a heartbeat"))?;
    Ok(connection)
}

async fn heartbeat(
    connection: &mut PgConnection,
    config: &SinkConfig,
) -> Result<BTreeMap<u32, Lease>, SinkError> {
    let failed = || SinkError::database("send a heartbeat");
    let mut transaction = connection.begin().await.map_err(failed())?;
    let mut group = read(&mut transaction, &config.topic).await?;
    let limits = Limits {
        disconnected: config.heartbeat_interval,
        connected: config.session_timeout,
    };
    let change = group.heartbeat(&config.member, limits);
    sqlx::query(
        "insert into sink_member (member, joined_at, heartbeat_at, address)
         values ($1, clock_timestamp(), clock_timestamp(), inet_client_addr())
         on conflict (member) do update set heartbeat_at = excluded.heartbeat_at",
    )
    .bind(&config.member)
    .execute(&mut *transaction)
    .await
    .map_err(failed())?;
    write(&mut transaction, config, &change).await?;
    transaction.commit().await.map_err(failed())?;
    for member in &change.removed {
        tracing::warn!("sink {member} is taken for dead: its partitions go on elsewhere");
    }
    group.leases.extend(change.leases);
    Ok(group.leases)
}

async fn leave(shared: &Shared) -> Result<(), SinkError> {
    let config = &shared.config;
    let failed = || SinkError::database("leave the other sinks");
    let mut connection = connect(shared).await?;
    let mut transaction = connection.begin().await.map_err(failed())?;
    let group = read(&mut transaction, &config.topic).await?;
    let change = group.leave(&config.member);
    write(&mut transaction, config, &change).await?;
    transaction.commit().await.map_err(failed())
}

/// `partition, member, generation` of the lease, and of each stream `owner, generation`
type LeaseRow = (i16, Option<String>, Option<i64>, Vec<String>, Vec<i64>);

/// Takes the lock and reads who is there and who owns what.
async fn read(connection: &mut PgConnection, topic: &str) -> Result<Group, SinkError> {
    let failed = || SinkError::database("read who shares the partitions");
    // What depends on a lease is written behind it, so a lease need not be on the disk before.
    sqlx::query("select pg_advisory_xact_lock($1), set_config('synchronous_commit', 'off', true)")
        .bind(GROUP_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    let members: Vec<(String, f64, bool)> = sqlx::query_as(
        "select member, extract(epoch from clock_timestamp() - heartbeat_at)::float8,
             exists (select from pg_stat_activity where datname = current_database()
                 and application_name = 'bikeshare ' || member || ' ' || $1)
         from sink_member order by joined_at, member",
    )
    .bind(ROLE)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed())?;
    // The streams tell which partitions there are.
    let leases: Vec<LeaseRow> = sqlx::query_as(
        "select c.partition, l.member, l.generation, array_agg(c.owner), array_agg(c.generation)
         from stream_cursor c left join partition_lease l using (topic, partition)
         where c.topic = $1 group by c.partition, l.member, l.generation",
    )
    .bind(topic)
    .fetch_all(connection)
    .await
    .map_err(failed())?;
    let members = members
        .into_iter()
        .map(|(name, seconds, is_connected)| Member {
            name,
            silent_for: Duration::from_secs_f64(seconds.max(0.0)),
            is_connected,
        });
    let leases = leases
        .into_iter()
        .map(|(partition, owner, generation, takers, taken)| {
            let stored = generation.map(|generation| Lease { owner, generation });
            let streams: Vec<_> = takers.into_iter().zip(taken).collect();
            let lease = Lease::in_force(stored, &streams);
            (u32::from(partition.unsigned_abs()), lease)
        });
    Ok(Group {
        members: members.collect(),
        leases: leases.collect(),
    })
}

/// Removes members, others with what they have left open, and gives partitions to others.
async fn write(
    connection: &mut PgConnection,
    SinkConfig { topic, member, .. }: &SinkConfig,
    change: &Change,
) -> Result<(), SinkError> {
    let failed = || SinkError::database("change who shares the partitions");
    if !change.removed.is_empty() {
        // A frozen process would hold the rows of its transaction, and the publisher's lock. Of one that
        // leaves, the publisher saves what it knows meanwhile.
        sqlx::query(
            "with removed as (delete from sink_member where member = any($1) returning member)
             select count(pg_terminate_backend(pid)) from pg_stat_activity, removed
             where datname = current_database() and member <> $2
                 and starts_with(application_name, 'bikeshare ' || member || ' ')
                 and pg_has_role(usesysid, 'usage')",
        )
        .bind(&change.removed)
        .bind(member)
        .execute(&mut *connection)
        .await
        .map_err(failed())?;
    }
    if change.leases.is_empty() {
        return Ok(());
    }
    let partitions = change.leases.keys();
    let partitions = partitions.map(|partition| i16::try_from(*partition).unwrap_or(i16::MAX));
    let owners = change.leases.values().map(|lease| lease.owner.as_deref());
    let generations = change.leases.values().map(|lease| lease.generation);
    sqlx::query(
        "insert into partition_lease (topic, partition, member, generation)
         select $1, * from unnest($2::smallint[], $3::text[], $4::bigint[])
         on conflict (topic, partition)
             do update set member = excluded.member, generation = excluded.generation",
    )
    .bind(topic)
    .bind(partitions.collect::<Vec<_>>())
    .bind(owners.collect::<Vec<_>>())
    .bind(generations.collect::<Vec<_>>())
    .execute(connection)
    .await
    .map_err(failed())?;
    Ok(())
}

/// `partition, module, next_offset, id_shift, watermark`
type CursorRow = (i16, String, i64, i64, Option<DateTime<Utc>>);

/// Shows how far the streams of other members have come: the city's clock and an end of the log are
/// everyone's.
async fn read_unassigned(connection: &mut PgConnection, shared: &Shared) -> Result<(), SinkError> {
    let rows: Vec<CursorRow> = sqlx::query_as(
        "select partition, module, next_offset, id_shift, watermark from stream_cursor
         where topic = $1",
    )
    .bind(&shared.config.topic)
    .fetch_all(connection)
    .await
    .map_err(SinkError::database("read the cursors of other sinks"))?;
    shared.state.send_if_modified(|state| {
        let mut is_modified = false;
        for (partition, name, next_offset, id_shift, watermark) in rows {
            let module = Module::ALL.into_iter().find(|module| module.name() == name);
            let stream = module.and_then(|module| {
                let key = (u32::from(partition.unsigned_abs()), module);
                state.streams.get_mut(&key)
            });
            let Some(stream) = stream.filter(|it| it.status == StreamStatus::Unassigned) else {
                continue;
            };
            let before = (stream.next_offset, stream.id_shift, stream.watermark);
            let now = (next_offset, id_shift, watermark);
            (stream.next_offset, stream.id_shift, stream.watermark) = now;
            stream.high_watermark = stream.high_watermark.max(next_offset);
            is_modified |= before != now;
        }
        is_modified
    });
    Ok(())
}

fn show(shared: &Shared, assignment: &watch::Sender<Assignment>, leases: &BTreeMap<u32, Lease>) {
    let member = &shared.config.member;
    let mut owned = Assignment::new();
    let mut owners = BTreeMap::new();
    for (partition, lease) in leases {
        if let Some(owner) = &lease.owner {
            owners.insert(*partition, owner.clone());
            if owner == member {
                owned.insert(*partition, lease.generation);
            }
        }
    }
    let mut is_changed = false;
    assignment.send_if_modified(|assigned| {
        is_changed = *assigned != owned;
        if is_changed {
            tracing::info!(member, "owns partitions {:?}", owned.keys());
        }
        *assigned = owned;
        is_changed
    });
    update(shared, |state| {
        *state = MembershipState {
            member: member.clone(),
            is_joined: true,
            owners,
            rebalances: state.rebalances + u64::from(is_changed),
            last_error: None,
        };
    });
}

/// Told once: the streams say at each retry what is wrong.
fn show_error(shared: &Shared, error: &SinkError) {
    let text = error.chain();
    let is_new = shared.state.borrow().membership.last_error.as_ref() != Some(&text);
    if is_new {
        tracing::warn!(error = text, "no heartbeat could be sent; retries");
    }
    update(shared, |state| state.last_error = Some(text));
}

fn update(shared: &Shared, change: impl FnOnce(&mut MembershipState)) {
    shared.state.send_if_modified(|state| {
        let before = state.membership.clone();
        change(&mut state.membership);
        state.membership != before
    });
}
