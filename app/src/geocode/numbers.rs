//! Numbers in letters: `One Park Avenue`, `Fifth Avenue`, `West Forty-Second Street`.

/// Replaces numbers in letters and with endings by their digits.
pub(super) fn in_digits(words: Vec<String>) -> Vec<String> {
    let mut plain: Vec<String> = Vec::with_capacity(words.len());
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let unit = words.peek().and_then(|next| unit_ordinal(next));
        let spelled = match (tens(&word), unit) {
            (Some(tens), Some(unit)) => {
                words.next();
                Some(tens + unit)
            }
            // A number of things is a building's number, and begins the text.
            _ => ordinal_in_letters(&word).or_else(|| cardinal(&word).filter(|_| plain.is_empty())),
        };
        plain.push(match (spelled, without_ending(&word)) {
            (Some(number), _) => number.to_string(),
            (None, Some(digits)) => digits.to_owned(),
            (None, None) => word,
        });
    }
    plain
}

pub(super) fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `42nd` → `42`.
fn without_ending(word: &str) -> Option<&str> {
    ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))
        .filter(|digits| is_number(digits))
}

const CARDINALS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

const ORDINALS: [&str; 19] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

const TENS: [(&str, &str); 8] = [
    ("twenty", "twentieth"),
    ("thirty", "thirtieth"),
    ("forty", "fortieth"),
    ("fifty", "fiftieth"),
    ("sixty", "sixtieth"),
    ("seventy", "seventieth"),
    ("eighty", "eightieth"),
    ("ninety", "ninetieth"),
];

fn cardinal(word: &str) -> Option<usize> {
    Some(CARDINALS.iter().position(|name| *name == word)? + 1)
}

fn ordinal(word: &str) -> Option<usize> {
    Some(ORDINALS.iter().position(|name| *name == word)? + 1)
}

fn unit_ordinal(word: &str) -> Option<usize> {
    ordinal(word).filter(|unit| *unit < 10)
}

fn tens(word: &str) -> Option<usize> {
    Some(TENS.iter().position(|(name, _)| *name == word)? * 10 + 20)
}

/// `fifth`, `fortieth` or `forty-second`.
fn ordinal_in_letters(word: &str) -> Option<usize> {
    if let Some((first, second)) = word.split_once('-') {
        return Some(tens(first)? + unit_ordinal(second)?);
    }
    let round = || Some(TENS.iter().position(|(_, name)| *name == word)? * 10 + 20);
    ordinal(word).or_else(round)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_letters_are_digits() {
        for (written, plain) in [
            ("five e twenty-third st", "5 e 23 st"),
            ("w fifty seventh st & sixth ave", "w 57 st & 6 ave"),
            ("2nd ave & e 101st st", "2 ave & e 101 st"),
            ("w twentieth st", "w 20 st"),
            ("e fourteenth st", "e 14 st"),
            ("st nicholas ave", "st nicholas ave"),
            ("22nd", "22"),
            ("& one", "& one"),
        ] {
            let words = written.split(' ').map(str::to_owned).collect();
            assert_eq!(in_digits(words).join(" "), plain);
        }
    }
}
