//! A file that is the same for everybody: compressed once, as well as brotli can, for all who take it.

use std::io::Write as _;
use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// Brotli's best, which takes a hundred times as long as what is fit for each response anew.
const QUALITY: u32 = 11;
/// Larger files get a quality that takes a second for a megabyte.
const BEST_BYTES_MAX: usize = 256 * 1024;
const QUALITY_OF_LARGE: u32 = 9;
const WINDOW_BITS: u32 = 22;

/// A file, and what it is compressed.
#[derive(Debug)]
pub(super) struct Packed {
    file: Bytes,
    /// None until it is packed; empty where that makes it no smaller.
    small: OnceLock<Bytes>,
}

impl Packed {
    pub(super) const fn new(file: Bytes) -> Self {
        let small = OnceLock::new();
        Self { file, small }
    }

    pub(super) fn file(&self) -> &Bytes {
        &self.file
    }

    /// Compresses it. Not for a task that others wait for.
    pub(super) fn pack(&self) {
        self.small.get_or_init(|| {
            let small = compressed(&self.file).unwrap_or_default();
            let is_smaller = small.len() < self.file.len() / 10 * 9;
            if is_smaller {
                small.into()
            } else {
                Bytes::new()
            }
        });
    }

    /// Puts it into a response: compressed, where it is so by now and the browser takes it.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response {
        let small = self.small.get().filter(|small| !small.is_empty());
        match small.filter(|_| takes_brotli(headers)) {
            Some(small) => of_brotli(Body::from(small.clone())),
            None => Response::new(Body::from(self.file.clone())),
        }
    }
}

/// A response with what was compressed beforehand.
pub(super) fn of_brotli(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

pub(super) fn takes_brotli(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|coding| coding.trim() == "br"))
}

fn compressed(file: &[u8]) -> std::io::Result<Vec<u8>> {
    let quality = match file.len() {
        0..=BEST_BYTES_MAX => QUALITY,
        _ => QUALITY_OF_LARGE,
    };
    let mut small = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut small, 64 * 1024, quality, WINDOW_BITS);
    writer.write_all(file)?;
    drop(writer);
    Ok(small)
}
