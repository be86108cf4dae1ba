//! One spelling for every way to write a street.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::numbers::in_digits;

/// Splits a text into words of one spelling: `350 Fifth Avenue` → `350 5 ave`.
///
/// `&`, `and` and `at` between two streets all become `&`.
pub(super) fn words(text: &str) -> Vec<String> {
    let spaced = folded(text)
        .replace(['&', '@'], " & ")
        .replace(['–', '—', '‐', '‑'], "-")
        .replace(['.', '\'', '’', '#'], "");
    rename(in_digits(
        spaced.split_whitespace().map(one_spelling).collect(),
    ))
}

/// Small letters without marks: `Königstraße` → `konigstrasse`, for not every keyboard has them.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text
        .to_lowercase()
        .nfd()
        .filter(|letter| !is_combining_mark(*letter))
    {
        match letter {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'đ' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            other => folded.push(other),
        }
    }
    folded
}

fn one_spelling(word: &str) -> String {
    if let Some(name) = word.strip_suffix("strasse") {
        // `Hauptstraße` is written `Hauptstr.` too.
        return if name.is_empty() {
            "st".to_owned()
        } else {
            format!("{name}str")
        };
    }
    let plain = match word {
        "avenue" | "av" | "aven" | "avenu" | "aveune" => "ave",
        "street" | "str" | "saint" | "stret" | "steet" => "st",
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
        "heights" => "hts",
        "fort" => "ft",
        "and" | "at" => "&",
        "audobon" => "audubon",
        other => other,
    };
    plain.to_owned()
}

/// Streets with two names get the one that docks and rules use.
fn rename(words: Vec<String>) -> Vec<String> {
    const NAMES: [(&[&str], &[&str]); 9] = [
        (&["ave", "of", "the", "americas"], &["6", "ave"]),
        (&["ave", "of", "americas"], &["6", "ave"]),
        (
            &["adam", "clayton", "powell", "jr", "blvd"],
            &["adam", "clayton", "powell", "blvd"],
        ),
        (&["acp", "blvd"], &["adam", "clayton", "powell", "blvd"]),
        (&["malcolm", "x", "blvd"], &["lenox", "ave"]),
        (&["cpw"], &["central", "park", "w"]),
        (&["central", "park", "s"], &["w", "59", "st"]),
        (&["central", "park", "n"], &["w", "110", "st"]),
        (&["cathedral", "pkwy"], &["w", "110", "st"]),
    ];
    NAMES.iter().fold(words, |words, (from, to)| {
        let Some(at) = words.windows(from.len()).position(|part| part == *from) else {
            return words;
        };
        let (before, rest) = words.split_at(at);
        let after = rest.iter().skip(from.len()).cloned();
        let to = to.iter().map(|word| (*word).to_owned());
        before.iter().cloned().chain(to).chain(after).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_street_is_one_spelling() {
        for (written, plain) in [
            ("1 Park Avenue", "1 park ave"),
            ("350 Fifth Ave.", "350 5 ave"),
            ("200 West 42nd Street", "200 w 42 st"),
            ("1230 Avenue of the Americas", "1230 6 ave"),
            ("62 Avenue B", "62 ave b"),
            ("E 32 St and Park Av", "e 32 st & park ave"),
            ("St. Nicholas Ave & W 126 St", "st nicholas ave & w 126 st"),
            ("12 New York Ave", "12 new york ave"),
            ("310 West End Avenue", "310 w end ave"),
            ("12 Central Park South", "12 w 59 st"),
            ("12 Central Park West", "12 central park w"),
            ("7th Ave at Malcolm X Boulevard", "7 ave & lenox ave"),
            ("Avenue of the Americas & Central Park S", "6 ave & w 59 st"),
            ("31–15 Broadway", "31-15 broadway"),
            ("12 Königstraße", "12 konigstr"),
            ("Konigstr. 12", "konigstr 12"),
            ("Lange Straße", "lange st"),
            ("Østergade & Łódzka", "ostergade & lodzka"),
            ("Rue de l'Église", "rue de leglise"),
        ] {
            assert_eq!(words(written).join(" "), plain, "{written}");
        }
    }
}
