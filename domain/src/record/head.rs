//! The beginning of a record: which row it is, without reading the row.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{Body, Record};
use crate::EventTime;

/// Whose record it is, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHead<'a> {
    /// As [`Record::source`].
    pub source: Cow<'a, str>,
    /// As [`Record::seq`].
    pub seq: u64,
    /// The replay clock, if the record is a tick.
    pub tick: Option<EventTime>,
}

impl<'a> RecordHead<'a> {
    /// Reads the head of a record; none if it is no record of topic `trips`.
    ///
    /// As the producer writes them, records begin with source and seq, and what follows is not looked
    /// at; anything else is read in full.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Self::read_start(bytes).or_else(|| Self::read_in_full(bytes))
    }

    /// The first `seq` that is not there if this is the source's last record.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        match self.tick {
            Some(_) => self.seq,
            None => self.seq.saturating_add(1),
        }
    }

    fn read_start(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"{\"source\":\"")?;
        let quote = rest.iter().position(|&b| b == b'"' || b == b'\\')?;
        let (source, rest) = rest.split_at(quote);
        let rest = rest.strip_prefix(b"\",\"seq\":")?;
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (seq, rest) = rest.split_at(digits);
        let tick = match rest.strip_prefix(b",\"tick\":\"") {
            Some(rest) => Some(read_time(rest.strip_suffix(b"\"}")?)?),
            None => None,
        };
        Some(Self {
            source: Cow::Borrowed(std::str::from_utf8(source).ok()?),
            seq: std::str::from_utf8(seq).ok()?.parse().ok()?,
            tick,
        })
    }

    fn read_in_full(bytes: &[u8]) -> Option<Self> {
        let record = Record::from_json(bytes).ok()?;
        let tick = match record.body {
            Body::Tick(at) => Some(EventTime::from(at)),
            _ => None,
        };
        Some(Self {
            source: Cow::Owned(record.source),
            seq: record.seq,
            tick,
        })
    }
}

fn read_time(text: &[u8]) -> Option<EventTime> {
    let at: DateTime<Utc> = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(EventTime::from(at))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(value: &str, expected: Expect) {
        let text = match RecordHead::read(value.as_bytes()) {
            Some(head) => {
                let tick = head.tick.map(EventTime::as_micros);
                format!("{} {} {tick:?}", head.source, head.seq)
            }
            None => "no record".to_owned(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn source_seq_and_tick_are_read() {
        check(
            r#"{"source":"a b.csv#5f0c","seq":17,"trip":{"bike_id":…"#,
            expect!["a b.csv#5f0c 17 None"],
        );
        check(
            r#"{"source":"a.csv#5f0c","seq":17,"tick":"1970-01-01T00:00:02.500Z"}"#,
            expect!["a.csv#5f0c 17 Some(2500000)"],
        );
    }

    #[test]
    fn another_writers_order_and_escapes_are_understood() {
        check(
            r#"{"seq":17, "tick":"1970-01-01T00:00:02Z", "source":"a\"b.csv#5f0c"}"#,
            expect![[r#"a"b.csv#5f0c 17 Some(2000000)"#]],
        );
        check(
            r#"{"source":"a\\b.csv#5f0c","seq":3,"reject":{"file":"f","line":1,"reason":"r","row":""}}"#,
            expect![[r"a\b.csv#5f0c 3 None"]],
        );
    }

    #[test]
    fn what_is_no_record_is_left_alone() {
        check("hello", expect!["no record"]);
        check(r#"{"source":"a","seq":-1,"trip":{}}"#, expect!["no record"]);
        check(r#"{"source":"a"}"#, expect!["no record"]);
    }
}
