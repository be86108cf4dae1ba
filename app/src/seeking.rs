//! What a rider looks for, which all circles and numbers are of.

use serde::Serialize;

use crate::words::{Word, Words};

/// A bike to take, or a place to return one to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) enum Seeking {
    /// A bike of any kind.
    #[default]
    Bikes,
    /// An e-bike.
    Ebikes,
    /// A free dock.
    Docks,
}

impl Seeking {
    pub(crate) const ALL: [Self; 3] = [Self::Bikes, Self::Ebikes, Self::Docks];

    /// The value of `for` in the page's address; none for bikes.
    #[must_use]
    pub(crate) fn in_address(self) -> Option<&'static str> {
        match self {
            Self::Bikes => None,
            Self::Ebikes => Some("ebikes"),
            Self::Docks => Some("docks"),
        }
    }

    /// Reads what [`Seeking::in_address`] gives; anything else is bikes.
    #[must_use]
    pub(crate) fn from_address(text: &str) -> Self {
        let is_named = |seeking: &Self| seeking.in_address() == Some(text);
        Self::ALL.into_iter().find(is_named).unwrap_or_default()
    }

    /// `bikes`, `e-bikes`, `free docks`.
    #[must_use]
    pub(crate) fn several(self) -> Word {
        match self {
            Self::Bikes => Word::SomeBikes,
            Self::Ebikes => Word::SomeEbikes,
            Self::Docks => Word::SomeFreeDocks,
        }
    }

    /// What a station has that has some: `bikes`, `e-bikes`, `room`.
    #[must_use]
    pub(crate) fn some(self) -> Word {
        match self {
            Self::Bikes | Self::Ebikes => self.several(),
            Self::Docks => Word::Room,
        }
    }

    /// An amount in words: `1 bike`, `20 free docks`; `amount` as it is written.
    #[must_use]
    pub(crate) fn amount(self, words: Words, amount: &str) -> String {
        let (one, several) = match self {
            Self::Bikes => (Word::OneBike, Word::Bikes),
            Self::Ebikes => (Word::OneEbike, Word::Ebikes),
            Self::Docks => (Word::OneFreeDock, Word::FreeDocks),
        };
        words.fill(if amount == "1" { one } else { several }, &[amount])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for seeking in Seeking::ALL {
            let address = seeking.in_address().unwrap_or_default();
            assert_eq!(Seeking::from_address(address), seeking);
        }
        assert_eq!(Seeking::from_address("scooters"), Seeking::Bikes);
    }

    #[test]
    fn amounts_read_as_words() {
        let words = Seeking::ALL
            .map(|seeking| ["0", "1", "1,234"].map(|it| seeking.amount(Words::default(), it)));
        assert_eq!(
            words.as_flattened().join(", "),
            "0 bikes, 1 bike, 1,234 bikes, 0 e-bikes, 1 e-bike, 1,234 e-bikes, \
             0 free docks, 1 free dock, 1,234 free docks"
        );
    }
}
