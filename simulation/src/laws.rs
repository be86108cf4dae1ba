//! What must hold, while it runs and at the end. Shares no code with the machines: keys are taken apart and
//! windows counted anew.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use chrono::{DateTime, Utc};
use sink::Module;

use crate::broker::Log;
use crate::city::{City, Content, TripRow};
use crate::database::{Database, Event, Key, Rows};

const WINDOW: i64 = 5_000_000;

/// A law that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) law: &'static str,
    pub(crate) text: String,
}

/// What was committed, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    pub(crate) violations: Vec<Violation>,
    /// Whether counts are estimates, which no definition gives while it runs.
    pub(crate) is_estimated: bool,
    /// Whether all rows are of one file, which are sent in order of time.
    pub(crate) is_one_file: bool,
    /// The newest clock that was published, in microseconds.
    clock: Option<i64>,
    /// By stream: the newest generation and who took it.
    owners: HashMap<Key, (i64, String)>,
    /// By stream and generation: who has committed.
    writers: HashMap<(Key, i64), String>,
    /// By stream: where the next commit begins.
    ends: HashMap<Key, i64>,
}

impl Commits {
    pub(crate) fn violated(&mut self, law: &'static str, text: String) {
        self.violations.push(Violation { law, text });
    }

    /// A stream was taken over.
    pub(crate) fn taken(&mut self, key: Key, member: &str, before: i64, generation: i64) {
        if generation < before {
            let text = format!("{key:?} went from generation {before} to {generation}");
            self.violated("generations grow", text);
        }
        self.owners.insert(key, (generation, member.to_owned()));
    }

    /// A cursor was moved, with rows.
    pub(crate) fn moved(
        &mut self,
        key: Key,
        (member, generation): (&str, i64),
        offsets: Range<i64>,
        rows: &Rows,
    ) {
        let owner = self.owners.get(&key).cloned().unwrap_or_default();
        if owner != (generation, member.to_owned()) {
            let text =
                format!("{member} wrote {key:?} by generation {generation}, {owner:?} owns it");
            self.violated("only the owner writes", text);
        }
        let writer = self
            .writers
            .entry((key, generation))
            .or_insert_with(|| member.to_owned());
        if writer != member {
            let text = format!("{writer} and {member} wrote {key:?} by generation {generation}");
            self.violated("one writer of a generation", text);
        }
        let end = self.ends.insert(key, offsets.end).unwrap_or(0);
        if offsets.start != end || offsets.is_empty() {
            let text = format!("{key:?} was at {end} and moved over {offsets:?}");
            self.violated("cursors go on without a gap", text);
        }
        if self.is_one_file && !rows.late.is_empty() {
            let text = format!("{key:?} has late departures: {:?}", rows.late);
            self.violated("no row of a sole file is late", text);
        }
        let mut times = rows.events.iter().map(|(_, event)| event.at);
        if self.is_one_file
            && let Some(at) = times.find(|at| Some(*at) < self.clock)
        {
            let text = format!(
                "{key:?} has an event at {at}, the clock is at {:?}",
                self.clock
            );
            self.violated("no event of a sole file comes behind the clock", text);
        }
        let ids = rows.events.iter().map(|(id, _)| *id);
        let ids = ids.chain(rows.rejects.iter().map(|(id, ..)| *id));
        let strays: Vec<i64> = ids
            .filter(|id| !offsets.contains(&offset_of(*id)))
            .collect();
        if !strays.is_empty() {
            let text = format!("{key:?} wrote rows {strays:?} with offsets {offsets:?}");
            self.violated("rows come with their offsets", text);
        }
    }

    /// A clock is published.
    pub(crate) fn published(&mut self, before: Option<DateTime<Utc>>, clock: DateTime<Utc>) {
        self.clock = self.clock.max(Some(clock.timestamp_micros()));
        if Some(clock) < before {
            self.violated(
                "the clock never goes back",
                format!("{clock} after {before:?}"),
            );
        }
    }
}

/// What is published holds for the rows that it was made of.
pub(crate) fn while_it_runs(database: &mut Database, applied: &BTreeMap<u32, i64>) {
    let negative: Vec<_> = database
        .published
        .docks
        .iter()
        .filter(|(_, dock)| dock.0 < 0)
        .collect();
    if !negative.is_empty() {
        let text = format!("{negative:?}");
        database
            .commits
            .violated("no dock has less than no bike", text);
    }
    if database.commits.is_estimated {
        return;
    }
    let Some(clock) = database.published.clock else {
        return;
    };
    let is_applied = |id: i64| {
        let end = applied.get(&partition_of(id)).copied().unwrap_or(0);
        offset_of(id) < end
    };
    let events = database.events.iter().filter(|(id, _)| is_applied(**id));
    let expected = docks_at(events, clock.timestamp_micros());
    if let Some(text) = unequal_docks(&expected, database) {
        database
            .commits
            .violated("docks are those of the events so far", text);
    }
}

