//! The files of the page: style, icons, what an installed page needs, and the client that
//! `cargo xtask wasm` built.

use std::borrow::Cow;
use std::future::ready;
use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::packed::{Packed, of_brotli, takes_brotli};
use super::state::AppState;

/// The client's files, with a `.br` beside each; empty in a build made before them.
#[derive(RustEmbed)]
#[folder = "../target/assets/site"]
#[allow_missing = true]
struct Site;

/// A file that the program carries: its address, its type and its content.
#[derive(Debug)]
struct File {
    address: &'static str,
    mime: &'static str,
    content: Packed,
}

impl File {
    const fn new(address: &'static str, mime: &'static str, content: &'static [u8]) -> Self {
        Self {
            address,
            mime,
            content: Packed::new(Bytes::from_static(content)),
        }
    }

    fn hash(&self) -> String {
        hash(self.content.file())
    }
}

static STYLE: File = File::new(
    "/style.css",
    "text/css; charset=utf-8",
    include_bytes!("../../style/main.css"),
);
static ICON: File = File::new(
    "/icon.svg",
    "image/svg+xml",
    include_bytes!("../../style/icon.svg"),
);
static MANIFEST: File = File::new(
    "/manifest.webmanifest",
    "application/manifest+json",
    include_bytes!("../../install/manifest.webmanifest"),
);
static SMALL_ICON: File = File::new(
    "/icon-192.png",
    "image/png",
    include_bytes!("../../install/icon-192.png"),
);
static LARGE_ICON: File = File::new(
    "/icon-512.png",
    "image/png",
    include_bytes!("../../install/icon-512.png"),
);
/// Its address says which pages it may keep: all.
static OFFLINE: File = File::new(
    "/offline.js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../install/offline.js"),
);
static FILES: [&File; 6] = [&STYLE, &ICON, &MANIFEST, &SMALL_ICON, &LARGE_ICON, &OFFLINE];

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
        style: link(&STYLE),
        icon: link(&ICON),
        manifest: link(&MANIFEST),
        client: client_link("app.js").zip(client_link("app_bg.wasm")),
    });
    &LINKS
}

fn client_link(name: &str) -> Option<String> {
    let file = Site::get(&format!("pkg/{name}"))?;
    Some(format!("/pkg/{name}?v={}", file_hash(&file)))
}

fn link(file: &File) -> String {
    format!("{}?v={}", file.address, file.hash())
}

/// Compresses them once for all. Not for a task that others wait for.
pub(crate) fn pack() {
    FILES.iter().for_each(|file| file.content.pack());
}

/// All of them but the client.
pub(crate) fn routes() -> Router<AppState> {
    FILES.into_iter().fold(Router::new(), |router, file| {
        let answer = move |query, headers: HeaderMap| {
            let response = file.content.respond(&headers);
            ready(content(response, file.mime, &file.hash(), &query, &headers))
        };
        router.route(file.address, get(answer))
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
    let body = |file: EmbeddedFile| match file.data {
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let response = match compressed {
        Some(small) => of_brotli(body(small)),
        None => Response::new(body(file)),
    };
    let mut response = content(response, &mime, &hash, &query, &headers);
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
    content(file.respond(&headers), mime, hash, &query, &headers)
}

/// A response with its type and how long it may be kept.
fn content(
    response: Response,
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
        response
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
