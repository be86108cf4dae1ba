//! Who owns which partition: the rules by which sinks share a topic, without I/O and without a clock.
//!
//! As in a consumer group of Kafka each process is a *member* that joins, sends heartbeats and leaves, but
//! there is no coordinator: whoever sends a heartbeat applies these rules to what the tables say
//! ([`crate::membership`]), and they give everyone the same.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// A process that has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    /// Time since its last heartbeat, by the database's clock.
    pub silent_for: Duration,
    /// Whether the database has a connection from which its heartbeats come: a killed process has none.
    pub is_connected: bool,
}

/// The right to write a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    pub owner: Option<String>,
    /// Grows with each change: an owner of an older one is fenced.
    pub generation: i64,
}

impl Lease {
    /// What holds of a lease that is stored, if one is, beside its streams: who took each last, and by which
    /// generation.
    ///
    /// A lease that is gone, older than its streams, or as old as one that another process took is nobody's,
    /// and the next one is newer than both. A database that was killed may have lost a lease that its owner
    /// had heard of already; given once more under the same generation it would fence the new owner for good.
    #[must_use]
    pub fn in_force(stored: Option<Self>, streams: &[(String, i64)]) -> Self {
        let stored = stored.unwrap_or_default();
        let taken = streams.iter().map(|(_, generation)| *generation).max();
        let generation = taken.map_or(stored.generation, |taken| taken.max(stored.generation));
        let holds = |owner: &String| {
            let is_of_other =
                |(taker, taken): &(String, i64)| *taken == generation && taker != owner;
            generation == stored.generation && !streams.iter().any(is_of_other)
        };
        Self {
            owner: stored.owner.filter(holds),
            generation,
        }
    }
}

/// When a member is taken for dead.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Silence of one that has no connection.
    pub disconnected: Duration,
    /// Silence of one that has.
    pub connected: Duration,
}

/// All members, in the order in which they joined, and all leases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    pub members: Vec<Member>,
    pub leases: BTreeMap<u32, Lease>,
}

/// What is to be changed in the tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub removed: Vec<String>,
    pub leases: BTreeMap<u32, Lease>,
}

impl Group {
    /// What the heartbeat of a member changes; it joins by its first one, and again if it was removed.
    ///
    /// Others are dead if they have been silent for so much longer than this one was: a database that
    /// nobody could reach for a while moves nothing.
    pub fn heartbeat(&self, member: &str, limits: Limits) -> Change {
        let own = self.members.iter().find(|other| other.name == member);
        let own_silence = own.map_or(Duration::ZERO, |own| own.silent_for);
        let is_dead = |other: &Member| {
            let limit = if other.is_connected {
                limits.connected
            } else {
                limits.disconnected
            };
            other.name != member && other.silent_for.saturating_sub(own_silence) > limit
        };
        let joins = own.is_none().then_some(member);
        self.without(is_dead, joins)
    }

    /// What changes when a member leaves: others get its partitions at once.
    pub fn leave(&self, member: &str) -> Change {
        self.without(|other| other.name == member, None)
    }

    fn without(&self, is_removed: impl Fn(&Member) -> bool, joins: Option<&str>) -> Change {
        let (removed, stay): (Vec<_>, Vec<_>) =
            self.members.iter().partition(|member| is_removed(member));
        let stay = stay.into_iter().map(|member| member.name.as_str());
        let members: Vec<_> = stay.chain(joins).collect();
        Change {
            removed: removed.into_iter().map(|it| it.name.clone()).collect(),
            leases: assign(&members, &self.leases),
        }
    }
}

/// The leases that change so that each member owns the same number of partitions, or one more.
///
/// Those that own most keep the odd ones, and nobody gives up more than is above its share: so no
/// partition moves that need not.
fn assign(members: &[&str], leases: &BTreeMap<u32, Lease>) -> BTreeMap<u32, Lease> {
    let mut owned: Vec<(&str, Vec<u32>)> = members.iter().map(|name| (*name, Vec::new())).collect();
    let mut free = Vec::new();
    for (partition, lease) in leases {
        let owner = lease.owner.as_deref();
        match owned.iter_mut().find(|(name, _)| Some(*name) == owner) {
            Some((_, partitions)) => partitions.push(*partition),
            None => free.push(*partition),
        }
    }
    owned.sort_by_key(|(_, partitions)| Reverse(partitions.len()));
    let (share, odd) = match members.len() {
        0 => (0, 0),
        count => (leases.len() / count, leases.len() % count),
    };
    let share_of = |rank: usize| share + usize::from(rank < odd);
    for (rank, (_, partitions)) in owned.iter_mut().enumerate() {
        free.extend(partitions.drain(partitions.len().min(share_of(rank))..));
    }
    free.sort_unstable();
    let mut free = free.into_iter();
    let mut owners = BTreeMap::new();
    for (rank, (name, partitions)) in owned.iter().enumerate() {
        let missing = share_of(rank) - partitions.len();
        owners.extend(
            free.by_ref()
                .take(missing)
                .map(|partition| (partition, *name)),
        );
    }
    // Partitions of nobody are left only where there is no member.
    let ownerless = free.filter(|partition| leases[partition].owner.is_some());
    let given = owners
        .into_iter()
        .map(|(partition, name)| (partition, Some(name)));
    let changes = given.chain(ownerless.map(|partition| (partition, None)));
    changes
        .map(|(partition, owner)| {
            let lease = Lease {
                owner: owner.map(str::to_owned),
                generation: leases[&partition].generation + 1,
            };
            (partition, lease)
        })
        .collect()
}

#[cfg(test)]
mod tests;
