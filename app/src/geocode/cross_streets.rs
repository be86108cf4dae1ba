//! Building numbers along numbered streets: `200 W 42 St`.
//!
//! 5 Avenue parts east from west, about a hundred numbers a block outward. West of Central Park
//! (60 to 109 St) counting begins at Central Park West.

use std::ops::RangeInclusive;

use super::address::Side;
use super::degrees::Degrees;
use super::grid::Grid;

/// Avenues outward, each with the last number before it and the first one past it. Lots of 25 feet
/// with two numbers each use a block's hundred up to about 75 in the West and 50 in the East.
type Crossings = &'static [(f64, f64, &'static str)];

const EAST: Crossings = &[
    (1.0, 1.0, "5 ave"),
    (30.0, 30.0, "madison ave"),
    (90.0, 100.0, "park ave"),
    (135.0, 135.0, "lexington ave"),
    (165.0, 200.0, "3 ave"),
    (250.0, 300.0, "2 ave"),
    (350.0, 400.0, "1 ave"),
    (450.0, 500.0, "york ave"),
];
/// South and north of York Avenue.
const MIDTOWN_EAST: Crossings = &[
    (1.0, 1.0, "5 ave"),
    (30.0, 30.0, "madison ave"),
    (90.0, 100.0, "park ave"),
    (135.0, 135.0, "lexington ave"),
    (165.0, 200.0, "3 ave"),
    (250.0, 300.0, "2 ave"),
    (350.0, 400.0, "1 ave"),
];
const UNION_SQUARE: Crossings = &[
    (1.0, 1.0, "5 ave"),
    (90.0, 100.0, "park ave"),
    (150.0, 200.0, "3 ave"),
    (250.0, 300.0, "2 ave"),
    (350.0, 400.0, "1 ave"),
    (450.0, 500.0, "ave a"),
    (550.0, 600.0, "ave b"),
    (650.0, 700.0, "ave c"),
];
const EAST_VILLAGE: Crossings = &[
    (1.0, 1.0, "5 ave"),
    (100.0, 100.0, "4 ave"),
    (150.0, 200.0, "3 ave"),
    (250.0, 300.0, "2 ave"),
    (350.0, 400.0, "1 ave"),
    (450.0, 500.0, "ave a"),
    (550.0, 600.0, "ave b"),
    (650.0, 700.0, "ave c"),
    (750.0, 800.0, "ave d"),
];
/// Bowery goes on as 3 Ave.
const FROM_BOWERY: Crossings = &[
    (1.0, 1.0, "3 ave"),
    (60.0, 60.0, "2 ave"),
    (110.0, 110.0, "1 ave"),
    (150.0, 150.0, "ave a"),
    (200.0, 200.0, "ave b"),
    (260.0, 260.0, "ave c"),
    (320.0, 320.0, "ave d"),
];
const WEST: Crossings = &[
    (1.0, 1.0, "5 ave"),
    (75.0, 100.0, "6 ave"),
    (170.0, 200.0, "7 ave"),
    (270.0, 300.0, "8 ave"),
    (370.0, 400.0, "9 ave"),
    (470.0, 500.0, "10 ave"),
    (570.0, 600.0, "11 ave"),
];
const WEST_OF_THE_PARK: Crossings = &[
    (1.0, 1.0, "central park w"),
    (75.0, 100.0, "columbus ave"),
    (170.0, 200.0, "amsterdam ave"),
    (280.0, 300.0, "w end ave"),
    (350.0, 400.0, "riverside dr"),
];
const HARLEM: Crossings = &[
    (1.0, 1.0, "5 ave"),
    (80.0, 100.0, "lenox ave"),
    (175.0, 200.0, "adam clayton powell blvd"),
    (285.0, 300.0, "frederick douglass blvd"),
    (475.0, 500.0, "amsterdam ave"),
    (570.0, 600.0, "broadway"),
    (670.0, 700.0, "riverside dr"),
];
const HEIGHTS: Crossings = &[
    (500.0, 500.0, "amsterdam ave"),
    (600.0, 600.0, "broadway"),
    (670.0, 700.0, "ft washington ave"),
];

/// Blocks beyond the last avenue that are still land, each as long as the one before it.
const BEYOND_MAX: f64 = 1.5;

