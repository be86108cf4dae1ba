//! Manhattan's grid, fitted to the corners at which docks stand.
//!
//! Each avenue is a curve from street number to place. Near a street it is a straight line fitted
//! to the avenue's docks, the nearest ones counting most; where docks are few, the line runs in
//! the direction all avenues share.

use std::collections::BTreeMap;

use super::address::{ParsedSearch, Street};
use super::area::Areas;
use super::avenues::is_avenue;
use super::degrees::Degrees;
use super::docks::Dock;

/// Docks this many streets away count about a third of one at the spot (chosen: smallest
/// leave-one-out error of 6, 10, 15 and 25).
const REACH_STREETS: f64 = 10.0;

/// Weight of the direction all avenues share, in squared streets: as much as two docks twelve
/// streets apart.
const SHARED_WEIGHT: f64 = 150.0;

/// Streets beyond an avenue's outermost docks that are still placed (chosen: an avenue goes on as
/// it went for about that long; every leave-one-out error stays below 500 m).
const BEYOND_STREETS_MAX: f64 = 18.0;

/// A dock at the crossing of an avenue and a numbered street.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Corner {
    street: f64,
    at: Degrees,
}

/// All avenues with docks on numbered corners.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    avenues: BTreeMap<String, Vec<Corner>>,
    /// Degrees from one street to the next, uptown, along the average avenue.
    step: Degrees,
}

impl Grid {
    /// Reads the corners out of the docks' names.
    pub(super) fn fit<'a>(docks: impl Iterator<Item = &'a Dock>) -> Self {
        let mut avenues: BTreeMap<String, Vec<Corner>> = BTreeMap::new();
        for dock in docks {
            if let Some((avenue, street)) = manhattan_corner(dock) {
                let at = (dock.station.lat, dock.station.lon);
                avenues
                    .entry(avenue)
                    .or_default()
                    .push(Corner { street, at });
            }
        }
        let step = shared_step(&avenues);
        Self { avenues, step }
    }

    /// The place where `avenue` meets street number `street`; fractions lie between streets. None
    /// far beyond the avenue's docks.
    pub(super) fn locate(&self, avenue: &str, street: f64) -> Option<Degrees> {
        let corners = self.avenues.get(avenue)?;
        let mut docks = corners.iter().map(|corner| corner.street);
        let reaches_down = docks
            .clone()
            .any(|dock| dock <= street + BEYOND_STREETS_MAX);
        let reaches_up = docks.any(|dock| dock >= street - BEYOND_STREETS_MAX);
        (reaches_down && reaches_up).then(|| place(corners.iter(), street, self.step))
    }
}

/// The avenue and street of a dock on Manhattan's grid.
fn manhattan_corner(dock: &Dock) -> Option<(String, f64)> {
    let ParsedSearch::Corner(first, second) = &dock.parsed else {
        return None;
    };
    let (avenue, number) = match (first, second) {
        (
            Street::Named(avenue),
            Street::Cross {
                side: Some(_),
                number,
            },
        )
        | (
            Street::Cross {
                side: Some(_),
                number,
            },
            Street::Named(avenue),
        ) => (avenue, *number),
        _ => return None,
    };
    // The Bronx goes on with Manhattan's numbers and some of its names.
    let is_manhattan = dock.areas.meets(Areas::MANHATTAN);
    (is_avenue(avenue) && is_manhattan).then(|| (avenue.clone(), f64::from(number)))
}

/// The average step over all avenues, each about its own middle.
fn shared_step(avenues: &BTreeMap<String, Vec<Corner>>) -> Degrees {
    let (mut squares, mut lat, mut lon) = (0.0, 0.0, 0.0);
    // Those that run straight up the island; Broadway and the Drive have their own ways.
    let is_straight = |name: &str| !["broadway", "riverside dr", "st nicholas ave"].contains(&name);
    for corners in avenues
        .iter()
        .filter(|(name, _)| is_straight(name))
        .map(|(_, corners)| corners)
    {
        let mean = weighted_mean(corners.iter().map(|corner| (corner, 1.0)));
        for corner in corners {
            let from_mean = corner.street - mean.street;
            squares += from_mean * from_mean;
            lat += from_mean * (corner.at.0 - mean.at.0);
            lon += from_mean * (corner.at.1 - mean.at.1);
        }
    }
    (lat / squares, lon / squares)
}

fn place<'a>(
    corners: impl Iterator<Item = &'a Corner> + Clone,
    street: f64,
    step: Degrees,
) -> Degrees {
    // The nearest dock counts fully however far it is, so that the weights never vanish.
    let nearest = corners
        .clone()
        .map(|c| (c.street - street).abs())
        .fold(f64::INFINITY, f64::min);
    let weight = |corner: &Corner| {
        let beyond = ((corner.street - street).abs() - nearest) / REACH_STREETS;
        (-beyond * beyond).exp()
    };
    let mean = weighted_mean(corners.clone().map(|corner| (corner, weight(corner))));
    let (mut squares, mut lat, mut lon) = (
        SHARED_WEIGHT,
        SHARED_WEIGHT * step.0,
        SHARED_WEIGHT * step.1,
    );
    for corner in corners {
        let (w, from_mean) = (weight(corner), corner.street - mean.street);
        squares += w * from_mean * from_mean;
        lat += w * from_mean * (corner.at.0 - mean.at.0);
        lon += w * from_mean * (corner.at.1 - mean.at.1);
    }
    let away = street - mean.street;
    (
        mean.at.0 + away * lat / squares,
        mean.at.1 + away * lon / squares,
    )
}

fn weighted_mean<'a>(corners: impl Iterator<Item = (&'a Corner, f64)>) -> Corner {
    let (mut sum, mut street, mut lat, mut lon) = (0.0, 0.0, 0.0, 0.0);
    for (corner, weight) in corners {
        sum += weight;
        street += weight * corner.street;
        lat += weight * corner.at.0;
        lon += weight * corner.at.1;
    }
    Corner {
        street: street / sum,
        at: (lat / sum, lon / sum),
    }
}

#[cfg(test)]
mod tests {
    use domain::geo::distance_m;
    use domain::stations::reference_stations;

    use super::*;

    /// Metres between each avenue corner and its place fitted without it, in ascending order.
    fn leave_one_out_errors() -> Vec<f64> {
        let docks: Vec<_> = reference_stations().iter().map(Dock::new).collect();
        let grid = Grid::fit(docks.iter());
        let mut errors = Vec::new();
        for corners in grid.avenues.values().filter(|corners| corners.len() > 2) {
            for left_out in corners
                .iter()
                .filter(|c| (14.0..=110.0).contains(&c.street))
            {
                let others = corners.iter().filter(|corner| *corner != left_out);
                let fitted = place(others, left_out.street, grid.step);
                let (lat, lon) = left_out.at;
                errors.push(distance_m(fitted.0, fitted.1, lat, lon));
            }
        }
        errors.sort_by(f64::total_cmp);
        errors
    }

    #[test]
    fn a_corner_is_found_from_the_other_corners_of_its_avenue() {
        let errors = leave_one_out_errors();
        let (median, most) = (errors[errors.len() / 2], errors[errors.len() * 9 / 10]);
        eprintln!(
            "{} corners: median {median:.0} m, 90 % {most:.0} m",
            errors.len()
        );
        assert!(errors.len() > 180, "{}", errors.len());
        assert!(median < 35.0, "median {median:.0} m");
        assert!(most < 80.0, "90th percentile {most:.0} m");
    }
}
