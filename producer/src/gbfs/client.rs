//! Requests files, and keeps their tags, so that what has not changed is not sent again.
//!
//! Servers are trusted by the system's certificates and by those of Mozilla that are built in, so that
//! it works behind a proxy with its own certificate and in an empty container.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};

use super::error::FeedError;
use super::url::FeedUrl;

/// Most bytes of a file, unpacked: the largest systems have some 2 MB. Read as JSON it may take a
/// dozen times as much memory.
const FILE_BYTES_MAX: usize = 8 << 20;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long a response may take in all.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A longer `Retry-After` than that is not obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// How many addresses a file may have moved through.
const REDIRECTS_MAX: usize = 5;

/// The connection to a feed's servers.
#[derive(Debug)]
pub(crate) struct FeedClient {
    client: Client,
    /// The tag of each file that was read, by address.
    tags: HashMap<String, HeaderValue>,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileResponse {
    /// The file.
    File(Vec<u8>),
    /// The file is the one that was read before.
    Unchanged,
}

impl FeedClient {
    pub(crate) fn new(url: &FeedUrl) -> Result<Self, FeedError> {
        let mut builder = Client::builder()
            .https_only(!url.is_local())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .redirect(redirect::Policy::limited(REDIRECTS_MAX))
            .user_agent(concat!("bikeshare/", env!("CARGO_PKG_VERSION")));
        if url.is_local() {
            builder = builder.no_proxy();
        }
        let unusable = |source| unreachable(url, source);
        let client = builder.build().map_err(unusable)?;
        Ok(Self {
            client,
            tags: HashMap::new(),
        })
    }

    /// Requests a file, whether or not it has changed.
    pub(crate) async fn get(&mut self, url: &FeedUrl) -> Result<Vec<u8>, FeedError> {
        self.forget(url);
        match self.get_if_changed(url).await? {
            FileResponse::File(bytes) => Ok(bytes),
            FileResponse::Unchanged => Err(FeedError::Status {
                url: url.to_string(),
                status: StatusCode::NOT_MODIFIED,
                retry_after: None,
            }),
        }
    }

    /// Requests a file unless it is the one that was read last.
    pub(crate) async fn get_if_changed(
        &mut self,
        url: &FeedUrl,
    ) -> Result<FileResponse, FeedError> {
        let mut request = self.client.get(url.as_url().clone());
        request = request.header(ACCEPT, "application/json");
        if let Some(tag) = self.tags.get(&url.to_string()) {
            request = request.header(IF_NONE_MATCH, tag.clone());
        }
        let failed = |source| unreachable(url, source);
        let response = request.send().await.map_err(failed)?;
        match response.status() {
            StatusCode::NOT_MODIFIED => Ok(FileResponse::Unchanged),
            StatusCode::OK => {
                let tag = response.headers().get(ETAG).cloned();
                let bytes = read(url, response).await?;
                if let Some(tag) = tag {
                    self.tags.insert(url.to_string(), tag);
                }
                Ok(FileResponse::File(bytes))
            }
            status => Err(FeedError::Status {
                url: url.to_string(),
                status,
                retry_after: retry_after(&response),
            }),
        }
    }

    /// Forgets a file's tag: what was read could not be used.
    pub(crate) fn forget(&mut self, url: &FeedUrl) {
        self.tags.remove(&url.to_string());
    }
}

async fn read(url: &FeedUrl, mut response: Response) -> Result<Vec<u8>, FeedError> {
    let mut bytes = Vec::new();
    let failed = |source| unreachable(url, source);
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        if bytes.len() + piece.len() > FILE_BYTES_MAX {
            return Err(FeedError::TooLarge {
                url: url.to_string(),
                bytes_max: FILE_BYTES_MAX,
            });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// `Retry-After` in seconds; its other form, a date, would need this machine's clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

fn unreachable(url: &FeedUrl, source: reqwest::Error) -> FeedError {
    FeedError::Unreachable {
        url: url.to_string(),
        // The address stands before it already.
        source: source.without_url(),
    }
}