/// The numbers of a street and the avenues that they lie between.
///
/// None where numbering is another: around Greenwich Village and in Inwood, and on the East Side
/// where Manhattan's numbers go on in the Bronx.
fn crossings(side: Side, street: u32) -> Option<(Crossings, RangeInclusive<u32>)> {
    const ALL: RangeInclusive<u32> = 1..=u32::MAX;
    Some(match (side, street) {
        (Side::East, 2..=4 | 7) => (FROM_BOWERY, ALL),
        (Side::East, 5 | 6) => (EAST_VILLAGE, 200..=u32::MAX),
        // 8 St is St Marks Place from 3 Ave on; 10 St counts otherwise from there.
        (Side::East, 8 | 10) => (EAST_VILLAGE, 1..=110),
        (Side::East, 9..=13) => (EAST_VILLAGE, ALL),
        (Side::East, 14..=23) => (UNION_SQUARE, ALL),
        (Side::East, 24..=59 | 93..=131) => (MIDTOWN_EAST, ALL),
        (Side::East, 60..=92) => (EAST, ALL),
        // Beyond 7 Ave they turn into the Village.
        (Side::West, 8..=13) => (WEST, 1..=250),
        (Side::West, 14..=59) => (WEST, ALL),
        (Side::West, 60..=109) => (WEST_OF_THE_PARK, ALL),
        (Side::West, 110..=155) => (HARLEM, ALL),
        (Side::West, 156..=190) => (HEIGHTS, 500..=u32::MAX),
        _ => return None,
    })
}

/// The place of a building on a numbered street; none beyond the rivers.
pub(super) fn locate(grid: &Grid, side: Side, street: u32, number: u32) -> Option<Degrees> {
    let (crossings, numbers) = crossings(side, street)?;
    if !numbers.contains(&number) {
        return None;
    }
    let number = f64::from(number);
    // The block of the number, or the last one for numbers beyond it.
    let blocks = crossings.windows(2);
    let block = blocks
        .clone()
        .find(|block| number < block[1].1)
        .or_else(|| blocks.last())?;
    let [(_, first, from), (last, next, to)] = block else {
        return None;
    };
    let share = if number < *next {
        ((number - first) / (last - first)).min(1.0)
    } else {
        1.0 + (number - next) / (last - first)
    };
    if share > 1.0 + BEYOND_MAX {
        return None;
    }
    let from = grid.locate(from, f64::from(street))?;
    let to = grid.locate(to, f64::from(street))?;
    Some((
        from.0 + (to.0 - from.0) * share,
        from.1 + (to.1 - from.1) * share,
    ))
}

#[cfg(test)]
mod tests {
    use domain::stations::reference_stations;

    use super::*;
    use crate::geocode::docks::Dock;

    fn place(side: Side, street: u32, number: u32) -> Option<Degrees> {
        let docks: Vec<_> = reference_stations().iter().map(Dock::new).collect();
        locate(&Grid::fit(docks.iter()), side, street, number)
    }

    #[test]
    fn numbers_go_outward_from_5_avenue_to_the_rivers() {
        for street in (9..=131).filter(|street| *street != 10) {
            let lon = |side, number| place(side, street, number).map(|(_, lon)| lon);
            let east = [1, 60, 120, 170, 230, 260, 320, 340].map(|number| lon(Side::East, number));
            let mut west = [1, 60, 120, 160, 220, 250].map(|number| lon(Side::West, number));
            assert!(
                east.is_sorted() && east.iter().all(Option::is_some),
                "E {street}: {east:?}"
            );
            west.reverse();
            assert!(
                west.is_sorted() && west.iter().all(Option::is_some),
                "W {street}: {west:?}"
            );
        }
    }

    #[test]
    fn a_number_past_the_last_avenue_lies_beyond_it_until_the_river() {
        let lon = |number| place(Side::East, 38, number).map(|(_, lon)| lon);
        assert!(lon(399) < lon(420));
        assert_eq!(lon(520), None);
        assert_eq!(place(Side::West, 38, 900), None);
    }

    #[test]
    fn numbers_that_count_otherwise_give_no_place() {
        for (side, street, number) in [
            (Side::West, 4, 240),
            (Side::West, 11, 310),
            (Side::East, 10, 280),
            (Side::East, 138, 500),
            (Side::West, 170, 80),
            (Side::West, 207, 600),
            (Side::West, 0, 1),
        ] {
            assert_eq!(
                place(side, street, number),
                None,
                "{side:?} {street} {number}"
            );
        }
    }
}
