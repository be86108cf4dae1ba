//! The laws, looked at without a line of the product's code.
//!
//! Each gives a sentence for what breaks it. Model: effectively once from row to table, order within
//! a partition, and docks that are those of all events up to the clock.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::ledger::{Ledger, Trip};
use crate::tables::{Event, Tables};
use crate::topic::{Kind, Topic};

const WINDOW: i64 = 5_000_000;
/// Sentences of one law that are kept: one defect breaks it for thousands of rows.
const SHOWN: usize = 5;

/// What breaks the laws that hold once all is stored.
pub(crate) fn violations(ledger: &Ledger, topic: &Topic, tables: &Tables) -> Vec<String> {
    let laws = [
        ("each row once", each_trip_once(ledger, tables)),
        ("each bad row once", each_bad_row_once(ledger, tables)),
        ("partition order", partition_order(tables)),
        ("frequency", frequency(ledger, tables)),
        ("cursors", cursors(topic, tables)),
        ("each record once", each_record_once(topic, tables)),
        ("clock", clock(ledger, tables)),
        ("availability", availability(tables)),
    ];
    let shown = laws.into_iter().flat_map(|(law, found)| {
        let count = found.len();
        let found = found.into_iter().take(SHOWN);
        found.map(move |what| format!("{law} ({count} in all): {what}"))
    });
    shown.collect()
}

fn partition_of(id: i64) -> i64 {
    (id >> 1) & 1023
}

fn offset_of(id: i64) -> i64 {
    id >> 11
}

/// The trips that two rows of `records` each make up; rows that do not, as sentences.
fn trips(tables: &Tables) -> (Vec<Trip>, Vec<String>) {
    let (mut trips, mut alone) = (Vec::new(), Vec::new());
    let mut events = tables.events.iter().peekable();
    while let Some(departure) = events.next() {
        let arrival = events.next_if(|next| !departure.docked && next.id == (departure.id | 1));
        match arrival.filter(|arrival| arrival.docked) {
            Some(arrival) => trips.push(Trip {
                departed: departure.at,
                from: departure.station.clone(),
                arrived: arrival.at,
                to: arrival.station.clone(),
                bike: departure.bike.clone().unwrap_or_default(),
            }),
            None => alone.push(format!("{departure:?} has no other half")),
        }
    }
    (trips, alone)
}

/// How often each thing is in `expected`, less how often it is in `found`; where they agree, nothing.
fn differences<T: Eq + std::hash::Hash>(expected: Vec<T>, found: Vec<T>) -> Vec<(T, i64)> {
    let mut counts: HashMap<T, i64> = HashMap::new();
    for thing in expected {
        *counts.entry(thing).or_default() += 1;
    }
    for thing in found {
        *counts.entry(thing).or_default() -= 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .collect()
}

fn lost_or_doubled<T: Eq + std::hash::Hash + std::fmt::Debug>(
    expected: Vec<T>,
    found: Vec<T>,
) -> Vec<String> {
    let differences = differences(expected, found).into_iter();
    let sentences = differences.map(|(thing, count)| match count {
        1.. => format!("{thing:?} is missing {count} times"),
        _ => format!("{thing:?} is there {} times too often", -count),
    });
    sentences.collect()
}

impl std::hash::Hash for Trip {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.departed, self.arrived, &self.bike).hash(state);
    }
}

fn each_trip_once(ledger: &Ledger, tables: &Tables) -> Vec<String> {
    let (trips, mut violations) = trips(tables);
    violations.extend(lost_or_doubled(ledger.trips.clone(), trips));
    violations
}

fn each_bad_row_once(ledger: &Ledger, tables: &Tables) -> Vec<String> {
    let rejected = tables.rejected.iter();
    let found = rejected
        .clone()
        .map(|rejected| (rejected.line, rejected.row.clone()));
    let mut violations = lost_or_doubled(ledger.bad.clone(), found.collect());
    let silent = rejected.filter(|rejected| rejected.reason.is_empty());
    violations.extend(silent.map(|rejected| format!("line {} has no reason", rejected.line)));
    violations
}

/// Departures grow along a partition, and a station keeps its partition.
fn partition_order(tables: &Tables) -> Vec<String> {
    let mut newest: HashMap<i64, &Event> = HashMap::new();
    let mut homes: HashMap<&str, i64> = HashMap::new();
    let mut violations = Vec::new();
    for event in tables.events.iter().filter(|event| !event.docked) {
        let partition = partition_of(event.id);
        if let Some(before) = newest.insert(partition, event)
            && before.at > event.at
        {
            violations.push(format!("{event:?} comes after {before:?}"));
        }
        let home = *homes.entry(&event.station).or_insert(partition);
        if home != partition {
            violations.push(format!("{event:?} is not in partition {home}"));
        }
    }
    violations
}

/// Counted from the file in all, and from `records` in each partition.
fn frequency(ledger: &Ledger, tables: &Tables) -> Vec<String> {
    let window_of = |at: i64| at.div_euclid(WINDOW) * WINDOW;
    let mut counted: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    let mut in_all: BTreeMap<i64, i64> = BTreeMap::new();
    for event in tables.events.iter().filter(|event| !event.docked) {
        *counted
            .entry((window_of(event.at), partition_of(event.id)))
            .or_default() += 1;
    }
    for trip in &ledger.trips {
        *in_all.entry(window_of(trip.departed)).or_default() += 1;
    }
    for window in &tables.windows {
        *counted.entry((window.start, window.partition)).or_default() -= window.amount;
        *in_all.entry(window.start).or_default() -= window.amount;
    }
    let of_records = counted.into_iter().filter(|(_, off)| *off != 0);
    let of_file = in_all.into_iter().filter(|(_, off)| *off != 0);
    let of_records = of_records.map(|((start, partition), off)| {
        format!("window {start} of partition {partition} is {off} short of records")
    });
    let of_file = of_file.map(|(start, off)| format!("window {start} is {off} short of the file"));
    of_records.chain(of_file).collect()
}

