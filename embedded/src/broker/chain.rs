//! Runs chains of `SmartModule`s over batches as the real SPU does, its traps included.
//!
//! The engine is the SPU's own, `fluvio-smartengine`. What is followed here is the SPU's frame
//! around it, since programs come to depend on it (marked "as the SPU" below):
//! - outputs are gathered over batches until they exceed `max_bytes`; the batch that exceeds is
//!   dropped from the answer *after* it has run, so a stateful module sees it twice, and if it is
//!   the first one there is no answer at all and the stream goes on behind it;
//! - an error of a module ends the answer after the records that were fine, but the answer's
//!   offsets cover the whole stored batch;
//! - offsets and times of outputs are not those of their sources.
//!
//! Everything here computes for long and must not run on a task of the async runtime.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fluvio_compression::Compression;
use fluvio_protocol::Decoder;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::link::smartmodule::SmartModuleTransformRuntimeError;
use fluvio_protocol::record::{Batch, RawRecords, Record};
use fluvio_smartengine::{
    EngineError, Lookback, SmartModuleChainBuilder, SmartModuleChainInstance, SmartModuleConfig,
    SmartModuleInitialData,
};
use fluvio_smartmodule::dataplane::smartmodule::{SmartModuleInput, SmartModuleOutput};
use fluvio_spu_schema::server::smartmodule::{
    SmartModuleContextData, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};

use super::batch::{BatchHead, encode_record};
use super::log::Log;
use super::node::Node;

/// Bytes of the count before encoded records.
const COUNT_BYTES: usize = 4;

/// Modules with their memory, which lives as long as one stream or one produce request.
#[derive(Debug)]
pub(super) struct Chain(SmartModuleChainInstance);

/// A batch as the chain sees it.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) base_offset: i64,
    pub(super) last_offset_delta: i32,
    /// Milliseconds since 1970, or −1.
    pub(super) first_timestamp: i64,
    /// How the batch was compressed: outputs are compressed alike.
    pub(super) compression: Compression,
    /// Not compressed.
    pub(super) records: Vec<u8>,
}

impl Input {
    /// Unpacks a stored batch.
    pub(super) fn from_stored(head: &BatchHead, batch: &Bytes) -> io::Result<Self> {
        Ok(Self {
            base_offset: head.base_offset,
            last_offset_delta: head.last_offset_delta,
            first_timestamp: head.first_timestamp,
            compression: head.compression()?,
            records: head.records(batch)?,
        })
    }

    /// Unpacks a batch that a producer has sent.
    pub(super) fn from_produced(batch: &Batch<RawRecords>) -> io::Result<Self> {
        let compression = batch.get_compression().map_err(io::Error::other)?;
        let records = &batch.records().0;
        let unpacked = compression.uncompress(records).map_err(io::Error::other)?;
        Ok(Self {
            base_offset: batch.base_offset,
            last_offset_delta: batch.last_offset_delta(),
            first_timestamp: batch.get_base_timestamp(),
            compression,
            records: unpacked.unwrap_or_else(|| records.to_vec()),
        })
    }
}

/// What came out of a chain.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) batch: Batch<RawRecords>,
    /// What a module returned as its error.
    pub(super) error: Option<SmartModuleTransformRuntimeError>,
}

impl Output {
    pub(super) fn has_records(&self) -> bool {
        !self.batch.records().0.is_empty()
    }
}

