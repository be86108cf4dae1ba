//! Reading a base map.

use crate::encode::MAGIC;
use crate::reader::Reader;
use crate::{Attribution, BaseMap, DecodeError, Extent, Name, NameKind, Street, StreetClass};

impl BaseMap {
    /// Reads what [`BaseMap::encode`] writes.
    ///
    /// # Errors
    /// [`DecodeError`], with the place where there is one.
    pub fn decode(file: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::open(file, MAGIC)?;
        let base_map = Self {
            detail: Extent {
                min: reader.point()?,
                max: reader.point()?,
            },
            attribution: Attribution {
                text: reader.text()?,
                url: reader.text()?,
            },
            land: reader.list(Reader::points)?,
            parks: reader.list(Reader::points)?,
            streets: reader.list(street)?,
            names: reader.list(name)?,
        };
        reader.end()?;
        Ok(base_map)
    }
}

fn street(reader: &mut Reader<'_>) -> Result<Street, DecodeError> {
    Ok(Street {
        class: reader.kind(&StreetClass::ALL)?,
        name: reader.text()?,
        lines: reader.list(Reader::points)?,
    })
}

fn name(reader: &mut Reader<'_>) -> Result<Name, DecodeError> {
    let (kind, at) = (reader.kind(&NameKind::ALL)?, reader.point()?);
    Ok(Name {
        kind,
        text: reader.text()?,
        at,
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::samples::base_map;
    use crate::writer::seal;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(base_map in base_map()) {
            prop_assert_eq!(BaseMap::decode(&base_map.encode()), Ok(base_map));
        }

        #[test]
        fn a_part_of_a_file_is_an_error(base_map in base_map(), share in 0.0..1.0) {
            let file = base_map.encode();
            let length = (file.len() as f64 * share) as usize;
            prop_assert!(BaseMap::decode(&file[..length]).is_err());
        }

        #[test]
        fn a_changed_byte_is_an_error(
            base_map in base_map(),
            at in any::<prop::sample::Index>(),
            change in 1..=u8::MAX,
        ) {
            let mut file = base_map.encode();
            let at = at.index(file.len());
            file[at] ^= change;
            prop_assert!(BaseMap::decode(&file).is_err());
        }

        #[test]
        fn any_bytes_with_the_right_checksum_are_a_map_or_an_error(body in vec(any::<u8>(), 0..200)) {
            BaseMap::decode(&seal(MAGIC, &body)).ok();
        }
    }

    fn check(body: &[u8], expected: &str) {
        let error = BaseMap::decode(&seal(MAGIC, body)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        check(&[], "the file ends too early, at byte 12");
        check(&[0; 11], "the file goes on after its end, at byte 22")
    }

    #[test]
    fn a_number_of_rings_that_are_not_there_ends_at_the_files_end() {
        let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
        check(
            &[[0; 6].as_slice(), &count].concat(),
            "the file ends too early, at byte 23",
        );
        check(
            &[[0; 6].as_slice(), &[0xff; 5]].concat(),
            "the number before byte 23 is too large",
        );
    }

    #[test]
    fn a_point_beyond_the_earth_is_an_error() {
        check(
            &[0xfe, 0xff, 0xff, 0x0f, 0],
            "the point before byte 17 is not on Earth",
        );
    }

    #[test]
    fn a_name_or_a_street_of_no_kind_is_an_error_and_so_is_one_that_is_not_text() {
        let name = |name: &[u8]| [[0; 9].as_slice(), &[1], name].concat();
        check(&name(&[9, 0, 0, 0]), "the kind before byte 23 is not known");
        check(
            &name(&[0, 0, 0, 1, 0xff]),
            "the text before byte 27 cannot be read",
        );
        check(&name(&[0, 0, 0, 9]), "the file ends too early, at byte 26");
        let street = [[0; 8].as_slice(), &[1, 3, 0, 0]].concat();
        check(&street, "the kind before byte 22 is not known");
    }

    #[test]
    fn another_file_is_no_base_map() {
        for other in [b"\x89PNG\r\n".as_slice(), b"BASEMAP1...."] {
            let error = BaseMap::decode(other).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the file does not begin with \"BASEMAP2\""
            );
        }
    }
}
