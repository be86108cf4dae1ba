//! How a dock looks: circle size by bikes and zoom, and what number it carries.

use domain::Stock;

use crate::math::{exp2, within};
use crate::model::Count;
use crate::seeking::Seeking;
use crate::words::{Word, Words};

/// From this radius in pixels a circle is large enough for its number.
const NUMBER_RADIUS_MIN: f64 = 8.2;
/// Below this zoom circles overlap, and numbers would only be noise.
pub(crate) const NUMBER_ZOOM_MIN: f64 = 13.2;

/// A circle does not grow beyond this many bikes.
const BIKES_MAX: f64 = 60.0;

/// Radius of a dock's circle in pixels.
///
/// The area grows with the bikes; zoomed out, circles shrink so that a city stays readable.
#[must_use]
pub(crate) fn radius(bikes: i32, zoom: f64) -> f64 {
    let size = within(exp2((zoom - 14.6) * 0.62), 0.12, 1.0);
    if bikes <= 0 {
        return 0.7 + 3.3 * size;
    }
    let root = f64::from(bikes).min(BIKES_MAX).sqrt();
    size * (7.4 + 2.5 * root)
}

/// Whether a circle of this radius carries its number.
#[must_use]
pub(crate) fn has_number(radius: f64, zoom: f64) -> bool {
    radius >= NUMBER_RADIUS_MIN && zoom >= NUMBER_ZOOM_MIN
}

/// The number on the circle: `7`, `≈7` if estimated, `7?` if the station was not seen lately, `?` where
/// nobody says, `–` where no bike can be taken or returned.
#[must_use]
pub(crate) fn number(count: Count, seeking: Seeking) -> String {
    match count.told(seeking) {
        _ if !count.can_use(seeking) => "–".to_owned(),
        None => "?".to_owned(),
        Some(amount) if count.estimated => format!("≈{amount}"),
        Some(amount) if count.last_seen.is_some() => format!("{amount}?"),
        Some(amount) => amount.to_string(),
    }
}

/// The count in words: `no bikes`, `1 bike`, `about 7 bikes`, `5 bikes, 2 of them electric`.
#[must_use]
pub(crate) fn words(words: Words, count: Count) -> String {
    match count.bikes {
        _ if !count.service.can_rent() => words.get(Word::NoBikesToTake).to_owned(),
        i32::MIN..=0 if count.estimated => words.get(Word::ProbablyNoBikes).to_owned(),
        i32::MIN..=0 => words.get(Word::NoBikes).to_owned(),
        bikes => {
            let mut text = words.amount(bikes, Word::OneBike, Word::Bikes);
            if count.estimated {
                text = words.fill(Word::About, &[&text]);
            }
            text + &electric(words, count)
        }
    }
}

/// What is said of one bike or more, if the feed tells e-bikes from others.
fn electric(words: Words, count: Count) -> String {
    let word = match count.stock.ebikes.map(i32::from) {
        None => return String::new(),
        Some(0) => Word::NoneElectric,
        Some(_) if count.bikes == 1 => Word::OneElectric,
        Some(ebikes) if ebikes >= count.bikes => Word::AllElectric,
        Some(ebikes) => return words.fill(Word::SomeElectric, &[&ebikes.to_string()]),
    };
    words.get(word).to_owned()
}

/// Bikes to take and docks to return to: `5 bikes, 2 of them electric · 12 free docks`.
#[must_use]
pub(crate) fn stock(words: Words, count: Count) -> String {
    let free = count.stock.free_docks;
    let free = free.filter(|_| count.service.can_return());
    let bikes = self::words(words, count);
    match free {
        None => bikes,
        Some(0) => format!("{bikes} · {}", words.get(Word::NoFreeDocks)),
        Some(free) => {
            let free = words.amount(free.into(), Word::OneFreeDock, Word::FreeDocks);
            format!("{bikes} · {free}")
        }
    }
}

