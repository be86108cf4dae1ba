//! A batch as the broker hands it over, its records lent out of it.
//!
//! ```text
//! base offset i64 │ length i32 │ count i32, records │ what else the version has
//! record: length │ attributes i8 │ time │ offset │ 0, or 1 and key │ value │ headers
//! ```
//! Numbers without a type are varints, in zigzag encoding; key and value follow their lengths.
//! Source: `fluvio-smartmodule` 0.50.1, `input.rs`; `fluvio-protocol` 0.50.1, `record/data.rs`.

/// A record of the batch. Key and value stand where the broker has written them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputRecord<'a> {
    offset: i64,
    key: Option<&'a [u8]>,
    value: &'a [u8],
}

impl<'a> InputRecord<'a> {
    /// Offset on the topic, if the module is the first of its chain; else that of the batch.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// What decided on the partition, if anything did.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// What was sent.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        self.value
    }
}

/// The input is not of its form: a defect of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The records of a batch, in order.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    base_offset: i64,
    left: i32,
    bytes: Bytes<'a>,
}

impl<'a> Records<'a> {
    pub(crate) fn read(input: &'a [u8]) -> Result<Self, Malformed> {
        let mut input = Bytes(input);
        let base_offset = i64::from_be_bytes(input.array()?);
        let length = i32::from_be_bytes(input.array()?);
        let mut bytes = Bytes(input.take(i64::from(length.max(0)))?);
        Ok(Self {
            base_offset,
            left: i32::from_be_bytes(bytes.array()?),
            bytes,
        })
    }

    fn record(&mut self) -> Result<InputRecord<'a>, Malformed> {
        let bytes = &mut self.bytes;
        // As the macro's frame: the length is looked at, and not used.
        if bytes.varint()? > bytes.0.len() as i64 {
            return Err(Malformed);
        }
        let [_attributes] = bytes.array()?;
        let _time = bytes.varint()?;
        let offset = self.base_offset.wrapping_add(bytes.varint()?);
        let key = match bytes.array()? {
            [0] => None,
            [1] => Some(bytes.data()?),
            _ => return Err(Malformed),
        };
        let value = bytes.data()?;
        let _headers = bytes.varint()?;
        Ok(InputRecord { offset, key, value })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<InputRecord<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left < 1 {
            return None;
        }
        self.left -= 1;
        Some(self.record())
    }
}

/// What is left to be read.
#[derive(Debug)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: i64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn data(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(length)
    }

    fn varint(&mut self) -> Result<i64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) ^ -(number & 1));
            }
        }
        Err(Malformed)
    }
}
