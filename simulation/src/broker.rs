//! The broker: each partition's log, and the streams that run a module over it.
//!
//! With the traps of the real one: a batch whose outputs are larger than a response may be is skipped in
//! silence, one that does not fit any more is run twice, offsets of outputs say nothing.

use bytes::Bytes;
use domain::Windows;
use domain::record::WindowState;
use domain::split::split_json;
use domain::window::WindowConfig;
use partition_client::OffsetRange;

/// Records that were stored by one request.
#[derive(Debug, Clone)]
pub(crate) struct StoredBatch {
    pub(crate) base: i64,
    /// In which the broker stored it.
    epoch: i32,
    pub(crate) values: Vec<Bytes>,
}

impl StoredBatch {
    pub(crate) fn end(&self) -> i64 {
        self.base + self.values.len() as i64
    }
}

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) batches: Vec<StoredBatch>,
    /// What is on every replica, and may be read.
    pub(crate) replicated: i64,
    epoch: i32,
    /// A request that was given up by who sent it, and that arrives some time.
    pub(crate) late: Option<Vec<Bytes>>,
}

impl Log {
    pub(crate) fn end(&self) -> i64 {
        self.batches.last().map_or(0, StoredBatch::end)
    }

    pub(crate) fn range(&self) -> OffsetRange {
        OffsetRange {
            start: 0,
            end: self.replicated,
        }
    }

    /// Stores a batch behind all others; gives its offset.
    pub(crate) fn append(&mut self, values: Vec<Bytes>) -> i64 {
        let (base, epoch) = (self.end(), self.epoch);
        if !values.is_empty() {
            self.batches.push(StoredBatch {
                base,
                epoch,
                values,
            });
        }
        base
    }

    pub(crate) fn replicate(&mut self) {
        self.replicated = self.end();
    }

    /// The request that was late arrives.
    pub(crate) fn arrive(&mut self) {
        if let Some(values) = self.late.take() {
            self.append(values);
            self.replicate();
        }
    }

    /// Another replica leads: what only the old one had is gone.
    pub(crate) fn fail_over(&mut self) {
        self.epoch += 1;
        let replicated = self.replicated;
        self.batches.retain(|batch| batch.base < replicated);
    }

    /// Values with offsets in a range, in order.
    pub(crate) fn values(&self, from: i64, to: i64) -> impl Iterator<Item = &Bytes> {
        let first = self.batches.partition_point(|batch| batch.end() <= from);
        let batches = self.batches[first..].iter();
        batches.flat_map(move |batch| {
            let offsets = (batch.base..).zip(&batch.values);
            offsets.filter_map(move |(offset, value)| (from..to).contains(&offset).then_some(value))
        })
    }

    /// Epoch and value of a record that can be read.
    pub(crate) fn record(&self, offset: i64) -> Option<(Option<i32>, &Bytes)> {
        if offset < 0 || offset >= self.replicated {
            return None;
        }
        let index = self.batches.partition_point(|batch| batch.end() <= offset);
        let batch = self.batches.get(index)?;
        let value = batch
            .values
            .get(usize::try_from(offset - batch.base).ok()?)?;
        Some((Some(batch.epoch), value))
    }
}

/// A SmartModule's instance.
#[derive(Debug)]
pub(crate) enum ModuleInstance {
    Split,
    Windows(Box<Windows>),
}

impl ModuleInstance {
    /// `dock-window` with the parameters that a sink sends, read as the module reads them.
    pub(crate) fn windows(params: &[(String, String)]) -> Self {
        let find = |name: &str| params.iter().find(|(key, _)| key == name);
        let text = |name: &str| find(name).map_or("", |(_, value)| value.as_str());
        let next_offset = text("next_offset").parse().unwrap_or(0);
        let state: WindowState = serde_json::from_str(text("state")).unwrap_or_default();
        let seen: Vec<(String, u64)> = serde_json::from_str(text("seen")).unwrap_or_default();
        let config = WindowConfig::default();
        Self::Windows(Box::new(Windows::resume(config, next_offset, state, seen)))
    }

    fn run(&mut self, batch: &StoredBatch) -> Vec<Vec<u8>> {
        let mut outputs = Vec::new();
        for (offset, value) in (batch.base..).zip(&batch.values) {
            match self {
                Self::Split => {
                    split_json(offset, value, &mut |pieces| outputs.push(pieces.concat()))
                }
                Self::Windows(windows) => {
                    outputs.extend(windows.push(offset, value).map(|output| output.to_json()));
                }
            }
        }
        outputs
    }
}

/// An open stream, at the broker's end.
#[derive(Debug)]
pub(crate) struct BrokerStream {
    module: ModuleInstance,
    /// The batch to run next.
    next: usize,
    bytes_max: usize,
    /// It says nothing any more.
    pub(crate) is_silent: bool,
}

/// One response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) outputs: Vec<Vec<u8>>,
    pub(crate) epoch: Option<i32>,
}

impl BrokerStream {
    /// Begins at the batch that holds `offset`.
    pub(crate) fn open(log: &Log, module: ModuleInstance, offset: i64, bytes_max: i32) -> Self {
        Self {
            module,
            next: log.batches.partition_point(|batch| batch.end() <= offset),
            bytes_max: usize::try_from(bytes_max).unwrap_or_default(),
            is_silent: false,
        }
    }

    /// Passes over a batch without a word.
    pub(crate) fn skip(&mut self, log: &Log) {
        if self.stored(log).is_some() {
            self.next += 1;
        }
    }

    fn stored<'a>(&self, log: &'a Log) -> Option<&'a StoredBatch> {
        log.batches
            .get(self.next)
            .filter(|batch| batch.end() <= log.replicated)
    }

    /// Runs the module over at most so many batches that gave something; none if nothing came out.
    pub(crate) fn respond(&mut self, log: &Log, batches_max: usize) -> Option<Response> {
        if self.is_silent {
            return None;
        }
        let mut response: Option<Response> = None;
        let (mut bytes, mut batches) = (0, 0);
        while let Some(batch) = self.stored(log).filter(|_| batches < batches_max) {
            if response
                .as_ref()
                .is_some_and(|response| response.epoch != Some(batch.epoch))
            {
                break;
            }
            let mut outputs = self.module.run(batch);
            bytes += outputs.iter().map(Vec::len).sum::<usize>();
            if bytes > self.bytes_max {
                if response.is_some() {
                    break; // It has run, and is run again for the next response.
                }
                (self.next, bytes) = (self.next + 1, 0);
                continue;
            }
            self.next += 1;
            if !outputs.is_empty() {
                batches += 1;
                let epoch = Some(batch.epoch);
                let response = response.get_or_insert(Response {
                    outputs: Vec::new(),
                    epoch,
                });
                response.outputs.append(&mut outputs);
            }
        }
        response
    }
}
