//! What can go wrong on the way to the topic.

use std::time::Duration;

use domain::Position;
use domain::record_id::PARTITIONS_MAX;
use domain::source::Run;
use partition_client::ClientError;
use trip_files::TripFilesError;

/// A run that could not go on. A bad row is no error: it is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// The trip files cannot be read on.
    #[error(transparent)]
    Files(#[from] TripFilesError),
    /// The live feed cannot be used.
    #[error("cannot use the feed")]
    Feed(#[source] crate::gbfs::FeedError),
    /// A newer run polls the same feed into the same topic; readers take only what that one sends.
    #[error(
        "another producer of \"{feed}\" has taken over: its run {by} is newer than run {run} here; \
         let one of the two poll the feed"
    )]
    TakenOver {
        /// `gbfs:<system id>`
        feed: String,
        /// The run that ends.
        run: Run,
        /// The newer one.
        by: Run,
    },
    /// The topic cannot be reached or does not exist.
    #[error("cannot use topic \"{topic}\"")]
    Topic {
        /// The topic's name.
        topic: String,
        /// What the cluster says.
        #[source]
        source: Box<ClientError>,
    },
    /// The topic has more partitions than the key of a stored record can name.
    #[error(
        "topic \"{topic}\" has {partitions} partitions: records of at most {PARTITIONS_MAX} can be stored"
    )]
    TooManyPartitions {
        /// The topic's name.
        topic: String,
        /// How many it has.
        partitions: u32,
    },
    /// The end of a partition, where an earlier run stopped, cannot be read.
    #[error("cannot read back partition {at}")]
    Tail {
        /// The first offset that could not be read.
        at: Position,
        /// What the cluster says.
        #[source]
        source: Box<ClientError>,
    },
    /// Records could not be stored for so long that the run gave up.
    ///
    /// Nothing is lost: a new run goes on after the last record that is there.
    #[error("{records} records could not be stored at {at} within {} s", waited.as_secs())]
    Undelivered {
        /// How many records wait for this partition.
        records: usize,
        /// Where the first of them was to stand.
        at: Position,
        /// How long delivery was tried.
        waited: Duration,
        /// The last error of the cluster.
        #[source]
        source: Box<ClientError>,
    },
}
