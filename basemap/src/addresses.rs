//! What of a city is searched: its streets' house numbers and corners.

use crate::reader::Reader;
use crate::writer::Writer;
use crate::{DecodeError, Point};

/// What every such part begins with: its kind and its version.
const MAGIC: &str = "ADDRESS1";

/// Houses and corners of a city.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// The streets that have a name, one for each name, in the names' order.
    pub streets: Vec<NamedStreet>,
    /// Where two of them meet.
    pub corners: Vec<Corner>,
}

/// All streets of one name: there may be several in different parts of a city.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedStreet {
    /// The name as people write it.
    pub name: String,
    /// The houses on it, in their numbers' order.
    pub numbers: Vec<HouseNumber>,
}

/// A house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseNumber {
    /// The digits that its number begins with: 12 of `12a`.
    pub number: u32,
    /// What follows them, in small letters and without blanks: `a`; most have nothing.
    pub rest: String,
    /// The house, or its entrance.
    pub at: Point,
}

/// Where two streets meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corner {
    /// Their places in [`Addresses::streets`], the lower first.
    pub streets: [u32; 2],
    /// The middle of the crossing.
    pub at: Point,
}

impl Addresses {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.list(&self.streets, |writer, street| {
            writer.text(&street.name);
            writer.list(&street.numbers, |writer, house| {
                writer.unsigned(house.number);
                writer.text(&house.rest);
                writer.point(house.at);
            });
        });
        writer.list(&self.corners, |writer, corner| {
            for street in corner.streets {
                writer.unsigned(street);
            }
            writer.point(corner.at);
        });
        writer.seal(MAGIC)
    }

    pub(crate) fn decode(part: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(part, MAGIC)?;
        let streets = reader.list(street)?;
        let corners = reader.list(|reader| corner(reader, streets.len()))?;
        reader.end()?;
        Ok(Self { streets, corners })
    }
}

fn street(reader: &mut Reader<'_>) -> Result<NamedStreet, DecodeError> {
    Ok(NamedStreet {
        name: reader.text()?,
        numbers: reader.list(house_number)?,
    })
}

fn house_number(reader: &mut Reader<'_>) -> Result<HouseNumber, DecodeError> {
    Ok(HouseNumber {
        number: reader.unsigned()?,
        rest: reader.text()?,
        at: reader.point()?,
    })
}

fn corner(reader: &mut Reader<'_>, streets: usize) -> Result<Corner, DecodeError> {
    let corner = Corner {
        streets: [reader.unsigned()?, reader.unsigned()?],
        at: reader.point()?,
    };
    let is_there = |street: u32| (street as usize) < streets;
    if !corner.streets.into_iter().all(is_there) {
        return Err(DecodeError::Corner { at: reader.at() });
    }
    Ok(corner)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::samples::addresses;
    use crate::writer::seal;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(addresses in addresses()) {
            prop_assert_eq!(Addresses::decode(&addresses.encode()), Ok(addresses));
        }

        #[test]
        fn any_bytes_with_the_right_checksum_are_addresses_or_an_error(
            body in vec(any::<u8>(), 0..200),
        ) {
            if let Ok(addresses) = Addresses::decode(&seal(MAGIC, &body)) {
                let known = addresses.streets.len();
                let named = addresses.corners.iter().flat_map(|corner| corner.streets);
                prop_assert!(named.into_iter().all(|street| (street as usize) < known));
            }
        }
    }

    #[test]
    fn a_corner_of_a_street_that_is_not_there_is_an_error() {
        let error = Addresses::decode(&seal(MAGIC, &[0, 1, 0, 0, 0, 0])).unwrap_err();
        let expected = "the corner before byte 18 is of a street that is not there";
        assert_eq!(error.to_string(), expected);
    }
}
