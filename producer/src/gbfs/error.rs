//! What can be wrong with a feed, and what may help.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::url::FeedUrlError;

/// A poll that gave nothing; each error names the file by its address.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The server cannot be reached, or broke off.
    #[error("{url}: no response")]
    Unreachable {
        /// The file's address.
        url: String,
        /// The client's word.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered with another status than 200.
    #[error("{url}: the server answers {status}")]
    Status {
        /// The file's address.
        url: String,
        /// The answer's status.
        status: reqwest::StatusCode,
        /// When to ask again, where the server says so.
        retry_after: Option<Duration>,
    },
    /// The file has no end.
    #[error("{url}: larger than {bytes_max} bytes")]
    TooLarge {
        /// The file's address.
        url: String,
        /// The bound.
        bytes_max: usize,
    },
    /// The file is a web page, or broken.
    #[error("{url}: not JSON, it begins with {start:?}")]
    NotJson {
        /// The file's address.
        url: String,
        /// The first characters.
        start: String,
        /// Where it is broken.
        #[source]
        source: serde_json::Error,
    },
    /// The file is JSON of another shape.
    #[error("{url}: {reason}")]
    Shape {
        /// The file's address.
        url: String,
        /// What is missing or wrong.
        reason: String,
        /// The first characters.
        start: String,
    },
    /// The format's generation is not known here.
    #[error(
        "{url}: GBFS version {version:?} is not supported, only 2.x and 3.x are: ask the operator for \
         the address of a newer one, which often has the version in it, such as …/gbfs/2.3/gbfs.json; \
         https://gbfs.org lists systems"
    )]
    Version {
        /// The file's address.
        url: String,
        /// The version found.
        version: String,
    },
    /// The discovery file does not name a file that is needed.
    #[error("{url}: names no {name}")]
    MissingFile {
        /// The discovery file's address.
        url: String,
        /// The file's name.
        name: &'static str,
    },
    /// The discovery file names an address that must not be asked.
    #[error("{url}: names an address that is not asked")]
    Address {
        /// The discovery file's address.
        url: String,
        /// Which.
        #[source]
        source: FeedUrlError,
    },
    /// The feed tells a time that has not come yet.
    #[error(
        "{url}: its time {last_updated} is ahead of this machine's, {now}: one of the two clocks is \
         wrong, or the feed's time zone"
    )]
    Ahead {
        /// The file's address.
        url: String,
        /// The file's time.
        last_updated: DateTime<Utc>,
        /// This machine's, to the second.
        now: DateTime<Utc>,
    },
    /// The feed is older than what is known.
    #[error("{url}: goes back in time, from {clock} to {last_updated}")]
    Backwards {
        /// The file's address.
        url: String,
        /// The newest time seen.
        clock: DateTime<Utc>,
        /// The file's time.
        last_updated: DateTime<Utc>,
    },
}

impl FeedError {
    /// Whether the same question may be answered later without anybody's help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 408
            }
            _ => false,
        }
    }

    /// When the server wants to be asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The file and what it said, if it was read and cannot be used.
    pub(crate) fn content(&self) -> Option<(&str, &str)> {
        match self {
            Self::NotJson { url, start, .. } | Self::Shape { url, start, .. } => Some((url, start)),
            Self::Version { url, .. } | Self::Ahead { url, .. } | Self::Backwards { url, .. } => {
                Some((url, ""))
            }
            _ => None,
        }
    }
}
