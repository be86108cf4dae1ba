//! The past read back, against the availability worked out anew at each second.

use chrono::{DateTime, TimeDelta, Utc};
use domain::availability::{BikeEvent, DockCount, DockStatus};
use domain::past::{PackedPeriod, Period, Recorder};
use domain::{Availability, Service, Stock};
use expect_test::expect;
use proptest::prelude::*;

/// Events of [`at`]'s first seconds; those without a bike and statuses among them.
const SECONDS: i64 = 100;

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_583_020_800, 0).unwrap() + TimeDelta::milliseconds(millis)
}

#[derive(Debug, Clone)]
enum Row {
    Event(BikeEvent),
    Status(DockStatus),
}

impl Row {
    fn apply(&self, availability: &mut Availability) {
        match self {
            Self::Event(event) => availability.apply(event.clone()),
            Self::Status(status) => availability.apply_status(*status),
        }
    }
}

fn event(id: i64, millis: i64, bike: Option<&str>, location_id: i32, docked: bool) -> Row {
    Row::Event(BikeEvent {
        at: at(millis),
        id,
        bike_id: bike.map(Box::from),
        location_id,
        docked,
    })
}

fn status(id: i64, millis: i64, location_id: i32, bikes: i32, kind: u8) -> Row {
    Row::Status(DockStatus {
        at: at(millis),
        id,
        location_id,
        bikes,
        service: Service {
            renting: kind != 1,
            ..Service::default()
        },
        missing: kind == 2,
        stock: Stock {
            ebikes: (kind > 2).then_some(3),
            broken_docks: (kind > 3).then_some(300),
            ..Stock::default()
        },
        last_reported: None,
    })
}

/// Events of few bikes, or none, at few docks, and now and then a status.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        0..SECONDS * 1_000,
        0_u8..12,
        -2..5_i32,
        any::<bool>(),
        0_u8..5,
    );
    prop::collection::vec(row, 0..150).prop_map(|rows| {
        let rows = (0..).zip(rows);
        let row = rows.map(|(id, (millis, who, location, docked, kind))| match who {
            0 => status(id, millis, location, i32::from(kind) * 40, kind),
            1..5 => event(id, millis, None, location, docked),
            bike => event(id, millis, Some(&bike.to_string()), location, docked),
        });
        row.collect()
    })
}

/// What the docks show at a second, by the definition: all rows, in order of time, up to it.
fn truth(rows: &[Row], second: i64) -> Vec<(i32, DockCount)> {
    let mut availability = Availability::default();
    rows.iter().for_each(|row| row.apply(&mut availability));
    availability.advance(DateTime::from_timestamp(second, 0).unwrap());
    let mut counts: Vec<_> = availability.counts().map(kept).collect();
    counts.sort_by_key(|(id, _)| *id);
    counts
}

fn kept((id, count): (i32, DockCount)) -> (i32, DockCount) {
    let last_seen = count.last_seen.map(|at| at.timestamp());
    let last_seen = last_seen.and_then(|second| DateTime::from_timestamp(second, 0));
    (id, DockCount { last_seen, ..count })
}

/// A publisher and what it has stored, as far as the past goes.
struct Publisher {
    availability: Availability,
    stored: Vec<PackedPeriod>,
}

impl Publisher {
    fn new() -> Self {
        let mut availability = Availability::default();
        availability.record(Some(Recorder::new(40)));
        Self {
            availability,
            stored: Vec::new(),
        }
    }

    fn store(&mut self) {
        let clock = self.availability.clock().unwrap();
        let recorder = self.availability.recorder().unwrap();
        for period in recorder.take(clock) {
            self.stored.retain(|stored| stored.start < period.start);
            self.stored.push(period);
        }
    }

    /// Stores, and starts again from what is stored.
    fn restart(&mut self) {
        self.store();
        let bytes = serde_json::to_vec(&self.availability).unwrap();
        self.availability = serde_json::from_slice(&bytes).unwrap();
        let last = self.stored.last().cloned();
        let recorder = last.map_or_else(Recorder::default, |last| Recorder::resume(last).unwrap());
        assert!(recorder.shows(self.availability.counts()));
        self.availability.record(Some(recorder));
    }

    /// Makes the past anew of all rows, in order of time.
    fn rebuild(&mut self, rows: &[Row]) {
        let clock = self.availability.clock().unwrap();
        *self = Self::new();
        rows.iter()
            .for_each(|row| row.apply(&mut self.availability));
        self.availability.advance(clock);
    }

