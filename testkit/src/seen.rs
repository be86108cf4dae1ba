//! A record of either side.

use bytes::Bytes;

/// A record as a client reads it, without its offset, which differs by Kafka's transaction markers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// Name and value, in order.
    pub headers: Vec<(Option<Bytes>, Option<Bytes>)>,
}
