//! Event streams leave the machinery of HTTP once their head is sent.
//!
//! A connection that serves requests has buffers, timers and a parser. A page that is looked at needs none of
//! them for the hours that follow: what goes on is its socket and its subscription. Its body goes on in
//! chunks, as the head has said that it does.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Version;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::responses::is_event_stream;

/// Where a connection's service leaves an event stream; copies are the same place.
#[derive(Debug, Clone, Default)]
pub(super) struct Handover {
    /// The rest of the response, from when its head is written into hyper's buffer.
    body: Arc<Mutex<Option<Body>>>,
    /// Whether hyper has bytes that are not sent: it flushes the socket when it has none.
    has_unsent: Arc<AtomicBool>,
}

impl Handover {
    /// The response as hyper gets it: of an event stream its head, and a body that never comes. Before
    /// HTTP/1.1 there are no chunks: then it stays whole.
    pub(super) fn keep_body(&self, version: Version, response: Response) -> Response {
        if version != Version::HTTP_11 || !is_event_stream(response.headers()) {
            return response;
        }
        let place = Arc::clone(&self.body);
        response.map(|body| {
            let mut body = Some(body);
            Body::from_stream(stream::poll_fn(move |_| {
                if let Some(body) = body.take() {
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
                }
                Poll::<Option<Result<Bytes, Infallible>>>::Pending
            }))
        })
    }

    /// The body of an event stream, once everything before it is sent; none where the connection ends.
    pub(super) async fn or_end_of<E>(
        &self,
        mut serving: impl Future<Output = Result<(), E>> + Unpin,
    ) -> Result<Option<Body>, E> {
        poll_fn(|cx| match Pin::new(&mut serving).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ended.map(|()| None)),
            Poll::Pending => match self.take() {
                Some(body) => Poll::Ready(Ok(Some(body))),
                None => Poll::Pending,
            },
        })
        .await
    }

    fn take(&self) -> Option<Body> {
        if self.has_unsent.load(Ordering::Relaxed) {
            return None;
        }
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.take()
    }

    /// The socket as hyper gets it.
    pub(super) fn watch(&self, tcp: TcpStream) -> WatchedSocket {
        WatchedSocket {
            tcp: TokioIo::new(tcp),
            has_unsent: Arc::clone(&self.has_unsent),
        }
    }
}

/// Sends events until there are no more, their client is gone, or it takes none for `reading_timeout`.
pub(super) async fn send(mut tcp: TcpStream, body: Body, reading_timeout: Duration) {
    let mut events = body.into_data_stream();
    loop {
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            () = wait_for_word(&tcp) => return,
        };
        let Some(Ok(event)) = event else { break };
        if send_chunk(&mut tcp, event, reading_timeout).await.is_err() {
            return;
        }
    }
    let ended = tokio::time::timeout(reading_timeout, tcp.write_all(b"0\r\n\r\n")).await;
    if let Err(error) = ended.map_err(io::Error::from).flatten() {
        tracing::debug!(%error, "an event stream broke at its end");
    }
}

/// Waits until something comes from the client, which has nothing to say: it is its end.
async fn wait_for_word(tcp: &TcpStream) {
    loop {
        let ready = poll_fn(|cx| tcp.poll_read_ready(cx)).await;
        let read = ready.and_then(|()| tcp.try_read(&mut [0]));
        // The system says so now and then when there is nothing.
        if !read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
    }
}

/// The event between its length and a line's end, from where it lies, which all streams share.
async fn send_chunk(
    tcp: &mut TcpStream,
    event: Bytes,
    reading_timeout: Duration,
) -> io::Result<()> {
    let length = format!("{:x}\r\n", event.len());
    let mut parts = [length.as_bytes(), &event, b"\r\n"].map(io::IoSlice::new);
    let mut rest = &mut parts[..];
    while !rest.is_empty() {
        let sent =
            poll_fn(|cx| tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut *tcp), cx, rest));
        match tokio::time::timeout(reading_timeout, sent).await?? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => io::IoSlice::advance_slices(&mut rest, sent),
        }
    }
    Ok(())
}

/// A socket that knows whether everything is sent.
pub(super) struct WatchedSocket {
    tcp: TokioIo<TcpStream>,
    has_unsent: Arc<AtomicBool>,
}

impl WatchedSocket {
    pub(super) fn into_inner(self) -> TcpStream {
        self.tcp.into_inner()
    }
}

impl Read for WatchedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, into)
    }
}

impl Write for WatchedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.has_unsent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.has_unsent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.has_unsent.store(false, Ordering::Relaxed);
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
