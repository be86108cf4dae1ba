//! The law of several pollers of one live feed: whatever they send in whatever interleaving, readers
//! end with the counts of the newest run, and split and windows take the same records.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::record::WindowState;
use domain::source::{Run, SourceName};
use domain::window::{WindowConfig, window_start};
use domain::{
    Body, Inferred, Record, Service, Sources, SplitEvent, Station, Status, Stock, WindowOutput,
    Windows,
};
use proptest::prelude::*;

const PARTITIONS: usize = 2;
const STATIONS: usize = 3;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_583_020_800 + seconds, 0).unwrap()
}

/// What a feed says at an instant.
#[derive(Debug, Clone)]
struct Listing {
    at: i64,
    counts: [u32; STATIONS],
}

/// A poller as `producer::gbfs` is one, but for one thing: it never ends when it is fenced.
struct Poller {
    run: Run,
    /// Records on their way to each partition.
    queues: [Vec<Record>; PARTITIONS],
    listing: Option<Listing>,
    claimed: bool,
    /// The newest time on the topic when the run had claimed it; none before.
    clock: Option<i64>,
    counts: [Option<u32>; STATIONS],
    seq: u64,
}

impl Poller {
    fn new(run: Run) -> Self {
        Self {
            run,
            queues: Default::default(),
            listing: None,
            claimed: false,
            clock: None,
            counts: [None; STATIONS],
            seq: 1,
        }
    }

    fn record(&self, body: Body) -> Record {
        Record {
            source: format!("gbfs:a@{}", self.run),
            seq: self.seq,
            body,
        }
    }

    fn tick(&mut self, time: i64) {
        let record = self.record(Body::Tick(at(time)));
        for queue in &mut self.queues {
            queue.push(record.clone());
        }
    }

    fn status(&mut self, station: usize, time: i64, bikes: u32, inferred: Option<Inferred>) {
        let place = Station {
            station_id: station.to_string(),
            street: "1 Ave & E 1 St".into(),
            lat: 40.7,
            lon: -74.0,
        };
        let record = self.record(Body::Status(Status {
            station: place,
            at: at(time),
            bikes,
            inferred,
            service: Service::default(),
            stock: Stock::default(),
            last_reported: None,
            missing: false,
        }));
        self.queues[station % PARTITIONS].push(record);
        self.seq += 1;
    }

    /// Claims the feed with the first listing, and sends listings when the claim is everywhere.
    fn take(&mut self, logs: &[Vec<Record>; PARTITIONS]) {
        let Some(listing) = self.listing.clone() else {
            return;
        };
        if !self.claimed {
            self.claimed = true;
            return self.tick(listing.at);
        }
        let Some(clock) = self.clock.or_else(|| self.read_back(logs)) else {
            return;
        };
        self.clock = Some(clock);
        if listing.at < clock {
            return; // It goes back in time.
        }
        self.clock = Some(listing.at);
        self.listing = None;
        for (station, bikes) in listing.counts.into_iter().enumerate() {
            match self.counts[station].replace(bikes) {
                None => self.status(station, listing.at, bikes, None),
                Some(before) => self.steps(station, listing.at, before, bikes),
            }
        }
        self.tick(listing.at);
    }

    fn steps(&mut self, station: usize, time: i64, before: u32, now: u32) {
        for bikes in (now..before).rev() {
            self.status(station, time, bikes, Some(Inferred::Departure));
        }
        for bikes in before + 1..=now {
            self.status(station, time, bikes, Some(Inferred::Arrival));
        }
    }

    /// The newest time before the claim, if it is on every partition.
    fn read_back(&self, logs: &[Vec<Record>; PARTITIONS]) -> Option<i64> {
        let own = |record: &Record| SourceName::of(&record.source).run == Some(self.run);
        let mut clock = None;
        for log in logs {
            let claim = log.iter().position(own)?;
            let times = log[..=claim].iter().map(|record| match &record.body {
                Body::Status(status) => status.at,
                Body::Tick(at) => *at,
                _ => panic!("a feed has counts and ticks only"),
            });
            let newest = times.max().map(|time| (time - at(0)).num_seconds());
            clock = clock.max(Some(newest?));
        }
        clock
    }
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Time goes on, and a station's count changes.
    Change(usize, u32),
    Fetch(usize),
    Take(usize),
    /// A poller's next record for a partition is stored, as often as said.
    Store(usize, usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..STATIONS, 0_u32..5).prop_map(|(station, bikes)| Step::Change(station, bikes)),
        2 => (0..3_usize).prop_map(Step::Fetch),
        3 => (0..3_usize).prop_map(Step::Take),
        8 => (0..3_usize, 0..PARTITIONS, prop_oneof![6 => Just(1_usize), 1 => Just(2)])
            .prop_map(|(poller, partition, times)| Step::Store(poller, partition, times)),
    ]
}

