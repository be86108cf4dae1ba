//! From one poll to the next: which bikes came and went, as far as counts show.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Inferred, Reject, Station, Status};
use xxhash_rust::xxh3::xxh3_64;

use super::error::FeedError;
use super::feed::{BadEntry, Count, Counted, Listing, Placed, STATIONS_MAX};

/// A station whose count has not changed for so long, by the feed's time, is reported all the same: so
/// any wrong count is right again after this time and one poll.
///
/// Chosen: a rider who comes back looks at another count. Cost: at most 3.8 records a second, 83 MB
/// a day, for 2,300 stations where nothing moves; a station that is busy costs nothing.
pub(crate) const REPORT_EVERY: TimeDelta = TimeDelta::minutes(10);

/// What is known of a feed after some polls.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The newest time of the feed; never goes back.
    clock: Option<DateTime<Utc>>,
    stations: BTreeMap<String, Placed>,
    /// By station.
    reported: BTreeMap<String, Reported>,
    /// Bad entries of the last reading of each file: a bad entry is rejected once, not at each poll.
    bad_stations: BTreeSet<BadKey>,
    bad_counts: BTreeSet<BadKey>,
}

/// What was said of a station last; its name and place are those in [`Changes::stations`].
#[derive(Debug)]
struct Reported {
    count: Count,
    /// When, by the feed's time.
    at: DateTime<Utc>,
    /// That the feed no longer has it.
    missing: bool,
    /// Whether the station has been renamed, moved or enlarged since.
    altered: bool,
}

/// Rank in the file, and what is wrong there.
pub(super) type BadKey = (u64, String);

/// What a poll says that was not known.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Ordered by time; those of one station in the order of their counts.
    pub(crate) statuses: Vec<Status>,
    pub(crate) rejects: Vec<Reject>,
    /// Stations with a count that this poll does not have; they keep it.
    pub(crate) missing: usize,
}

impl Changes {
    /// Begins at the time an earlier run had reached, with no counts.
    pub(crate) fn resume(clock: Option<DateTime<Utc>>) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// Moves the feed's time on to what the topic has of it.
    pub(crate) fn reach(self, clock: Option<DateTime<Utc>>) -> Self {
        Self {
            clock: self.clock.max(clock),
            ..self
        }
    }

    /// The newest time of the feed.
    pub(crate) fn clock(&self) -> Option<DateTime<Utc>> {
        self.clock
    }

    /// How many stations have a count.
    pub(crate) fn counted(&self) -> usize {
        self.reported.len()
    }

    /// Takes the list of stations over; those that are not on it any more stay known.
    ///
    /// What is renamed, moved or enlarged is reported at the next count. A place that differs by a few metres is no
    /// news, whatever it is at each reading.
    pub(crate) fn take_stations(&mut self, url: &str, listing: Listing<Placed>) -> Vec<Reject> {
        let mut bad = listing.doubts;
        for (index, entry) in (1..).zip(listing.entries) {
            match entry {
                // Ids that change from day to day must not fill the memory.
                Ok(placed) if self.is_full_for(&placed.station.station_id) => {
                    let reason = format!("there were {STATIONS_MAX} stations before it");
                    let entry = placed.station.station_id;
                    bad.push(BadEntry {
                        index,
                        reason,
                        entry,
                    });
                }
                Ok(placed) => self.take_station(placed),
                Err(entry) => bad.push(entry),
            }
        }
        rejects(url, bad, &mut self.bad_stations)
    }

    fn take_station(&mut self, mut placed: Placed) {
        let id = placed.station.station_id.clone();
        if let Some(known) = self.stations.get(&id) {
            let (before, now) = (known.station.location(), placed.station.location());
            if before.is_same(&now) {
                placed.station = known.station.clone();
            }
            if *known == placed {
                return;
            }
        }
        if let Some(reported) = self.reported.get_mut(&id) {
            reported.altered = true;
        }
        self.stations.insert(id, placed);
    }

