//! Writing numbers, points and texts; the format is in the crate's documentation.

use crate::Point;

/// What follows a head. Points are written as the way from the one before.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    last: Point,
}

impl Writer {
    /// The part: the head, and what was written.
    pub(crate) fn seal(self, magic: &str) -> Vec<u8> {
        seal(magic, &self.bytes)
    }

    /// As many things, after their number.
    pub(crate) fn list<T>(&mut self, things: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.count(things.len());
        for thing in things {
            write(self, thing);
        }
    }

    /// A ring or a line.
    pub(crate) fn points(&mut self, points: &[Point]) {
        self.list(points, |writer, point| writer.point(*point));
    }

    /// The place of `kind` among `kinds`.
    pub(crate) fn kind<T: PartialEq>(&mut self, kinds: &[T], kind: &T) {
        let place = kinds.iter().position(|other| other == kind);
        self.count(place.unwrap_or_default());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn point(&mut self, point: Point) {
        self.signed(point.north - self.last.north);
        self.signed(point.east - self.last.east);
        self.last = point;
    }

    /// Zigzag: 0, -1, 1, -2, … are 0, 1, 2, 3, ….
    pub(crate) fn signed(&mut self, number: i32) {
        self.unsigned(((number << 1) ^ (number >> 31)) as u32);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.unsigned(u32::try_from(count).expect("a map fits into 4 GiB"));
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth bit.
    pub(crate) fn unsigned(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// Puts the head before what follows it.
pub(crate) fn seal(magic: &str, body: &[u8]) -> Vec<u8> {
    let mut part = magic.as_bytes().to_vec();
    part.extend_from_slice(&checksum(body).to_le_bytes());
    part.extend_from_slice(body);
    part
}

/// FNV-1a in 32 bits: finds every changed byte, and nearly all other damage.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
