//! An amount in all and a share of it for each peer, so that one cannot take what is for everybody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something of which there is a limited amount; copies share it.
#[derive(Debug, Clone)]
pub(crate) struct Quota(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    amount: usize,
    per_peer: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Without peers that hold nothing.
    by_peer: HashMap<IpAddr, usize>,
}

impl Quota {
    /// `amount` in all, of which one peer may hold `per_peer`.
    pub(crate) fn new(amount: usize, per_peer: usize) -> Self {
        Self(Arc::new(Shared {
            amount,
            per_peer,
            held: Mutex::default(),
        }))
    }

    /// Takes `wanted` until the permit is dropped; none if there is not as much left.
    pub(crate) fn take(&self, peer: IpAddr, wanted: usize) -> Option<Permit> {
        let peer = network(peer);
        let mut held = self.0.held();
        let all = held.all.checked_add(wanted)?;
        let of_peer = held.by_peer.get(&peer).copied().unwrap_or(0) + wanted;
        if all > self.0.amount || of_peer > self.0.per_peer {
            return None;
        }
        held.all = all;
        held.by_peer.insert(peer, of_peer);
        drop(held);
        Some(Permit {
            quota: Arc::clone(&self.0),
            peer,
            taken: wanted,
        })
    }
}

impl Quota {
    /// How much is taken now.
    pub(crate) fn held(&self) -> usize {
        self.0.held().all
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    quota: Arc<Shared>,
    peer: IpAddr,
    taken: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.quota.held();
        held.all -= self.taken;
        if let Entry::Occupied(mut of_peer) = held.by_peer.entry(self.peer) {
            *of_peer.get_mut() -= self.taken;
            if *of_peer.get() == 0 {
                of_peer.remove();
            }
        }
    }
}

/// Who counts as one: an IPv4 address, or the /64 network that one holder of IPv6 addresses has.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_gets_no_more_than_its_share_and_all_no_more_than_there_is() {
        let quota = Quota::new(3, 2);
        let of_one = [
            quota.take(peer("10.0.0.1"), 1),
            quota.take(peer("10.0.0.1"), 1),
        ];
        assert!(of_one.iter().all(Option::is_some));
        assert!(quota.take(peer("10.0.0.1"), 1).is_none(), "its share");
        let of_other = quota.take(peer("10.0.0.2"), 1);
        assert!(of_other.is_some());
        assert!(quota.take(peer("10.0.0.3"), 1).is_none(), "all is taken");
        drop(of_one);
        assert!(quota.take(peer("10.0.0.3"), 2).is_some(), "given back");
    }

    #[test]
    fn a_peer_that_holds_nothing_is_forgotten() {
        let quota = Quota::new(3, 2);
        drop(quota.take(peer("10.0.0.1"), 2));
        assert!(quota.0.held().by_peer.is_empty());
    }

    #[test]
    fn one_holder_of_many_addresses_is_one_peer() {
        let quota = Quota::new(9, 1);
        let _held = [
            quota.take(peer("2001:db8::1"), 1),
            quota.take(peer("::ffff:10.0.0.1"), 1),
        ];
        assert!(quota.take(peer("2001:db8::2"), 1).is_none());
        assert!(quota.take(peer("10.0.0.1"), 1).is_none());
        assert!(quota.take(peer("2001:db8:0:1::1"), 1).is_some());
    }
}
