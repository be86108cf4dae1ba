//! Runs chains of `SmartModule`s over batches as the real SPU does, its traps included.
//!
//! The modules run in [`crate::engine`]. What is followed here is the SPU's frame around them,
//! since programs come to depend on it (marked "as the SPU" below):
//! - outputs are gathered over batches until they exceed `max_bytes`; the batch that exceeds is
//!   dropped from the response *after* it has run, so a stateful module sees it twice, and if it is
//!   the first one there is no response at all and the stream goes on behind it;
//! - an error of a module ends the response after the records that were fine, but the response's
//!   offsets cover the whole stored batch;
//! - offsets and times of outputs are not those of their sources.
//!
//! Other than the SPU, on purpose:
//! - a response's batch has the leader epoch of the batches it covers, where the SPU leaves −1, and
//!   ends where the epoch changes: so a client knows to which epoch the offset it has reached belongs;
//! - a module that requests bring along runs only if it was uploaded before, or if the
//!   configuration allows it;
//! - outputs are not compressed as their batch was: they go no further than this machine;
//! - what a module may take of time, memory and tables is bounded, for all modules of a chain
//!   together, and an error for it names the module.
//!
//! Everything here computes for long and must not run on a task of the async runtime.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::link::smartmodule::SmartModuleTransformRuntimeError;
use fluvio_protocol::record::{Batch, RawRecords};
use fluvio_smartmodule::dataplane::smartmodule::Lookback;
use fluvio_spu_schema::server::smartmodule::{
    SmartModuleContextData, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};

use crate::batch::BatchHead;
use crate::compression::decompress;
use crate::engine::{
    Engine, EngineError, Fault, InputHead, MODULES_MAX, ModuleConfig, Records, Runner, unpack,
};
use crate::log::Log;
use crate::node::Node;

/// Bytes of the count before encoded records.
const COUNT_BYTES: usize = 4;

/// Modules with their memory, which lives as long as one stream or one produce request.
#[derive(Debug)]
pub(crate) struct Chain {
    runner: Runner,
    /// What the newest records may take that a module looks back at.
    look_back_bytes_max: usize,
}

/// A batch as the chain sees it.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) base_offset: i64,
    pub(crate) last_offset_delta: i32,
    /// The epoch in which the broker stored the batch; −1 if it has none.
    pub(crate) leader_epoch: i32,
    /// Milliseconds since 1970, or −1.
    pub(crate) first_timestamp: i64,
    /// Not compressed.
    pub(crate) records: Bytes,
}

impl Input {
    /// Decompresses a stored batch.
    pub(crate) fn from_stored(head: &BatchHead, batch: &Bytes) -> io::Result<Self> {
        Ok(Self {
            base_offset: head.base_offset,
            last_offset_delta: head.last_offset_delta,
            leader_epoch: head.leader_epoch,
            first_timestamp: head.first_timestamp,
            records: head.records(batch)?,
        })
    }

    /// Decompresses a batch that a producer has sent.
    pub(crate) fn from_produced(batch: &Batch<RawRecords>) -> io::Result<Self> {
        let compression = batch.get_compression().map_err(io::Error::other)?;
        let records = &batch.records().0;
        let decompressed = decompress(compression, records)?;
        Ok(Self {
            base_offset: batch.base_offset,
            last_offset_delta: batch.last_offset_delta(),
            leader_epoch: batch.get_header().partition_leader_epoch,
            first_timestamp: batch.get_base_timestamp(),
            records: decompressed.map_or_else(|| records.clone(), Bytes::from),
        })
    }
}

/// What came out of a chain.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) batch: Batch<RawRecords>,
    /// What a module returned as its error.
    pub(crate) error: Option<SmartModuleTransformRuntimeError>,
}

impl Output {
    pub(crate) fn has_records(&self) -> bool {
        !self.batch.records().0.is_empty()
    }
}

impl Chain {
    /// Compiles and starts the modules; `None` if there are none.
    pub(crate) fn start(
        node: &Node,
        invocations: Vec<SmartModuleInvocation>,
        version: i16,
    ) -> Result<Option<Self>, ErrorCode> {
        if invocations.is_empty() {
            return Ok(None);
        }
        if invocations.len() > MODULES_MAX {
            let message = format!("a chain has at most {MODULES_MAX} modules");
            return Err(ErrorCode::SmartModuleChainInitError(message));
        }
        let modules = invocations
            .iter()
            .map(|invocation| wasm_of(node, invocation))
            .collect::<Result<Vec<_>, _>>()?;
        let configs: Vec<_> = invocations
            .iter()
            .zip(&modules)
            .map(|(invocation, wasm)| config_of(invocation, wasm, version))
            .collect();
        Self::of(&node.engine, &configs, node.chain_bytes_max)
            .map(Some)
            .map_err(not_started)
    }

