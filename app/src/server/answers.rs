//! Around every route: how much a request may ask for, and how long its answer may be under way.
//!
//! An answer is made in full before its first byte is sent, while the request counts as in
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
    ANSWER_BYTES_MAX, BODY_BYTES_MAX, CHUNK_BYTES, Limits, RETRY_AFTER_S, URI_BYTES_MAX,
};
use super::quota::{Permit, Quota};

/// What all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    requests: Quota,
    bytes: Quota,
    limits: Limits,
}

impl Answers {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests: Quota::new(limits.requests, limits.requests_per_peer),
            bytes: Quota::new(limits.answers_bytes, limits.answers_bytes / 4),
            limits: limits.clone(),
        }
    }
}

/// The middleware.
pub(super) async fn bounded(
    State(answers): State<Answers>,
    request: Request,
    next: Next,
) -> Response {
    if request
        .uri()
        .path_and_query()
        .map_or(0, |asked| asked.as_str().len())
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
    let Some(_in_progress) = answers.requests.take(client.peer, 1) else {
        return busy("too many requests are in progress");
    };
    let answer = async { whole(next.run(request).await).await };
    match tokio::time::timeout(answers.limits.answer_timeout, answer).await {
        Ok(Answer::Whole(head, bytes)) => answers.hand_over(&client, head, bytes),
        Ok(Answer::Stream(response)) => response,
        Ok(Answer::TooLarge) => busy("the answer would be too large"),
        Err(_) => busy("the answer took too long"),
    }
}

/// Who asks; without a connection, as in tests, nobody.
pub(super) fn client(request: &Request) -> Client {
    let nobody = || Client {
        peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        close: CancellationToken::new(),
    };
    request.extensions().get().cloned().unwrap_or_else(nobody)
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

enum Answer {
    Whole(Response<()>, Bytes),
    Stream(Response),
    TooLarge,
}

/// Waits for the whole answer, unless it is a stream of events.
async fn whole(response: Response) -> Answer {
    if is_event_stream(response.headers()) {
        return Answer::Stream(response);
    }
    let (head, body) = response.into_parts();
    match to_bytes(body, ANSWER_BYTES_MAX).await {
        Ok(bytes) => Answer::Whole(Response::from_parts(head, ()), bytes),
        Err(_) => Answer::TooLarge,
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

impl Answers {
    /// Sends the answer in pieces, so that it counts against the quota until it is taken.
    fn hand_over(&self, client: &Client, head: Response<()>, bytes: Bytes) -> Response {
        if bytes.len() <= CHUNK_BYTES {
            return head.map(|()| Body::from(bytes));
        }
        let Some(permit) = self.bytes.take(client.peer, bytes.len()) else {
            return busy("too many answers wait for their clients");
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

    /// Ends the connection if the answer is not taken in time; dropped, it does nothing.
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

/// An answer under way.
struct Pieces {
    rest: Bytes,
    _permit: Permit,
    _deadline: DropGuard,
}
