//! The same rules in the frame that `fluvio-smartmodule`'s macro generates: the same bytes.

use std::panic::catch_unwind;
use std::sync::Once;

use eyre::eyre;
use fluvio_smartmodule::dataplane::core::{Decoder, Encoder};
use fluvio_smartmodule::dataplane::record::RecordKey;
use fluvio_smartmodule::dataplane::smartmodule::{
    Lookback, SmartModuleExtraParams, SmartModuleInitErrorStatus, SmartModuleInitInput,
    SmartModuleInitOutput, SmartModuleInitRuntimeError, SmartModuleInput, SmartModuleKind,
    SmartModuleOutput, SmartModuleTransformErrorStatus, SmartModuleTransformRuntimeError,
};
use fluvio_smartmodule::{Error, Record, RecordData, Result, SmartModuleRecord};
use proptest::prelude::*;

use crate::input::InputRecord;
use crate::output::Outputs;

/// Versions that clients of the last years use.
const VERSIONS: std::ops::RangeInclusive<i16> = 16..=25;

/// What `#[smartmodule(array_map)]` puts around a function, which it does on wasm only.
///
/// Source: `fluvio-smartmodule-derive` 0.50.1, `generator/{transform,array_map}.rs`.
fn array_map_by_macro(
    input: &[u8],
    version: i16,
    mut rule: impl FnMut(&SmartModuleRecord) -> Result<Vec<(Option<RecordData>, RecordData)>>,
) -> (i32, Vec<u8>) {
    let malformed = SmartModuleTransformErrorStatus::DecodingBaseInput as i32;
    let Ok(input) = SmartModuleInput::decode_from(&mut &*input, version) else {
        return (malformed, Vec::new());
    };
    let base_offset = input.base_offset();
    let Ok(records) = input.try_into_smartmodule_records(version) else {
        return (malformed, Vec::new());
    };
    let mut output = SmartModuleOutput::default();
    for record in records {
        match rule(&record) {
            Ok(outputs) => {
                for (key, value) in outputs {
                    let key = RecordKey::from_option(key);
                    output.successes.push(Record::new_key_value(key, value));
                }
            }
            Err(error) => {
                output.error = Some(SmartModuleTransformRuntimeError::new(
                    &record.into(),
                    base_offset,
                    SmartModuleKind::ArrayMap,
                    error,
                ));
                break;
            }
        }
    }
    let mut bytes = Vec::new();
    if output.encode(&mut bytes, version).is_err() {
        let status = SmartModuleTransformErrorStatus::EncodingOutput;
        return (status as i32, Vec::new());
    }
    (output.successes.len() as i32, bytes)
}

/// What `#[smartmodule(init)]` puts around a function.
///
/// Source: `fluvio-smartmodule-derive` 0.50.1, `generator/init.rs`.
fn init_by_macro(
    input: &[u8],
    version: i16,
    init: impl FnOnce(SmartModuleExtraParams) -> Result<()>,
) -> (i32, Vec<u8>) {
    let Ok(input) = SmartModuleInitInput::decode_from(&mut &*input, version) else {
        let status = SmartModuleInitErrorStatus::DecodingInput;
        return (status as i32, Vec::new());
    };
    match init(input.params) {
        Ok(()) => (0, Vec::new()),
        Err(error) => {
            let error = SmartModuleInitRuntimeError::new(error);
            let bytes = SmartModuleInitOutput { error }.as_bytes(version).unwrap();
            let status = SmartModuleInitErrorStatus::InitError;
            (status as i32, bytes.to_vec())
        }
    }
}

/// Prints errors as a module does: it has no stack to look at.
#[derive(Debug)]
struct NoBacktrace;

impl eyre::EyreHandler for NoBacktrace {
    fn debug(
        &self,
        error: &(dyn std::error::Error + 'static),
        f: &mut std::fmt::Formatter<'_>,
    ) -> std::fmt::Result {
        write!(f, "{error}")?;
        let mut causes = std::iter::successors(error.source(), |cause| cause.source());
        causes.try_for_each(|cause| write!(f, "\n{cause}"))
    }
}

fn failure(what: &str) -> Error {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| eyre::set_hook(Box::new(|_| Box::new(NoBacktrace))).unwrap());
    eyre!("{what}").wrap_err("no more")
}

/// Gives as many outputs as the value's first byte says, and fails where it is 9.
fn repeated(offset: i64, value: &[u8]) -> Result<Vec<Vec<u8>>> {
    let times = value.first().copied().unwrap_or(1) % 10;
    if times == 9 {
        return Err(failure(&format!("nine at {offset}")));
    }
    let text = [offset.to_string().as_bytes(), b" ", value].concat();
    Ok(vec![text; times.into()])
}

fn by_macro(record: &SmartModuleRecord) -> Result<Vec<(Option<RecordData>, RecordData)>> {
    let outputs = repeated(record.offset(), record.value().as_ref())?;
    Ok(outputs
        .into_iter()
        .map(|text| (None, text.into()))
        .collect())
}

