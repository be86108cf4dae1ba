//! What clients may take: connections, memory, time.
//!
//! Memory for one connection is at most 200 MB, modules' own memory (which has limits of its
//! own) apart: a request (33 MiB, `api::LARGEST_BYTES`), what is decoded of it (46 MB,
//! `wire::STEPS_MAX`) and unpacked (8 MiB without a module, `compression`), and two responses of streams
//! under way, each with a batch (32 MiB, `compression::DECOMPRESSED_BYTES_MAX`) and what a module makes of
//! it (16 MiB, [`RESPONSE_BYTES`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Streams of one connection. Chosen: one of each module for more than a hundred partitions.
pub(crate) const STREAMS_MAX: usize = 256;
/// Watches of one connection. A client has four; chosen: a few of each kind.
pub(crate) const WATCHES_MAX: usize = 32;
/// Responses of one connection's streams that may be under way: one is sent, one is made.
pub(crate) const RESPONSES_MAX: u32 = 2;
/// What a module may make for one of them, in bytes. Chosen: eight times what the sink asks for.
pub(crate) const RESPONSE_BYTES: usize = 16 << 20;
/// What a module may make for the only one. Real SPUs have no limit but memory.
pub(crate) const LARGEST_RESPONSE_BYTES: usize = RESPONSES_MAX as usize * RESPONSE_BYTES;
/// All `SmartModule`s, packed: a response may have all of them. Chosen: a hundred of this project's.
pub(crate) const MODULES_BYTES_MAX: usize = 32 << 20;
/// Partitions of one topic, or of one request. Chosen: each is a folder and an open file.
pub(crate) const PARTITIONS_MAX: usize = 1_000;

/// What all clients together, and each in time, may take of the broker.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; further ones are refused. Default 1,024: as many as a process may
    /// usually have files open, and far more than clients here.
    pub connections_max: usize,
    /// Bytes of requests over 64 KiB that may be in memory at once; clients that send more wait. Default
    /// 256 MiB: eight of the largest.
    pub request_bytes_max: usize,
    /// Time for a new client to send its first request. Default 10 s.
    pub first_request_within: Duration,
    /// Time for a request that has begun to arrive, to be there. Default 30 s: the largest at
    /// 1.1 MB/s.
    pub request_within: Duration,
    /// Time in which a client must take some bytes of a response. Default 60 s: longer than a
    /// consumer stops for what it writes to.
    pub read_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            request_bytes_max: 256 << 20,
            first_request_within: Duration::from_secs(10),
            request_within: Duration::from_secs(30),
            read_within: Duration::from_secs(60),
        }
    }
}

/// Limits, and what is left of those that connections share.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    pub(crate) limits: Limits,
    pub(crate) connections: Arc<Semaphore>,
    /// In KiB, which a permit's number can count.
    pub(crate) request_kib: Arc<Semaphore>,
}

impl Quotas {
    pub(crate) fn new(limits: Limits) -> Self {
        let smallest = crate::api::LARGEST_BYTES.div_ceil(1024);
        let kib = (limits.request_bytes_max / 1024).max(smallest);
        Self {
            connections: Arc::new(Semaphore::new(limits.connections_max)),
            request_kib: Arc::new(Semaphore::new(kib)),
            limits,
        }
    }
}