/// Numbers may be the same: two runs that began in the same moment. Tags differ.
fn pollers() -> impl Strategy<Value = Vec<Run>> {
    let number = prop::sample::select(vec![4_u64, 9, 10]);
    prop::collection::vec(number, 3).prop_map(|numbers| {
        let tags = [7_u64, 0xffff_ffff_ffff_ffff, 0];
        let runs = numbers.into_iter().zip(tags);
        runs.map(|(number, tag)| Run { number, tag }).collect()
    })
}

/// Plays the steps; gives the logs, and what the newest run that claimed the feed says last.
fn play(runs: &[Run], steps: &[Step]) -> ([Vec<Record>; PARTITIONS], [u32; STATIONS]) {
    let mut pollers: Vec<_> = runs.iter().map(|run| Poller::new(*run)).collect();
    let mut logs: [Vec<Record>; PARTITIONS] = Default::default();
    let mut truth = Listing {
        at: 0,
        counts: [2; STATIONS],
    };
    for step in steps {
        match *step {
            Step::Change(station, bikes) => {
                truth.at += 3;
                truth.counts[station] = bikes;
            }
            Step::Fetch(poller) => pollers[poller].listing = Some(truth.clone()),
            Step::Take(poller) => pollers[poller].take(&logs),
            Step::Store(poller, partition, times) => {
                let queue = &mut pollers[poller].queues[partition];
                if !queue.is_empty() {
                    let record = queue.remove(0);
                    logs[partition].extend(vec![record; times]);
                }
            }
        }
    }
    // The newest run polls once more; what the others have on its way comes after that.
    pollers.sort_by_key(|poller| (poller.claimed, poller.run));
    let newest = pollers.last_mut().unwrap();
    truth.at += 1;
    newest.listing = Some(truth.clone());
    for _ in 0..2 {
        newest.take(&logs);
        store_all(newest, &mut logs);
    }
    newest.tick(1_000_000);
    for poller in pollers.iter_mut().rev() {
        store_all(poller, &mut logs);
    }
    (logs, truth.counts)
}

fn store_all(poller: &mut Poller, logs: &mut [Vec<Record>; PARTITIONS]) {
    for (log, queue) in logs.iter_mut().zip(&mut poller.queues) {
        log.append(queue);
    }
}

/// What readers take of a partition, opened again after every so many records.
fn taken(log: &[Record], reopened_after: usize) -> Vec<(usize, SplitEvent<'static>)> {
    let mut sources = Sources::default();
    let mut stored: BTreeMap<String, u64> = BTreeMap::new();
    let mut taken = Vec::new();
    for (offset, record) in log.iter().enumerate() {
        let outputs = domain::split(i64::try_from(offset).unwrap(), &record.to_json());
        let [output] = outputs.try_into().unwrap();
        let is_taken = match output.event {
            SplitEvent::Tick(_) => sources.admit_tick(&output.source, output.seq),
            _ => sources.admit(&output.source, output.seq),
        };
        if is_taken {
            taken.push((offset, output.event));
        }
        if offset % reopened_after == 0 {
            stored.extend(sources.take_changed());
            sources = Sources::resume(stored.clone());
        }
    }
    taken
}

/// Departures by window as the module counts them.
fn windows(log: &[Record]) -> BTreeMap<DateTime<Utc>, u64> {
    let config = WindowConfig {
        lateness: TimeDelta::zero(),
        ..WindowConfig::default()
    };
    let none: [(String, u64); 0] = [];
    let mut windows = Windows::resume(config, 0, WindowState::default(), none);
    let mut counts = BTreeMap::new();
    for (offset, record) in (0..).zip(log) {
        match windows.push(offset, &record.to_json()) {
            Some(WindowOutput::Counted(counted)) => {
                for (start, count) in counted.closed.iter().chain(&counted.late) {
                    *counts.entry(*start).or_default() += count;
                }
            }
            Some(WindowOutput::Gap { .. }) => panic!("no record was skipped"),
            None => {}
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_pollers_of_one_feed_send_the_newest_run_counts(
        runs in pollers(),
        steps in prop::collection::vec(step(), 0..120),
        reopened_after in 1_usize..20,
    ) {
        let (logs, expected) = play(&runs, &steps);
        let mut docks = BTreeMap::new();
        for log in &logs {
            let taken = taken(log, reopened_after);
            let mut departures = BTreeMap::new();
            let mut newest = None;
            for (offset, event) in taken {
                // Who sends at that point owns the feed there.
                let run = SourceName::of(&log[offset].source).run;
                prop_assert!(run >= newest, "{run:?} after {newest:?}");
                newest = run;
                let SplitEvent::Status(status) = event else { continue };
                if status.is_departure() {
                    let start = window_start(status.at, WindowConfig::default().width);
                    *departures.entry(start).or_default() += 1;
                }
                let latest = docks.entry(status.station.station_id).or_insert_with(|| (at(-1), 0, 0));
                *latest = (*latest).max((status.at, offset, status.bikes));
            }
            prop_assert_eq!(windows(log), departures, "split and windows take the same records");
        }
        let docks: Vec<_> = docks.into_values().map(|(_, _, bikes)| bikes).collect();
        prop_assert_eq!(docks, expected);
    }
}
