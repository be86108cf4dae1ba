//! One object as a file: read and sought, over connections that break.
//!
//! ```text
//!  read at 40 MB ─▶ GET bytes=40 MB–56 MB, If-Match ─▶ chunk ─▶ chunk ─▶ cut!
//!                   GET bytes=47.1 MB–56 MB, If-Match ─▶ chunk ─▶ …
//! ```
//!
//! Nothing is held but one chunk and the object's last bytes, where archives have their directory.
//! All parts come from the same version of the object, or reading fails.

use std::io::{self, Read, Seek, SeekFrom};

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::connection::Connection;
use crate::s3_error::{S3Error, classify};
use crate::store::Entry;

/// Bytes requested at a time (chosen: a second's worth; a reader that pauses keeps no connection).
const REQUEST_BYTES: u64 = 16 << 20;

/// The object's last bytes are requested at once and kept (chosen: the directory of 1,000 files).
const TAIL_BYTES: u64 = 128 << 10;

/// So many bytes are read and dropped rather than a new request made.
const SKIP_BYTES_MAX: u64 = 256 << 10;

/// Reads one object from a thread that may block.
#[derive(Debug)]
pub(super) struct ObjectReader {
    connection: Connection,
    key: String,
    bytes: u64,
    /// The version of the object; known from the first response at the latest.
    tag: Option<String>,
    /// Where the next read begins.
    at: u64,
    chunk: Chunk,
    tail: Option<Chunk>,
    body: Option<Body>,
}

/// Bytes of the object.
#[derive(Debug, Default)]
struct Chunk {
    start: u64,
    bytes: Bytes,
}

/// The rest of a response.
#[derive(Debug)]
struct Body {
    stream: ByteStream,
    /// Where its next chunk begins.
    at: u64,
    end: u64,
}

impl Body {
    /// Whether this place comes so soon that it is not worth a new request.
    fn reaches(&self, at: u64) -> bool {
        (self.at..self.end.min(self.at + SKIP_BYTES_MAX)).contains(&at)
    }
}

impl Chunk {
    fn from(&self, at: u64) -> &[u8] {
        let skipped = at.checked_sub(self.start).map(usize::try_from);
        match skipped {
            Some(Ok(skipped)) => self.bytes.get(skipped..).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl ObjectReader {
    pub(super) fn new(connection: Connection, key: String, entry: &Entry) -> Self {
        Self {
            connection,
            key,
            bytes: entry.bytes,
            tag: entry
                .version
                .starts_with(['"', 'W'])
                .then(|| entry.version.clone()),
            at: 0,
            chunk: Chunk::default(),
            tail: None,
            body: None,
        }
    }

    /// Gets the bytes at `self.at`, or some before them, however often it takes.
    async fn fill(&mut self) -> Result<(), S3Error> {
        let connection = self.connection.clone();
        let mut retries = connection.retries();
        loop {
            let error = tokio::select! {
                filled = self.try_fill() => match filled {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
                () = connection.stop.cancelled() => S3Error::Other("reading was stopped".to_owned()),
            };
            self.body = None;
            retries
                .wait_after(&format!("reading \"{}\"", self.key), error)
                .await?;
        }
    }

    async fn try_fill(&mut self) -> Result<(), S3Error> {
        let tail_start = self.bytes.saturating_sub(TAIL_BYTES);
        let mut body = match self.body.take() {
            Some(body) if body.reaches(self.at) => body,
            _ if self.at >= tail_start => return self.fill_tail(tail_start).await,
            _ => {
                let end = self.bytes.min(self.at + REQUEST_BYTES);
                self.request(self.at, end).await?
            }
        };
        self.chunk = self.next_chunk(&mut body).await?;
        self.body = Some(body);
        Ok(())
    }

    async fn fill_tail(&mut self, start: u64) -> Result<(), S3Error> {
        let mut body = self.request(start, self.bytes).await?;
        let mut bytes = Vec::new();
        while body.at < body.end {
            bytes.extend_from_slice(&self.next_chunk(&mut body).await?.bytes);
        }
        let bytes = Bytes::from(bytes);
        self.tail = Some(Chunk { start, bytes });
        Ok(())
    }

    async fn request(&mut self, start: u64, end: u64) -> Result<Body, S3Error> {
        let request = self.connection.client.get_object();
        let request = request
            .bucket(&self.connection.location.bucket)
            .key(&self.key)
            .range(format!("bytes={start}-{}", end - 1))
            .set_if_match(self.tag.clone());
        let silent_after = self.connection.silent_after;
        let response = match tokio::time::timeout(silent_after, request.send()).await {
            Ok(response) => response.map_err(|error| classify(&error))?,
            Err(_) => return Err(S3Error::Silent(silent_after)),
        };
        // Not every server looks at If-Match.
        if self.tag.is_some() && response.e_tag.is_some() && self.tag != response.e_tag {
            return Err(S3Error::Changed);
        }
        self.tag = self.tag.take().or(response.e_tag);
        if response
            .content_length
            .and_then(|length| u64::try_from(length).ok())
            != Some(end - start)
        {
            return Err(S3Error::NoRanges);
        }
        Ok(Body {
            stream: response.body,
            at: start,
            end,
        })
    }

    async fn next_chunk(&self, body: &mut Body) -> Result<Chunk, S3Error> {
        let silent_after = self.connection.silent_after;
        match tokio::time::timeout(silent_after, body.stream.next()).await {
            Ok(Some(Ok(bytes))) => {
                let start = body.at;
                body.at += bytes.len() as u64;
                Ok(Chunk { start, bytes })
            }
            Ok(Some(Err(_)) | None) => Err(S3Error::Cut(body.at)),
            Err(_) => Err(S3Error::Silent(silent_after)),
        }
    }

    /// What was received of the bytes at `self.at`.
    fn buffered(&self) -> &[u8] {
        let tail = self.tail.as_ref().map(|tail| tail.from(self.at));
        match tail {
            Some(bytes) if !bytes.is_empty() => bytes,
            _ => self.chunk.from(self.at),
        }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.bytes || buffer.is_empty() {
            return Ok(0);
        }
        let runtime = self.connection.runtime.clone();
        while self.buffered().is_empty() {
            runtime.block_on(self.fill()).map_err(io::Error::other)?;
        }
        let count = self.buffered().read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(back) => self.bytes.checked_add_signed(back),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "seek before the start");
        self.at = at.ok_or_else(before)?;
        Ok(self.at)
    }
}
