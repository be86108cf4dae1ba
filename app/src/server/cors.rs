//! Who may read what other programs are served: scripts of any page.

use axum::http::{Method, header};
use tower_http::cors::{Any, CorsLayer};

/// Lets any origin read, and ask about again what it has.
pub(super) fn any_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(Any)
        .expose_headers([header::ETAG, header::RETRY_AFTER])
        // The response is the same for every origin.
        .vary([])
}
