//! The laws of sharing, over random histories of joins, leaves, kills and freezes.

use std::collections::BTreeSet;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    disconnected: Duration::from_millis(500),
    connected: Duration::from_secs(2),
};

impl Group {
    fn with_partitions(partitions: u32) -> Self {
        let leases = (0..partitions).map(|partition| (partition, Lease::default()));
        Self {
            members: Vec::new(),
            leases: leases.collect(),
        }
    }

    /// Applies a change as the tables do; the member has been heard, if it has not left.
    fn apply(&mut self, change: Change, heard: Option<&str>) {
        self.members
            .retain(|member| !change.removed.contains(&member.name));
        self.leases.extend(change.leases);
        let Some(name) = heard else { return };
        if let Some(member) = self.members.iter_mut().find(|member| member.name == name) {
            member.silent_for = Duration::ZERO;
        } else {
            self.members.push(Member {
                name: name.to_owned(),
                silent_for: Duration::ZERO,
                is_connected: true,
            });
        }
    }

    fn beat(&mut self, name: &str) {
        let change = self.heartbeat(name, LIMITS);
        self.apply(change, Some(name));
    }

    fn pass(&mut self, time: Duration) {
        for member in &mut self.members {
            member.silent_for += time;
        }
    }

    /// Partitions of each member.
    fn counts(&self) -> Vec<usize> {
        let count = |name: &str| {
            let leases = self.leases.values();
            let own = leases.filter(|lease| lease.owner.as_deref() == Some(name));
            own.count()
        };
        self.members.iter().map(|it| count(&it.name)).collect()
    }

    fn is_even(&self) -> bool {
        let (counts, leases) = (self.counts(), self.leases.len());
        let share = leases / counts.len().max(1);
        counts.is_empty()
            || counts
                .iter()
                .all(|count| (share..=share + 1).contains(count))
                && counts.iter().sum::<usize>() == leases
    }

    /// The fewest partitions that must get another owner so that `members` own evenly: all choices of
    /// who gets the odd ones are tried.
    fn fewest_moves(&self, members: &[String]) -> usize {
        let (share, odd) = (
            self.leases.len() / members.len(),
            self.leases.len() % members.len(),
        );
        let count = |name: &String| {
            let leases = self.leases.values();
            leases
                .filter(|lease| lease.owner.as_ref() == Some(name))
                .count()
        };
        let choices = 0..1_u32 << members.len();
        let choices = choices.filter(|choice| choice.count_ones() as usize == odd);
        let kept = choices.map(|choice| {
            let kept = members.iter().enumerate().map(|(rank, name)| {
                let share = share + (choice >> rank & 1) as usize;
                count(name).min(share)
            });
            kept.sum::<usize>()
        });
        self.leases.len() - kept.max().unwrap()
    }

