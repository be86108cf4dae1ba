//! Broadway below the numbered streets, where no rule of the avenues holds.

use super::degrees::Degrees;

/// The last number below E 8 St.
const LAST: u32 = 755;

/// Buildings with their places: 1 at Battery
/// Place, 80 at Wall St, 140 at Liberty St, 198 at Fulton St, 280 at Chambers St, 423 at Canal St,
/// 611 at Houston St, 770 at E 9 St.
const BUILDINGS: [(f64, Degrees); 8] = [
    (1.0, (40.7048, -74.0141)),
    (80.0, (40.7077, -74.0119)),
    (140.0, (40.7092, -74.0107)),
    (198.0, (40.7110, -74.0092)),
    (280.0, (40.7142, -74.0062)),
    (423.0, (40.7192, -74.0019)),
    (611.0, (40.7254, -73.9968)),
    (770.0, (40.7308, -73.9917)),
];

/// The place of a building on lower Broadway; none on another street and further up.
pub(super) fn locate(street: &str, number: u32) -> Option<Degrees> {
    if street != "broadway" || number > LAST {
        return None;
    }
    let number = f64::from(number);
    let pair = BUILDINGS.windows(2).find(|pair| number <= pair[1].0)?;
    let ((first, from), (last, to)) = (pair[0], pair[1]);
    let share = (number - first) / (last - first);
    Some((
        from.0 + (to.0 - from.0) * share,
        from.1 + (to.1 - from.1) * share,
    ))
}
