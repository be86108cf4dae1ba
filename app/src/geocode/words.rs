//! One spelling for every way to write a street.

/// Splits a text into words of one spelling: `350 Fifth Avenue, New York` → `350 5 ave`.
///
/// What follows the first comma is the town and is left out. `&`, `and` and `at` between two
/// streets all become `&`.
pub(super) fn words(text: &str) -> Vec<String> {
    let street = text.split(',').next().unwrap_or_default().to_lowercase();
    let spaced = street
        .replace(['&', '@'], " & ")
        .replace(['.', '\'', '’', '#'], "");
    let mut words: Vec<String> = spaced.split_whitespace().map(one_spelling).collect();
    drop_town(&mut words);
    rename(words)
}

fn one_spelling(word: &str) -> String {
    let plain = match word {
        "avenue" | "av" | "aven" => "ave",
        "street" | "str" | "saint" => "st",
        "east" => "e",
        "west" => "w",
        "north" => "n",
        "south" => "s",
        "place" => "pl",
        "square" => "sq",
        "boulevard" => "blvd",
        "drive" => "dr",
        "plaza" => "plz",
        "road" => "rd",
        "lane" => "ln",
        "parkway" => "pkwy",
        "terrace" => "ter",
        "fort" => "ft",
        "and" | "at" => "&",
        "first" => "1",
        "second" => "2",
        "third" => "3",
        "fourth" => "4",
        "fifth" => "5",
        "sixth" => "6",
        "seventh" => "7",
        "eighth" => "8",
        "ninth" => "9",
        "tenth" => "10",
        "eleventh" => "11",
        "twelfth" => "12",
        other => ordinal(other).unwrap_or(other),
    };
    plain.to_owned()
}

/// `42nd` → `42`.
fn ordinal(word: &str) -> Option<&str> {
    let number = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))?;
    is_number(number).then_some(number)
}

pub(super) fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Leaves out a town written without a comma.
fn drop_town(words: &mut Vec<String>) {
    let ends = |words: &[String], tail: &[&str]| {
        words.len() > tail.len() + 1
            && words
                .iter()
                .rev()
                .zip(tail.iter().rev())
                .all(|(a, b)| a == b)
    };
    if words.len() > 3
        && words
            .last()
            .is_some_and(|word| word.len() == 5 && is_number(word))
    {
        words.pop();
    }
    for tail in [
        &["usa"][..],
        &["ny"],
        &["nyc"],
        &["new", "york"],
        &["manhattan"],
    ] {
        if ends(words, tail) {
            words.truncate(words.len() - tail.len());
        }
    }
}

/// Streets with two names get the one that docks and rules use.
fn rename(words: Vec<String>) -> Vec<String> {
    const NAMES: [(&str, &str); 10] = [
        ("ave of the americas", "6 ave"),
        ("americas", "6 ave"),
        ("adam clayton powell jr blvd", "adam clayton powell blvd"),
        ("acp blvd", "adam clayton powell blvd"),
        ("malcolm x blvd", "lenox ave"),
        ("central park west", "central park w"),
        ("cpw", "central park w"),
        ("ft washington ave", "ft washington ave"),
        ("audobon ave", "audubon ave"),
        ("riverside drive", "riverside dr"),
    ];
    let line = words.join(" ");
    for (from, to) in NAMES {
        if let Some(at) = line.find(from)
            && (at == 0 || line.as_bytes().get(at - 1) == Some(&b' '))
        {
            return line
                .replacen(from, to, 1)
                .split(' ')
                .map(str::to_owned)
                .collect();
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_street_is_one_spelling() {
        for (written, plain) in [
            ("1 Park Avenue", "1 park ave"),
            ("350 Fifth Ave., New York, NY 10118", "350 5 ave"),
            ("350 5th Ave New York NY 10118", "350 5 ave"),
            ("200 West 42nd Street", "200 w 42 st"),
            ("1230 Avenue of the Americas", "1230 6 ave"),
            ("62 Avenue B", "62 ave b"),
            ("E 32 St and Park Av", "e 32 st & park ave"),
            ("St. Nicholas Ave & W 126 St", "st nicholas ave & w 126 st"),
            ("12 New York Ave", "12 new york ave"),
        ] {
            assert_eq!(words(written).join(" "), plain, "{written}");
        }
    }
}
