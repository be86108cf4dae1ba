//! The files of the page: style and icon, and the client that `cargo xtask wasm` built.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The client's files, with a `.br` beside each; empty in a build made before them.
#[derive(RustEmbed)]
#[folder = "../target/assets/site"]
#[allow_missing = true]
struct Site;

const STYLE: &str = include_str!("../../style/main.css");
const ICON: &str = include_str!("../../style/icon.svg");

/// An address that names the content's hash may be kept for good; others are checked each time.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const CHECK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// Addresses of the page's files, each with the hash of its content.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) style: String,
    pub(crate) icon: String,
    pub(crate) base_map: String,
    /// Script and wasm; none in a build without the client.
    pub(crate) client: Option<(String, String)>,
}

/// The links of this build.
pub(crate) fn links() -> &'static Links {
    static LINKS: LazyLock<Links> = LazyLock::new(|| Links {
        style: format!("/style.css?v={}", hash(STYLE.as_bytes())),
        icon: format!("/icon.svg?v={}", hash(ICON.as_bytes())),
        base_map: format!("/new-york.basemap?v={}", hash(basemap::NEW_YORK)),
        client: client_link("app.js").zip(client_link("app_bg.wasm")),
    });
    &LINKS
}

fn client_link(name: &str) -> Option<String> {
    let file = Site::get(&format!("pkg/{name}"))?;
    Some(format!("/pkg/{name}?v={}", file_hash(&file)))
}

/// Answers `/style.css`.
pub(crate) async fn style(query: RawQuery, headers: HeaderMap) -> Response {
    fixed(
        STYLE.as_bytes(),
        "text/css; charset=utf-8",
        &query,
        &headers,
    )
}

/// Answers `/icon.svg`.
pub(crate) async fn icon(query: RawQuery, headers: HeaderMap) -> Response {
    fixed(ICON.as_bytes(), "image/svg+xml", &query, &headers)
}

/// Answers `/pkg/…`, compressed beforehand where the browser takes it.
pub(crate) async fn package(
    Path(path): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(file) = Site::get(&format!("pkg/{path}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let hash = file_hash(&file);
    let mime = file.metadata.mimetype().to_owned();
    let compressed = takes_brotli(&headers)
        .then(|| Site::get(&format!("pkg/{path}.br")))
        .flatten();
    let is_compressed = compressed.is_some();
    let body = match compressed.unwrap_or(file).data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = content(body, &mime, &hash, &query, &headers);
    if is_compressed {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
        .headers_mut()
        .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// Answers `/new-york.basemap`.
pub(crate) async fn base_map(query: RawQuery, headers: HeaderMap) -> Response {
    fixed(
        basemap::NEW_YORK,
        "application/octet-stream",
        &query,
        &headers,
    )
}

fn fixed(body: &'static [u8], mime: &str, query: &RawQuery, headers: &HeaderMap) -> Response {
    content(Body::from(body), mime, &hash(body), query, headers)
}

fn content(
    body: Body,
    mime: &str,
    hash: &str,
    RawQuery(query): &RawQuery,
    headers: &HeaderMap,
) -> Response {
    let tag = format!("\"{hash}\"");
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let names_hash = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(hash);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body.into_response()
    };
    let set = response.headers_mut();
    set.insert(
        header::CACHE_CONTROL,
        if names_hash { KEEP } else { CHECK_EACH_TIME },
    );
    for (name, value) in [(header::ETAG, tag.as_str()), (header::CONTENT_TYPE, mime)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            set.insert(name, value);
        }
    }
    response
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.trim() == "br"))
}

fn file_hash(file: &EmbeddedFile) -> String {
    let bytes = file.metadata.sha256_hash();
    bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// FNV-1a: a name for a content, not a proof of it.
pub(super) fn hash(content: &[u8]) -> String {
    let hash = content
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
}
