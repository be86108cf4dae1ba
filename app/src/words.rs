//! Every text of the page, in each language that it speaks.
//!
//! The server knows all of them, and sends each page those of its rider: a page's script has none.

#[cfg(feature = "ssr")]
mod message;
mod page;
mod time;

use serde::{Serialize, Serializer};

#[cfg(feature = "ssr")]
pub(crate) use message::{Message, Value};
pub(crate) use page::Word;

use crate::decimal::integer;

/// A language of riders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg(feature = "ssr")]
pub(crate) enum Language {
    #[default]
    English,
    Spanish,
}

#[cfg(feature = "ssr")]
impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// Its code, as browsers and addresses have it (BCP 47).
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language of a code such as `es` or `es-PR`.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        let primary = code.split('-').next()?.trim();
        let is_it = |language: &Self| language.code().eq_ignore_ascii_case(primary);
        Self::ALL.into_iter().find(is_it)
    }

    /// The first language of a browser's `Accept-Language` that the page speaks; weights are left aside,
    /// since browsers put the best first.
    pub(crate) fn of_header(header: &str) -> Option<Self> {
        let codes = header.split(',').filter_map(|part| part.split(';').next());
        codes.take(LANGUAGES_MAX).find_map(Self::of_code)
    }

    /// Its texts.
    pub(crate) fn words(self) -> Words {
        match self {
            Self::English => Words(page::ENGLISH),
            Self::Spanish => Words(page::SPANISH),
        }
    }
}

/// So many languages of a browser are read (chosen: nobody speaks more).
#[cfg(feature = "ssr")]
const LANGUAGES_MAX: usize = 16;

/// The texts of one language, by [`Word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words(&'static [&'static str]);

impl Words {
    /// A text.
    pub(crate) fn get(self, word: Word) -> &'static str {
        self.0.get(word as usize).copied().unwrap_or_default()
    }

    /// A text with values in the places of `{0}`, `{1}` and so on.
    pub(crate) fn fill(self, word: Word, values: &[&str]) -> String {
        let mut text = String::new();
        let mut rest = self.get(word);
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (place, after) = after.split_once('}').unwrap_or((after, ""));
            let value = integer(place).and_then(|place: usize| values.get(place));
            text.push_str(value.copied().unwrap_or_default());
            rest = after;
        }
        text.push_str(rest);
        text
    }

    /// The text at a place in a list of them, such as [`Word::Months`].
    pub(crate) fn nth(self, list: Word, place: usize) -> &'static str {
        self.get(list).split(' ').nth(place).unwrap_or_default()
    }

    /// An amount: `one` for one, else `several`; both say it as `{0}`.
    pub(crate) fn amount(self, amount: i32, one: Word, several: Word) -> String {
        let word = if amount == 1 { one } else { several };
        self.fill(word, &[&amount.to_string()])
    }
}

/// English on the server; in the browser those that come with the page.
impl Default for Words {
    fn default() -> Self {
        #[cfg(feature = "ssr")]
        return Language::default().words();
        #[cfg(not(feature = "ssr"))]
        Self(&[])
    }
}

/// JSON: a list of the texts that a page needs.
impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sent = self.0.len().min(page::NOT_SENT as usize);
        self.0[..sent].serialize(serializer)
    }
}

#[cfg(any(feature = "hydrate", test))]
impl Words {
    /// Keeps the texts for good: a page is given them once.
    pub(crate) fn kept(texts: Vec<String>) -> Self {
        let texts: Vec<&'static str> = texts.into_iter().map(|it| &*it.leak()).collect();
        Self(texts.leak())
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    /// Places such as `{0}` of a text.
    fn places(text: &str) -> Vec<&str> {
        let mut places: Vec<_> = text.split('{').skip(1).collect();
        places
            .iter_mut()
            .for_each(|it| *it = it.split('}').next().unwrap_or_default());
        places.sort_unstable();
        places
    }

    #[test]
    fn each_text_says_the_same_in_all_languages() {
        let tables = Language::ALL.map(|language| language.words().0);
        for (english, other) in tables[0].iter().zip(tables[1]) {
            assert_eq!(places(english), places(other), "{english} | {other}");
            assert!(!other.is_empty(), "{english}");
        }
    }

    #[test]
    fn values_stand_in_their_places_in_whatever_order() {
        let words = Words(&["{1} of {0}, {2}"]);
        let first = page::Word::ALL[0];
        assert_eq!(words.fill(first, &["a", "b{0}"]), "b{0} of a, ");
    }

    #[test]
    fn a_browser_gets_its_first_language_that_the_page_speaks() {
        let of = |header| Language::of_header(header).map(Language::code);
        assert_eq!(of("es-PR,es;q=0.9,en;q=0.8"), Some("es"));
        assert_eq!(of("fr, EN-us"), Some("en"));
        assert_eq!(of("tlh"), None);
        assert_eq!(of(&"fr,".repeat(100_000)), None);
    }
}
