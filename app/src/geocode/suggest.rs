//! What a search that is being typed may become: docks, neighbourhoods, addresses, corners.

use super::address::is_kind;
use super::numbers::is_number;
use super::words::{folded, words};
use crate::model::{Suggestion, SuggestionKind};

/// Suggestions for one search (chosen: what a phone shows above its keyboard).
pub(super) const SUGGESTIONS_MAX: usize = 6;

/// Names that a search can be completed to.
#[derive(Debug, Clone, Default)]
pub(super) struct Completions {
    names: Vec<(Suggestion, Vec<String>)>,
    /// Streets on which buildings are known.
    streets: Vec<(String, Vec<String>)>,
}

impl Completions {
    pub(super) fn new(
        names: impl Iterator<Item = (SuggestionKind, String)>,
        streets: impl Iterator<Item = String>,
    ) -> Self {
        let mut names: Vec<_> = names
            .map(|(kind, text)| {
                let words = words(&text);
                (Suggestion { text, kind }, words)
            })
            .collect();
        names.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
        names.dedup_by(|(a, _), (b, _)| a.text == b.text);
        let streets = streets.map(|street| {
            let words = words(&street);
            (street, words)
        });
        Self {
            names,
            streets: streets.collect(),
        }
    }

    /// The best completions of what was typed, the best first; those that begin as it does come before
    /// those that hold it, the shorter before the longer. `is_found` says whether a search gives a place.
    pub(super) fn of(&self, typed: &str, is_found: impl Fn(&str) -> bool) -> Vec<Suggestion> {
        let typed = Typed::read(typed);
        let Some(typed) = typed else {
            return Vec::new();
        };
        let mut ranked: Vec<_> = self
            .names
            .iter()
            .filter_map(|(suggestion, words)| Some((typed.rank(words)?, suggestion.clone())))
            .chain(self.addresses(&typed))
            .collect();
        ranked.sort_by(|(rank, a), (other, b)| {
            let key = |suggestion: &Suggestion| (suggestion.kind, suggestion.text.len());
            (rank, key(a)).cmp(&(other, key(b)))
        });
        let suggestions = ranked.into_iter().map(|(_, suggestion)| suggestion);
        let found = suggestions.filter(|suggestion| is_found(&suggestion.text));
        found.take(SUGGESTIONS_MAX).collect()
    }

    /// Corners of a street with others, of which the second has begun so: `Main St & 2` → `Main St & 2nd
    /// Ave`.
    pub(super) fn corners<'a>(
        &self,
        begun: &str,
        meeting: impl Iterator<Item = (&'a str, &'a str)>,
        is_found: impl Fn(&str) -> bool,
    ) -> Vec<Suggestion> {
        let typed = Typed::of(begun);
        let mut corners: Vec<_> = meeting
            .filter(|(_, other)| typed.rank(&words(other)) == Some(Rank::Begins))
            .map(|(street, other)| format!("{street} & {other}"))
            .collect();
        corners.sort();
        corners.dedup();
        let found = corners.into_iter().filter(|corner| is_found(corner));
        let suggestions = found.map(|text| Suggestion {
            text,
            kind: SuggestionKind::Corner,
        });
        suggestions.take(SUGGESTIONS_MAX).collect()
    }

    /// `12 par` → `12 Park Ave`.
    fn addresses(&self, typed: &Typed) -> impl Iterator<Item = (Rank, Suggestion)> {
        let parts = typed.after_number();
        // `8 av` is an avenue of its own, and no building on `Ave A`.
        let parts =
            parts.filter(|(_, street)| !street.whole.is_empty() || !is_kind(&street.spelled));
        parts.into_iter().flat_map(|(number, street)| {
            self.streets.iter().filter_map(move |(name, words)| {
                let rank = street.rank(words).filter(|rank| *rank == Rank::Begins)?;
                let suggestion = Suggestion {
                    text: format!("{number} {name}"),
                    kind: SuggestionKind::Address,
                };
                Some((rank, suggestion))
            })
        })
    }
}

/// How well a name fits what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It begins so.
    Begins,
    /// Its words are in it, in this order.
    Holds,
}

/// What was typed: whole words in one spelling, and the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Typed {
    whole: Vec<String>,
    /// As typed, in small letters.
    begun: String,
    /// The same in one spelling: `avenue` is `ave`.
    spelled: String,
}

impl Typed {
    /// None where too little was typed to tell anything.
    fn read(text: &str) -> Option<Self> {
        let typed = Self::of(text);
        (!typed.whole.is_empty() || typed.begun.chars().count() >= 2).then_some(typed)
    }

    fn of(text: &str) -> Self {
        let text = text.trim_start();
        let parts = text.rsplit_once(char::is_whitespace);
        let (before, begun) = parts.unwrap_or(("", text));
        let (whole, begun) = (words(before), folded(begun));
        let spelled = words(&begun).join(" ");
        Self {
            whole,
            begun,
            spelled,
        }
    }

