//! A large city is small for browsers, and quickly read.

use std::io::Write as _;

use basemap::CityMap;

use crate::extract::{Extract, Metres};
use crate::map::build_of;

/// Streets of the city, each with a name of its own; New York has some 10,000.
const STREETS: i32 = 12_000;
/// Bytes that browsers fetch at most, as the server compresses them.
const COMPRESSED_BYTES_MAX: usize = 1_000_000;

/// Streets of a kilometre or so with a bend each 60 m or so, at random over 30 km by 30 km: 240,000 points, none
/// of which lies on a straight line. What is at random compresses worse than real streets.
fn large_city() -> Extract {
    let mut city = Extract {
        ends: Some((30_000, 30_000)),
        ..Extract::default()
    };
    let mut random = Random(7);
    for street in 0..STREETS {
        let class = [
            "primary",
            "secondary",
            "residential",
            "residential",
            "residential",
        ];
        let class = class[street as usize % class.len()];
        let (mut east, mut north) = (random.below(30_000), random.below(30_000));
        let (right, up) = (random.below(160) - 80, random.below(160) - 80);
        let mut line: Vec<Metres> = Vec::new();
        for _ in 0..20 {
            line.push((east, north));
            east += right + random.below(20) - 10;
            north += up + random.below(20) - 10;
        }
        let tags = format!("highway={class} name={}+Street", random.word());
        city.way(&line, &tags);
        for side in 0..4 {
            let tags = format!("addr:street={street} addr:housenumber={side}");
            city.node((east + side, north + side), &tags);
        }
    }
    city
}

/// Numbers that are the same each time (Knuth's linear congruence).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> i32 {
        let multiplied = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = multiplied.wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i32
    }

    fn word(&mut self) -> String {
        let letters = (0..8).map(|_| char::from(b'a' + self.below(26) as u8));
        letters.collect()
    }
}

#[test]
fn what_browsers_fetch_of_a_large_city_is_small() {
    let map = build_of(&large_city(), None).unwrap().city_map;
    assert_eq!(map.base_map.streets.len(), STREETS as usize);
    let file = map.encode();
    let (drawn, _) = CityMap::parts(&file).unwrap();
    // As the server compresses it: quality 4.
    let mut compressed = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 22);
    compressed.write_all(drawn).unwrap();
    let compressed = compressed.into_inner().len();
    assert!(
        compressed < COMPRESSED_BYTES_MAX,
        "{compressed} bytes of {}",
        drawn.len()
    );
}