impl Chain {
    /// Compiles and starts the modules; `None` if there are none.
    pub(super) fn start(
        node: &Node,
        invocations: Vec<SmartModuleInvocation>,
        version: i16,
    ) -> Result<Option<Self>, ErrorCode> {
        if invocations.is_empty() {
            return Ok(None);
        }
        let mut builder = SmartModuleChainBuilder::default();
        builder.set_store_memory_limit(node.chain_bytes_max);
        for invocation in invocations {
            let invocation = resolve(node, invocation)?;
            let config = config_of(&invocation, version)?;
            let wasm = invocation.wasm.into_raw().map_err(invalid)?;
            builder.add_smart_module(config, wasm);
        }
        let started =
            builder
                .initialize(&node.engine)
                .map_err(|error| match error.downcast_ref() {
                    Some(EngineError::StoreMemoryExceeded { requested, max, .. }) => {
                        ErrorCode::SmartModuleMemoryLimitExceeded {
                            requested: *requested as u64,
                            max: *max as u64,
                        }
                    }
                    _ => ErrorCode::SmartModuleChainInitError(error.to_string()),
                })?;
        Ok(Some(Self(started)))
    }

    /// Shows the newest stored records to those modules that ask for them.
    pub(super) fn look_back(&mut self, log: &Log) -> Result<(), ErrorCode> {
        let looking = self.0.look_back(|lookback| {
            let records = newest_records(log, lookback);
            async move { Ok(records?) }
        });
        // Nothing in it waits: the records are read before the future is made.
        let looked = futures_util::FutureExt::now_or_never(looking);
        looked
            .unwrap_or(Ok(()))
            .map_err(|error| ErrorCode::SmartModuleLookBackError(error.root_cause().to_string()))
    }

    /// Runs batches until their outputs exceed `max_bytes`.
    ///
    /// # Errors
    /// If a batch cannot be unpacked, or a module panics or wants too much memory. The chain must
    /// not be used after that.
    pub(super) fn process<I>(&mut self, batches: I, max_bytes: usize) -> Result<Output, ErrorCode>
    where
        I: Iterator<Item = io::Result<Input>>,
    {
        let mut gathered = Gathered::new();
        for batch in batches {
            let mut input = batch.map_err(failed)?;
            let records = std::mem::take(&mut input.records);
            let output = self.run(records, &input).map_err(failed)?;
            let fits = gathered
                .add(&input, output.successes, max_bytes)
                .map_err(failed)?;
            if !fits || output.error.is_some() {
                return gathered.finish(output.error);
            }
        }
        gathered.finish(None)
    }

    fn run(&mut self, records: Vec<u8>, input: &Input) -> Result<SmartModuleOutput, String> {
        let input = SmartModuleInput::new(records, input.base_offset, input.first_timestamp);
        self.0.process(input).map_err(|error| error.to_string())
    }
}

/// Outputs of several batches, on their way to be one.
#[derive(Debug)]
struct Gathered {
    /// Of the first batch that gave records.
    first: Option<(i64, Compression)>,
    last_offset_delta: i32,
    count: i32,
    /// The count's place, then encoded records.
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
            count: 0,
            encoded,
            total_bytes: 0,
        }
    }

    /// Adds the outputs of one batch; `false` if they are too many, and not added.
    fn add(
        &mut self,
        input: &Input,
        mut records: Vec<Record>,
        max_bytes: usize,
    ) -> io::Result<bool> {
        if !records.is_empty() {
            let (base_offset, _) = *self
                .first
                .get_or_insert((input.base_offset, input.compression));
            let before = self.encoded.len();
            for record in &mut records {
                // As the SPU: of the wrong sign.
                record.add_base_offset(base_offset - input.base_offset);
                encode_record(record, &mut self.encoded)?;
            }
            let bytes = COUNT_BYTES + self.encoded.len() - before;
            if self.total_bytes + bytes > max_bytes {
                self.encoded.truncate(before);
                return Ok(false);
            }
            self.total_bytes += bytes;
            self.count += i32::try_from(records.len()).map_err(io::Error::other)?;
        }
        // As the SPU: batches without outputs count from the first one that had some.
        if self.first.is_some() {
            self.last_offset_delta += input.last_offset_delta + 1;
        }
        Ok(true)
    }

    /// As the SPU: times stay unset, offsets cover the batches that were run.
    fn finish(
        mut self,
        error: Option<SmartModuleTransformRuntimeError>,
    ) -> Result<Output, ErrorCode> {
        let mut batch = Batch::<RawRecords>::default();
        batch.set_offset_delta(self.last_offset_delta);
        let (base_offset, compression) = self.first.unwrap_or((-1, Compression::None));
        batch.set_base_offset(base_offset);
        if self.count > 0 {
            self.encoded[..COUNT_BYTES].copy_from_slice(&self.count.to_be_bytes());
            batch.get_mut_header().set_compression(compression);
            let encoded = Bytes::from(self.encoded);
            let stored = match compression {
                Compression::None => encoded,
                packing => packing
                    .compress(&encoded)
                    .map_err(|_| ErrorCode::CompressionError)?,
            };
            *batch.mut_records() = RawRecords(stored);
        }
        Ok(Output { batch, error })
    }
}

