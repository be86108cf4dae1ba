//! Reading a base map; whatever the bytes, it takes no more memory than some times their number.

use crate::encode::{MAGIC, checksum};
use crate::{BaseMap, Extent, Name, NameKind, Point, Ring};

/// Why bytes are no base map. Places are offsets in the file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The head of another kind of file, or of a later version.
    #[error("the file does not begin with \"BASEMAP1\"")]
    Magic,
    /// Some bytes were changed or are missing.
    #[error("the file is damaged: its checksum is another one")]
    Checksum,
    /// The file ends inside a number, a list or a name.
    #[error("the file ends too early, at byte {at}")]
    Truncated {
        /// Where the missing part begins.
        at: usize,
    },
    /// A number has more than 32 bits.
    #[error("the number before byte {at} is too large")]
    Number {
        /// Where the number ends.
        at: usize,
    },
    /// A point is not on Earth.
    #[error("the point before byte {at} is not on Earth")]
    Point {
        /// Where the point ends.
        at: usize,
    },
    /// A name has a kind that this version does not know, or is not UTF-8.
    #[error("the name before byte {at} cannot be read")]
    Name {
        /// Where the name ends.
        at: usize,
    },
    /// Something follows the last name.
    #[error("the file goes on after its end, at byte {at}")]
    Trailing {
        /// Where the surplus begins.
        at: usize,
    },
}

impl BaseMap {
    /// Reads what [`BaseMap::encode`] writes.
    ///
    /// # Errors
    /// [`DecodeError`], with the place where there is one.
    pub fn decode(file: &[u8]) -> Result<Self, DecodeError> {
        let rest = file.strip_prefix(MAGIC).ok_or(DecodeError::Magic)?;
        let (sum, body) = rest
            .split_first_chunk::<4>()
            .ok_or(DecodeError::Truncated { at: file.len() })?;
        if checksum(body) != u32::from_le_bytes(*sum) {
            return Err(DecodeError::Checksum);
        }
        let mut reader = Reader {
            file,
            at: file.len() - body.len(),
            last: Point::default(),
        };
        let base_map = Self {
            detail: Extent {
                min: reader.point()?,
                max: reader.point()?,
            },
            land: reader.list(Reader::ring)?,
            parks: reader.list(Reader::ring)?,
            names: reader.list(Reader::name)?,
        };
        match reader.at {
            at if at < file.len() => Err(DecodeError::Trailing { at }),
            _ => Ok(base_map),
        }
    }
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    last: Point,
}

impl Reader<'_> {
    /// As many things as the number before them says; each takes a byte or more, so that a false
    /// number runs into the file's end and not into the memory's.
    fn list<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        (0..self.unsigned()?).map(|_| read(self)).collect()
    }

    fn ring(&mut self) -> Result<Ring, DecodeError> {
        self.list(Self::point)
    }

    fn name(&mut self) -> Result<Name, DecodeError> {
        let kind = self.unsigned()? as usize;
        let at = self.point()?;
        let length = self.unsigned()? as usize;
        let text = self
            .file
            .get(self.at..self.at.saturating_add(length))
            .ok_or(DecodeError::Truncated { at: self.at })?;
        self.at += length;
        let bad = DecodeError::Name { at: self.at };
        Ok(Name {
            kind: *NameKind::ALL.get(kind).ok_or(bad)?,
            text: std::str::from_utf8(text).map_err(|_| bad)?.to_owned(),
            at,
        })
    }

    fn point(&mut self) -> Result<Point, DecodeError> {
        let (north, east) = (self.signed()?, self.signed()?);
        let point = Point {
            north: self.last.north.saturating_add(north),
            east: self.last.east.saturating_add(east),
        };
        let is_on_earth = point.north.unsigned_abs() <= Point::NORTH_MAX.unsigned_abs()
            && point.east.unsigned_abs() <= Point::EAST_MAX.unsigned_abs();
        if !is_on_earth {
            return Err(DecodeError::Point { at: self.at });
        }
        self.last = point;
        Ok(point)
    }

    fn signed(&mut self) -> Result<i32, DecodeError> {
        let number = self.unsigned()?;
        Ok((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    fn unsigned(&mut self) -> Result<u32, DecodeError> {
        let mut number = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.file.get(self.at);
            let byte = *byte.ok_or(DecodeError::Truncated { at: self.at })?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(number).map_err(|_| DecodeError::Number { at: self.at });
            }
        }
        Err(DecodeError::Number { at: self.at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::encode::seal;

    fn point() -> impl Strategy<Value = Point> {
        let places = (-90.0..=90.0, -180.0..=180.0);
        places.prop_map(|(lat, lon)| Point::from_degrees(lat, lon).unwrap())
    }

    fn name() -> impl Strategy<Value = Name> {
        let parts = (0..NameKind::ALL.len(), ".{0,12}", point());
        parts.prop_map(|(kind, text, at)| Name {
            kind: NameKind::ALL[kind],
            text,
            at,
        })
    }

    fn base_map() -> impl Strategy<Value = BaseMap> {
        let rings = || vec(vec(point(), 0..9), 0..4);
        let parts = (point(), point(), rings(), rings(), vec(name(), 0..5));
        parts.prop_map(|(min, max, land, parks, names)| BaseMap {
            detail: Extent { min, max },
            land,
            parks,
            names,
        })
    }

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
            BaseMap::decode(&seal(&body)).ok();
        }
    }

    fn check(body: &[u8], expected: &str) {
        let error = BaseMap::decode(&seal(body)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        check(&[], "the file ends too early, at byte 12");
        check(&[0; 8], "the file goes on after its end, at byte 19")
    }

    #[test]
    fn a_number_of_rings_that_are_not_there_ends_at_the_files_end() {
        let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
        check(
            &[[0; 4].as_slice(), &count].concat(),
            "the file ends too early, at byte 21",
        );
        check(
            &[[0; 4].as_slice(), &[0xff; 5]].concat(),
            "the number before byte 21 is too large",
        );
    }

    #[test]
    fn a_point_beyond_the_earth_and_a_name_of_no_kind_are_errors() {
        check(
            &[0xfe, 0xff, 0xff, 0x0f, 0],
            "the point before byte 17 is not on Earth",
        );
        let name = |name: &[u8]| [[0; 6].as_slice(), &[1], name].concat();
        check(
            &name(&[9, 0, 0, 0]),
            "the name before byte 23 cannot be read",
        );
        check(
            &name(&[0, 0, 0, 1, 0xff]),
            "the name before byte 24 cannot be read",
        );
        check(&name(&[0, 0, 0, 9]), "the file ends too early, at byte 23");
    }

    #[test]
    fn another_file_is_no_base_map() {
        assert_eq!(BaseMap::decode(b"\x89PNG\r\n"), Err(DecodeError::Magic));
        assert_eq!(BaseMap::decode(b"BASEMAP2...."), Err(DecodeError::Magic));
    }
}
