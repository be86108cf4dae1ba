//! Around every route: how much a request may cost, and how long its response may be under way.
//!
//! A response is made in full before its first byte is sent, while the request counts as in
//! progress; what its client is slow to take then costs memory only, and that has a quota too.
//! Event streams have limits of their own, in `live`.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connections::Client;
use super::limits::{
    BODY_BYTES_MAX, CHUNK_BYTES, Limits, RESPONSE_BYTES_MAX, RETRY_AFTER_S, URI_BYTES_MAX,
};
use super::quota::{Permit, Quota};

/// The quotas of all requests; copies share them.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    /// Requests in progress.
    requests: Quota,
    /// Bytes of responses that their clients have not taken yet.
    bytes: Quota,
    limits: Limits,
}

impl Quotas {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests: Quota::new(limits.requests, limits.requests_per_peer),
            bytes: Quota::new(limits.responses_bytes, limits.responses_bytes / 4),
            limits: limits.clone(),
        }
    }
}

/// The middleware: refuses what is too large or too much, and buffers the response.
pub(super) async fn bounded(
    State(quotas): State<Quotas>,
    request: Request,
    next: Next,
) -> Response {
    if request
        .uri()
        .path_and_query()
        .map_or(0, |address| address.as_str().len())
        > URI_BYTES_MAX
    {
        return StatusCode::URI_TOO_LONG.into_response();
    }
    if request
        .body()
        .size_hint()
        .upper()
        .is_none_or(|bytes| bytes > BODY_BYTES_MAX)
    {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let client = client(&request);
    let Some(_in_progress) = quotas.requests.take(client.peer, 1) else {
        return busy("too many requests are in progress");
    };
    let response = async { buffer(next.run(request).await).await };
    match tokio::time::timeout(quotas.limits.response_timeout, response).await {
        Ok(Buffered::Whole(head, bytes)) => quotas.hand_over(&client, head, bytes),
        Ok(Buffered::Stream(response)) => response,
        Ok(Buffered::TooLarge) => busy("the response would be too large"),
        Err(_) => busy("the response took too long"),
    }
}

/// Who sent the request; an address that nobody has where there is no connection, as in tests.
pub(super) fn client(request: &Request) -> Client {
    let unknown = || Client {
        peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        close: CancellationToken::new(),
    };
    request.extensions().get().cloned().unwrap_or_else(unknown)
}

/// 503 with the time to come back.
pub(super) fn busy(reason: &'static str) -> Response {
    let later = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))];
    (
        StatusCode::SERVICE_UNAVAILABLE,
        later,
        format!("{reason}: try again soon\n"),
    )
        .into_response()
}

/// A response before it is sent.
enum Buffered {
    Whole(Response<()>, Bytes),
    Stream(Response),
    TooLarge,
}

/// Waits for the whole response, unless it is an event stream.
async fn buffer(response: Response) -> Buffered {
    if is_event_stream(response.headers()) {
        return Buffered::Stream(response);
    }
    let (head, body) = response.into_parts();
    match to_bytes(body, RESPONSE_BYTES_MAX).await {
        Ok(bytes) => Buffered::Whole(Response::from_parts(head, ()), bytes),
        Err(_) => Buffered::TooLarge,
    }
}

pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

impl Quotas {
    /// Sends the response in pieces, so that it counts against the quota until it is taken.
    fn hand_over(&self, client: &Client, head: Response<()>, bytes: Bytes) -> Response {
        if bytes.len() <= CHUNK_BYTES {
            return head.map(|()| Body::from(bytes));
        }
        let Some(permit) = self.bytes.take(client.peer, bytes.len()) else {
            return busy("too many responses wait for their clients");
        };
        let length = HeaderValue::from(bytes.len());
        let pieces = Pieces {
            rest: bytes,
            _permit: permit,
            _deadline: self.deadline(client),
        };
        let body = stream::unfold(pieces, async |mut pieces| {
            let piece = pieces.rest.split_to(pieces.rest.len().min(CHUNK_BYTES));
            (!piece.is_empty()).then_some((Ok::<_, Infallible>(piece), pieces))
        });
        let mut response = head.map(|()| Body::from_stream(body));
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
        response
    }

    /// Ends the connection if the response is not taken in time; dropped before, it does nothing.
    fn deadline(&self, client: &Client) -> DropGuard {
        let (taken, close) = (CancellationToken::new(), client.close.clone());
        let (guard, limit) = (taken.clone().drop_guard(), self.limits.reading_timeout);
        tokio::spawn(async move {
            let in_time = tokio::time::timeout(limit, taken.cancelled_owned()).await;
            if in_time.is_err() {
                close.cancel();
            }
        });
        guard
    }
}

/// A response under way.
struct Pieces {
    rest: Bytes,
    _permit: Permit,
    _deadline: DropGuard,
}