/// Both streams of each partition stand at its end, and none has stopped.
fn cursors(topic: &Topic, tables: &Tables) -> Vec<String> {
    let mut violations = Vec::new();
    for module in ["trip-split", "dock-window"] {
        for (partition, records) in (0..).zip(topic) {
            let cursor = tables
                .cursors
                .iter()
                .find(|cursor| cursor.partition == partition && cursor.module == module);
            let end = records.len() as i64;
            match cursor {
                None => violations.push(format!("{module} of {partition} has no cursor")),
                Some(cursor) if cursor.next_offset != end || cursor.failure.is_some() => {
                    violations.push(format!("{cursor:?} where the topic ends at {end}"));
                }
                Some(_) => {}
            }
        }
    }
    violations
}

/// What stands at each offset gave the rows that it should, and only the first time it was sent.
fn each_record_once(topic: &Topic, tables: &Tables) -> Vec<String> {
    let ids: HashSet<i64> = tables.events.iter().map(|event| event.id).collect();
    let rejected: HashSet<i64> = tables.rejected.iter().map(|rejected| rejected.id).collect();
    let mut violations = Vec::new();
    for (partition, records) in (0_i64..).zip(topic) {
        let (mut seen, mut resent) = (HashSet::new(), 0);
        for (offset, record) in (0_i64..).zip(records) {
            let is_first = record.kind == Kind::Tick || seen.insert((&record.source, record.seq));
            resent += i64::from(!is_first);
            let id = offset << 11 | partition << 1;
            let is_trip = (ids.contains(&id), ids.contains(&(id | 1)));
            let expected = is_first && record.kind == Kind::Trip;
            let is_reject = is_first && record.kind == Kind::Reject;
            if is_trip != (expected, expected) || rejected.contains(&id) != is_reject {
                violations.push(format!(
                    "{record:?} at {partition}@{offset}: rows {is_trip:?}"
                ));
            }
        }
        let split = |cursor: &&crate::tables::Cursor| cursor.module == "trip-split";
        let mut cursors = tables.cursors.iter().filter(split);
        let counted = cursors.find(|cursor| cursor.partition == partition);
        if counted.is_some_and(|cursor| cursor.duplicates != resent) {
            violations.push(format!("{resent} records were sent again: {counted:?}"));
        }
    }
    let ends: Vec<_> = topic.iter().map(|records| records.len() as i64).collect();
    let behind = tables.events.iter().filter(|event| {
        let partition = usize::try_from(partition_of(event.id)).unwrap_or_default();
        ends.get(partition)
            .is_none_or(|end| offset_of(event.id) >= *end)
    });
    violations.extend(behind.map(|event| format!("{event:?} is of no record")));
    violations
}

/// The clock has come to the last departure.
fn clock(ledger: &Ledger, tables: &Tables) -> Vec<String> {
    let last = ledger.trips.iter().map(|trip| trip.departed).max();
    match tables.clock >= last {
        true => Vec::new(),
        false => vec![format!(
            "it stands at {:?}, the last departure is at {last:?}",
            tables.clock
        )],
    }
}

/// The published docks are those of all events up to the clock.
fn availability(tables: &Tables) -> Vec<String> {
    let Some(clock) = tables.clock else {
        return vec!["nothing was published".to_owned()];
    };
    unequal_docks(&docks_at(tables, clock), &tables.docks)
}

/// Bikes at each station at an instant, by the definition: a bike stands where its latest event up to
/// then was an arrival; of two events of one instant the greater id is the later.
pub(crate) fn docks_at(tables: &Tables, at: i64) -> BTreeMap<String, i64> {
    let mut latest: HashMap<&str, &Event> = HashMap::new();
    for event in tables.events.iter().filter(|event| event.at <= at) {
        let Some(bike) = &event.bike else { continue };
        let known = latest.entry(bike).or_insert(event);
        if (known.at, known.id) < (event.at, event.id) {
            *known = event;
        }
    }
    let mut docks = BTreeMap::new();
    for event in latest.into_values().filter(|event| event.docked) {
        *docks.entry(event.station.clone()).or_default() += 1;
    }
    docks
}

/// A station that one of them leaves out has no bike.
pub(crate) fn unequal_docks(
    expected: &BTreeMap<String, i64>,
    found: &BTreeMap<String, i64>,
) -> Vec<String> {
    let stations: HashSet<_> = expected.keys().chain(found.keys()).collect();
    let bikes = |docks: &BTreeMap<String, i64>, station| docks.get(station).copied().unwrap_or(0);
    let unequal = stations.into_iter().filter_map(|station| {
        let (expected, found) = (bikes(expected, station), bikes(found, station));
        let sentence = || format!("station {station} shows {found} bikes, not {expected}");
        (expected != found).then(sentence)
    });
    unequal.collect()
}

#[cfg(test)]
mod tests;
