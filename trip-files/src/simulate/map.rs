//! Where the stations are, and how people choose between them.

use domain::Station;
use domain::stations::{ReferenceStation, reference_stations};

use super::choice::Choice;
use super::config::SimulateError;
use super::demand::{Flow, Period};
use super::random::Random;

/// The box the stations are chosen from: Manhattan to 110th Street and across its rivers.
const LAT: std::ops::Range<f64> = 40.69..40.805;
const LON: std::ops::Range<f64> = -74.02..-73.93;

/// Madison Square: the stations around it are taken first.
const CENTRE: (f64, f64) = (40.742, -73.988);

/// Metres of a degree at 40.75° north (WGS 84).
///
/// Flat, without the sine of a sphere: sines differ between machines in the last digit.
const LAT_M: f64 = 111_050.0;
const LON_M: f64 = 84_450.0;

/// Where people work: Midtown, Union Square, the Financial District.
const WORK: [(f64, f64); 3] = [(40.755, -73.982), (40.737, -73.990), (40.708, -74.010)];

/// Distance at which a place of work draws half as much, in metres.
const WORK_REACH_M: f64 = 900.0;

/// A ride of this length is the most liked, in metres; four times as far is rarely ridden.
const LIKED_M: f64 = 1_500.0;

/// How many directions [`Flow`] has.
const FLOWS: usize = 3;

/// The city's stations and the choices between them.
#[derive(Debug)]
pub(super) struct Map {
    stations: Vec<Station>,
    homes: Choice,
    origins: [Choice; FLOWS],
    /// For each flow and each origin.
    destinations: [Vec<Choice>; FLOWS],
}

/// How a station draws people.
#[derive(Debug, Clone, Copy)]
struct Draw {
    home: f64,
    work: f64,
}

impl Map {
    /// Takes the `count` stations nearest to the centre.
    pub(super) fn new(count: usize, random: &mut Random) -> Result<Self, SimulateError> {
        let mut inside: Vec<_> = reference_stations()
            .iter()
            .enumerate()
            .filter(|(_, station)| LAT.contains(&station.lat) && LON.contains(&station.lon))
            .collect();
        if count > inside.len() {
            return Err(SimulateError::Range {
                name: "stations",
                value: count.to_string(),
                from: "2".to_owned(),
                to: inside.len().to_string(),
            });
        }
        // A part of the real city with all its stations: as dense as riders know it.
        inside.sort_by(|(_, a), (_, b)| from_centre(a).total_cmp(&from_centre(b)));
        inside.truncate(count);
        inside.sort_by_key(|(index, _)| *index);
        let draws: Vec<_> = inside.iter().map(|(_, s)| Draw::of(s, random)).collect();
        let stations = inside.into_iter().map(|(i, s)| station(i, s)).collect();
        Ok(Self::with_draws(stations, &draws))
    }

    fn with_draws(stations: Vec<Station>, draws: &[Draw]) -> Self {
        let leaving = |flow| -> Vec<_> { draws.iter().map(|d| d.leaving(flow)).collect() };
        let destinations = |flow| -> Vec<_> {
            stations
                .iter()
                .map(|from| {
                    let weights: Vec<_> = stations
                        .iter()
                        .zip(draws)
                        .map(|(to, draw)| draw.arriving(flow) * liking(metres(from, to)))
                        .collect();
                    Choice::new(&weights)
                })
                .collect()
        };
        let flows = [Flow::ToWork, Flow::Home, Flow::Anywhere];
        Self {
            homes: Choice::new(&leaving(Flow::ToWork)),
            origins: flows.map(|flow| Choice::new(&leaving(flow))),
            destinations: flows.map(destinations),
            stations,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.stations.len()
    }

    pub(super) fn stations(&self) -> impl Iterator<Item = &Station> {
        self.stations.iter()
    }

    pub(super) fn station(&self, index: usize) -> &Station {
        &self.stations[index]
    }

    /// Distance in a straight line.
    pub(super) fn metres(&self, from: usize, to: usize) -> f64 {
        metres(&self.stations[from], &self.stations[to])
    }

    /// A station near where people live.
    pub(super) fn home(&self, random: &mut Random) -> usize {
        self.homes.choose(random)
    }

    /// Where a ride begins.
    pub(super) fn origin(&self, period: Period, random: &mut Random) -> usize {
        self.origins[period.flow as usize].choose(random)
    }

    /// Where a ride from `from` ends: at another station.
    pub(super) fn destination(&self, from: usize, period: Period, random: &mut Random) -> usize {
        self.destinations[period.flow as usize][from].choose(random)
    }
}

impl Draw {
    fn of(station: &ReferenceStation, random: &mut Random) -> Self {
        let work: f64 = WORK
            .iter()
            .map(|&place| {
                1.0 / (1.0 + squared_metres(station, place) / (WORK_REACH_M * WORK_REACH_M))
            })
            .sum();
        let size = 0.3 + random.fraction() + random.fraction();
        Self {
            home: size * (0.4 + random.fraction()),
            work: size * work,
        }
    }

    fn leaving(&self, flow: Flow) -> f64 {
        match flow {
            Flow::ToWork => self.home + 0.4 * self.work,
            Flow::Home => 0.4 * self.home + 2.0 * self.work,
            Flow::Anywhere => self.home + self.work,
        }
    }

    fn arriving(&self, flow: Flow) -> f64 {
        match flow {
            Flow::ToWork => self.leaving(Flow::Home),
            Flow::Home => self.leaving(Flow::ToWork),
            Flow::Anywhere => self.leaving(Flow::Anywhere),
        }
    }
}

/// How much people like a ride of that length: not too near, ever less with distance.
fn liking(metres: f64) -> f64 {
    let ratio = metres / LIKED_M;
    ratio / (1.0 + ratio * ratio * ratio)
}

fn from_centre(station: &ReferenceStation) -> f64 {
    squared_metres(station, CENTRE)
}

fn squared_metres(station: &ReferenceStation, (lat, lon): (f64, f64)) -> f64 {
    let (y, x) = ((station.lat - lat) * LAT_M, (station.lon - lon) * LON_M);
    x * x + y * y
}

fn metres(from: &Station, to: &Station) -> f64 {
    let (y, x) = ((to.lat - from.lat) * LAT_M, (to.lon - from.lon) * LON_M);
    (x * x + y * y).sqrt()
}

/// The station as it stands in records and files.
fn station(index: usize, reference: &domain::stations::ReferenceStation) -> Station {
    Station {
        station_id: (1_001 + index).to_string(),
        street: reference.street.to_owned(),
        lat: reference.lat,
        lon: reference.lon,
    }
}