    fn is_full_for(&self, station_id: &str) -> bool {
        self.stations.len() >= STATIONS_MAX && !self.stations.contains_key(station_id)
    }

    /// Stations that have been renamed, moved or enlarged and are reported at the next count.
    pub(crate) fn altered(&self) -> usize {
        self.reported
            .values()
            .filter(|reported| reported.altered)
            .count()
    }

    /// Whether a station has a count in the listing and is not known.
    pub(crate) fn lacks_station(&self, listing: &Listing<Counted>) -> bool {
        let mut counts = listing.entries.iter().flatten();
        counts.any(|count| {
            let reported = self.bad_counts.iter().any(|(rank, _)| *rank == count.index);
            !reported && !self.stations.contains_key(&count.station_id)
        })
    }

    /// Compares the counts with those of the poll before.
    ///
    /// What happened between two polls gets the time at which the station reported it, if that lies
    /// between them, or else the later poll's. A station that is missing is reported once, with the time
    /// of the poll that had it last.
    ///
    /// # Errors
    /// [`FeedError::Backwards`] if the feed is older than what is known; nothing has changed then.
    pub(crate) fn take(
        &mut self,
        url: &str,
        listing: Listing<Counted>,
    ) -> Result<Found, FeedError> {
        let to = listing.last_updated;
        let from = self.clock.unwrap_or(to);
        if to < from {
            return Err(FeedError::Backwards {
                url: url.to_owned(),
                clock: from,
                last_updated: to,
            });
        }
        self.clock = Some(to);
        let mut found = Found::default();
        let mut bad = listing.doubts;
        let mut seen = BTreeSet::new();
        for entry in listing.entries {
            match entry.and_then(|count| self.check(count, &mut seen)) {
                Ok((station, count)) => {
                    let between = |at: &DateTime<Utc>| from < *at && *at < to;
                    let at = count.last_reported.filter(between).unwrap_or(to);
                    found
                        .statuses
                        .extend(self.report(&station, count, (at, to)));
                }
                Err(entry) => bad.push(entry),
            }
        }
        found.rejects = rejects(url, bad, &mut self.bad_counts);
        found.missing = self.reported.len() - seen.len();
        found.statuses.extend(self.report_missing(&seen, from));
        found.statuses.sort_by_key(|status| status.at);
        Ok(found)
    }

    /// A last count of the stations that have gone since the poll at `last_seen`.
    fn report_missing(&mut self, seen: &BTreeSet<String>, last_seen: DateTime<Utc>) -> Vec<Status> {
        let stations = &self.stations;
        let reported = self.reported.iter_mut();
        let gone = reported.filter(|(id, reported)| !reported.missing && !seen.contains(*id));
        let report = |(id, reported): (&String, &mut Reported)| {
            reported.missing = true;
            Some(Status {
                missing: true,
                ..count_of(&stations.get(id)?.station, last_seen, reported.count)
            })
        };
        gone.filter_map(report).collect()
    }

