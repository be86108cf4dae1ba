//! How the sink reads and writes; each default in its field's comment.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use domain::window::WIDTH;

use crate::archive::Archive;

/// All settings of the sink.
#[derive(Clone)]
pub struct SinkConfig {
    /// Topic to read. Default: `trips`.
    pub topic: String,
    /// Where the tables are, as a `postgres://` URL. May hold a password: never logged.
    pub database_url: String,
    /// Name of this process among the sinks of the database; no two may have the same. Default:
    /// `sink-<process id>-<random>`.
    pub member: String,
    /// How often this process says that it lives, and looks whether the others do. Default: 500 ms.
    pub heartbeat_interval: Duration,
    /// Silence after which the others take a process for dead though it holds its connection. Default: 2 s,
    /// so that the partitions of one that is frozen go on elsewhere within 5 s.
    pub session_timeout: Duration,
    /// Width of a window. Default: 5 s.
    pub window: Duration,
    /// How far a departure may lie behind the newest one and still count in time. Default: 0 s.
    pub lateness: Duration,
    /// Events that one transaction takes at most, give or take one response of the broker.
    /// Default: 20,000.
    pub batch_rows_max: usize,
    /// How long a small batch waits for more. Default: 4 ms, so that a commit serves several
    /// responses of the broker and the page is still fresh.
    pub linger: Duration,
    /// Most output bytes in one response of the broker. Default: 2 MiB, six times what a full batch of
    /// the producer's gives; each of six streams holds a response, and the client zeroes a buffer of
    /// that size with every read. The broker skips a stored batch whose output is larger: then the
    /// stream requests more, and only a second gap at the same offset stops the partition.
    pub fetch_bytes_max: i32,
    /// Output bytes after which a stream is closed and opened again at a commit. Default: 48 MiB:
    /// the broker frees what a module wrote only with its stream, so that three partitions and two
    /// modules take 300 MB there; a stream of 690 MB was seen to end in silence.
    pub stream_bytes_max: u64,
    /// How long a stream may be silent while the log goes on. Default: 30 s: a broker compiles the
    /// module for each stream that is opened, and for all partitions at once that has taken 6 s on
    /// a busy machine of 2 cores. A stream closed before it is ready never is.
    pub silence_max: Duration,
    /// First and longest backoff before a retry. Default: 50 ms to 5 s.
    pub retry: (Duration, Duration),
    /// How long a cursor beyond the end of the log is waited for. Default: 10 s.
    pub beyond_end_max: Duration,
    /// What to do if log and tables do not belong together. Default: stop.
    pub on_other_log: OtherLog,
    /// Longest wait for a response of Postgres. Default: 60 s: a batch takes milliseconds, unless
    /// somebody else holds a lock.
    pub database_max: Duration,
    /// How long a transaction under way may go on after the sink was stopped. Default: 3 s.
    pub stop_max: Duration,
    /// Least and longest pause between two publishes of the availability. Default: 10 ms to 1 s.
    pub publish_interval: (Duration, Duration),
    /// How often the tables are checked for rows of other sink processes. Default: 1 s.
    pub poll_interval: Duration,
    /// Events read and time passed after which the availability is saved. Default: 500,000, 30 s.
    pub checkpoint: (u64, Duration),
    /// How far ahead of the slowest partition rows are read into memory. Default: 15 min of event
    /// time.
    pub ahead_max: Duration,
    /// How often the cluster is polled for a changed SmartModule. Default: 1 s.
    pub module_poll: Duration,
    /// How long rows are kept. Default: for ever.
    pub keep: Keep,
    /// Where months are written before they are dropped. Default: nowhere.
    pub archive: Option<Archive>,
    /// How often what is older is looked for. Default: 10 s.
    pub retention_interval: Duration,
}

/// How long rows are kept: at least so long, in event time before the city's clock; none: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Tables `records` and `dock_status`, which go by whole months (UTC).
    pub records: Option<Duration>,
    /// Tables `frequency` and `past_period`, where the page looks back; never shorter than `records`.
    pub past: Option<Duration>,
}

impl Keep {
    /// How long windows and the past are kept, where that is known: windows are what `records` says.
    pub(crate) fn past(self) -> Option<Duration> {
        let (records, past) = self.records.zip(self.past)?;
        Some(records.max(past))
    }
}

/// What to do at the start if the log is not the one that was read into the tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OtherLog {
    /// Fail, and change nothing.
    #[default]
    Stop,
    /// Empty the tables and read the log from its start.
    Rebuild,
    /// Keep the tables and take what the log has that they have not; what is missing between them is
    /// named in table `log_gap`.
    Continue,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            topic: "trips".to_owned(),
            database_url: "postgres://localhost/bikeshare".to_owned(),
            member: unique_name(),
            heartbeat_interval: Duration::from_millis(500),
            session_timeout: Duration::from_secs(2),
            window: WIDTH.to_std().unwrap_or_default(),
            lateness: Duration::ZERO,
            batch_rows_max: 20_000,
            linger: Duration::from_millis(4),
            fetch_bytes_max: 2 << 20,
            stream_bytes_max: 48 << 20,
            silence_max: Duration::from_secs(30),
            retry: (Duration::from_millis(50), Duration::from_secs(5)),
            beyond_end_max: Duration::from_secs(10),
            on_other_log: OtherLog::Stop,
            database_max: Duration::from_secs(60),
            stop_max: Duration::from_secs(3),
            publish_interval: (Duration::from_millis(10), Duration::from_secs(1)),
            poll_interval: Duration::from_secs(1),
            checkpoint: (500_000, Duration::from_secs(30)),
            ahead_max: Duration::from_secs(15 * 60),
            module_poll: Duration::from_secs(1),
            keep: Keep::default(),
            archive: None,
            retention_interval: Duration::from_secs(10),
        }
    }
}

/// A name that no other process has: in containers all have the same process id.
fn unique_name() -> String {
    let process = std::process::id();
    // The standard library's own random keys.
    let random = RandomState::new().hash_one(process) & 0xff_ffff;
    format!("sink-{process}-{random:06x}")
}

impl fmt::Debug for SinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkConfig")
            .field("topic", &self.topic)
            .field("member", &self.member)
            .field("window", &self.window)
            .field("lateness", &self.lateness)
            .field("batch_rows_max", &self.batch_rows_max)
            .field("linger", &self.linger)
            .field("fetch_bytes_max", &self.fetch_bytes_max)
            .field("stream_bytes_max", &self.stream_bytes_max)
            .finish_non_exhaustive()
    }
}
