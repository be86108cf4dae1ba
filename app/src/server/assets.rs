//! The files of the page: style, icons, what an installed page needs, and the client that
//! `cargo xtask wasm` built.

use std::borrow::Cow;
use std::future::ready;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::state::AppState;

/// The client's files, with a `.br` beside each; empty in a build made before them.
#[derive(RustEmbed)]
#[folder = "../target/assets/site"]
#[allow_missing = true]
struct Site;

/// A file that the program carries: its address, its type and its content.
type File = (&'static str, &'static str, &'static [u8]);

const STYLE: File = (
    "/style.css",
    "text/css; charset=utf-8",
    include_bytes!("../../style/main.css"),
);
const ICON: File = (
    "/icon.svg",
    "image/svg+xml",
    include_bytes!("../../style/icon.svg"),
);
const MANIFEST: File = (
    "/manifest.webmanifest",
    "application/manifest+json",
    include_bytes!("../../install/manifest.webmanifest"),
);
const FILES: [File; 6] = [
    STYLE,
    ICON,
    MANIFEST,
    (
        "/icon-192.png",
        "image/png",
        include_bytes!("../../install/icon-192.png"),
    ),
    (
        "/icon-512.png",
        "image/png",
        include_bytes!("../../install/icon-512.png"),
    ),
    // Its address says which pages it may keep: all.
    (
        "/offline.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../install/offline.js"),
    ),
];

/// An address that names the content's hash may be kept for good; others are checked each time.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const CHECK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// Addresses of the page's files, each with the hash of its content.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) style: String,
    pub(crate) icon: String,
    pub(crate) manifest: String,
    /// Script and wasm; none in a build without the client.
    pub(crate) client: Option<(String, String)>,
}

/// The links of this build.
pub(crate) fn links() -> &'static Links {
    static LINKS: LazyLock<Links> = LazyLock::new(|| Links {
        style: link(STYLE),
        icon: link(ICON),
        manifest: link(MANIFEST),
        client: client_link("app.js").zip(client_link("app_bg.wasm")),
    });
    &LINKS
}

fn client_link(name: &str) -> Option<String> {
    let file = Site::get(&format!("pkg/{name}"))?;
    Some(format!("/pkg/{name}?v={}", file_hash(&file)))
}

fn link((address, _, content): File) -> String {
    format!("{address}?v={}", hash(content))
}

/// All of them but the client.
pub(crate) fn routes() -> Router<AppState> {
    FILES.into_iter().fold(Router::new(), |router, file| {
        let answer = move |query, headers| ready(fixed(file, &query, &headers));
        router.route(file.0, get(answer))
    })
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

/// Answers `/city.basemap`.
pub(crate) async fn base_map(
    State(app): State<AppState>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    let (file, hash) = app.base_map.file();
    let mime = "application/octet-stream";
    content(Body::from(file), mime, hash, &query, &headers)
}

fn fixed((_, mime, body): File, query: &RawQuery, headers: &HeaderMap) -> Response {
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
