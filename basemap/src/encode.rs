//! Writing a base map; the format is in the crate's documentation.

use crate::{BaseMap, NameKind, Point, Ring};

/// What every file begins with: its kind and its version.
pub(crate) const MAGIC: &[u8; 8] = b"BASEMAP1";

impl BaseMap {
    /// Writes the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Body::default();
        body.point(self.detail.min);
        body.point(self.detail.max);
        body.rings(&self.land);
        body.rings(&self.parks);
        body.count(self.names.len());
        for name in &self.names {
            let kind = NameKind::ALL.iter().position(|kind| *kind == name.kind);
            body.count(kind.unwrap_or_default());
            body.point(name.at);
            body.count(name.text.len());
            body.bytes.extend_from_slice(name.text.as_bytes());
        }
        seal(&body.bytes)
    }
}

/// Puts the head before what follows it.
pub(crate) fn seal(body: &[u8]) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&checksum(body).to_le_bytes());
    file.extend_from_slice(body);
    file
}

/// FNV-1a in 32 bits: finds every changed byte, and nearly all other damage.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// What follows the head. Points are written as the way from the one before.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    last: Point,
}

impl Body {
    fn rings(&mut self, rings: &[Ring]) {
        self.count(rings.len());
        for ring in rings {
            self.count(ring.len());
            for point in ring {
                self.point(*point);
            }
        }
    }

    fn point(&mut self, point: Point) {
        self.signed(point.north - self.last.north);
        self.signed(point.east - self.last.east);
        self.last = point;
    }

    /// Zigzag: 0, -1, 1, -2, … are 0, 1, 2, 3, ….
    fn signed(&mut self, number: i32) {
        self.unsigned(((number << 1) ^ (number >> 31)) as u32);
    }

    fn count(&mut self, count: usize) {
        self.unsigned(u32::try_from(count).expect("a base map fits into 4 GiB"));
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth bit.
    fn unsigned(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}