    /// What there is to say of a station that has its count since the first instant; the second is the
    /// poll's.
    fn report(
        &mut self,
        station: &Station,
        count: Count,
        (at, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Vec<Status> {
        let now = Reported {
            count,
            at: to,
            missing: false,
            altered: false,
        };
        let Some(reported) = self.reported.get_mut(&station.station_id) else {
            let at_first = to - report_early(&station.station_id);
            let now = Reported {
                at: at_first,
                ..now
            };
            self.reported.insert(station.station_id.clone(), now);
            return vec![count_of(station, at, count)];
        };
        let is_same = is_same(&reported.count, &count) && !reported.missing && !reported.altered;
        if is_same && to - reported.at < REPORT_EVERY {
            return Vec::new();
        }
        let before = std::mem::replace(reported, now);
        match before.count.bikes == count.bikes {
            true => vec![count_of(station, to, count)],
            false => steps(station, at, before.count.bikes, count),
        }
    }

    /// Finds the count's station; a station counts once.
    fn check(
        &self,
        count: Counted,
        seen: &mut BTreeSet<String>,
    ) -> Result<(Station, Count), BadEntry> {
        let refuse = |reason: String| BadEntry {
            index: count.index,
            reason,
            entry: count.entry.clone(),
        };
        let id = &count.station_id;
        let Some(Placed { station, capacity }) = self.stations.get(id) else {
            return Err(refuse(format!(
                "station {id:?} is not in station_information"
            )));
        };
        if !seen.insert(id.clone()) {
            return Err(refuse(format!("station {id:?} is here twice")));
        }
        let mut found = count.count;
        found.stock.capacity = *capacity;
        Ok((station.clone(), found))
    }
}

/// By how much a station's first count is taken for older than it is, so that the stations, which
/// are all counted first at one time, are not all reported again at one time.
fn report_early(station_id: &str) -> TimeDelta {
    let every = REPORT_EVERY.num_seconds().unsigned_abs();
    let seconds = xxh3_64(station_id.as_bytes()) % every;
    TimeDelta::seconds(seconds.cast_signed())
}

/// Whether a count says nothing new. That a station has spoken again is no news, nor that it says less:
/// both are told with the next news.
fn is_same(before: &Count, now: &Count) -> bool {
    let numbers = before
        .stock
        .to_numbers()
        .into_iter()
        .zip(now.stock.to_numbers());
    let mut said = numbers.filter(|(_, now)| now.is_some());
    (before.bikes, before.service) == (now.bikes, now.service)
        && said.all(|(before, now)| before == now)
}

/// A count without an event.
fn count_of(station: &Station, at: DateTime<Utc>, count: Count) -> Status {
    Status {
        station: station.clone(),
        at,
        bikes: count.bikes,
        inferred: None,
        service: count.service,
        stock: count.stock,
        last_reported: count.last_reported,
        missing: false,
    }
}

/// One status for each bike that came or went; what else is there is what the poll says.
fn steps(station: &Station, at: DateTime<Utc>, before: u32, count: Count) -> Vec<Status> {
    let now = count.bikes;
    let status = |bikes, inferred| {
        let mut status = count_of(station, at, Count { bikes, ..count });
        status.inferred = Some(inferred);
        let bikes = u16::try_from(bikes).unwrap_or(u16::MAX);
        status.stock.ebikes = status.stock.ebikes.map(|ebikes| ebikes.min(bikes));
        status
    };
    if now < before {
        let gone = (now..before).rev();
        return gone
            .map(|bikes| status(bikes, Inferred::Departure))
            .collect();
    }
    (before + 1..=now)
        .map(|bikes| status(bikes, Inferred::Arrival))
        .collect()
}

/// The bad entries that were not there at the last reading.
pub(super) fn rejects(url: &str, bad: Vec<BadEntry>, known: &mut BTreeSet<BadKey>) -> Vec<Reject> {
    let key = |entry: &BadEntry| (entry.index, entry.reason.clone());
    let keys = bad.iter().map(key).collect();
    let before = std::mem::replace(known, keys);
    bad.into_iter()
        .filter(|entry| !before.contains(&key(entry)))
        .map(|entry| Reject::new(url, entry.index, entry.reason, &entry.entry))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{Service, Stock};
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_583_020_800 + seconds, 0).unwrap()
    }

    fn station(id: &str) -> Station {
        Station {
            station_id: id.to_owned(),
            street: format!("{id} St"),
            lat: 40.7,
            lon: -74.0,
        }
    }

    fn listing<T>(seconds: i64, entries: Vec<Result<T, BadEntry>>) -> Listing<T> {
        Listing {
            last_updated: at(seconds),
            ttl: Duration::ZERO,
            entries,
            doubts: Vec::new(),
        }
    }

    fn placed(station: Station) -> Result<Placed, BadEntry> {
        let capacity = None;
        Ok(Placed { station, capacity })
    }

