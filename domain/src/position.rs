//! Where a record stands: topic, partition and offset together.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a topic; displays as `trips/0@12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The topic's name.
    pub topic: String,
    /// The partition, counted from 0.
    pub partition: u32,
    /// The record's offset in the partition, counted from 0.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}