    /// How the words of a name fit, if they do.
    fn rank(&self, name: &[String]) -> Option<Rank> {
        let mut words = name.iter();
        for typed in &self.whole {
            words.find(|word| *word == typed)?;
        }
        let begins = |word: &String| word.starts_with(&self.begun) || *word == self.spelled;
        if !self.begun.is_empty() {
            words.find(|word| begins(word))?;
        }
        let first = self.whole.first();
        let is_first = |word: &String| first.map_or_else(|| begins(word), |first| word == first);
        let is_at_start = name.first().is_some_and(is_first);
        Some(if is_at_start {
            Rank::Begins
        } else {
            Rank::Holds
        })
    }

    /// A building number, and the street that is being typed.
    fn after_number(&self) -> Option<(&str, Self)> {
        let (number, whole) = self.whole.split_first()?;
        is_number(number).then(|| {
            let street = Self {
                whole: whole.to_vec(),
                ..self.clone()
            };
            (number.as_str(), street)
        })
    }
}

/// `w 42 st` → `W 42 St`.
pub(super) fn capitalised(street: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    street.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::geocode::ManhattanGeocoder;

    fn check(typed: &[&str], expected: &Expect) {
        let geocoder = ManhattanGeocoder::from_reference_stations();
        let lines: Vec<_> = typed
            .iter()
            .map(|typed| {
                let suggestions = geocoder.suggest(typed).into_iter();
                let texts = suggestions.map(|it| format!("{} ({:?})", it.text, it.kind));
                format!("{typed} → {}\n", texts.collect::<Vec<_>>().join(", "))
            })
            .collect();
        expected.assert_eq(&lines.concat());
    }

    #[test]
    fn what_is_typed_is_completed_to_docks_neighbourhoods_and_addresses() {
        check(
            &[
                "1 par",
                "200 west 4",
                "350 fifth av",
                "broadway & w 2",
                "5 av & e 6",
                "w 116 st & ",
                "asto",
                "Pershing",
                "w 31",
                "8 av",
                // As pasted: the blank is one that does not break.
                "1\u{a0}par",
            ],
            &expect![[r#"
                1 par → 1 Park Ave (Address)
                200 west 4 → 200 W 40 St (Address), 200 W 41 St (Address), 200 W 42 St (Address), 200 W 43 St (Address), 200 W 44 St (Address), 200 W 45 St (Address)
                350 fifth av → 350 5 Ave (Address)
                broadway & w 2 → Broadway & W 25 St (Dock), Broadway & W 29 St (Dock), Broadway & W 23 St (Corner), Broadway & W 24 St (Corner), Broadway & W 26 St (Corner), Broadway & W 27 St (Corner)
                5 av & e 6 → 5 Ave & E 63 St (Dock), 5 Ave & E 60 St (Corner), 5 Ave & E 61 St (Corner), 5 Ave & E 62 St (Corner), 5 Ave & E 64 St (Corner), 5 Ave & E 65 St (Corner)
                w 116 st &  → W 116 St & Broadway (Dock), W 116 St & Amsterdam Ave (Dock), W 116 St & 5 Ave (Corner), W 116 St & 6 Ave (Corner), W 116 St & 7 Ave (Corner), W 116 St & 8 Ave (Corner)
                asto → Astoria (Neighbourhood), Astor Place (Dock), Astoria Park S & Shore Blvd (Dock), 31 St & Astoria Blvd (Dock), Cooper Square & Astor Pl (Dock)
                Pershing → Pershing Field (Dock), Pershing Square North (Dock), Pershing Square South (Dock)
                w 31 → W 31 St & 7 Ave (Dock), 8 Ave & W 31 St (Dock)
                8 av → 8 Ave & W 31 St (Dock), 8 Ave & W 33 St (Dock), 8 Ave & W 38 St (Dock), 8 Ave & W 52 St (Dock), W 17 St & 8 Ave (Dock), W 20 St & 8 Ave (Dock)
                1 par → 1 Park Ave (Address)
            "#]],
        );
    }

    #[test]
    fn too_little_and_nonsense_suggest_nothing() {
        let geocoder = ManhattanGeocoder::from_reference_stations();
        for typed in ["", " ", "x", "qqqq", "1 qqqq", "\u{202e}", "\0", "&"] {
            assert_eq!(geocoder.suggest(typed), [], "{typed:?}");
        }
    }

    #[test]
    fn any_blank_parts_words() {
        let geocoder = ManhattanGeocoder::from_reference_stations();
        for blank in ('\0'..='\u{ffff}').filter(|blank| blank.is_whitespace()) {
            let suggestions = geocoder.suggest(&format!("1{blank}par"));
            let texts: Vec<_> = suggestions.iter().map(|it| it.text.as_str()).collect();
            assert_eq!(texts, ["1 Park Ave"], "{blank:?}");
        }
    }

    #[test]
    fn every_suggestion_is_found() {
        let geocoder = ManhattanGeocoder::from_reference_stations();
        let beginnings = ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}")));
        let numbered = ('a'..='z').map(|a| format!("12 {a}"));
        let corners = (1..10).flat_map(|a| [format!("{a} ave & e "), format!("w {a}4 st & ")]);
        for typed in beginnings.chain(numbered).chain(corners) {
            for suggestion in geocoder.suggest(&typed) {
                let found = geocoder.find(&suggestion.text);
                assert!(found.is_ok(), "{typed}: {suggestion:?}: {found:?}");
            }
        }
    }
}
