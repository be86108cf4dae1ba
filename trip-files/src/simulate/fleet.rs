//! Where every bike is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::map::Map;
use super::random::Random;

/// A van takes only bikes that stood this long, in milliseconds.
const VAN_TAKES_AFTER_MS: i64 = 30 * 60_000;

/// A van leaves this many bikes at a station.
const VAN_LEAVES: usize = 3;

/// How many bikes a van looks at before it gives up.
const VAN_TRIES: usize = 16;

/// The bikes: docked somewhere or under way.
#[derive(Debug)]
pub(super) struct Fleet {
    /// The bikes at each station, in no order.
    docked: Vec<Vec<usize>>,
    bikes: Vec<Bike>,
    /// When each ridden bike arrives, the first on top.
    riding: BinaryHeap<Reverse<(i64, usize)>>,
}

#[derive(Debug, Clone, Copy)]
struct Bike {
    /// Where it stands, or where it is ridden to.
    station: usize,
    /// Its place among the station's bikes; none while it is ridden.
    place: Option<usize>,
    /// When it was docked, or will be, in milliseconds.
    docked_at: i64,
}

impl Fleet {
    /// Docks every bike somewhere, more of them where people live.
    pub(super) fn new(bikes: usize, map: &Map, random: &mut Random) -> Self {
        let mut fleet = Self {
            docked: vec![Vec::new(); map.len()],
            bikes: Vec::with_capacity(bikes),
            riding: BinaryHeap::new(),
        };
        for bike in 0..bikes {
            fleet.bikes.push(Bike {
                station: map.home(random),
                place: None,
                docked_at: i64::MIN,
            });
            fleet.dock(bike);
        }
        fleet
    }

    fn dock(&mut self, bike: usize) {
        let stand = &mut self.docked[self.bikes[bike].station];
        self.bikes[bike].place = Some(stand.len());
        stand.push(bike);
    }

    /// Takes the bike out of its dock.
    fn undock(&mut self, bike: usize) {
        let Bike { station, place, .. } = self.bikes[bike];
        let Some(place) = place else { return };
        let stand = &mut self.docked[station];
        stand.swap_remove(place);
        if let Some(&moved) = stand.get(place) {
            self.bikes[moved].place = Some(place);
        }
        self.bikes[bike].place = None;
    }

    /// Docks the bikes that arrive before `now`.
    pub(super) fn dock_until(&mut self, now: i64) {
        while let Some(&Reverse((arrived_at, bike))) = self.riding.peek()
            && arrived_at < now
        {
            self.riding.pop();
            self.dock(bike);
        }
    }

    /// Takes a bike from a station, if there is one.
    pub(super) fn take(&mut self, station: usize, random: &mut Random) -> Option<usize> {
        let stand = &self.docked[station];
        if stand.is_empty() {
            return None;
        }
        let bike = stand[random.index(stand.len())];
        self.undock(bike);
        Some(bike)
    }

    /// Takes a bike from where there are enough: a van has brought it.
    pub(super) fn bring(&mut self, now: i64, random: &mut Random) -> Option<usize> {
        for _ in 0..VAN_TRIES {
            let bike = random.index(self.bikes.len());
            let Bike {
                station,
                place,
                docked_at,
            } = self.bikes[bike];
            let stood_long = docked_at < now.saturating_sub(VAN_TAKES_AFTER_MS);
            if place.is_some() && stood_long && self.docked[station].len() > VAN_LEAVES {
                self.undock(bike);
                return Some(bike);
            }
        }
        None
    }

    /// Sends a bike that was taken on its way.
    pub(super) fn ride(&mut self, bike: usize, to: usize, arrived_at: i64) {
        self.bikes[bike].station = to;
        self.bikes[bike].docked_at = arrived_at;
        self.riding.push(Reverse((arrived_at, bike)));
    }
}