    /// Compiles and starts modules, which may take `memory_bytes_max` all together.
    pub(crate) fn of(
        engine: &Engine,
        modules: &[ModuleConfig<'_>],
        memory_bytes_max: usize,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            runner: Runner::start(engine, modules, memory_bytes_max)?,
            look_back_bytes_max: memory_bytes_max,
        })
    }

    /// Shows the newest stored records to those modules that look back.
    pub(crate) fn look_back(&mut self, log: &Log) -> Result<(), ErrorCode> {
        let bytes_max = self.look_back_bytes_max;
        let read = |lookback: &Lookback| {
            newest_records(log, lookback, bytes_max)
                .map_err(|error| EngineError::Returned(error.to_string()))
        };
        self.runner
            .look_back(read)
            .map_err(|error| ErrorCode::SmartModuleLookBackError(error.to_string()))
    }

    /// Runs batches until their outputs exceed `max_bytes`.
    ///
    /// # Errors
    /// If a batch cannot be decompressed, or a module panics or does what it must not do. The chain
    /// must not be used after that.
    pub(crate) fn process<I>(&mut self, batches: I, max_bytes: usize) -> Result<Output, ErrorCode>
    where
        I: Iterator<Item = io::Result<Input>>,
    {
        let mut gathered = Gathered::new();
        for batch in batches {
            let input = batch.map_err(failed)?;
            if gathered.is_of_another_epoch(&input) {
                return gathered.finish(None);
            }
            let head = InputHead {
                base_offset: input.base_offset,
                first_timestamp: input.first_timestamp,
            };
            let output = self.runner.process(&head, &input.records).map_err(failed)?;
            let fits = gathered.add(&input, output.records, max_bytes);
            if !fits || output.error.is_some() {
                return gathered.finish(output.error);
            }
        }
        gathered.finish(None)
    }
}

/// Outputs of several batches, on their way to be one.
#[derive(Debug)]
struct Gathered {
    /// Offset of the first batch that gave records.
    first: Option<i64>,
    last_offset_delta: i32,
    /// Of the last batch.
    leader_epoch: i32,
    count: usize,
    /// Bytes for the count, then encoded records.
    encoded: Vec<u8>,
    /// As the SPU counts them: encoded records, and a count for each input batch.
    total_bytes: usize,
}

impl Gathered {
    fn new() -> Self {
        let encoded = vec![0; COUNT_BYTES];
        Self {
            first: None,
            last_offset_delta: -1,
            leader_epoch: -1,
            count: 0,
            encoded,
            total_bytes: 0,
        }
    }

    /// Whether there are outputs already, of another leader epoch: a response has one only.
    fn is_of_another_epoch(&self, input: &Input) -> bool {
        self.first.is_some() && self.leader_epoch != input.leader_epoch
    }

    /// Adds the outputs of one batch; `false` if they are too many, and not added.
    fn add(&mut self, input: &Input, records: Records<'_>, max_bytes: usize) -> bool {
        let count = records.len();
        if count > 0 {
            let base_offset = *self.first.get_or_insert(input.base_offset);
            // As the SPU: of the wrong sign.
            let offset_shift = base_offset - input.base_offset;
            let before = self.encoded.len();
            for record in records {
                record.encode(offset_shift, &mut self.encoded);
                let bytes = COUNT_BYTES + self.encoded.len() - before;
                if self.total_bytes + bytes > max_bytes {
                    self.encoded.truncate(before);
                    return false;
                }
            }
            self.total_bytes += COUNT_BYTES + self.encoded.len() - before;
            self.count += count;
        }
        // As the SPU: batches without outputs count from the first one that had some.
        if self.first.is_some() {
            self.last_offset_delta += input.last_offset_delta + 1;
        }
        self.leader_epoch = input.leader_epoch;
        true
    }

