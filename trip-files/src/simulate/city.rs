//! The running city.

use domain::Rider;

use super::config::{SimulateConfig, SimulateError};
use super::demand::{Demand, Period};
use super::dirt::Dirt;
use super::fleet::Fleet;
use super::map::Map;
use super::random::Random;
use super::ride::{Ride, bike_id};
use crate::compact::{CompactTrip, NameIndex, Names, Place};
use crate::row::{Content, Row};

/// A ride ends where it began this often (chosen: about what the real system has).
const ROUND_TRIPS_PERCENT: u64 = 2;

/// A running city: gives its trips in order of departure.
#[derive(Debug)]
pub(crate) struct City {
    config: SimulateConfig,
    pub(super) map: Map,
    demand: Demand,
    fleet: Fleet,
    random: Random,
    pub(super) made: u64,
    names: Names,
    places: Vec<Place>,
    bikes: Vec<NameIndex>,
    pub(super) dirt: Dirt,
}

impl City {
    /// Builds the city as it stands at midnight before the first trip.
    pub(crate) fn new(config: &SimulateConfig) -> Result<Self, SimulateError> {
        config.check()?;
        let mut random = Random::new(config.seed);
        let map = Map::new(config.stations, &mut random)?;
        let fleet = Fleet::new(config.bikes as usize, &map, &mut random);
        let mut names = Names::default();
        let places = map.stations().map(|s| names.place(s)).collect();
        let bikes = (0..config.bikes as usize)
            .map(|bike| names.bike(&bike_id(bike)))
            .collect();
        Ok(Self {
            demand: Demand::new(config),
            dirt: Dirt::new(config),
            config: config.clone(),
            map,
            fleet,
            random,
            made: 0,
            names,
            places,
            bikes,
        })
    }

    pub(crate) fn source_name(&self) -> String {
        self.config.source_name()
    }

    /// How many rows there will be; not known where only days are given.
    pub(crate) fn total(&self) -> Option<u64> {
        self.config.trips
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Makes the next row: a trip, or a reject where dirt was asked for.
    pub(crate) fn next(&mut self) -> Option<Row> {
        let ride = self.next_ride()?;
        let content = match self.dirt.reject(&ride, &self.map, self.made) {
            Some(reject) => Content::Reject(Box::new(reject)),
            None => Content::Trip(self.compact(&ride)),
        };
        Some(Row {
            at: Some(ride.departed_at * 1_000),
            content,
        })
    }

    /// Makes the next ride.
    pub(super) fn next_ride(&mut self) -> Option<Ride> {
        while self.config.trips.is_none_or(|trips| self.made < trips) {
            let (departed_at, period) = self.demand.next(&mut self.random)?;
            self.fleet.dock_until(departed_at);
            let from = self.map.origin(period, &mut self.random);
            // Where there is no bike, a van has brought one; where there is none to bring, the
            // rider walks.
            let bike = self
                .fleet
                .take(from, &mut self.random)
                .or_else(|| self.fleet.bring(departed_at, &mut self.random));
            if let Some(bike) = bike {
                self.made += 1;
                return Some(self.ride(bike, from, departed_at, period));
            }
        }
        None
    }

    fn ride(&mut self, bike: usize, from: usize, departed_at: i64, period: Period) -> Ride {
        let random = &mut self.random;
        let casual_percent = if period.is_weekend { 40 } else { 18 };
        let rider = if random.percent(casual_percent) {
            Rider::Casual
        } else {
            Rider::Member
        };
        let (to, seconds) = if random.percent(ROUND_TRIPS_PERCENT) {
            (from, 600 + random.below(1_800))
        } else {
            let to = self.map.destination(from, period, random);
            (
                to,
                seconds_between(self.map.metres(from, to), rider, random),
            )
        };
        let millis = seconds * 1_000 + random.below(1_000);
        let arrived_at = departed_at + i64::try_from(millis).expect("a ride lasts some hours");
        self.fleet.ride(bike, to, arrived_at);
        Ride {
            bike,
            from,
            to,
            departed_at,
            arrived_at,
            rider,
        }
    }

    fn compact(&self, ride: &Ride) -> CompactTrip {
        CompactTrip {
            departed_at: ride.departed_at * 1_000,
            arrived_at: ride.arrived_at * 1_000,
            bike: Some(self.bikes[ride.bike]),
            from: self.places[ride.from],
            to: self.places[ride.to],
            rider: Some(ride.rider),
            bike_kind: None,
        }
    }
}

/// How long a ride takes: at 2.5 to 4.5 m/s, a third longer than the straight line, with some
/// seconds at each dock. Casual riders look around.
fn seconds_between(metres: f64, rider: Rider, random: &mut Random) -> u64 {
    let pace = match rider {
        Rider::Member => 300 + random.below(150),
        Rider::Casual => 200 + random.below(150),
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a distance in the city is small and not negative"
    )]
    let metres = (metres * 1.33) as u64;
    metres * 100 / pace + 40 + random.below(120)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;

    use super::*;
    use crate::simulate::write_csv;

    fn rides(parameters: &str) -> Vec<Ride> {
        let mut city = City::new(&parameters.parse().unwrap()).unwrap();
        std::iter::from_fn(|| city.next_ride()).collect()
    }

    #[test]
    fn the_same_parameters_give_the_same_bytes_on_every_machine() {
        let mut text = Vec::new();
        write_csv(&"seed=7,trips=20000".parse().unwrap(), &mut text).unwrap();
        expect!["108e933f1743ce5e"]
            .assert_eq(&format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&text)));
    }

    #[test]
    fn a_bike_is_never_in_two_places_and_trips_are_ordered_by_departure() {
        let mut free_from = BTreeMap::new();
        let mut last = i64::MIN;
        for ride in rides("seed=3,trips=60000,stations=60,bikes=300") {
            assert!(ride.departed_at >= last && ride.arrived_at > ride.departed_at);
            last = ride.departed_at;
            let arrived_before = free_from.insert(ride.bike, ride.arrived_at);
            assert!(arrived_before.is_none_or(|arrived| arrived < ride.departed_at));
        }
        assert_eq!(free_from.len(), 300, "every bike is ridden");
    }

    #[test]
    fn vans_bring_bikes_to_where_they_are_missing() {
        let mut docked_at = BTreeMap::new();
        let rides = rides("seed=3,trips=50000");
        let moved = rides
            .iter()
            .filter(|ride| {
                docked_at
                    .insert(ride.bike, ride.to)
                    .is_some_and(|at| at != ride.from)
            })
            .count();
        let percent = moved * 100 / rides.len();
        assert!(
            (1..30).contains(&percent),
            "{percent} % of the trips begin with a moved bike"
        );
    }

    #[test]
    fn people_ride_to_work_in_the_morning_and_little_at_night() {
        // Monday, 1 June 2026, to the Sunday; in New York, four hours behind UTC.
        let mut by_hour = BTreeMap::new();
        for ride in rides("days=7,start=2026-06-01") {
            let hours = (ride.departed_at / 3_600_000 - 4).rem_euclid(24);
            *by_hour.entry(hours).or_insert(0) += 1;
        }
        let busy = |hour: i64| by_hour[&hour];
        assert!(busy(8) > 3 * busy(5) && busy(17) > 3 * busy(23) && busy(17) > busy(13));
        assert!(busy(3) < busy(8) / 10);
    }

    #[test]
    fn as_many_trips_as_asked_for_are_made_even_by_few_bikes() {
        assert_eq!(rides("trips=5000,days=1,stations=10,bikes=40").len(), 5_000);
    }
}
