//! Outputs of `dock-window` → rows of `frequency`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::record::{Counted, WindowState};
use domain::{Sources, WindowOutput};

use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::last_record::LastRecord;
use crate::storable::storable;
use crate::stream_key::StreamKey;

/// Windows of one response of the broker, ready to be written; later chunks are merged into it.
#[derive(Debug, Default)]
pub struct WindowChunk {
    /// Departures of windows that closed: absolute, of this partition, by start.
    pub closed: BTreeMap<DateTime<Utc>, u64>,
    /// Departures that came after their window had closed: increments, by start.
    pub late: BTreeMap<DateTime<Utc>, u64>,
    pub sources: Vec<(String, u64)>,
    /// The record before `next_offset`; none if there was no output.
    pub last: Option<LastRecord>,
    /// The module's state after the last output; none if there was no output.
    pub state: Option<WindowState>,
    /// Everything before it is counted.
    pub next_offset: i64,
}

impl WindowChunk {
    /// Takes in what came after this chunk.
    pub fn append(&mut self, later: Self) {
        self.closed.extend(later.closed);
        for (start, count) in later.late {
            *self.late.entry(start).or_default() += count;
        }
        self.sources.extend(later.sources);
        self.last = later.last.or_else(|| self.last.take());
        self.state = later.state.or_else(|| self.state.take());
        self.next_offset = later.next_offset;
    }

    /// Departures that came after their window had closed.
    pub fn late_events(&self) -> u64 {
        self.late.values().sum()
    }
}

/// Turns outputs into windows; the module itself sees to it that no record is missing.
#[derive(Debug)]
pub struct WindowDecoder {
    key: StreamKey,
    next_offset: i64,
    sources: Sources,
}

impl WindowDecoder {
    pub fn resume(key: StreamKey, cursor: &Cursor) -> Self {
        let sources = Sources::resume(cursor.sources.iter().cloned());
        Self {
            key,
            next_offset: cursor.next_offset,
            sources,
        }
    }

    /// The first record not counted yet.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Turns the outputs of one response into windows.
    ///
    /// # Errors
    /// [`SinkError::Gap`] if the module missed records, [`SinkError::Output`] if an output is not
    /// one.
    pub fn decode<'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a [u8]>,
        epoch: Option<i32>,
    ) -> Result<WindowChunk, SinkError> {
        let mut chunk = WindowChunk {
            next_offset: self.next_offset,
            ..WindowChunk::default()
        };
        for value in values {
            let output: WindowOutput =
                serde_json::from_slice(value).map_err(|error| self.unusable(error))?;
            match output {
                WindowOutput::Counted(counted) => self.push(counted, epoch, &mut chunk)?,
                WindowOutput::Gap { offset, gap } => {
                    return Err(SinkError::Gap {
                        position: self.key.at(offset),
                        expected: gap.expected,
                    });
                }
            }
        }
        chunk.sources = self.sources.take_changed();
        Ok(chunk)
    }

    fn push(
        &mut self,
        counted: Counted,
        epoch: Option<i32>,
        chunk: &mut WindowChunk,
    ) -> Result<(), SinkError> {
        let Counted { offset, from, .. } = counted;
        if offset < self.next_offset || from > offset {
            let text = format!("offsets {from} to {offset} were counted before");
            return Err(self.unusable(text));
        }
        // An output that got lost on its way would take its windows with it.
        if from != self.next_offset {
            return Err(SinkError::Gap {
                position: self.key.at(from),
                expected: self.next_offset,
            });
        }
        let mut later = WindowChunk {
            closed: counted.closed.into_iter().collect(),
            last: counted.source.map(|source| LastRecord {
                epoch,
                source: storable(&source),
                seq: counted.seq,
            }),
            state: Some(counted.state),
            next_offset: offset + 1,
            ..WindowChunk::default()
        };
        for (start, count) in counted.late {
            *later.late.entry(start).or_default() += count;
        }
        for (source, seq) in counted.seen {
            self.sources.admit(&source, seq);
        }
        self.next_offset = later.next_offset;
        chunk.append(later);
        Ok(())
    }

    fn unusable(&self, reason: impl ToString) -> SinkError {
        SinkError::Output {
            position: self.key.at(self.next_offset),
            module: self.key.module.name(),
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::module::Module;

    fn check(outputs: &[&str], expected: Expect) {
        let key = StreamKey {
            topic: "trips".to_owned(),
            partition: 0,
            module: Module::DockWindow,
        };
        let mut decoder = WindowDecoder::resume(key, &Cursor::default());
        let shown = match decoder.decode(outputs.iter().map(|output| output.as_bytes()), None) {
            Ok(chunk) => {
                let windows = |windows: &BTreeMap<DateTime<Utc>, u64>| {
                    let window = |(start, count): (&DateTime<Utc>, &u64)| {
                        format!("{}={count}", start.format("%T"))
                    };
                    windows.iter().map(window).collect::<Vec<_>>().join(" ")
                };
                format!(
                    "closed {}, late {}, seen {:?}, next {}",
                    windows(&chunk.closed),
                    windows(&chunk.late),
                    chunk.sources,
                    chunk.next_offset
                )
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn outputs_of_one_response_are_added_up() {
        check(
            &[
                r#"{"offset":3,"from":0,"closed":[["2020-03-01T05:14:05Z",3]],"seen":[["a#1",3]],"state":{}}"#,
                r#"{"offset":5,"from":4,"closed":[],"late":[["2020-03-01T05:14:05Z",1]],"seen":[["a#1",5]],"state":{}}"#,
                r#"{"offset":6,"from":6,"closed":[],"late":[["2020-03-01T05:14:05Z",1]],"seen":[["b#2",0]],"state":{}}"#,
            ],
            expect![[
                r#"closed 05:14:05=3, late 05:14:05=2, seen [("a#1", 5), ("b#2", 0)], next 7"#
            ]],
        );
    }

    #[test]
    fn a_gap_that_the_module_saw_is_an_error() {
        check(
            &[r#"{"offset":99,"gap":{"expected":57}}"#],
            expect![
                "trips/0@99: records are missing, 57 should have come: the broker skipped them"
            ],
        );
    }

    #[test]
    fn an_output_that_was_lost_is_a_gap() {
        check(
            &[r#"{"offset":9,"from":5,"closed":[],"seen":[],"state":{}}"#],
            expect!["trips/0@5: records are missing, 0 should have come: the broker skipped them"],
        );
    }

    #[test]
    fn an_output_of_another_shape_is_refused() {
        check(
            &[r#"{"offset":9}"#],
            expect![
                "trips/0@0: module dock-window gave no usable output: it lacks `from` or `state`"
            ],
        );
    }
}