    /// As the SPU: times stay unset, offsets cover the batches that were run.
    fn finish(
        mut self,
        error: Option<SmartModuleTransformRuntimeError>,
    ) -> Result<Output, ErrorCode> {
        let mut batch = Batch::<RawRecords>::default();
        batch.set_offset_delta(self.last_offset_delta);
        batch.set_base_offset(self.first.unwrap_or(-1));
        batch.get_mut_header().partition_leader_epoch = self.leader_epoch;
        if self.count > 0 {
            let count = i32::try_from(self.count).map_err(failed)?;
            self.encoded[..COUNT_BYTES].copy_from_slice(&count.to_be_bytes());
            *batch.mut_records() = RawRecords(self.encoded.into());
        }
        Ok(Output { batch, error })
    }
}

/// A module's bytes: stored under the name in the request, or sent along with it.
fn wasm_of(node: &Node, invocation: &SmartModuleInvocation) -> Result<Vec<u8>, ErrorCode> {
    match &invocation.wasm {
        SmartModuleInvocationWasm::Predefined(name) => match node.metadata.find_smartmodule(name) {
            Some(spec) => unpack(&spec.wasm.payload).map_err(|error| invalid(name, error)),
            None => Err(ErrorCode::SmartModuleNotFound { name: name.clone() }),
        },
        SmartModuleInvocationWasm::AdHoc(packed) => {
            let name = name_of(invocation);
            let wasm = unpack(packed).map_err(|error| invalid(name, error))?;
            if node.adhoc_modules || node.engine.is_accepted(&wasm) {
                return Ok(wasm);
            }
            let reason = format!(
                "module {name:?} was sent along with the request, and is none of those that were \
                 uploaded: upload it with `bikeshare smartmodule push`, or start the broker with \
                 `adhoc_modules`"
            );
            Err(invalid(name, reason))
        }
    }
}

fn name_of(invocation: &SmartModuleInvocation) -> &str {
    match (&invocation.name, &invocation.wasm) {
        (_, SmartModuleInvocationWasm::Predefined(name)) | (Some(name), _) => name,
        (None, _) => "",
    }
}

fn config_of<'a>(
    invocation: &'a SmartModuleInvocation,
    wasm: &'a [u8],
    version: i16,
) -> ModuleConfig<'a> {
    let accumulator = match &invocation.kind {
        SmartModuleKind::Aggregate { accumulator }
        | SmartModuleKind::Generic(SmartModuleContextData::Aggregate { accumulator }) => {
            accumulator.clone()
        }
        _ => Vec::new(),
    };
    ModuleConfig {
        name: name_of(invocation),
        wasm,
        params: invocation.params.clone(),
        accumulator,
        version,
    }
}

/// The newest stored records, encoded: as many, and as young, as the module wants.
fn newest_records(log: &Log, lookback: &Lookback, bytes_max: usize) -> io::Result<Vec<u8>> {
    let oldest = match lookback.age {
        None => i64::MIN,
        // Seen on a real SPU: it fails once it has looked back at the log's first record.
        Some(_) if lookback.last == 0 => {
            return Err(io::Error::other(
                "lookback by age needs a number of records, too",
            ));
        }
        Some(age) => now_ms() - milliseconds(age),
    };
    let end = log.end_offset();
    let start = end.saturating_sub(i64::try_from(lookback.last).unwrap_or(i64::MAX));
    let start = start.max(log.start_offset());
    let mut count = 0_i32;
    let mut newest = vec![0; COUNT_BYTES];
    for stored in log.batches(start, end) {
        let (head, batch) = stored.map_err(io::Error::other)?;
        if head.newest_timestamp < oldest {
            continue;
        }
        let stored = head.records(&batch)?;
        let (records, _) = Records::parse(&stored).map_err(io::Error::other)?;
        let wanted = records.filter(|record| {
            head.base_offset.saturating_add(record.offset_delta) >= start
                && head.first_timestamp.saturating_add(record.timestamp_delta) >= oldest
        });
        for record in wanted {
            record.encode(0, &mut newest);
            count += 1;
        }
        if newest.len() > bytes_max {
            let message = format!("lookback reaches more than {bytes_max} bytes of records");
            return Err(io::Error::other(message));
        }
    }
    newest[..COUNT_BYTES].copy_from_slice(&count.to_be_bytes());
    Ok(newest)
}

#[expect(
    clippy::disallowed_methods,
    reason = "lookback by age is by the wall clock"
)]
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, milliseconds)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn invalid(module: &str, error: impl std::fmt::Display) -> ErrorCode {
    ErrorCode::SmartModuleInvalid {
        error: error.to_string(),
        name: Some(module.to_owned()),
    }
}

