//! Input in, output out: what the calls do, on bytes.

#[cfg(test)]
mod tests;

use fluvio_smartmodule::Error;
use fluvio_smartmodule::dataplane::core::{Decoder, Encoder};
use fluvio_smartmodule::dataplane::smartmodule::{
    SmartModuleExtraParams, SmartModuleInitErrorStatus, SmartModuleInitInput,
    SmartModuleInitOutput, SmartModuleInitRuntimeError, SmartModuleKind,
    SmartModuleTransformErrorStatus, SmartModuleTransformRuntimeError,
};

use crate::input::{InputRecord, Malformed, Records};
use crate::output::Outputs;

/// Runs a rule over a batch; gives the number of outputs, or a status.
pub(crate) fn array_map(
    input: &[u8],
    version: i16,
    rule: impl FnMut(&InputRecord<'_>, &mut Outputs<'_>) -> Result<(), Error>,
    output: &mut Vec<u8>,
) -> i32 {
    let mut outputs = Outputs::start(output);
    let status = match run(input, rule, &mut outputs) {
        Ok(error) => {
            let count = outputs.finish();
            match error.encode(output, version) {
                Ok(()) => return count,
                Err(_) => SmartModuleTransformErrorStatus::EncodingOutput,
            }
        }
        Err(Malformed) => SmartModuleTransformErrorStatus::DecodingBaseInput,
    };
    output.clear();
    status as i32
}

/// Gives the rule's first error. The records behind it are read, but not handled.
fn run(
    input: &[u8],
    mut rule: impl FnMut(&InputRecord<'_>, &mut Outputs<'_>) -> Result<(), Error>,
    outputs: &mut Outputs<'_>,
) -> Result<Option<SmartModuleTransformRuntimeError>, Malformed> {
    let mut failure = None;
    for record in Records::read(input)? {
        let record = record?;
        if failure.is_some() {
            continue;
        }
        let before = outputs.mark();
        if let Err(error) = rule(&record, outputs) {
            outputs.back_to(before);
            failure = Some(failed_at(&record, &error));
        }
    }
    Ok(failure)
}

fn failed_at(record: &InputRecord<'_>, error: &Error) -> SmartModuleTransformRuntimeError {
    SmartModuleTransformRuntimeError {
        hint: format!("{error:?}"),
        offset: record.offset(),
        kind: SmartModuleKind::ArrayMap,
        record_key: record.key().map(Into::into),
        record_value: record.value().into(),
    }
}

/// Hands parameters over; gives 0, or a status.
pub(crate) fn init(
    input: &[u8],
    version: i16,
    init: impl FnOnce(SmartModuleExtraParams) -> Result<(), Error>,
    output: &mut Vec<u8>,
) -> i32 {
    let mut bytes = input;
    let params = match SmartModuleInitInput::decode_from(&mut bytes, version) {
        Ok(SmartModuleInitInput { params }) => params,
        Err(_) => return SmartModuleInitErrorStatus::DecodingInput as i32,
    };
    let Err(error) = init(params) else {
        return 0;
    };
    let error = SmartModuleInitRuntimeError::new(error);
    match (SmartModuleInitOutput { error }).encode(output, version) {
        Ok(()) => SmartModuleInitErrorStatus::InitError as i32,
        Err(_) => SmartModuleInitErrorStatus::EncodingOutput as i32,
    }
}
