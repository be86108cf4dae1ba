//! The beginning of a record: which row it is, without reading the row.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

/// Whose record it is, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    pub(crate) source: Cow<'a, str>,
    pub(crate) seq: u64,
    /// Microseconds, if the record is a tick.
    pub(crate) tick: Option<i64>,
}

impl Head<'_> {
    /// The first `seq` that is not there if this is the source's last record.
    pub(crate) fn next_seq(&self) -> u64 {
        match self.tick {
            Some(_) => self.seq,
            None => self.seq.saturating_add(1),
        }
    }
}

/// Reads the head of a record; none if it is no record of topic `trips`.
///
/// As the producer writes them, records begin with source and seq; anything else is read in full.
pub(crate) fn head(value: &[u8]) -> Option<Head<'_>> {
    quick(value).or_else(|| in_full(value))
}

fn quick(value: &[u8]) -> Option<Head<'_>> {
    let rest = value.strip_prefix(b"{\"source\":\"")?;
    let quote = rest.iter().position(|&b| b == b'"' || b == b'\\')?;
    let (source, rest) = rest.split_at(quote);
    let rest = rest.strip_prefix(b"\",\"seq\":")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (seq, rest) = rest.split_at(digits);
    let tick = match rest.strip_prefix(b",\"tick\":\"") {
        Some(rest) => Some(time(rest.strip_suffix(b"\"}")?)?),
        None => None,
    };
    Some(Head {
        source: Cow::Borrowed(std::str::from_utf8(source).ok()?),
        seq: std::str::from_utf8(seq).ok()?.parse().ok()?,
        tick,
    })
}

fn time(text: &[u8]) -> Option<i64> {
    let at: DateTime<Utc> = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(at.timestamp_micros())
}

fn in_full(value: &[u8]) -> Option<Head<'_>> {
    let record = domain::Record::from_json(value).ok()?;
    let tick = match record.body {
        domain::Body::Tick(at) => Some(at.timestamp_micros()),
        _ => None,
    };
    Some(Head {
        source: Cow::Owned(record.source),
        seq: record.seq,
        tick,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(value: &str, expected: Expect) {
        let text = match head(value.as_bytes()) {
            Some(head) => format!("{} {} {:?}", head.source, head.seq, head.tick),
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
