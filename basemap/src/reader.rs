//! Reading what [`Writer`](crate::writer::Writer) writes; whatever the bytes, it takes no more memory
//! than some times their number.

use crate::writer::checksum;
use crate::{DecodeError, Point};

/// Reads a part from its beginning to its end.
pub(crate) struct Reader<'a> {
    part: &'a [u8],
    at: usize,
    last: Point,
}

impl<'a> Reader<'a> {
    /// Checks the head and the checksum, and stands behind them.
    pub(crate) fn open(part: &'a [u8], magic: &'static str) -> Result<Self, DecodeError> {
        let rest = part.strip_prefix(magic.as_bytes());
        let rest = rest.ok_or(DecodeError::Magic { expected: magic })?;
        let (sum, body) = rest
            .split_first_chunk::<4>()
            .ok_or(DecodeError::Truncated { at: part.len() })?;
        if checksum(body) != u32::from_le_bytes(*sum) {
            return Err(DecodeError::Checksum);
        }
        Ok(Self {
            part,
            at: part.len() - body.len(),
            last: Point::default(),
        })
    }

    /// Where it stands, in bytes from the part's beginning.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing is left over.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        match self.at {
            at if at < self.part.len() => Err(DecodeError::Trailing { at }),
            _ => Ok(()),
        }
    }

    /// As many things as the number before them says; each takes a byte or more, so that a false
    /// number runs into the file's end and not into the memory's.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        (0..self.unsigned()?).map(|_| read(self)).collect()
    }

    /// A ring or a line.
    pub(crate) fn points(&mut self) -> Result<Vec<Point>, DecodeError> {
        self.list(Self::point)
    }

    /// One of `kinds`, by its place.
    pub(crate) fn kind<T: Copy>(&mut self, kinds: &[T]) -> Result<T, DecodeError> {
        let kind = self.unsigned()? as usize;
        let kind = kinds.get(kind).copied();
        kind.ok_or(DecodeError::Kind { at: self.at })
    }

    pub(crate) fn text(&mut self) -> Result<String, DecodeError> {
        let length = self.unsigned()? as usize;
        let text = self
            .part
            .get(self.at..self.at.saturating_add(length))
            .ok_or(DecodeError::Truncated { at: self.at })?;
        self.at += length;
        let text = std::str::from_utf8(text).map_err(|_| DecodeError::Text { at: self.at });
        text.map(str::to_owned)
    }

    pub(crate) fn point(&mut self) -> Result<Point, DecodeError> {
        let (north, east) = (self.signed()?, self.signed()?);
        let point = Point::from_quanta(
            self.last.north.saturating_add(north),
            self.last.east.saturating_add(east),
        );
        self.last = point.ok_or(DecodeError::Point { at: self.at })?;
        Ok(self.last)
    }

    pub(crate) fn signed(&mut self) -> Result<i32, DecodeError> {
        let number = self.unsigned()?;
        Ok((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    pub(crate) fn unsigned(&mut self) -> Result<u32, DecodeError> {
        let mut number = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.part.get(self.at);
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