/// What must hold when everything has come to rest.
pub(crate) fn at_the_end(city: &City, logs: &[Log], database: &Database) -> Vec<Violation> {
    let laws: [(&'static str, Vec<String>); 6] = [
        ("each trip is stored once", trips(city, database)),
        ("each bad row is stored once", rejects(city, logs, database)),
        ("rows of a file keep their order", order(city, database)),
        ("windows are GROUP BY", windows(city, database)),
        ("cursors stand at the end", cursors(logs, database)),
        ("docks are those of all events", docks(city, database)),
    ];
    let violations = laws
        .into_iter()
        .flat_map(|(law, texts)| texts.into_iter().map(move |text| Violation { law, text }));
    violations.collect()
}

fn offset_of(id: i64) -> i64 {
    id >> 11
}

fn partition_of(id: i64) -> u32 {
    (id >> 1 & 0x3ff) as u32
}

/// The trips that the stored events are of, with the ids of the departures.
fn stored_trips(database: &Database) -> (Vec<(i64, TripRow)>, Vec<String>) {
    let station = |event: &Event| database.locations[event.location as usize].clone();
    let (mut trips, mut errors) = (Vec::new(), Vec::new());
    for (id, departure) in database.events.iter().filter(|(id, _)| *id % 2 == 0) {
        match database.events.get(&(id + 1)) {
            Some(arrival)
                if !departure.docked && arrival.docked && arrival.bike == departure.bike =>
            {
                let trip = TripRow {
                    bike: departure.bike.clone(),
                    departed: departure.at,
                    from: station(departure),
                    arrived: arrival.at,
                    to: station(arrival),
                };
                trips.push((*id, trip));
            }
            arrival => errors.push(format!("{departure:?} has arrival {arrival:?}")),
        }
    }
    if trips.len() * 2 != database.events.len() {
        errors.push(format!(
            "{} events are of {} trips",
            database.events.len(),
            trips.len()
        ));
    }
    (trips, errors)
}

fn expected_trips(city: &City) -> impl Iterator<Item = (usize, u64, &TripRow)> {
    city.files
        .iter()
        .flatten()
        .filter_map(|row| match &row.content {
            Content::Trip(trip) => Some((row.file, row.seq, trip)),
            Content::Reject(_) => None,
        })
}

fn trips(city: &City, database: &Database) -> Vec<String> {
    let (stored, mut errors) = stored_trips(database);
    let mut balance: BTreeMap<&TripRow, i64> = BTreeMap::new();
    expected_trips(city).for_each(|(.., trip)| *balance.entry(trip).or_default() += 1);
    stored
        .iter()
        .for_each(|(_, trip)| *balance.entry(trip).or_default() -= 1);
    let wrong = balance.into_iter().filter(|(_, balance)| *balance != 0);
    errors.extend(wrong.map(|(trip, balance)| format!("{balance:+} of {trip:?}")));
    errors
}

/// Of the files, and of bytes that anybody has written to the topic.
fn rejects(city: &City, logs: &[Log], database: &Database) -> Vec<String> {
    let mut balance: BTreeMap<(String, u64), i64> = BTreeMap::new();
    for row in city.files.iter().flatten() {
        if let Content::Reject(line) = &row.content {
            *balance
                .entry((format!("{}.csv", row.file), *line))
                .or_default() += 1;
        }
    }
    for log in logs {
        let values = (0..).zip(log.values(0, log.replicated));
        for (offset, _) in values.filter(|(_, value)| !value.starts_with(b"{")) {
            *balance.entry((format!("offset {offset}"), 1)).or_default() += 1;
        }
    }
    for reject in database.rejects.values() {
        *balance.entry(reject.clone()).or_default() -= 1;
    }
    let wrong = balance.into_iter().filter(|(_, balance)| *balance != 0);
    wrong
        .map(|(reject, balance)| format!("{balance:+} of {reject:?}"))
        .collect()
}

/// In each partition the rows of a file come as they are in it, and a station keeps its partition.
fn order(city: &City, database: &Database) -> Vec<String> {
    let places: HashMap<i64, (usize, u64)> = expected_trips(city)
        .map(|(file, seq, trip)| (trip.departed, (file, seq)))
        .collect();
    let mut newest: HashMap<(u32, usize), u64> = HashMap::new();
    let mut homes: HashMap<String, u32> = HashMap::new();
    let mut errors = Vec::new();
    for (id, trip) in stored_trips(database).0 {
        let partition = partition_of(id);
        if let Some((file, seq)) = places.get(&trip.departed)
            && newest.insert((partition, *file), *seq) >= Some(*seq)
        {
            errors.push(format!("row {seq} of file {file} comes too late: {trip:?}"));
        }
        if *homes.entry(trip.from.clone()).or_insert(partition) != partition {
            errors.push(format!("{trip:?} is in partition {partition}"));
        }
    }
    errors
}

fn windows(city: &City, database: &Database) -> Vec<String> {
    let mut balance: BTreeMap<(i64, u32), i64> = BTreeMap::new();
    let mut in_all: BTreeMap<i64, i64> = BTreeMap::new();
    let window_of = |at: i64| at - at.rem_euclid(WINDOW);
    for (id, event) in database.events.iter().filter(|(_, event)| !event.docked) {
        *balance
            .entry((window_of(event.at), partition_of(*id)))
            .or_default() += 1;
    }
    expected_trips(city)
        .for_each(|(.., trip)| *in_all.entry(window_of(trip.departed)).or_default() += 1);
    for ((start, partition), amount) in &database.frequency {
        let amount = i64::try_from(*amount).unwrap_or(i64::MAX);
        *balance.entry((*start, *partition)).or_default() -= amount;
        *in_all.entry(*start).or_default() -= amount;
    }
    let wrong = balance.into_iter().filter(|(_, off)| *off != 0);
    let wrong = wrong.map(|((start, partition), off)| {
        format!("window {start} of partition {partition} is {off} short of records")
    });
    let of_files = in_all.into_iter().filter(|(_, off)| *off != 0);
    wrong
        .chain(of_files.map(|(start, off)| format!("window {start} is {off} short")))
        .collect()
}

fn cursors(logs: &[Log], database: &Database) -> Vec<String> {
    let mut errors = Vec::new();
    for (partition, log) in (0..).zip(logs) {
        for module in Module::ALL {
            let cursor = &database.cursors[&(partition, module)].cursor;
            // Of records that were sent twice nothing may have come: the windows tell.
            let is_behind = module == Module::DockWindow && cursor.next_offset < log.end();
            if cursor.next_offset != log.end() && !is_behind {
                let (next, end) = (cursor.next_offset, log.end());
                errors.push(format!(
                    "{module} of {partition} is at {next}, the log ends at {end}"
                ));
            }
        }
    }
    errors
}

fn docks(city: &City, database: &Database) -> Vec<String> {
    let last = expected_trips(city).map(|(.., trip)| trip.departed).max();
    let clock = database
        .published
        .clock
        .map(|clock| clock.timestamp_micros());
    if clock < last {
        return vec![format!(
            "the clock is at {clock:?}, the last departure at {last:?}"
        )];
    }
    let Some(clock) = clock else {
        return Vec::new();
    };
    // What comes late makes estimates wrong until they are made anew.
    if city.has_anonymous && city.files.len() > 1 {
        return Vec::new();
    }
    let mut expected = docks_at(database.events.iter(), clock);
    for (dock, flow) in flows_at(database, clock) {
        *expected.entry(dock).or_default() += flow;
    }
    unequal_docks(&expected, database).into_iter().collect()
}

/// By the definition: a bike stands where its latest event up to then was an arrival; of two events of one
/// instant the greater id is the later.
fn docks_at<'a>(events: impl Iterator<Item = (&'a i64, &'a Event)>, at: i64) -> BTreeMap<i32, i32> {
    let mut latest: HashMap<&str, (i64, i64, &Event)> = HashMap::new();
    for (id, event) in events.filter(|(_, event)| event.at <= at) {
        let Some(bike) = &event.bike else { continue };
        let known = latest.entry(bike).or_insert((event.at, *id, event));
        if (known.0, known.1) < (event.at, *id) {
            *known = (event.at, *id, event);
        }
    }
    let mut docks = BTreeMap::new();
    for (_, _, event) in latest.into_values().filter(|(_, _, event)| event.docked) {
        *docks.entry(event.location).or_default() += 1;
    }
    docks
}

