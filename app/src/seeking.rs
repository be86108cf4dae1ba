//! What a rider looks for, which all circles and numbers are of.

use serde::{Deserialize, Serialize};

/// A bike to take, or a place to return one to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Seeking {
    /// A bike of any kind.
    #[default]
    Bikes,
    /// An e-bike.
    Ebikes,
    /// A free dock.
    Docks,
}

/// How it is written.
struct Words {
    /// The value of `for` in the page's address; none for what is sought where nothing is said.
    address: Option<&'static str>,
    one: &'static str,
    several: &'static str,
    /// What a station has that has some.
    some: &'static str,
}

impl Seeking {
    pub(crate) const ALL: [Self; 3] = [Self::Bikes, Self::Ebikes, Self::Docks];

    const fn words(self) -> Words {
        let (address, one, several, some) = match self {
            Self::Bikes => (None, "bike", "bikes", "bikes"),
            Self::Ebikes => (Some("ebikes"), "e-bike", "e-bikes", "e-bikes"),
            Self::Docks => (Some("docks"), "free dock", "free docks", "room"),
        };
        Words {
            address,
            one,
            several,
            some,
        }
    }

    /// The value of `for` in the page's address; none for bikes.
    #[must_use]
    pub(crate) fn in_address(self) -> Option<&'static str> {
        self.words().address
    }

    /// Reads what [`Seeking::in_address`] gives; anything else is bikes.
    #[must_use]
    pub(crate) fn from_address(text: &str) -> Self {
        let is_named = |seeking: &Self| seeking.in_address() == Some(text);
        Self::ALL.into_iter().find(is_named).unwrap_or_default()
    }

    /// `bikes`, `e-bikes`, `free docks`.
    #[must_use]
    pub(crate) fn several(self) -> &'static str {
        self.words().several
    }

    /// What a station has that has some: `bikes`, `e-bikes`, `room`.
    #[must_use]
    pub(crate) fn some(self) -> &'static str {
        self.words().some
    }

    /// An amount in words: `1 bike`, `20 free docks`; `amount` as it is written.
    #[must_use]
    pub(crate) fn amount(self, amount: &str) -> String {
        let Words { one, several, .. } = self.words();
        format!("{amount} {}", if amount == "1" { one } else { several })
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
        let words = Seeking::ALL.map(|seeking| ["0", "1", "1,234"].map(|it| seeking.amount(it)));
        assert_eq!(
            words.as_flattened().join(", "),
            "0 bikes, 1 bike, 1,234 bikes, 0 e-bikes, 1 e-bike, 1,234 e-bikes, \
             0 free docks, 1 free dock, 1,234 free docks"
        );
    }
}
