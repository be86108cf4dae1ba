//! What one request, one client and all of them together may cost, and what happens beyond that.
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | a request's head | [`HEAD_BYTES_MAX`], [`HEADERS_MAX`] headers | 431, closed |
//! | its address | [`URI_BYTES_MAX`] | 414 |
//! | its body | [`BODY_BYTES_MAX`], which nothing reads | 413, closed |
//! | the time to send a head, and between two | [`Limits::head_timeout`] | closed |
//! | the time to respond | [`Limits::response_timeout`] | 503 |
//! | the time to take the response | [`Limits::reading_timeout`] | closed |
//! | a response | [`RESPONSE_BYTES_MAX`] | 503 |
//! | connections, event streams, requests in progress, responses in memory | [`Limits`] | 503 |

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// Bytes of a request's head (chosen: twice what browsers send with all they may remember).
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;

/// Headers of a request (chosen: browsers send about twenty, proxies add some).
pub(super) const HEADERS_MAX: usize = 64;

/// Bytes of an address: the longest search, each character of it escaped, fits.
pub(super) const URI_BYTES_MAX: usize = 4 << 10;

/// Bytes of a request's body; no route takes one.
pub(super) const BODY_BYTES_MAX: u64 = 4 << 10;

/// Bytes of a response (chosen: the page of ten times New York's docks).
pub(super) const RESPONSE_BYTES_MAX: usize = 32 << 20;

/// Bytes that are handed to a connection at once, and that it may hold outside the quota.
pub(super) const CHUNK_BYTES: usize = 16 << 10;

/// Bytes of a connection's response in the system's buffers; it holds twice as much at most.
pub(super) const SEND_BUFFER_BYTES: usize = 128 << 10;

/// Seconds after which a client that was refused for now may try again.
pub(super) const RETRY_AFTER_S: u32 = 2;

/// Connections a browser opens to one server, one of them for its event stream.
const CONNECTIONS_PER_STREAM: usize = 6;

/// Amounts and times. One peer is an IPv4 address or a /64 network.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections. Default: three in five of the descriptors this process may have, since broker
    /// and database share them, and at most 12,000.
    pub connections: usize,
    /// Open event streams: pages that are being looked at. Default: five in six connections, at
    /// most 10,000.
    pub streams: usize,
    /// Event streams of one peer; six times as many connections. Default 64: an office behind one
    /// address. Behind a proxy all riders are one peer: then as many as `streams`.
    pub streams_per_peer: usize,
    /// Requests in progress. Default 64: each takes milliseconds.
    pub requests: usize,
    /// The same of one peer. Default a quarter of them.
    pub requests_per_peer: usize,
    /// Bytes of responses that their clients have not taken yet; a quarter of them for one peer.
    /// Default 64 MiB.
    pub responses_bytes: usize,
    /// For a request's head, and between two requests of a connection. Default 10 s.
    pub head_timeout: Duration,
    /// From a request's head to its response, event streams: to their start. Default 10 s.
    pub response_timeout: Duration,
    /// For a client to take a response, or any byte of an event stream. Default 30 s.
    pub reading_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = usize::try_from(descriptors / 5 * 3).unwrap_or(usize::MAX);
        let connections = most.clamp(16, 12_000);
        let requests = 64;
        Self {
            connections,
            streams: (connections / CONNECTIONS_PER_STREAM * 5).min(10_000),
            streams_per_peer: 64,
            requests,
            requests_per_peer: requests / 4,
            responses_bytes: 64 << 20,
            head_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(10),
            reading_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Connections of one peer.
    pub(super) fn connections_per_peer(&self) -> usize {
        self.streams_per_peer.saturating_mul(CONNECTIONS_PER_STREAM)
    }
}
