//! What a SmartModule's outputs must be: held against a module's before it replaces another one.
//!
//! The outputs themselves may be others than those of the module before; that is why one changes it. What
//! must stay is what a stream relies on: each output names the record it is of, none is missing, and the
//! stream can go on from any commit. The last word has the decoder of a running stream.

use std::collections::BTreeMap;
use std::fmt;

use domain::record::{Counted, source_and_seq};
use domain::reject::cut;
use domain::window::RECORDS_BETWEEN_OUTPUTS_MAX;
use domain::{Body, Record, SplitEvent, SplitOutput, WindowOutput};
use serde::Deserialize;

use crate::batch::{Batch, Decoder};
use crate::config::SinkConfig;
use crate::cursor::Cursor;
use crate::module::Module;
use crate::session::params;
use crate::stream_key::StreamKey;

/// An output is quoted up to here (chosen: some more than the longest one of the project's modules for one
/// record).
const QUOTED_CHARS_MAX: usize = 600;
/// So many outputs are quoted (chosen: one more than any record may give).
const QUOTED_MAX: usize = 3;

/// The outputs of one stream, as they come, held to what the sink takes.
///
/// Nothing is written: the stream's partition is one that is made up.
#[derive(Debug)]
pub struct OutputContract {
    key: StreamKey,
    cursor: Cursor,
    decoder: Decoder,
}

/// What a record gave, and what it must give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it gives {found}; expected: {expected}")]
pub struct ContractViolation {
    /// Of the record.
    pub offset: i64,
    /// The outputs, cut where they are long.
    pub found: String,
    /// Also where outputs may be others than those of the module before.
    pub expected: String,
}

impl OutputContract {
    /// Begins a stream of the module at an offset.
    #[must_use]
    pub fn new(module: Module, next_offset: i64) -> Self {
        let key = StreamKey {
            topic: "trial".to_owned(),
            partition: 0,
            module,
        };
        let cursor = Cursor {
            next_offset,
            ..Cursor::default()
        };
        Self::resume(key, cursor)
    }

    /// The stream as it goes on when it is opened again, now.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self::resume(self.key.clone(), self.cursor.clone())
    }

    fn resume(key: StreamKey, cursor: Cursor) -> Self {
        let decoder = Decoder::resume(key.clone(), &cursor, Vec::new());
        Self {
            key,
            cursor,
            decoder,
        }
    }

    /// The parameters with which the module is started here.
    #[must_use]
    pub fn params(&self) -> Vec<(String, String)> {
        params(&self.key, &SinkConfig::default(), &self.cursor)
    }

    /// Takes what the module made of one stored batch, which begins at `base_offset`.
    ///
    /// # Errors
    /// The first record whose outputs a stream could not store.
    pub fn take<R: AsRef<[u8]>, O: AsRef<[u8]>>(
        &mut self,
        base_offset: i64,
        records: &[R],
        outputs: &[O],
    ) -> Result<(), ContractViolation> {
        let mut left = outputs;
        let mut offset = base_offset;
        for record in records {
            let count = left
                .iter()
                .take_while(|output| offset_of(output.as_ref()) == Some(offset))
                .count();
            let (own, later) = left.split_at(count);
            let own: Vec<_> = own.iter().map(AsRef::as_ref).collect();
            let end = base_offset + records.len() as i64;
            let is_of_later = |output: &[u8]| {
                offset_of(output).is_some_and(|named| (offset + 1..end).contains(&named))
            };
            let next = later.first().map(AsRef::as_ref);
            let next = next.filter(|output| !is_of_later(output));
            self.take_of(offset, record.as_ref(), &own, next)?;
            left = later;
            offset += 1;
        }
        match left {
            [] => Ok(()),
            strays => Err(violation(
                offset - 1,
                strays.iter().map(AsRef::as_ref),
                "outputs of the batch's records only, in the order of \"offset\"",
            )),
        }
    }

    /// Takes what one record gave; `next` is the output behind, if it is of no record of the batch.
    fn take_of(
        &mut self,
        offset: i64,
        record: &[u8],
        own: &[&[u8]],
        next: Option<&[u8]>,
    ) -> Result<(), ContractViolation> {
        let is_stored = offset < self.cursor.next_offset;
        let (source, seq) = source_and_seq(record);
        let identity = Identity {
            offset,
            source: &source,
            seq,
        };
        let expected = match self.key.module {
            // The broker runs a stored batch from its start: the sink drops what it has.
            Module::TripSplit if is_stored => return Ok(()),
            Module::DockWindow if is_stored && own.is_empty() => return Ok(()),
            Module::DockWindow if is_stored => {
                let next_offset = self.cursor.next_offset;
                Some(format!(
                    "nothing, since parameter \"next_offset\" was {next_offset}"
                ))
            }
            Module::TripSplit => expected_of_split(&identity, own),
            Module::DockWindow => self.expected_of_windows(&identity, record, own),
        };
        if let Some(expected) = expected {
            let found = own.iter().copied().chain(next);
            return Err(violation(offset, found, expected));
        }
        self.decode(own)
            .map_err(|reason| violation(offset, own.iter().copied(), reason))
    }

    /// What the module's outputs for a record lack; none if they are as they must be.
    fn expected_of_windows(
        &self,
        identity: &Identity<'_>,
        record: &[u8],
        own: &[&[u8]],
    ) -> Option<String> {
        let from = self.cursor.next_offset;
        let since = identity.offset - from + 1;
        let [output] = own else {
            let why = match own {
                [] if is_answered(record) => "since a producer's last record is such a one",
                [] if since >= RECORDS_BETWEEN_OUTPUTS_MAX.cast_signed() => {
                    "since the last one was so many records before"
                }
                [] => return None,
                _ => "not more",
            };
            return Some(format!("one output with {identity}, {why}"));
        };
        match serde_json::from_slice(output) {
            Ok(WindowOutput::Counted(counted)) if identity.is_of_window(&counted, from) => None,
            Ok(WindowOutput::Counted(_)) => Some(format!("\"from\":{from} and {identity}")),
            Ok(WindowOutput::Gap { .. }) => Some("no gap, for no record is missing".to_owned()),
            Err(error) => Some(format!("an output of `dock-window`: {error}")),
        }
    }

    /// Has the decoder of a stream take the outputs, and moves the cursor.
    fn decode(&mut self, own: &[&[u8]]) -> Result<(), String> {
        let values = own.iter().copied();
        let failed = |error: crate::SinkError| error.chain();
        match &mut self.decoder {
            Decoder::Split(decoder) => {
                let chunk = decoder.decode(values, None).map_err(failed)?;
                self.advance(Batch::Split(vec![chunk]));
            }
            Decoder::Windows(decoder) => {
                let chunk = decoder.decode(values, None).map_err(failed)?;
                self.advance(Batch::Windows(chunk));
            }
        }
        Ok(())
    }

    fn advance(&mut self, batch: Batch) {
        let sources = match batch {
            Batch::Split(chunks) => chunks.into_iter().flat_map(|chunk| chunk.sources).collect(),
            Batch::Windows(chunk) => {
                let state = chunk
                    .state
                    .map(|state| serde_json::json!(state).to_string());
                self.cursor.state = state.or_else(|| self.cursor.state.take());
                chunk.sources
            }
        };
        let mut seen: BTreeMap<_, _> = std::mem::take(&mut self.cursor.sources)
            .into_iter()
            .collect();
        seen.extend(sources);
        self.cursor.sources = seen.into_iter().collect();
        self.cursor.next_offset = self.decoder.next_offset();
    }
}

