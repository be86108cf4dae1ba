//! Requests on a connection: a length, a header, a body.
//!
//! ```text
//! length ─▶ header, start of the body ─▶ is it served, in this version, of this size? ─▶ body
//! ```
//! A length reserves no memory before its bytes have come, and no count in a body is trusted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use fluvio_protocol::Decoder;
use fluvio_protocol::api::RequestHeader;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::api::{self, Api, BODY_START_BYTES, LARGEST_BYTES};
use crate::limits::Quotas;

/// Fields, bytes of byte strings included, that are decoded of one request.
///
/// The decoders of `fluvio-protocol` go by counts in the request. Each step of theirs takes a byte
/// at least, and makes 88 at most (a vector of `SmartModuleInvocation` that is half full): 46 MB.
/// Records are one step each batch. Chosen: a module of 512 KiB, packed, may come with a stream.
pub(crate) const STEPS_MAX: usize = 512 << 10;
const LENGTH_BYTES: usize = 4;
/// Number, version, correlation id and the length of the client's name.
const HEADER_BYTES: usize = 10;
/// Chosen: clients call themselves `fluvio`.
const CLIENT_BYTES_MAX: usize = 1_024;
/// Requests up to this do not wait for memory.
const SMALL_BYTES: usize = 64 << 10;
/// How much of the buffer is reserved for bytes that have not arrived.
const RESERVE_BYTES: usize = 64 << 10;

/// A request whose body is not decoded yet.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) api: Api,
    pub(crate) header: RequestHeader,
    pub(crate) body: Bytes,
    /// Its share of the memory for requests, until it is dropped.
    _memory: Option<OwnedSemaphorePermit>,
}

impl Request {
    /// Decodes the body; byte strings of records share the request's memory.
    ///
    /// # Errors
    /// If the body is not a request of the header's version, or one of too many fields.
    pub(crate) fn decode<R: Decoder>(&mut self) -> io::Result<R> {
        let mut body = Metered {
            bytes: &mut self.body,
            steps: STEPS_MAX,
        };
        let decoded = R::decode_from(&mut body, self.header.api_version());
        if decoded.is_err() && body.steps == 0 {
            let message = format!("a request has more than {STEPS_MAX} fields");
            return Err(invalid(message));
        }
        decoded
    }
}

/// Bytes that end when they have been read in too many steps.
#[derive(Debug)]
struct Metered<'a> {
    bytes: &'a mut Bytes,
    steps: usize,
}

impl Metered<'_> {
    fn step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
    }
}

impl Buf for Metered<'_> {
    fn remaining(&self) -> usize {
        if self.steps == 0 {
            0
        } else {
            self.bytes.remaining()
        }
    }

    fn chunk(&self) -> &[u8] {
        if self.steps == 0 {
            &[]
        } else {
            self.bytes.chunk()
        }
    }

    fn advance(&mut self, count: usize) {
        self.step();
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.step();
        self.bytes.copy_to_bytes(length)
    }
}

/// The receiving half of a connection.
pub(crate) struct Requests {
    connection: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    quotas: Quotas,
    /// Whether a request has come.
    greeted: bool,
}

impl Requests {
    pub(crate) fn new(connection: impl AsyncRead + Send + Unpin + 'static, quotas: Quotas) -> Self {
        Self {
            connection: BufReader::new(Box::new(connection)),
            quotas,
            greeted: false,
        }
    }

    /// The next request, or `None` when the client has closed the connection.
    ///
    /// # Errors
    /// If what comes is no request that is served, is too large, or does not come in time.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Request>> {
        let mut frame = BytesMut::new();
        if self.greeted {
            // A client may be idle for as long as it likes.
            if self.read_some(&mut frame, LENGTH_BYTES).await? == 0 {
                return Ok(None);
            }
            let within = self.quotas.limits.request_within;
            in_time(within, self.read(frame)).await.map(Some)
        } else {
            let within = self.quotas.limits.first_request_within;
            let first = async {
                if self.read_some(&mut frame, LENGTH_BYTES).await? == 0 {
                    return Ok(None);
                }
                self.read(frame).await.map(Some)
            };
            let request = in_time(within, first).await?;
            self.greeted = true;
            Ok(request)
        }
    }

    /// Reads the rest of a request that has begun.
    async fn read(&mut self, mut frame: BytesMut) -> io::Result<Request> {
        self.fill(&mut frame, LENGTH_BYTES).await?;
        let length = frame.get_u32() as usize;
        if !(HEADER_BYTES..=LARGEST_BYTES).contains(&length) {
            return Err(invalid(format!("no request has {length} bytes")));
        }
        self.fill(&mut frame, HEADER_BYTES).await?;
        let header_bytes = header_bytes(&frame);
        if header_bytes > length.min(HEADER_BYTES + CLIENT_BYTES_MAX) {
            return Err(invalid("a client's name is too long".to_owned()));
        }
        let start_bytes = length.min(header_bytes + BODY_START_BYTES);
        self.fill(&mut frame, start_bytes).await?;
        let header = RequestHeader::decode_from(&mut frame.split_to(header_bytes), 0)?;
        let api = api::find(&header, &frame)?;
        let bytes_max = api.bytes_max(&frame);
        if length > bytes_max {
            let message = format!("a request of {length} bytes is refused: {bytes_max} are served");
            return Err(invalid(message));
        }
        let memory = reserve_memory(Arc::clone(&self.quotas.request_kib), length).await;
        self.fill(&mut frame, length - header_bytes).await?;
        Ok(Request {
            api,
            header,
            body: frame.freeze(),
            _memory: memory,
        })
    }

    /// Reads on until there are so many bytes, and none of the next request.
    async fn fill(&mut self, frame: &mut BytesMut, bytes: usize) -> io::Result<()> {
        while frame.len() < bytes {
            let missing = bytes - frame.len();
            if self.read_some(frame, missing).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Reads what is there, up to so many bytes; 0 if the client has closed the connection.
    async fn read_some(&mut self, frame: &mut BytesMut, bytes_max: usize) -> io::Result<usize> {
        frame.reserve(bytes_max.min(RESERVE_BYTES));
        let mut limited = (&mut self.connection).take(bytes_max as u64);
        limited.read_buf(frame).await
    }
}

/// Waits until a large request may take its memory; small ones need no permit.
async fn reserve_memory(quota: Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    if bytes <= SMALL_BYTES {
        return None;
    }
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    // The semaphore is never closed, and has permits for the largest request.
    quota.acquire_many_owned(kib).await.ok()
}

/// Bytes of a header, whose last part is a name and the name's length before it.
fn header_bytes(frame: &[u8]) -> usize {
    let mut length = &frame[HEADER_BYTES - 2..HEADER_BYTES];
    // A negative length stands for no name.
    HEADER_BYTES + usize::try_from(length.get_i16()).unwrap_or(0)
}

async fn in_time<T>(
    within: Duration,
    reading: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match timeout(within, reading).await {
        Ok(read) => read,
        Err(_) => {
            let message = format!("a request was not there after {} s", within.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