/// Bikes that were never named, counted from the least number that never is below zero.
fn flows_at(database: &Database, at: i64) -> BTreeMap<i32, i32> {
    let unnamed = database
        .events
        .iter()
        .filter(|(_, event)| event.bike.is_none() && event.at <= at);
    let mut ordered: Vec<_> = unnamed.collect();
    ordered.sort_by_key(|(id, event)| (event.at, **id));
    let mut flows: BTreeMap<i32, (i32, i32)> = BTreeMap::new();
    for (_, event) in ordered {
        let (flow, least) = flows.entry(event.location).or_default();
        *flow += if event.docked { 1 } else { -1 };
        *least = (*least).min(*flow);
    }
    flows
        .into_iter()
        .map(|(dock, (flow, least))| (dock, flow - least))
        .collect()
}

/// A dock that one of them leaves out has no bike.
fn unequal_docks(expected: &BTreeMap<i32, i32>, database: &Database) -> Option<String> {
    let published = &database.published;
    let docks = expected.keys().chain(published.docks.keys());
    let bikes = |dock: &i32| {
        let found = published.docks.get(dock).map_or(0, |dock| dock.0);
        (expected.get(dock).copied().unwrap_or(0), found)
    };
    let mut wrong = docks.filter(|dock| bikes(dock).0 != bikes(dock).1);
    let dock = wrong.next()?;
    let (expected, found) = bikes(dock);
    let station = &database.locations[*dock as usize];
    let clock = published.clock;
    Some(format!(
        "station {station} shows {found} bikes, not {expected}, at {clock:?}"
    ))
}