/// Replaces a module's name by its bytes.
fn resolve(
    node: &Node,
    invocation: SmartModuleInvocation,
) -> Result<SmartModuleInvocation, ErrorCode> {
    let SmartModuleInvocationWasm::Predefined(name) = &invocation.wasm else {
        return Ok(invocation);
    };
    let name = name.clone();
    match node.metadata.find_smartmodule(&name) {
        Some(spec) => Ok(SmartModuleInvocation {
            wasm: SmartModuleInvocationWasm::AdHoc(spec.wasm.payload.into()),
            name: Some(name),
            ..invocation
        }),
        None => Err(ErrorCode::SmartModuleNotFound { name }),
    }
}

fn config_of(
    invocation: &SmartModuleInvocation,
    version: i16,
) -> Result<SmartModuleConfig, ErrorCode> {
    let initial_data = match &invocation.kind {
        SmartModuleKind::Aggregate { accumulator }
        | SmartModuleKind::Generic(SmartModuleContextData::Aggregate { accumulator }) => {
            SmartModuleInitialData::with_aggregate(accumulator.clone())
        }
        _ => SmartModuleInitialData::default(),
    };
    SmartModuleConfig::builder()
        .smartmodule_names(vec![invocation.name.clone().unwrap_or_default()])
        .params(invocation.params.clone())
        .version(version)
        .lookback(invocation.params.lookback().map(Into::into))
        .initial_data(initial_data)
        .build()
        .map_err(invalid)
}

/// The newest stored records: as many, and as young, as asked for.
fn newest_records(log: &Log, lookback: Lookback) -> io::Result<Vec<Record>> {
    let (last, oldest) = match lookback {
        Lookback::Last(last) => (last, i64::MIN),
        // Seen on a real SPU: it fails once it has looked back at the log's first record.
        Lookback::Age { last: 0, .. } => {
            return Err(io::Error::other(
                "lookback by age needs a number of records, too",
            ));
        }
        Lookback::Age { age, last } => (last, now_ms() - milliseconds(age)),
    };
    let end = log.end_offset();
    let start = end.saturating_sub(i64::try_from(last).unwrap_or(i64::MAX));
    let start = start.max(log.start_offset());
    let mut newest = Vec::new();
    for stored in log.batches(start, end) {
        let (head, batch) = stored.map_err(io::Error::other)?;
        if head.newest_timestamp < oldest {
            continue;
        }
        let records = Vec::<Record>::decode_from(&mut Bytes::from(head.records(&batch)?), 0)?;
        newest.extend(records.into_iter().filter(|record| {
            head.base_offset + record.offset_delta() >= start
                && head.first_timestamp + record.timestamp_delta() >= oldest
        }));
    }
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

fn invalid(error: impl std::fmt::Display) -> ErrorCode {
    ErrorCode::SmartModuleInvalid {
        error: error.to_string(),
        name: None,
    }
}

fn failed(error: impl std::fmt::Display) -> ErrorCode {
    ErrorCode::Other(format!("SmartModule err {error}"))
}
