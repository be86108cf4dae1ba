//! A record as both sides know it, with all that Kafka can say.

use bytes::Bytes;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

/// One record; what is none here is null in Kafka, and not the same as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands in its source; of a SmartModule's output, the first record that may have
    /// given it.
    pub offset: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// Milliseconds since 1970; none if it has no time.
    pub timestamp: Option<i64>,
    /// In order; a name may come more than once.
    pub headers: Vec<Header>,
}

/// One header of a Kafka record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub value: Option<Bytes>,
}

impl Record {
    /// As it came from Kafka.
    pub(crate) fn of_kafka(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            let each = headers.iter().map(|header| Header {
                name: header.key.to_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            });
            each.collect()
        });
        Self {
            offset: message.offset(),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            timestamp: message.timestamp().to_millis(),
            headers: headers.unwrap_or_default(),
        }
    }

    /// Whether both are the same record at the same place, headers aside.
    pub fn is(&self, other: &Self) -> bool {
        let of = |record: &Self| (record.offset, record.timestamp);
        of(self) == of(other) && self.key == other.key && self.value == other.value
    }

    /// About what it takes in memory and on the wire, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers: usize = headers.map(|h| h.name.len() + length(&h.value) + 4).sum();
        // A record's own fields take some 20 bytes.
        length(&self.key) + length(&self.value) + headers + 20
    }
}
