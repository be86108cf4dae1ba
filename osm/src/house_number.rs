//! House numbers, as people write them on doors.

/// Bytes of what follows the digits (chosen: `-14 1/2` has seven).
const REST_BYTES_MAX: usize = 12;

/// Numbers that one building has at most between its first and its last (chosen: a block).
const PAIR_MAX: u32 = 20;

/// A number and what follows it: 12 and `a`.
pub(crate) type Number = (u32, String);

/// Reads the numbers of one building: `12`, `12 A`, `12;14`, and of `12-14` the second too, if it is on
/// the same side of the street. Nothing where no digit stands first.
pub(crate) fn read(text: &str) -> Vec<Number> {
    let parts = text.split([';', ',']).filter_map(one);
    parts
        .flat_map(|(number, rest)| {
            let second = second_of_pair(number, &rest).map(|second| (second, String::new()));
            [(number, rest)].into_iter().chain(second)
        })
        .collect()
}

fn one(text: &str) -> Option<Number> {
    let text = text.split_whitespace().collect::<String>().to_lowercase();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(digits);
    let number = digits.parse().ok()?;
    (rest.len() <= REST_BYTES_MAX).then(|| (number, rest.to_owned()))
}

/// 14 of `12-14`. In Queens `31-15` is one number: there the second is the lower, or far off.
fn second_of_pair(first: u32, rest: &str) -> Option<u32> {
    let second: u32 = rest.strip_prefix(['-', '–'])?.parse().ok()?;
    let is_pair =
        second > first && second - first <= PAIR_MAX && (second - first).is_multiple_of(2);
    is_pair.then_some(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_stand_on_doors() {
        for (text, expected) in [
            ("12", "12"),
            ("12 A", "12a"),
            ("12;14a", "12 14a"),
            ("12-14", "12-14 14"),
            ("12–13", "12–13"),
            ("31-15", "31-15"),
            ("7/2", "7/2"),
            ("Villa Rosa", ""),
            ("", ""),
            ("99999999999", ""),
        ] {
            let numbers = read(text);
            let seen: Vec<_> = numbers
                .iter()
                .map(|(number, rest)| format!("{number}{rest}"))
                .collect();
            assert_eq!(seen.join(" "), expected, "{text:?}");
        }
    }
}
