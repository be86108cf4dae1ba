//! The connections of the page's port: HTTP/1.1, as many as [`Limits`] allow, and none for ever.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::handover::{self, Handover};
use super::limits::{HEAD_BYTES_MAX, HEADERS_MAX, Limits, SEND_BUFFER_BYTES};
use super::quota::{Permit, Quota};

/// After a stop, open connections get this long to end.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// Wait after the system refused a connection, as it does without free descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a client beyond the limit is sent.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

/// Who sent a request, for handlers.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) peer: IpAddr,
    /// Ends the connection at once.
    pub(super) close: CancellationToken,
}

/// Answers on `listener` until `stop`, then lets open connections end, but not for long.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let quota = Quota::new(limits.connections, limits.connections_per_peer());
    let mut open = JoinSet::new();
    let mut refuses = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = open.join_next() => {
                report(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, from)) => match quota.take(from.ip(), 1) {
                Some(permit) => {
                    let client = Client {
                        peer: from.ip(),
                        close: CancellationToken::new(),
                    };
                    let connection = Connection {
                        client,
                        permit,
                        limits: limits.clone(),
                    };
                    open.spawn(connection.run(tcp, router.clone(), stop.clone()));
                }
                None => refuse(tcp),
            },
            Err(error) => {
                if !refuses {
                    tracing::warn!(%error, "the system refuses new connections of the page");
                }
                tokio::time::sleep(ACCEPT_RETRY).await;
                refuses = true;
                continue;
            }
        }
        refuses = false;
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        open.shutdown().await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("the task of a connection panicked");
    }
}

/// Sends a 503 without waiting: to a client whose socket does not take it at once, nothing is sent.
fn refuse(tcp: TcpStream) {
    let sent = tcp.into_std().and_then(|mut tcp| tcp.write_all(REFUSAL));
    if let Err(error) = sent {
        tracing::debug!(%error, "a refused client was not sent its 503");
    }
}

struct Connection {
    client: Client,
    permit: Permit,
    limits: Limits,
}

impl Connection {
    async fn run(self, tcp: TcpStream, router: Router, stop: CancellationToken) {
        let Self {
            client,
            permit: _permit,
            limits,
        } = self;
        if let Err(error) = prepare(&tcp, limits.reading_timeout) {
            tracing::debug!(%error, "a connection was gone before it began");
            return;
        }
        let timeout = limits.reading_timeout;
        // Boxed, so that what requests need is given back before an event stream goes on.
        let handed_over = Box::pin(serve_requests(tcp, client, limits, router, stop)).await;
        if let Some((tcp, events)) = handed_over {
            Box::pin(handover::send(tcp, events, timeout)).await;
        }
    }
}

/// Serves one request after the other; gives the socket back when the last response is an event stream,
/// with the events that are to follow its head.
async fn serve_requests(
    tcp: TcpStream,
    client: Client,
    limits: Limits,
    router: Router,
    stop: CancellationToken,
) -> Option<(TcpStream, Body)> {
    let handover = Handover::default();
    let close = client.close.clone();
    let place = handover.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(client.clone());
        let (version, place) = (request.version(), place.clone());
        let response = router.clone().call(request.map(Body::new));
        async move {
            let response = response.await.unwrap_or_else(|never| match never {});
            Ok::<_, Infallible>(place.keep_body(version, response))
        }
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(handover.watch(tcp), service);
    let ended = tokio::select! {
        ended = handover.or_end_of(&mut serving) => ended,
        () = close.cancelled() => return None,
        () = stop.cancelled() => {
            std::pin::Pin::new(&mut serving).graceful_shutdown();
            handover.or_end_of(&mut serving).await
        }
    };
    match ended {
        Ok(Some(events)) => Some((serving.into_parts().io.into_inner(), events)),
        Ok(None) => None,
        Err(error) => {
            tracing::debug!(%error, "a connection broke");
            None
        }
    }
}

/// Bounds what the system holds for the connection, and for how long it offers it in vain.
fn prepare(tcp: &TcpStream, reading_timeout: Duration) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(reading_timeout))?;
    Ok(())
}