fn by_frame(record: &InputRecord<'_>, outputs: &mut Outputs<'_>) -> Result<()> {
    let texts = repeated(record.offset(), record.value());
    let unseen = [b"must not be seen".to_vec()];
    for text in texts.as_deref().unwrap_or(&unseen) {
        let (front, back) = text.split_at(text.len() / 2);
        outputs.push(&[front, b"", back]);
    }
    texts.map(drop)
}

fn array_map_by_frame(input: &[u8], version: i16) -> (i32, Vec<u8>) {
    let mut output = Vec::new();
    let code = super::array_map(input, version, by_frame, &mut output);
    (code, output)
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), 60..20_000),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let delta = || prop_oneof![0..100_i64, any::<i32>().prop_map(i64::from)];
    (prop::option::of(data()), data(), delta(), delta()).prop_map(|(key, value, time, offset)| {
        let mut record = Record::new(value);
        record.key = key.map(Into::into);
        record.preamble.set_timestamp_delta(time);
        record.preamble.set_offset_delta(offset);
        record
    })
}

fn input() -> impl Strategy<Value = SmartModuleInput> {
    let records = prop::collection::vec(record(), 0..12);
    (0..i64::MAX / 2, any::<i64>(), records).prop_map(|(base_offset, time, records)| {
        SmartModuleInput::new(records.as_bytes(0).unwrap().to_vec(), base_offset, time)
    })
}

fn params() -> impl Strategy<Value = SmartModuleExtraParams> {
    let params = prop::collection::btree_map("[a-z]{0,5}", "\\PC{0,9}", 0..4);
    let lookback = prop::option::of((0..9_u64).prop_map(Lookback::last));
    (params, lookback).prop_map(|(params, lookback)| SmartModuleExtraParams::new(params, lookback))
}

proptest! {
    #[test]
    fn a_batch_gives_the_same_bytes(input in input(), version in VERSIONS) {
        let input = input.as_bytes(version).unwrap();
        let expected = array_map_by_macro(&input, version, by_macro);
        prop_assert_eq!(array_map_by_frame(&input, version), expected);
    }

    /// Not the other way round: the decoder of `fluvio-protocol` takes what is left for a value that
    /// is longer. It takes other lengths for granted, so they stay small here, and panics at one below
    /// zero.
    #[test]
    fn broken_records_are_refused_wherever_the_macros_frame_refuses_them(
        texts in prop::collection::vec((prop::option::of("[ -~]{0,40}"), "[ -~]{0,40}"), 0..5),
        cut in any::<prop::sample::Index>(),
        change in prop::option::of((any::<prop::sample::Index>(), 0_u8..0x60)),
    ) {
        let records = texts.into_iter().map(|(key, value)| {
            let mut record = Record::new(value);
            record.key = key.map(Into::into);
            record
        });
        let mut records = records.collect::<Vec<_>>().as_bytes(0).unwrap().to_vec();
        records.truncate(cut.index(records.len() + 1));
        // The count stays: the decoder would look for millions of records.
        if let Some((at, byte)) = change && records.len() > 4 {
            let at = 4 + at.index(records.len() - 4);
            records[at] = byte;
        }
        let input = SmartModuleInput::new(records, 7, 0).as_bytes(25).unwrap();
        let by_macro = catch_unwind(|| array_map_by_macro(&input, 25, by_macro).0);
        let ours = array_map_by_frame(&input, 25);
        match by_macro {
            Ok(0..) => {}
            Ok(code) => prop_assert_eq!(ours, (code, Vec::new())),
            Err(_) => prop_assert!(ours.0 < 0),
        }
    }

    #[test]
    fn init_is_given_and_gives_the_same(params in params(), version in VERSIONS, fails in any::<bool>()) {
        let input = SmartModuleInitInput { params }.as_bytes(version).unwrap();
        let init = |given: &mut Option<SmartModuleExtraParams>, params| {
            *given = Some(params);
            if fails { Err(failure("parameter \"é\"")) } else { Ok(()) }
        };
        let (mut by_macro, mut by_frame) = (None, None);
        let expected = init_by_macro(&input, version, |params| init(&mut by_macro, params));
        let mut output = Vec::new();
        let code = super::init(&input, version, |params| init(&mut by_frame, params), &mut output);
        prop_assert_eq!((code, output), expected);
        let (by_macro, by_frame) = (by_macro.unwrap(), by_frame.unwrap());
        prop_assert_eq!(by_frame.as_bytes(version).unwrap(), by_macro.as_bytes(version).unwrap());
    }
}

#[test]
fn bytes_that_are_no_parameters_are_refused_alike() {
    let bytes = [0, 1, 0, 9, b'a'];
    let expected = init_by_macro(&bytes, 25, |_| Ok(()));
    let mut output = Vec::new();
    let code = super::init(&bytes, 25, |_| Ok(()), &mut output);
    assert_eq!((code, output), expected);
    assert!(code < 0);
}
