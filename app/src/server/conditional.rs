//! Responses that a client may keep, and ask about again by their tag (RFC 9110, 13).

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::assets::hash;

/// The content, or 304 to who has it already. Its tag is that of the content.
pub(super) fn conditional(
    headers: &HeaderMap,
    kind: &'static str,
    content: impl Into<Body> + AsRef<[u8]>,
    caching: &str,
) -> Response {
    // Weak, since the response may be compressed in one way or another.
    let tag = format!("W/\"{}\"", hash(content.as_ref()));
    let mut response = if knows(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], content.into()).into_response()
    };
    for (name, value) in [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, caching),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether `If-None-Match` names the tag, by weak comparison (13.1.2).
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut named = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    named.any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}
