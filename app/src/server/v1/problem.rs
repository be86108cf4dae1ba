//! What a program is told instead of what it asked for (RFC 9457).

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::PREFIX;
use crate::server::limits::{RETRY_AFTER_S, URI_BYTES_MAX};
use crate::server::past::LookBackError;
use crate::text::one_line;

const KIND: &str = "application/problem+json";

/// Bytes of a refusal's text that are looked at (chosen: more than any that the server writes).
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Characters of it that are passed on: an address can be long, and be repeated in it.
const DETAIL_CHARS_MAX: usize = 500;

/// Why a request is refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status in words.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What is wrong, and what is expected.
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or("Refused"),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    /// The parameters are right, each by itself, and not together.
    pub(super) fn contradiction(detail: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn nothing_published() -> Self {
        let detail = "nothing has been published yet: try again soon";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// What is wrong, in the words of whoever refused.
    pub(super) fn of_text(status: StatusCode, text: &str) -> Self {
        let detail = match one_line(text.trim_end(), DETAIL_CHARS_MAX) {
            said if !said.is_empty() => said,
            _ if status == StatusCode::NOT_FOUND => {
                "/api/v1/openapi.json says what is here".to_owned()
            }
            _ if status == StatusCode::METHOD_NOT_ALLOWED => {
                "this can only be read: GET".to_owned()
            }
            _ if status == StatusCode::URI_TOO_LONG => {
                format!("an address has at most {URI_BYTES_MAX} bytes")
            }
            _ => status.canonical_reason().unwrap_or("refused").to_owned(),
        };
        Self::new(status, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, axum::Json(self)).into_response();
        let set = response.headers_mut();
        set.insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
        set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            set.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

/// What every route may respond with, for machines.
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let problem = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = |(status, description): (&str, &str)| {
            let response = ResponseBuilder::new().description(description);
            let response = response.content(KIND, problem.clone()).build();
            (status.to_owned(), RefOr::T(response))
        };
        RESPONSES.map(response).into()
    }
}

/// Statuses of refusals, and what each one says.
const RESPONSES: [(&str, &str); 5] = [
    ("400", "A parameter is not as expected, or is unknown."),
    (
        "404",
        "There is no such dock, or nothing is stored of that time.",
    ),
    ("422", "The parameters contradict each other."),
    (
        "4XX",
        "Something else is wrong with the request, such as its length.",
    ),
    (
        "503",
        "There is nothing yet, or too much to do: Retry-After says when to come back.",
    ),
];

impl From<LookBackError> for Problem {
    fn from(error: LookBackError) -> Self {
        let detail = match error {
            LookBackError::NoInstant => "this is no instant",
            LookBackError::NoPast => "nothing of the past is stored yet",
            LookBackError::NotYet => {
                "this has not come yet: ask without an instant for what is so now"
            }
            LookBackError::Unreadable => "the past could not be read: try again soon",
        };
        Self::new(error.status(), detail)
    }
}

/// The middleware that makes a problem of every other refusal: of a parameter that cannot be read, an
/// address that is not here, a limit. What the refusal says besides is kept.
pub(in crate::server) async fn explain(request: Request, next: Next) -> Response {
    let is_for_program = request.uri().path().starts_with(PREFIX);
    let response = next.run(request).await;
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    if !is_for_program || !is_refusal || is_problem(&response) {
        return response;
    }
    let (head, body) = response.into_parts();
    let text = to_bytes(body, TEXT_BYTES_MAX).await.unwrap_or_default();
    let problem = Problem::of_text(head.status, &String::from_utf8_lossy(&text));
    let mut response = problem.into_response();
    for name in [header::ALLOW, header::RETRY_AFTER, header::CONNECTION] {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    let anyone = HeaderName::from_static("access-control-allow-origin");
    response
        .headers_mut()
        .insert(anyone, HeaderValue::from_static("*"));
    response
}

fn is_problem(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind == KIND)
}