    fn text(&self) -> String {
        let leases = self.leases.iter().map(|(partition, lease)| {
            let owner = lease.owner.as_deref().unwrap_or("nobody");
            format!("{partition}: {owner} ({})", lease.generation)
        });
        leases.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn sinks_that_join_leave_and_die_share_three_partitions() {
    let mut group = Group::with_partitions(3);
    let mut told = Vec::new();
    let mut tell = |what: &str, group: &Group| told.push(format!("{what}: {}", group.text()));
    group.beat("a");
    tell("a joins", &group);
    group.beat("b");
    tell("b joins", &group);
    group.beat("c");
    tell("c joins", &group);
    group.apply(group.leave("a"), None);
    tell("a leaves", &group);
    group.pass(Duration::from_millis(600));
    group.beat("b");
    tell("c is silent but connected", &group);
    group.members[1].is_connected = false;
    group.pass(Duration::from_millis(600));
    group.beat("b");
    tell("c was killed", &group);
    group.beat("c");
    tell("c joins again", &group);
    group.pass(Duration::from_millis(2_500));
    group.beat("b");
    tell("nobody was heard", &group);
    group.pass(Duration::from_millis(500));
    group.beat("b");
    tell("c is frozen", &group);
    group.apply(group.leave("b"), None);
    tell("b leaves", &group);
    expect![[r#"
        a joins: 0: a (1), 1: a (1), 2: a (1)
        b joins: 0: a (1), 1: a (1), 2: b (2)
        c joins: 0: a (1), 1: c (2), 2: b (2)
        a leaves: 0: b (2), 1: c (2), 2: b (2)
        c is silent but connected: 0: b (2), 1: c (2), 2: b (2)
        c was killed: 0: b (2), 1: b (3), 2: b (2)
        c joins again: 0: b (2), 1: b (3), 2: c (3)
        nobody was heard: 0: b (2), 1: b (3), 2: c (3)
        c is frozen: 0: b (2), 1: b (3), 2: b (4)
        b leaves: 0: nobody (3), 1: nobody (4), 2: nobody (5)"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_lease_that_another_process_took_first_or_that_is_older_than_its_streams_is_nobodys() {
    let in_force = |stored: Option<(&str, i64)>, streams: [(&str, i64); 2]| {
        let stored = stored.map(|(owner, generation)| Lease {
            owner: Some(owner.to_owned()),
            generation,
        });
        let streams = streams.map(|(taker, generation)| (taker.to_owned(), generation));
        let lease = Lease::in_force(stored, &streams);
        format!(
            "{} ({})",
            lease.owner.as_deref().unwrap_or("nobody"),
            lease.generation
        )
    };
    let told = [
        in_force(Some(("a", 3)), [("a", 3), ("a", 3)]),
        in_force(Some(("a", 3)), [("b", 2), ("a", 3)]),
        in_force(Some(("a", 3)), [("b", 3), ("b", 2)]),
        in_force(Some(("a", 3)), [("a", 4), ("a", 3)]),
        in_force(None, [("a", 3), ("a", 3)]),
        in_force(Some(("a", 0)), [("nobody yet", 0), ("nobody yet", 0)]),
    ];
    expect![[r#"
        a (3)
        a (3)
        nobody (3)
        nobody (4)
        nobody (3)
        nobody (0)"#]]
    .assert_eq(&told.join("\n"));
}

/// What may happen to a group.
#[derive(Debug, Clone)]
enum Event {
    Beat(usize),
    Leave(usize),
    /// It loses its connection, and is heard no more until it joins again.
    Kill(usize),
    Pass(Duration),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0..6_usize).prop_map(Event::Beat),
        1 => (0..6_usize).prop_map(Event::Leave),
        1 => (0..6_usize).prop_map(Event::Kill),
        3 => (0..1_500_u64).prop_map(|ms| Event::Pass(Duration::from_millis(ms))),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    /// Whatever happens: no generation of a partition has two owners, a change is even and moves no more
    /// than it must, and a group in which nothing happens keeps what it has.
    #[test]
    fn partitions_are_shared_evenly_and_move_no_more_than_they_must(
        partitions in 1..12_u32,
        events in events(),
    ) {
        let name = |number: usize| format!("sink-{number}");
        let mut group = Group::with_partitions(partitions);
        let mut owners = BTreeMap::new();
        for event in events {
            let before = group.clone();
            match event {
                Event::Beat(number) => group.beat(&name(number)),
                Event::Leave(number) => group.apply(group.leave(&name(number)), None),
                Event::Kill(number) => {
                    let member = group.members.iter_mut().find(|it| it.name == name(number));
                    if let Some(member) = member {
                        member.is_connected = false;
                    }
                }
                Event::Pass(time) => group.pass(time),
            }
            prop_assert!(group.is_even(), "{}", group.text());
            let moved = group.leases.iter().filter(|(it, lease)| before.leases[it] != **lease);
            let moved: BTreeSet<_> = moved.map(|(partition, _)| *partition).collect();
            let members: Vec<_> = group.members.iter().map(|it| it.name.clone()).collect();
            if !members.is_empty() {
                prop_assert_eq!(moved.len(), before.fewest_moves(&members));
            }
            for (partition, lease) in &group.leases {
                let first = owners.entry((*partition, lease.generation)).or_insert_with(|| lease.owner.clone());
                prop_assert_eq!(&*first, &lease.owner);
            }
            let is_stable = before.members.iter().map(|it| &it.name).eq(&members);
            prop_assert!(!is_stable || moved.is_empty());
        }
    }

    /// A database that nobody reached for however long takes nobody for dead who comes back at the next
    /// heartbeat.
    #[test]
    fn an_outage_of_the_database_moves_nothing(
        partitions in 1..12_u32,
        members in 1..6_usize,
        outage_ms in 0..100_000_u64,
        first in 0..6_usize,
    ) {
        let names: Vec<_> = (0..members).map(|number| format!("sink-{number}")).collect();
        let mut group = Group::with_partitions(partitions);
        names.iter().for_each(|name| group.beat(name));
        let before = group.leases.clone();
        group.pass(Duration::from_millis(outage_ms));
        group.members.iter_mut().for_each(|member| member.is_connected = false);
        group.members[first % members].is_connected = true;
        group.beat(&names[first % members]);
        prop_assert_eq!(group.leases, before);
    }
}
