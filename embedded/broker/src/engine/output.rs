//! What comes out of a module: records and perhaps an error, as bytes in the module's memory.
//!
//! ```text
//! count i32 │ records │ 0, or 1 and an error
//! record: length │ attributes i8 │ time │ offset │ 0, or 1 and key │ value │ headers
//! ```
//! Numbers without a type are varints. Source: `fluvio-protocol` 0.50.1, `record/data.rs` and
//! `link/smartmodule.rs`.

use fluvio_protocol::Decoder;
use fluvio_protocol::link::smartmodule::{
    SmartModuleKind, SmartModuleLookbackRuntimeError, SmartModuleTransformRuntimeError,
};
use fluvio_protocol::record::RecordData;

use super::input::{Malformed, Reader};

/// Records in wire form that were found to be well-formed; gives each with its key and value in
/// place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Records<'a> {
    left: usize,
    encoded: Reader<'a>,
}

impl<'a> Records<'a> {
    /// Looks through a count and so many records, and gives what follows them, too.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let mut reader = Reader::new(bytes);
        let left = usize::try_from(reader.i32()?).unwrap_or(0);
        let records = Self {
            left,
            encoded: reader,
        };
        for _ in 0..left {
            RecordView::read(&mut reader)?;
        }
        Ok((records, reader.rest()))
    }

    /// How many are left.
    pub(crate) fn len(&self) -> usize {
        self.left
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    fn next(&mut self) -> Option<RecordView<'a>> {
        self.left = self.left.checked_sub(1)?;
        RecordView::read(&mut self.encoded).ok()
    }
}

/// One record, its key and value in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordView<'a> {
    attributes: u8,
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i64,
    key: Option<&'a [u8]>,
    value: &'a [u8],
    headers: i64,
}

impl<'a> RecordView<'a> {
    fn read(from: &mut Reader<'a>) -> Result<Self, Malformed> {
        let length = from.varint()?;
        // As the SPU: the length is looked at, and not used.
        if i64::try_from(from.rest().len()).is_ok_and(|left| left < length) {
            return Err(Malformed("a record is longer than what there is"));
        }
        Ok(Self {
            attributes: from.u8()?,
            timestamp_delta: from.varint()?,
            offset_delta: from.varint()?,
            key: from.bool()?.then(|| from.data()).transpose()?,
            value: from.data()?,
            headers: from.varint()?,
        })
    }

    /// Appends the record as `Record` of `fluvio-protocol` encodes it, its offset moved.
    pub(crate) fn encode(&self, offset_shift: i64, into: &mut Vec<u8>) {
        let offset_delta = self.offset_delta.wrapping_add(offset_shift);
        let key_bytes = self.key.map_or(0, data_bytes);
        let bytes = 2
            + varint_bytes(self.timestamp_delta)
            + varint_bytes(offset_delta)
            + key_bytes
            + data_bytes(self.value)
            + varint_bytes(self.headers);
        into.reserve(varint_bytes(bytes as i64) + bytes);
        push_varint(bytes as i64, into);
        into.push(self.attributes);
        push_varint(self.timestamp_delta, into);
        push_varint(offset_delta, into);
        into.push(u8::from(self.key.is_some()));
        if let Some(key) = self.key {
            push_data(key, into);
        }
        push_data(self.value, into);
        push_varint(self.headers, into);
    }
}

fn data_bytes(data: &[u8]) -> usize {
    varint_bytes(data.len() as i64) + data.len()
}

fn push_data(data: &[u8], into: &mut Vec<u8>) {
    push_varint(data.len() as i64, into);
    into.extend_from_slice(data);
}

fn varint_bytes(number: i64) -> usize {
    (64 - (zigzag(number) | 1).leading_zeros()).div_ceil(7) as usize
}

fn push_varint(number: i64, into: &mut Vec<u8>) {
    let mut left = zigzag(number);
    while left >= 0x80 {
        into.push(left as u8 | 0x80);
        left >>= 7;
    }
    into.push(left as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// What a module made of one batch.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) records: Records<'a>,
    /// What the module returned as its error, for the record after those it gave.
    pub(crate) error: Option<SmartModuleTransformRuntimeError>,
}

impl<'a> Output<'a> {
    /// Reads records and error, and gives what follows them, too.
    pub(super) fn parse(bytes: &'a [u8], version: i16) -> Result<(Self, &'a [u8]), Malformed> {
        let (records, rest) = Records::parse(bytes)?;
        let mut rest = Reader::new(rest);
        let error = rest.bool()?.then(|| transform_error(&mut rest, version));
        let error = error.transpose()?;
        Ok((Self { records, error }, rest.rest()))
    }
}

/// An accumulator after its length; less than one is an empty one.
pub(super) fn accumulator(bytes: &[u8], version: i16) -> Result<Vec<u8>, Malformed> {
    /// The first version that has it.
    const ACCUMULATOR_SINCE: i16 = 16;
    if version < ACCUMULATOR_SINCE {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    let length = usize::try_from(reader.i32()?).unwrap_or(0);
    reader.take(length).map(<[u8]>::to_vec)
}

/// What `init` says of its failure.
pub(super) fn init_hint(bytes: &[u8]) -> Result<String, Malformed> {
    Reader::new(bytes).text().map(str::to_owned)
}

/// What `look_back` says of its failure.
pub(super) fn look_back_error(bytes: &[u8]) -> Result<SmartModuleLookbackRuntimeError, Malformed> {
    let mut from = Reader::new(bytes);
    Ok(SmartModuleLookbackRuntimeError {
        hint: from.text()?.to_owned(),
        offset: from.i64()?,
        record_key: optional_data(&mut from)?,
        record_value: owned(from.data()?),
    })
}

fn transform_error(
    from: &mut Reader<'_>,
    version: i16,
) -> Result<SmartModuleTransformRuntimeError, Malformed> {
    Ok(SmartModuleTransformRuntimeError {
        hint: from.text()?.to_owned(),
        offset: from.i64()?,
        kind: kind(from, version)?,
        record_key: optional_data(from)?,
        record_value: owned(from.data()?),
    })
}

fn kind(from: &mut Reader<'_>, version: i16) -> Result<SmartModuleKind, Malformed> {
    let mut tag: &[u8] = &[from.u8()?];
    SmartModuleKind::decode_from(&mut tag, version).map_err(|_| Malformed("a kind is unknown"))
}

fn optional_data(from: &mut Reader<'_>) -> Result<Option<RecordData>, Malformed> {
    from.bool()?.then(|| from.data().map(owned)).transpose()
}

fn owned(data: &[u8]) -> RecordData {
    RecordData::from(data)
}
