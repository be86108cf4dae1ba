//! Whether a log is still the one that was read.
//!
//! A cursor is a number, and the same number stands for other records in a log that was created
//! anew, that lost its tail and grew again, or that lies in another data folder. So a cursor keeps
//! what the record before it is known by: the leader epoch under which the broker stored it (the
//! embedded broker takes a new one at each start and for each topic, as Kafka does), its source and
//! its `seq`. Whenever a stream is opened, that record is read from the log once more and compared.

use domain::Position;
use partition_client::{Cluster, OffsetRange, PartitionClient};

use crate::cursor::Cursor;
use crate::error::SinkError;
use crate::last_record::LastRecord;
use crate::stream_key::StreamKey;

/// Reads the record before the cursor from the log and compares it with what was stored; gives the
/// log's range.
///
/// # Errors
/// As [`compare`]; [`SinkError::Broker`] if the broker does not respond.
pub(crate) async fn check(
    cluster: &Cluster,
    key: &StreamKey,
    cursor: &Cursor,
) -> Result<OffsetRange, SinkError> {
    let mut client = PartitionClient::open(cluster, key.topic_partition()).await?;
    let range = client.offset_range().await?;
    // Deleted by retention, or stored by an older version: there is nothing to compare.
    if cursor.next_offset <= range.start || cursor.last.is_none() {
        return compare(key, cursor, range, None).map(|()| range);
    }
    let found = match client.record_at(cursor.next_offset - 1).await {
        Ok((epoch, value)) => Some(LastRecord::of(epoch, &value)),
        // A broker refuses to read beyond its log's end.
        Err(_) if cursor.next_offset > range.end => None,
        Err(error) => return Err(error.into()),
    };
    compare(key, cursor, range, found.as_ref()).map(|()| range)
}

/// Compares a cursor with the log that has `found` before it.
///
/// # Errors
/// [`SinkError::OtherLog`] if that is not the record that was stored, [`SinkError::BeyondEnd`] if the
/// log has none at that offset, [`SinkError::Deleted`] if the log no longer has what comes next,
/// [`SinkError::Broker`] if the log is the right one but its leader has not committed so far yet.
pub fn compare(
    key: &StreamKey,
    cursor: &Cursor,
    range: OffsetRange,
    found: Option<&LastRecord>,
) -> Result<(), SinkError> {
    let compared = cursor.last.as_ref().zip(found);
    if let Some((stored, found)) = compared.filter(|(stored, found)| !found.is_same(stored)) {
        return Err(SinkError::OtherLog {
            position: key.at(cursor.next_offset),
            stored: stored.to_string(),
            found: found.to_string(),
        });
    }
    let in_range = check_range(&key.at(cursor.next_offset), range);
    match in_range {
        // A leader that has just started may not know yet how far its log is committed.
        Err(SinkError::BeyondEnd { end, .. }) if compared.is_some() => {
            let next_offset = cursor.next_offset;
            let source = anyhow::anyhow!("it is committed up to {end}, {next_offset} is stored");
            Err(SinkError::broker(format!("go on with {key}"), source))
        }
        in_range => in_range,
    }
}

fn check_range(position: &Position, range: OffsetRange) -> Result<(), SinkError> {
    if position.offset > range.end {
        return Err(SinkError::BeyondEnd {
            position: position.clone(),
            end: range.end,
        });
    }
    if position.offset < range.start {
        return Err(SinkError::Deleted {
            position: position.clone(),
            start: range.start,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::last_record::tests::last;
    use crate::module::Module;

    fn compared_text(next_offset: i64, range: std::ops::Range<i64>, found: Option<u64>) -> String {
        let key = StreamKey {
            topic: "trips".to_owned(),
            partition: 1,
            module: Module::TripSplit,
        };
        let cursor = Cursor {
            next_offset,
            last: Some(last(None, "a.csv#1", 4)),
            ..Cursor::default()
        };
        let (start, end) = (range.start, range.end);
        let found = found.map(|seq| last(None, "a.csv#1", seq));
        match compare(&key, &cursor, OffsetRange { start, end }, found.as_ref()) {
            Ok(()) => "goes on".to_owned(),
            Err(error) if error.is_log_mismatch() => error.cause(),
            Err(error) => error.chain(),
        }
    }

    #[test]
    fn a_stream_goes_on_only_where_the_log_has_the_record_that_was_stored_last() {
        let judgements = [
            compared_text(9, 0..20, Some(4)),
            compared_text(9, 0..9, Some(4)),
            compared_text(9, 9..20, None),
            compared_text(9, 0..20, Some(5)),
            compared_text(9, 0..8, Some(5)),
            compared_text(9, 0..8, Some(4)),
            compared_text(9, 0..8, None),
            compared_text(9, 10..20, None),
        ];
        expect![[r#"
            goes on
            goes on
            goes on
            trips/1@9: this log is not the one that the tables were filled from: the last record stored was row 4 of "a.csv#1", the log has row 5 of "a.csv#1" in its place.
            trips/1@9: this log is not the one that the tables were filled from: the last record stored was row 4 of "a.csv#1", the log has row 5 of "a.csv#1" in its place.
            could not go on with trips/1 trip-split: it is committed up to 8, 9 is stored
            trips/1@9: the log ends at 8, before what is stored: it was created anew, or lost its tail.
            trips/1@9: the log starts at 10: records before it were deleted unread."#]]
        .assert_eq(&judgements.join("\n"));
    }
}