    fn poll(seconds: i64, counts: &[(&str, u32, i64)]) -> Listing<Counted> {
        let counted = |(index, (id, bikes, reported)): (u64, &(&str, u32, i64))| {
            Ok(Counted {
                index,
                station_id: (*id).to_owned(),
                count: Count {
                    bikes: *bikes,
                    service: Service::default(),
                    stock: Stock::default(),
                    last_reported: Some(at(*reported)),
                },
                entry: "{}".to_owned(),
            })
        };
        listing(seconds, (1..).zip(counts).map(counted).collect())
    }

    fn feed(ids: &[&str]) -> Changes {
        let mut changes = Changes::resume(None);
        let stations = ids.iter().map(|id| placed(station(id))).collect();
        assert_eq!(changes.take_stations("u", listing(0, stations)), []);
        changes
    }

    fn check(changes: &mut Changes, counts: Listing<Counted>, expected: Expect) {
        let text = match changes.take("u/station_status.json", counts) {
            Ok(found) => {
                let status = |status: &Status| {
                    let Status {
                        station,
                        bikes,
                        inferred,
                        service,
                        ..
                    } = status;
                    let at = status.at.format("%M:%S");
                    let closed = if service.can_rent() { "" } else { " closed" };
                    let missing = if status.missing { " missing" } else { "" };
                    let id = &station.station_id;
                    format!("{at} {id}: {bikes} {inferred:?}{closed}{missing}")
                };
                let reject = |reject: &Reject| format!("{}: {}", reject.line, reject.reason);
                let statuses = found.statuses.iter().map(status);
                let rejects = found.rejects.iter().map(reject);
                let mut lines: Vec<_> = statuses.chain(rejects).collect();
                lines.push(format!("missing {}", found.missing));
                lines.join("\n")
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn the_first_poll_counts_and_the_next_ones_tell_who_came_and_went() {
        let mut changes = feed(&["a", "b", "c"]);
        let first = poll(60, &[("a", 7, 1), ("b", 0, 59), ("c", 2, 30)]);
        check(
            &mut changes,
            first,
            expect![[r#"
                01:00 a: 7 None
                01:00 b: 0 None
                01:00 c: 2 None
                missing 0"#]],
        );
        // "a" says when it was; what "b" says lies before the poll before.
        let second = poll(120, &[("a", 4, 90), ("b", 1, 50), ("c", 2, 110)]);
        check(
            &mut changes,
            second,
            expect![[r#"
                01:30 a: 6 Some(Departure)
                01:30 a: 5 Some(Departure)
                01:30 a: 4 Some(Departure)
                02:00 b: 1 Some(Arrival)
                missing 0"#]],
        );
    }

    #[test]
    fn a_feed_that_goes_back_in_time_changes_nothing() {
        let mut changes = feed(&["a"]);
        changes.take("u", poll(60, &[("a", 7, 60)])).unwrap();
        check(
            &mut changes,
            poll(59, &[("a", 1, 59)]),
            expect![
                "u/station_status.json: goes back in time, from 2020-03-01 00:01:00 UTC to 2020-03-01 00:00:59 UTC"
            ],
        );
        check(
            &mut changes,
            poll(61, &[("a", 7, 61)]),
            expect!["missing 0"],
        );
    }

    #[test]
    fn a_station_that_was_renamed_or_moved_is_reported_at_the_next_count_and_once() {
        let mut changes = feed(&["a", "b", "c"]);
        let counts = [("a", 7, 0), ("b", 3, 0), ("c", 5, 0)];
        changes.take("u", poll(60, &counts)).unwrap();
        let renamed = Station {
            street: "Rue Jeanne d'Arc".to_owned(),
            ..station("a")
        };
        let moved = Station {
            lat: 40.701,
            ..station("b")
        };
        // Three metres off, as the places in some feeds are at each reading.
        let jittered = Station {
            lat: 40.700_03,
            ..station("c")
        };
        let stations = [renamed, moved, jittered].map(placed).into();
        changes.take_stations("u", listing(70, stations));
        let found = changes.take("u", poll(70, &counts)).unwrap();
        let reported = found.statuses.iter();
        let reported =
            reported.map(|status| (&*status.station.street, status.station.lat, status.bikes));
        assert_eq!(
            reported.collect::<Vec<_>>(),
            [("Rue Jeanne d'Arc", 40.7, 7), ("b St", 40.701, 3)]
        );
        check(&mut changes, poll(80, &counts), expect!["missing 0"]);
    }

    #[test]
    fn stations_that_are_missing_keep_their_count_and_are_reported_when_they_were_seen() {
        let mut changes = feed(&["a", "b"]);
        changes
            .take("u", poll(60, &[("a", 7, 60), ("b", 3, 60)]))
            .unwrap();
        check(
            &mut changes,
            poll(70, &[("a", 7, 70)]),
            expect![[r#"
                01:00 b: 3 None missing
                missing 1"#]],
        );
        check(
            &mut changes,
            poll(75, &[]),
            expect![[r#"
            01:10 a: 7 None missing
            missing 2"#]],
        );
        check(
            &mut changes,
            poll(80, &[("a", 7, 80), ("b", 2, 77)]),
            expect![[r#"
                01:17 b: 2 Some(Departure)
                01:20 a: 7 None
                missing 0"#]],
        );
    }

    #[test]
    fn a_station_that_closes_is_reported_at_once() {
        let mut changes = feed(&["a"]);
        changes.take("u", poll(60, &[("a", 7, 60)])).unwrap();
        let closing = |seconds, bikes, renting| {
            let mut counts = poll(seconds, &[("a", bikes, 0)]);
            let count = counts.entries[0].as_mut().unwrap();
            count.count.service.renting = renting;
            counts
        };
        check(
            &mut changes,
            closing(70, 7, false),
            expect![[r#"
            01:10 a: 7 None closed
            missing 0"#]],
        );
        check(
            &mut changes,
            closing(80, 8, false),
            expect![[r#"
            01:20 a: 8 Some(Arrival) closed
            missing 0"#]],
        );
        check(
            &mut changes,
            closing(90, 8, true),
            expect![[r#"
            01:30 a: 8 None
            missing 0"#]],
        );
    }

    #[test]
    fn what_is_there_beside_the_bikes_is_reported_at_once_and_a_new_word_alone_is_not() {
        let mut changes = feed(&["a"]);
        let with = |seconds, bikes, ebikes, free_docks| {
            let mut counts = poll(seconds, &[("a", bikes, seconds)]);
            let count = &mut counts.entries[0].as_mut().unwrap().count;
            count.stock.ebikes = Some(ebikes);
            count.stock.free_docks = Some(free_docks);
            counts
        };
        let mut told = |counts| {
            let found = changes.take("u", counts).unwrap();
            let line = |status: &Status| {
                let Stock {
                    ebikes,
                    free_docks,
                    capacity,
                    ..
                } = status.stock;
                let (bikes, said) = (status.bikes, status.last_reported.unwrap());
                format!(
                    "{bikes} {ebikes:?} {free_docks:?} {capacity:?} {}",
                    said.format("%M:%S")
                )
            };
            found
                .statuses
                .iter()
                .map(line)
                .collect::<Vec<_>>()
                .join(", ")
        };
        assert_eq!(told(with(60, 5, 2, 9)), "5 Some(2) Some(9) None 01:00");
        assert_eq!(told(with(70, 5, 2, 9)), "");
        assert_eq!(told(poll(75, &[("a", 5, 75)])), "");
        assert_eq!(told(with(80, 5, 3, 9)), "5 Some(3) Some(9) None 01:20");
        // No step has more e-bikes than bikes.
        let steps = "6 Some(6) Some(6) None 01:30, 7 Some(7) Some(6) None 01:30, 8 Some(8) Some(6) None 01:30";
        assert_eq!(told(with(90, 8, 8, 6)), steps);
    }

    #[test]
    fn a_station_that_was_enlarged_is_reported_at_the_next_count_and_keeps_its_place() {
        let mut changes = feed(&["a"]);
        changes.take("u", poll(60, &[("a", 7, 60)])).unwrap();
        let entry = |lat| {
            let station = Station {
                lat,
                ..station("a")
            };
            let capacity = Some(24);
            vec![Ok(Placed { station, capacity })]
        };
        changes.take_stations("u", listing(60, entry(40.700_03)));
        assert_eq!(changes.altered(), 1);
        let found = changes.take("u", poll(70, &[("a", 7, 60)])).unwrap();
        let status = &found.statuses[0];
        assert_eq!(
            (status.stock.capacity, status.station.lat),
            (Some(24), 40.7)
        );
        changes.take_stations("u", listing(70, entry(40.700_01)));
        assert_eq!(changes.altered(), 0);
    }

    #[test]
    fn a_bad_entry_is_rejected_once_with_its_place_and_the_rest_goes_on() {
        let mut changes = feed(&["a"]);
        let bad = || {
            let mut counts = poll(60, &[("a", 7, 60), ("x", 1, 60), ("a", 9, 60)]);
            counts.entries.push(Err(BadEntry {
                index: 4,
                reason: "num_bikes_available -1 is below 0".to_owned(),
                entry: "{}".to_owned(),
            }));
            counts
        };
        assert!(changes.lacks_station(&bad()));
        check(
            &mut changes,
            bad(),
            expect![[r#"
                01:00 a: 7 None
                2: station "x" is not in station_information
                3: station "a" is here twice
                4: num_bikes_available -1 is below 0
                missing 0"#]],
        );
        check(&mut changes, bad(), expect!["missing 0"]);
        assert!(!changes.lacks_station(&bad()), "it is known to be lacking");
    }

    proptest! {
        /// After each poll the last status of a station is its count, reported less than ten minutes ago,
        /// or that it is missing;
        /// every status differs from the one before by the one bike it reports, and time never goes
        /// back.
        #[test]
        fn statuses_lead_from_each_poll_to_the_next_one_bike_at_a_time(
            polls in prop::collection::vec(
                (0_i64..200, prop::collection::vec(prop::option::weighted(0.8, (0_u32..3, -60_i64..60)), 3)),
                1..24,
            ),
        ) {
            const IDS: [&str; 3] = ["a", "b", "c"];
            let mut changes = feed(&IDS);
            let mut shown: BTreeMap<String, u32> = BTreeMap::new();
            let mut told_at: BTreeMap<String, i64> = BTreeMap::new();
            let mut missing: BTreeMap<String, bool> = BTreeMap::new();
            let (mut now, mut last) = (0, None);
            for (pause, counts) in polls {
                now += pause;
                let counts: Vec<_> = IDS.into_iter().zip(counts).collect();
                let present: Vec<_> = counts
                    .iter()
                    .filter_map(|(id, count)| count.map(|(bikes, ago)| (*id, bikes, now - ago)))
                    .collect();
                let found = changes.take("u", poll(now, &present)).unwrap();
                prop_assert_eq!(found.rejects, []);
                for status in found.statuses {
                    prop_assert!(last <= Some(status.at) && status.at <= at(now));
                    last = Some(status.at);
                    let bikes = i64::from(status.bikes);
                    told_at.insert(status.station.station_id.clone(), now);
                    missing.insert(status.station.station_id.clone(), status.missing);
                    let before = shown.insert(status.station.station_id, status.bikes);
                    let step = before.map(|before| bikes - i64::from(before));
                    let reported = status.inferred.map(|inferred| match inferred {
                        Inferred::Departure => -1,
                        Inferred::Arrival => 1,
                    });
                    // A count without an event is the first one, or says again what is known.
                    prop_assert_eq!(step.filter(|step| *step != 0), reported);
                }
                for (id, is_missing) in &missing {
                    let is_present = present.iter().any(|(present, ..)| present == id);
                    prop_assert_eq!(*is_missing, !is_present, "{} at {}", id, now);
                }
                for (id, bikes, _) in present {
                    prop_assert_eq!(shown.get(id), Some(&bikes));
                    prop_assert!(now - told_at[id] < REPORT_EVERY.num_seconds(), "{} at {}", id, now);
                }
            }
        }
    }
}