fn not_started(error: EngineError) -> ErrorCode {
    match error {
        EngineError::Fault {
            fault: Fault::Memory { requested, max },
            ..
        } => ErrorCode::SmartModuleMemoryLimitExceeded {
            requested: requested as u64,
            max: max as u64,
        },
        error => ErrorCode::SmartModuleChainInitError(error.to_string()),
    }
}

/// Clients recognize errors of modules by this prefix.
fn failed(error: impl std::fmt::Display) -> ErrorCode {
    ErrorCode::Other(format!("SmartModule err {error}"))
}

#[cfg(test)]
mod tests {
    use fluvio_protocol::Encoder;
    use fluvio_protocol::record::Record;
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let data = || proptest::collection::vec(any::<u8>(), 0..100);
        let delta = || -100_000_i64..100_000;
        (proptest::option::of(data()), data(), delta(), delta()).prop_map(
            |(key, value, time, offset)| {
                let mut record = Record::new(value);
                record.key = key.map(Into::into);
                record.preamble.set_timestamp_delta(time);
                record.preamble.set_offset_delta(offset);
                record
            },
        )
    }

    fn input(base_offset: i64) -> Input {
        Input {
            base_offset,
            last_offset_delta: 9,
            leader_epoch: 3,
            first_timestamp: 0,
            records: Bytes::new(),
        }
    }

    proptest! {
        /// Held to the SPU's way: decode each record, move it, encode it with its own encoder.
        #[test]
        fn gathered_outputs_are_those_that_the_protocol_crate_encodes(
            batches in proptest::collection::vec(proptest::collection::vec(record(), 0..8), 1..5),
            max_bytes in prop_oneof![3 => Just(usize::MAX), 1 => 0_usize..2_000],
        ) {
            let mut gathered = Gathered::new();
            let mut expected: Vec<u8> = Vec::new();
            let (mut total, mut first) = (0, None);
            for (mut records, base_offset) in batches.into_iter().zip((700..).step_by(10)) {
                let encoded = records.as_bytes(0).unwrap();
                let (parsed, rest) = Records::parse(&encoded).unwrap();
                prop_assert!(rest.is_empty());
                let fits = gathered.add(&input(base_offset), parsed, max_bytes);
                if records.is_empty() {
                    prop_assert!(fits);
                    continue;
                }
                let first = *first.get_or_insert(base_offset);
                for record in &mut records {
                    record.add_base_offset(first - base_offset);
                }
                let bytes = records.as_bytes(0).unwrap();
                prop_assert_eq!(fits, total + bytes.len() <= max_bytes);
                if !fits {
                    break;
                }
                total += bytes.len();
                expected.extend_from_slice(&bytes[COUNT_BYTES..]);
            }
            prop_assert_eq!(&gathered.encoded[COUNT_BYTES..], &expected);
        }
    }

    #[test]
    fn an_answer_ends_where_the_leader_epoch_changes() {
        let encoded = vec![Record::new("output")].as_bytes(0).unwrap();
        let (records, _) = Records::parse(&encoded).unwrap();
        let (nothing, _) = Records::parse(&[0; COUNT_BYTES]).unwrap();
        let batch = |base_offset, leader_epoch| Input {
            leader_epoch,
            ..input(base_offset)
        };
        let mut gathered = Gathered::new();
        assert!(gathered.add(&batch(0, 4), nothing, 1_000));
        assert!(
            !gathered.is_of_another_epoch(&batch(10, 5)),
            "there is nothing yet"
        );
        assert!(gathered.add(&batch(10, 5), records, 1_000));
        assert!(!gathered.is_of_another_epoch(&batch(20, 5)));
        assert!(gathered.is_of_another_epoch(&batch(20, 6)));
        let response = gathered.finish(None).unwrap().batch;
        assert_eq!(response.get_header().partition_leader_epoch, 5);
    }

    #[test]
    fn an_answer_has_the_leader_epoch_of_the_last_batch_it_covers() {
        let encoded = vec![Record::new("output")].as_bytes(0).unwrap();
        let (records, _) = Records::parse(&encoded).unwrap();
        let mut gathered = Gathered::new();
        for (base_offset, leader_epoch) in [(0, 4), (10, 5)] {
            let batch = Input {
                leader_epoch,
                ..input(base_offset)
            };
            assert!(gathered.add(&batch, records, 1_000));
        }
        let too_late = Input {
            leader_epoch: 6,
            ..input(20)
        };
        assert!(!gathered.add(&too_late, records, 0));
        let response = gathered.finish(None).unwrap().batch;
        assert_eq!(response.get_header().partition_leader_epoch, 5);
    }
}