/// What is there and of no use: `1 broken bike, 2 broken docks`.
#[must_use]
pub(crate) fn broken(words: Words, count: Count) -> Option<String> {
    let of = |number: Option<u16>, one, several| {
        let number = number.filter(|number| *number > 0);
        number.map(|number| words.amount(number.into(), one, several))
    };
    let is_open = count.service.can_rent() || count.service.can_return();
    let Stock {
        broken_bikes,
        broken_docks,
        ..
    } = count.stock;
    let parts = [
        of(broken_bikes, Word::OneBrokenBike, Word::BrokenBikes),
        of(broken_docks, Word::OneBrokenDock, Word::BrokenDocks),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().filter(|_| is_open).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a rider has to know beside the count: `closed`, `no returns`, `last seen 28 Feb, 10:10`.
#[must_use]
pub(crate) fn note(words: Words, count: Count) -> Option<String> {
    let service = match (count.service.can_rent(), count.service.can_return()) {
        (true, true) => None,
        (true, false) => Some(Word::NoReturns),
        (false, true) => Some(Word::ReturnsOnly),
        (false, false) => Some(Word::Closed),
    };
    let service = service.map(|word| words.get(word).to_owned());
    let last_seen = count.last_seen.map(|at| words.wall_time(at));
    let last_seen = last_seen.map(|at| words.fill(Word::LastSeen, &[&at]));
    let parts: Vec<_> = [service, last_seen].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The label beside a dock: `E 32 St & Park Ave: 7 bikes, no returns`,
/// `1 Ave & E 1 St: 5 bikes, 2 of them electric · 12 free docks, 1 broken bike`.
#[must_use]
pub(crate) fn label(words: Words, name: &str, count: Count) -> String {
    let parts = [
        Some(stock(words, count)),
        note(words, count),
        broken(words, count),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{name}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use domain::Service;
    use expect_test::expect;

    use super::*;
    use crate::model::WallTime;

    /// A dock as a live feed tells of it.
    fn fed(bikes: i32, numbers: [Option<u16>; 5], renting: bool, returning: bool) -> Count {
        Count {
            bikes,
            stock: Stock::from_numbers(numbers),
            service: Service {
                installed: true,
                renting,
                returning,
            },
            ..Count::default()
        }
    }

    #[test]
    fn more_bikes_make_a_larger_circle() {
        for zoom in [10.0, 12.5, 15.0, 18.0] {
            for bikes in 0..60 {
                assert!(
                    radius(bikes, zoom) < radius(bikes + 1, zoom),
                    "{bikes} at {zoom}"
                );
            }
        }
    }

    #[test]
    fn counts_read_as_words() {
        let read = |bikes, estimated| {
            words(
                Words::default(),
                Count {
                    bikes,
                    estimated,
                    ..Count::default()
                },
            )
        };
        assert_eq!(read(0, false), "no bikes");
        assert_eq!(read(1, false), "1 bike");
        assert_eq!(read(7, true), "about 7 bikes");
        assert_eq!(read(0, true), "probably no bikes");
    }

    #[test]
    fn a_label_has_name_count_and_note() {
        let mut count = Count {
            bikes: 7,
            ..Count::default()
        };
        assert_eq!(
            label(Words::default(), "1 Ave & E 1 St", count),
            "1 Ave & E 1 St: 7 bikes"
        );
        count.service.returning = false;
        assert_eq!(
            label(Words::default(), "1 Ave & E 1 St", count),
            "1 Ave & E 1 St: 7 bikes, no returns"
        );
    }

    #[test]
    fn bikes_are_told_by_kind_with_the_docks_that_are_free_and_what_is_broken() {
        let read = |bikes, numbers, renting, returning| {
            label(
                Words::default(),
                "A",
                fed(bikes, numbers, renting, returning),
            )
        };
        let stock =
            |ebikes, free_docks| [Some(ebikes), Some(free_docks), Some(20), Some(0), Some(0)];
        let unknown = [None, Some(12), None, None, None];
        let broken = [Some(2), Some(12), Some(20), Some(1), Some(2)];
        let labels = [
            read(5, stock(2, 12), true, true),
            read(5, stock(0, 1), true, true),
            read(5, stock(5, 0), true, true),
            read(1, stock(1, 12), true, true),
            read(0, stock(0, 20), true, true),
            read(5, unknown, true, true),
            read(5, broken, true, true),
            read(5, broken, true, false),
            read(5, broken, false, true),
            read(5, broken, false, false),
        ];
        expect![[r#"
            A: 5 bikes, 2 of them electric · 12 free docks
            A: 5 bikes, none electric · 1 free dock
            A: 5 bikes, all electric · no free docks
            A: 1 bike, electric · 12 free docks
            A: no bikes · 20 free docks
            A: 5 bikes · 12 free docks
            A: 5 bikes, 2 of them electric · 12 free docks, 1 broken bike, 2 broken docks
            A: 5 bikes, 2 of them electric, no returns, 1 broken bike, 2 broken docks
            A: no bikes to take · 12 free docks, returns only, 1 broken bike, 2 broken docks
            A: no bikes to take, closed"#]]
        .assert_eq(&labels.join("\n"));
    }

    #[test]
    fn the_circle_carries_the_number_of_what_is_sought() {
        let read = |numbers, renting, returning| {
            let count = fed(7, numbers, renting, returning);
            Seeking::ALL.map(|seeking| number(count, seeking)).join(" ")
        };
        let known = [Some(2), Some(12), None, None, None];
        assert_eq!(read(known, true, true), "7 2 12");
        assert_eq!(read(known, false, true), "– – 12");
        assert_eq!(read(known, true, false), "7 2 –");
        assert_eq!(read([None; 5], true, true), "7 ? ?");
    }

    #[test]
    fn what_a_station_does_not_offer_and_when_it_was_seen_is_said() {
        let read = |renting, returning, last_seen: Option<(u8, u8, u8, u8)>| {
            let count = Count {
                last_seen: last_seen.map(WallTime::from),
                ..fed(7, [None; 5], renting, returning)
            };
            let note = note(Words::default(), count).unwrap_or_default();
            let number = number(count, Seeking::Bikes);
            format!("{number} | {} | {note}", words(Words::default(), count))
        };
        let seen = Some((2, 28, 9, 5));
        assert_eq!(read(true, true, None), "7 | 7 bikes | ");
        assert_eq!(read(true, false, None), "7 | 7 bikes | no returns");
        assert_eq!(
            read(false, true, None),
            "– | no bikes to take | returns only"
        );
        assert_eq!(read(false, false, None), "– | no bikes to take | closed");
        assert_eq!(
            read(true, true, seen),
            "7? | 7 bikes | last seen 28 Feb, 09:05"
        );
        assert_eq!(
            read(false, false, seen),
            "– | no bikes to take | closed, last seen 28 Feb, 09:05"
        );
    }
}
