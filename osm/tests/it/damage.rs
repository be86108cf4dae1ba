//! Whatever the bytes of an extract are, they become a map or an error.

use std::fs;

use osm::build;
use proptest::prelude::*;

use crate::town::town;

/// Builds from these bytes; a panic fails the test.
fn try_build(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.osm.pbf");
    fs::write(&path, bytes).unwrap();
    build(&path, None, &mut |_| {}).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_bytes_are_a_map_or_an_error(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = town().encode();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        try_build(&bytes);
    }

    #[test]
    fn a_part_is_an_error_unless_it_ends_between_blocks(share in 0.0..1.0) {
        let bytes = town().encode();
        let length = (bytes.len() as f64 * share) as usize;
        // Without the ways, which come last but one, there is no street.
        prop_assert!(!try_build(&bytes[..length.min(bytes.len() / 2)]));
        try_build(&bytes[..length]);
    }
}
