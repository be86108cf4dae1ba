//! Where a feed is: an address that requests may be sent to.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// An error quotes so many characters of what is no address.
const TEXT_CHARS_MAX: usize = 200;

/// The address of a feed's `gbfs.json`: https, or http on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedUrl(Url);

/// A text that is no [`FeedUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the address of a feed: write gbfs:https://…/gbfs.json (http only for this machine)"
)]
pub struct FeedUrlError(String);

impl FromStr for FeedUrl {
    type Err = FeedUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).ok().filter(is_safe);
        let start = || text.chars().take(TEXT_CHARS_MAX).collect();
        url.map(Self).ok_or_else(|| FeedUrlError(start()))
    }
}

impl fmt::Display for FeedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FeedUrl {
    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether the feed is on this machine, which no proxy reaches.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.0)
    }
}

/// Anybody on the way could change what comes over plain http.
fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_local(url),
        _ => false,
    }
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_asked_by_https_and_by_http_only_on_this_machine() {
        for url in [
            "https://gbfs.example/2.3/gbfs.json",
            "http://127.0.0.1:8080/gbfs/gbfs.json",
            "http://localhost/gbfs.json",
            "http://[::1]:80/gbfs.json",
        ] {
            assert_eq!(url.parse::<FeedUrl>().map(drop), Ok(()), "{url}");
        }
        for text in [
            "http://gbfs.example/gbfs.json",
            "gbfs.json",
            "file:///etc/x",
            "",
        ] {
            let error = text.parse::<FeedUrl>().unwrap_err();
            assert!(error.to_string().contains("gbfs:https://"), "{error}");
        }
    }
}
