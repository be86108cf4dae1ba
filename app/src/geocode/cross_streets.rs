//! Building numbers along numbered streets: `200 W 42 St`.
//!
//! 5 Avenue parts east from west, about a hundred numbers a block outward. West of Central Park
//! (59 to 110 St) counting begins at Central Park West.

use super::address::Side;
use super::grid::{Degrees, Grid};

/// Building numbers at which avenues cross, outward.
type Crossings = &'static [(f64, &'static str)];

const EAST: Crossings = &[
    (1.0, "5 ave"),
    (100.0, "park ave"),
    (200.0, "3 ave"),
    (300.0, "2 ave"),
    (400.0, "1 ave"),
];
const EAST_VILLAGE: Crossings = &[
    (1.0, "5 ave"),
    (200.0, "3 ave"),
    (300.0, "2 ave"),
    (400.0, "1 ave"),
    (500.0, "ave a"),
    (600.0, "ave b"),
    (700.0, "ave c"),
    (800.0, "ave d"),
];
const WEST: Crossings = &[
    (1.0, "5 ave"),
    (100.0, "6 ave"),
    (200.0, "7 ave"),
    (300.0, "8 ave"),
    (400.0, "9 ave"),
    (500.0, "10 ave"),
    (600.0, "11 ave"),
];
const WEST_OF_THE_PARK: Crossings = &[
    (1.0, "central park w"),
    (100.0, "columbus ave"),
    (200.0, "amsterdam ave"),
    (300.0, "west end ave"),
    (400.0, "riverside dr"),
];
const HARLEM: Crossings = &[
    (1.0, "5 ave"),
    (100.0, "lenox ave"),
    (200.0, "adam clayton powell blvd"),
    (300.0, "frederick douglass blvd"),
    (500.0, "amsterdam ave"),
    (600.0, "broadway"),
    (700.0, "riverside dr"),
];

/// Blocks beyond the last avenue that are still land.
const BEYOND_MAX: f64 = 1.5;

/// The place of a building on a numbered street; none beyond the rivers.
pub(super) fn locate(grid: &Grid, side: Side, street: u32, number: u32) -> Option<Degrees> {
    let crossings = match (side, street) {
        (_, 0 | 221..) => return None,
        (Side::East, 1..=23) => EAST_VILLAGE,
        (Side::East, _) => EAST,
        (Side::West, 59..=109) => WEST_OF_THE_PARK,
        (Side::West, 110..) => HARLEM,
        (Side::West, _) => WEST,
    };
    let number = f64::from(number);
    // The pair of avenues around the number, or the last pair for numbers beyond it.
    let pairs = crossings.windows(2);
    let pair = pairs
        .clone()
        .find(|pair| number <= pair[1].0)
        .or_else(|| pairs.last())?;
    let [(first, from), (last, to)] = pair else {
        return None;
    };
    let share = (number - first) / (last - first);
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
