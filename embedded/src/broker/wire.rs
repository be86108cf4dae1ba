//! Frames on a TCP connection: a length, a header, a body.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use fluvio_protocol::api::RequestHeader;
use fluvio_protocol::{Decoder, Encoder};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

/// Largest request; the real SPU takes produce requests of 32 MiB, a wasm may be larger.
const FRAME_BYTES_MAX: usize = 128 << 20;

/// A request whose body is not decoded yet.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) header: RequestHeader,
    pub(super) body: Bytes,
}

impl Request {
    /// Decodes the body; byte strings in it share the frame's memory.
    pub(super) fn decode<R: Decoder>(&mut self) -> io::Result<R> {
        R::decode_from(&mut self.body, self.header.api_version())
    }
}

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Requests(FramedRead<OwnedReadHalf, LengthDelimitedCodec>);

impl Requests {
    pub(super) fn new(connection: OwnedReadHalf) -> Self {
        let codec = LengthDelimitedCodec::builder()
            .max_frame_length(FRAME_BYTES_MAX)
            .new_codec();
        Self(FramedRead::new(connection, codec))
    }

    /// The next request, or `None` when the client has closed the connection.
    pub(super) async fn next(&mut self) -> Option<io::Result<Request>> {
        let frame = self.0.next().await?;
        Some(frame.and_then(|frame| {
            let mut body = frame.freeze();
            let header = RequestHeader::decode_from(&mut body, 0)?;
            Ok(Request { header, body })
        }))
    }
}

/// The sending half of a connection, shared by its streams; one frame is sent at a time.
#[derive(Debug, Clone)]
pub(super) struct Replies {
    connection: Arc<Mutex<OwnedWriteHalf>>,
    /// Ends waiting for a client that does not read.
    closing: CancellationToken,
}

impl Replies {
    pub(super) fn new(connection: OwnedWriteHalf, closing: CancellationToken) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
            closing,
        }
    }

    /// Answers a request.
    pub(super) async fn send<P: Encoder>(
        &self,
        header: &RequestHeader,
        response: &P,
    ) -> io::Result<()> {
        self.send_parts(header, response, &[]).await
    }

    /// Answers a request; `tail` follows the encoded response in the same frame, uncopied.
    pub(super) async fn send_parts<P: Encoder>(
        &self,
        header: &RequestHeader,
        response: &P,
        tail: &[Bytes],
    ) -> io::Result<()> {
        let mut front = vec![0; 4];
        header.correlation_id().encode(&mut front, 0)?;
        response.encode(&mut front, header.api_version())?;
        let tail_bytes: usize = tail.iter().map(Bytes::len).sum();
        let frame_bytes = front.len() - 4 + tail_bytes;
        set_u32(&mut front, 0, frame_bytes)?;
        if tail_bytes > 0 {
            // The response ends in the length of the records, which are the tail.
            let at = front.len() - 4;
            set_u32(&mut front, at, tail_bytes)?;
        }
        let mut frame = Vec::with_capacity(tail.len() + 1);
        frame.push(Bytes::from(front));
        frame.extend_from_slice(tail);
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
            sent = self.write(frame) => sent,
        }
    }

    async fn write(&self, mut parts: Vec<Bytes>) -> io::Result<()> {
        let mut connection = self.connection.lock().await;
        parts.retain(|part| !part.is_empty());
        while !parts.is_empty() {
            let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let written = connection.write_vectored(&slices).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            advance(&mut parts, written);
        }
        Ok(())
    }
}

fn set_u32(buffer: &mut [u8], at: usize, value: usize) -> io::Result<()> {
    let value = u32::try_from(value).map_err(io::Error::other)?;
    buffer[at..at + 4].copy_from_slice(&value.to_be_bytes());
    Ok(())
}

fn advance(parts: &mut Vec<Bytes>, mut written: usize) {
    let mut done = 0;
    for part in parts.iter_mut() {
        let taken = written.min(part.len());
        part.advance(taken);
        written -= taken;
        if !part.is_empty() {
            break;
        }
        done += 1;
    }
    parts.drain(..done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_dropped_and_the_rest_stays_in_order() {
        let mut parts = vec![Bytes::from_static(b"head"), Bytes::from_static(b"records")];
        advance(&mut parts, 6);
        assert_eq!(parts, [Bytes::from_static(b"cords")]);
        advance(&mut parts, 5);
        assert!(parts.is_empty());
    }
}