/// What an output says of the record that it is of.
#[derive(Debug)]
struct Identity<'a> {
    offset: i64,
    source: &'a str,
    seq: u64,
}

impl Identity<'_> {
    fn is_of_split(&self, output: &SplitOutput<'_>) -> bool {
        (output.offset, &*output.source, output.seq) == (self.offset, self.source, self.seq)
    }

    fn is_of_window(&self, counted: &Counted, from: i64) -> bool {
        // A module need not say which record it is, only where.
        let source = counted.source.as_deref();
        let is_same = source.is_none_or(|source| (source, counted.seq) == (self.source, self.seq));
        (counted.offset, counted.from) == (self.offset, from) && is_same
    }
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            offset,
            source,
            seq,
        } = self;
        write!(
            f,
            "\"offset\":{offset}, \"source\":{source:?} and \"seq\":{seq}"
        )
    }
}

/// What the outputs of `trip-split` for a record lack; none if they are as they must be.
fn expected_of_split(identity: &Identity<'_>, own: &[&[u8]]) -> Option<String> {
    let parsed: Result<Vec<SplitOutput<'_>>, _> = own
        .iter()
        .map(|output| serde_json::from_slice(output))
        .collect();
    let outputs = match parsed {
        Ok(outputs) => outputs,
        Err(error) => return Some(format!("outputs of `trip-split`: {error}")),
    };
    let is_one = match &*outputs {
        [departure, arrival] => matches!(
            (&departure.event, &arrival.event),
            (SplitEvent::Departure(_), SplitEvent::Arrival(_))
        ),
        [output] => !matches!(
            output.event,
            SplitEvent::Departure(_) | SplitEvent::Arrival(_)
        ),
        _ => false,
    };
    if is_one && outputs.iter().all(|output| identity.is_of_split(output)) {
        return None;
    }
    Some(format!(
        "a departure and its arrival, or one output that is neither, with {identity}"
    ))
}

/// Whether `dock-window` gives an output for this record whatever it counted.
fn is_answered(record: &[u8]) -> bool {
    let record = Record::from_json(record);
    record.is_ok_and(|record| matches!(record.body, Body::Tick(_) | Body::Reject(_)))
}

/// The record that an output names, if it is JSON that names one.
fn offset_of(output: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Named {
        offset: i64,
    }
    let named: Named = serde_json::from_slice(output).ok()?;
    Some(named.offset)
}

