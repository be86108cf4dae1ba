//! The file of a city of one's own: what is drawn, and behind it what is searched.

use crate::{Addresses, BaseMap, DecodeError};

/// What every such file begins with: its kind and its version.
const MAGIC: &str = "CITYMAP1";

/// Bytes of the number behind that: how long the drawn part is, the lowest byte first.
const LENGTH_BYTES: usize = 4;

/// A city's map and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityMap {
    /// What is drawn; browsers get this part alone.
    pub base_map: BaseMap,
    /// What the search of the server knows.
    pub addresses: Addresses,
}

impl CityMap {
    /// Writes the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let base_map = self.base_map.encode();
        let length = u32::try_from(base_map.len()).expect("a map fits into 4 GiB");
        let mut file = MAGIC.as_bytes().to_vec();
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(&base_map);
        file.extend_from_slice(&self.addresses.encode());
        file
    }

    /// Reads what [`CityMap::encode`] writes.
    ///
    /// # Errors
    /// [`DecodeError`], with the place in its part where there is one.
    pub fn decode(file: &[u8]) -> Result<Self, DecodeError> {
        let (base_map, addresses) = Self::parts(file)?;
        Ok(Self {
            base_map: BaseMap::decode(base_map)?,
            addresses: Addresses::decode(addresses)?,
        })
    }

    /// The drawn part of a file, which is a base map's file of its own, and the other one.
    ///
    /// # Errors
    /// [`DecodeError`] if there are no such parts; what is in them is not looked at.
    pub fn parts(file: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
        let rest = file.strip_prefix(MAGIC.as_bytes());
        let rest = rest.ok_or(DecodeError::Magic { expected: MAGIC })?;
        let truncated = DecodeError::Truncated { at: file.len() };
        let (length, parts) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(truncated)?;
        let length = u32::from_le_bytes(*length) as usize;
        parts.split_at_checked(length).ok_or(truncated)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{addresses, base_map};

    fn city_map() -> impl Strategy<Value = CityMap> {
        (base_map(), addresses()).prop_map(|(base_map, addresses)| CityMap {
            base_map,
            addresses,
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(city_map in city_map()) {
            let file = city_map.encode();
            let (drawn, _) = CityMap::parts(&file).unwrap();
            prop_assert_eq!(drawn, city_map.base_map.encode());
            prop_assert_eq!(CityMap::decode(&file), Ok(city_map));
        }

        #[test]
        fn a_part_of_a_file_is_an_error(city_map in city_map(), share in 0.0..1.0) {
            let file = city_map.encode();
            let length = (file.len() as f64 * share) as usize;
            prop_assert!(CityMap::decode(&file[..length]).is_err());
        }

        #[test]
        fn a_changed_byte_is_an_error(
            city_map in city_map(),
            at in any::<prop::sample::Index>(),
            change in 1..=u8::MAX,
        ) {
            let mut file = city_map.encode();
            let at = at.index(file.len());
            file[at] ^= change;
            prop_assert!(CityMap::decode(&file).is_err());
        }
    }

    #[test]
    fn new_york_is_no_such_file() {
        let error = CityMap::decode(crate::NEW_YORK).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file does not begin with \"CITYMAP1\""
        );
    }
}