    fn read(&self, second: i64) -> Vec<(i32, DockCount)> {
        let period = self.stored.iter().rfind(|period| period.start <= second);
        let docks = period.map(|period| Period::from_wire(&period.to_wire()).unwrap().at(second));
        docks.unwrap_or_default().into_iter().collect()
    }
}

proptest! {
    /// At every second what is read back is what the definition gives, whatever comes in which order,
    /// however often it is stored and started again, with what came late corrected.
    #[test]
    fn the_past_read_back_is_the_truth_at_every_second(
        (rows, shuffled) in rows()
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        steps in prop::collection::vec((0..SECONDS * 1_000, any::<bool>()), 1..8),
        is_late in any::<bool>(),
    ) {
        let mut publisher = Publisher::new();
        let mut given = Vec::new();
        let mut rest = if is_late { shuffled } else { rows };
        let last = (SECONDS * 1_000, true);
        for (step, (clock, restarts)) in steps.iter().copied().chain([last]).enumerate() {
            let count = if step == steps.len() { rest.len() } else { rest.len() / 3 };
            for row in rest.drain(..count) {
                row.apply(&mut publisher.availability);
                given.push(row);
            }
            publisher.availability.advance(at(clock));
            let late = publisher.availability.take_late();
            prop_assert_eq!(late.is_some(), publisher.availability.recorder().is_none());
            if late.is_some() {
                publisher.rebuild(&given);
            }
            if restarts {
                publisher.restart();
            }
        }
        publisher.store();
        let first = at(0).timestamp();
        for second in first..=first + SECONDS {
            prop_assert_eq!(publisher.read(second), truth(&given, second), "{}", second - first);
        }
        for pair in publisher.stored.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
            prop_assert!(pair[0].events < pair[1].events);
        }
    }

    /// Between two seconds of a period lie the changes that make the one of the other.
    #[test]
    fn changes_lead_from_any_second_to_any_later_one(
        rows in rows(),
        (a, b) in (0..SECONDS, 0..SECONDS),
    ) {
        let mut publisher = Publisher::new();
        publisher.availability.record(Some(Recorder::default()));
        rows.iter().for_each(|row| row.apply(&mut publisher.availability));
        publisher.availability.advance(at(SECONDS * 1_000));
        publisher.store();
        let Some(period) = publisher.stored.first().map(|period| period.decode().unwrap()) else {
            return Ok(());
        };
        let second = |seconds| period.start() + seconds;
        let (from, to) = (second(a.min(b)), second(a.max(b)));
        let mut docks = period.at(from);
        for change in period.changes(from, to) {
            docks.insert(change.location_id, change.count);
        }
        prop_assert_eq!(&docks, &period.at(to));
        for dock in 0..12 {
            prop_assert_eq!(period.count(dock, to), docks.get(&dock).copied());
        }
    }

    /// Bytes of strangers are refused, not feared.
    #[test]
    fn any_bytes_are_a_period_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut bytes = bytes;
        drop(Period::from_wire(&bytes));
        if let Some(format) = bytes.get_mut(16) {
            *format = 1;
        }
        if let Ok(period) = Period::from_wire(&bytes) {
            drop(period.at(i64::MAX));
        }
    }
}

/// The form of what is stored; another one needs another format number.
#[test]
fn a_period_is_a_keyframe_and_about_three_bytes_a_change() {
    let mut publisher = Publisher::new();
    let rows = [
        event(0, 1_000, Some("1"), 3, false),
        event(1, 60_000, Some("1"), 5, true),
        event(2, 61_000, None, 3, true),
        event(4, 62_500, Some("1"), 5, false),
        status(6, 70_000, 5, 12, 4),
    ];
    rows.iter()
        .for_each(|row| row.apply(&mut publisher.availability));
    publisher.availability.advance(at(80_000));
    publisher.store();
    let [period] = &*publisher.stored else {
        panic!("one period");
    };
    let seconds = (
        period.start - at(0).timestamp(),
        period.end - at(0).timestamp(),
    );
    expect![[r#"
        (0, 80)
        [1, 0, 7, 0, 6, 0, 0, 239, 1, 1, 10, 0, 2, 7, 0, 1, 2, 8, 1, 31, 1, 160, 4, 24, 3, 172, 2]
    "#]]
    .assert_eq(&format!("{seconds:?}\n{:?}\n", period.bytes));
}
