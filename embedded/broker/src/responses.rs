//! Responses on a connection, which its session and its streams share.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use fluvio_protocol::Encoder;
use fluvio_protocol::api::RequestHeader;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The sending half of a connection, shared by its streams; one frame is sent at a time.
#[derive(Clone)]
pub(crate) struct Responses {
    connection: Arc<Mutex<Box<dyn AsyncWrite + Send + Unpin>>>,
    /// Time in which the client must take some bytes.
    read_within: Duration,
    /// Ends waiting for a client that does not read.
    closing: CancellationToken,
}

impl fmt::Debug for Responses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Responses").finish_non_exhaustive()
    }
}

impl Responses {
    pub(crate) fn new(
        connection: impl AsyncWrite + Send + Unpin + 'static,
        read_within: Duration,
        closing: CancellationToken,
    ) -> Self {
        Self {
            connection: Arc::new(Mutex::new(Box::new(connection))),
            read_within,
            closing,
        }
    }

    /// Sends the response to a request.
    pub(crate) async fn send<P: Encoder>(
        &self,
        header: &RequestHeader,
        response: &P,
    ) -> io::Result<()> {
        self.send_parts(header, response, &[]).await
    }

    /// Sends the response to a request; `tail` follows the encoded response in the same frame, uncopied.
    pub(crate) async fn send_parts<P: Encoder>(
        &self,
        header: &RequestHeader,
        response: &P,
        tail: &[Bytes],
    ) -> io::Result<()> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
            sent = self.encode_and_write(header, response, tail) => sent,
        }
    }

    /// Encodes in its turn, so that a client that does not read holds up one response only.
    async fn encode_and_write<P: Encoder>(
        &self,
        header: &RequestHeader,
        response: &P,
        tail: &[Bytes],
    ) -> io::Result<()> {
        let mut connection = self.connection.lock().await;
        let mut frame = Vec::with_capacity(tail.len() + 1);
        frame.push(encode(header, response, tail)?);
        frame.extend_from_slice(tail);
        frame.retain(|part| !part.is_empty());
        while !frame.is_empty() {
            let slices: Vec<IoSlice<'_>> = frame.iter().map(|part| IoSlice::new(part)).collect();
            let writing = timeout(self.read_within, connection.write_vectored(&slices));
            let written = writing.await.map_err(|_| self.not_read())??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            advance(&mut frame, written);
        }
        Ok(())
    }

    fn not_read(&self) -> io::Error {
        let seconds = self.read_within.as_secs_f32();
        let message = format!("a client has read nothing of an answer for {seconds} s");
        io::Error::new(io::ErrorKind::TimedOut, message)
    }
}

/// Everything of a frame that comes before its tail.
fn encode<P: Encoder>(header: &RequestHeader, response: &P, tail: &[Bytes]) -> io::Result<Bytes> {
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
    Ok(front.into())
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
