//! Bytes that go into a module, and how bytes of unknown origin are read.

use fluvio_protocol::Encoder;
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use std::io;

/// Bytes of the base offset and of the length, which stand before the records.
const BEFORE_BYTES: usize = 12;

/// What a module is given of a batch besides its records.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InputHead {
    pub(crate) base_offset: i64,
    /// Milliseconds since 1970, or −1.
    pub(crate) first_timestamp: i64,
}

/// What stands around the records of a batch, so that those need not be copied or gone through.
///
/// ```text
/// base offset i64 │ length i32 │ records │ what else the version has
/// ```
/// Source: `fluvio-smartmodule` 0.50.1, `input.rs`.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

impl Frame {
    pub(super) fn new(head: &InputHead, records: &[u8], version: i16) -> io::Result<Self> {
        let length = i32::try_from(records.len()).map_err(io::Error::other)?;
        let mut before = Vec::new();
        SmartModuleInput::new(Vec::new(), head.base_offset, head.first_timestamp)
            .encode(&mut before, version)?;
        let after = before.split_off(BEFORE_BYTES);
        before[BEFORE_BYTES - 4..].copy_from_slice(&length.to_be_bytes());
        Ok(Self { before, after })
    }
}

/// Reads bytes that may be anything: a length counts only if so many bytes are there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

/// What is wrong with bytes of unknown origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(super) &'static str);

const TOO_SHORT: Malformed = Malformed("it ends too early");

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn bool(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a flag is neither 0 nor 1")),
        }
    }

    /// A number in zigzag encoding.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) ^ -(number & 1));
            }
        }
        Err(Malformed("a number is longer than 64 bits"))
    }

    /// Bytes after their length.
    pub(super) fn data(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| TOO_SHORT)?)
    }

    /// Text after its length; less than one is no text.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed("a text is not UTF-8"))
    }
}