fn violation<'a>(
    offset: i64,
    found: impl Iterator<Item = &'a [u8]>,
    expected: impl Into<String>,
) -> ContractViolation {
    let found = found.take(QUOTED_MAX).map(quoted).collect::<Vec<_>>();
    ContractViolation {
        offset,
        found: match &*found {
            [] => "nothing".to_owned(),
            found => found.join(", "),
        },
        expected: expected.into(),
    }
}

fn quoted(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).replace(char::is_control, "\u{fffd}");
    format!("`{}`", cut(&text, QUOTED_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use domain::Windows;
    use domain::record::WindowState;
    use domain::window::WindowConfig;
    use expect_test::expect;

    use super::*;

    const BASE_OFFSET: i64 = 7;

    fn records() -> Vec<Vec<u8>> {
        let dock = |id| format!(r#"{{"station_id":"{id}","street":"A St","lat":40.7,"lon":-74}}"#);
        let trip = |seq: u64| {
            format!(
                r#"{{"source":"a#1","seq":{seq},"trip":{{"departed_at":"2020-03-01T05:14:{:02}Z","from":{},"arrived_at":"2020-03-01T06:00:00Z","to":{}}}}}"#,
                seq * 4,
                dock(1),
                dock(2)
            )
        };
        let tick = r#"{"source":"a#1","seq":6,"tick":"2020-03-01T05:15:00Z"}"#.to_owned();
        let reject =
            r#"{"source":"a#1","seq":6,"reject":{"file":"a","line":3,"reason":"no","row":""}}"#;
        let mut records: Vec<_> = (0..6).map(trip).collect();
        records.extend([trip(2), tick, "junk".to_owned(), reject.to_owned()]);
        records.into_iter().map(String::into_bytes).collect()
    }

    /// What the project's own rules make of the records.
    fn outputs(module: Module) -> Vec<Vec<u8>> {
        let records = records();
        let records = (BASE_OFFSET..).zip(&records);
        match module {
            Module::TripSplit => records
                .flat_map(|(offset, record)| domain::split(offset, record))
                .map(|output| output.to_json())
                .collect(),
            Module::DockWindow => {
                let state = WindowState::default();
                let mut windows = Windows::resume(WindowConfig::default(), BASE_OFFSET, state, []);
                records
                    .filter_map(|(offset, record)| Some(windows.push(offset, record)?.to_json()))
                    .collect()
            }
        }
    }

    fn take(module: Module, outputs: &[Vec<u8>]) -> Result<(), ContractViolation> {
        OutputContract::new(module, BASE_OFFSET).take(BASE_OFFSET, &records(), outputs)
    }

    #[test]
    fn what_the_rules_make_keeps_the_contract() {
        for module in Module::ALL {
            take(module, &outputs(module)).unwrap();
        }
    }

    #[test]
    fn any_output_left_out_given_twice_or_out_of_order_breaks_it() {
        for module in Module::ALL {
            let outputs = outputs(module);
            for index in 0..outputs.len() - 1 {
                let mut without = outputs.clone();
                without.remove(index);
                take(module, &without).unwrap_err();
                let mut twice = outputs.clone();
                twice.insert(index, outputs[index].clone());
                take(module, &twice).unwrap_err();
                let mut swapped = outputs.clone();
                swapped.swap(index, index + 1);
                take(module, &swapped).unwrap_err();
            }
        }
    }

    #[test]
    fn a_stream_that_goes_on_takes_the_rest_of_a_batch_and_nothing_of_it_twice() {
        let records = records();
        let half = BASE_OFFSET + 8;
        for module in Module::ALL {
            let outputs = outputs(module);
            let first = outputs.iter().filter(|it| offset_of(it) < Some(half));
            let first: Vec<_> = first.collect();
            let mut contract = OutputContract::new(module, BASE_OFFSET);
            contract.take(BASE_OFFSET, &records[..8], &first).unwrap();
            let rest = &outputs[first.len()..];
            contract
                .reopened()
                .take(BASE_OFFSET, &records, rest)
                .unwrap();
            // The sink drops departures that it has; of windows it would not know what is in them.
            let all = contract.reopened().take(BASE_OFFSET, &records, &outputs);
            assert_eq!(all.is_ok(), module == Module::TripSplit);
        }
    }

    #[test]
    fn a_violation_says_what_came_and_what_was_expected() {
        let mut outputs = outputs(Module::TripSplit);
        outputs.remove(1);
        let violation = take(Module::TripSplit, &outputs).unwrap_err();
        expect![[r#"it gives `{"offset":7,"source":"a#1","seq":0,"departure":{"at":"2020-03-01T05:14:00Z","station":{"station_id":"1","street":"A St","lat":40.7,"lon":-74.0}}}`; expected: a departure and its arrival, or one output that is neither, with "offset":7, "source":"a#1" and "seq":0"#]].assert_eq(&violation.to_string());
        let violation = take(Module::DockWindow, &[]).unwrap_err();
        expect![[r#"14: it gives nothing; expected: one output with "offset":14, "source":"a#1" and "seq":6, since a producer's last record is such a one"#]].assert_eq(&format!("{}: {violation}", violation.offset));
    }
}
