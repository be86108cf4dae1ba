//! What an operator tells the feed: checked at the start, since readers would refuse it.

use super::id::printable;
use crate::server::config::AppConfig;
use crate::server::error::AppError;

/// Bytes of a host's name and port (RFC 1035, 2.3.4, and a port).
const HOST_BYTES_MAX: usize = 255 + 6;

/// How the feed names its system, and where it says that it is.
#[derive(Debug, Clone)]
pub(in crate::server) struct FeedSettings {
    pub(super) system_id: String,
    pub(super) name: String,
    pub(super) contact_email: String,
    /// Without a `/` at its end; none: the host that the request names.
    pub(super) public_url: Option<String>,
}

impl FeedSettings {
    /// Takes the settings over.
    ///
    /// # Errors
    /// [`AppError::PublicUrl`], [`AppError::SystemId`] and [`AppError::Contact`] if a setting would
    /// make the feed invalid.
    pub(in crate::server) fn new(config: &AppConfig) -> Result<Self, AppError> {
        let public_url = config.public_url.as_deref().map(parse_url).transpose()?;
        let system_id = config.system_id.clone();
        if system_id.is_empty() || printable(&system_id) != system_id {
            return Err(AppError::SystemId { system_id });
        }
        let contact_email = config.contact_email.clone();
        if !is_email(&contact_email) {
            let address = contact_email;
            return Err(AppError::Contact { address });
        }
        Ok(Self {
            system_id,
            name: config.system_name.clone(),
            contact_email,
            public_url,
        })
    }
}

/// Whether a host can stand in an address as it is.
pub(super) fn is_plain_host(host: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.chars().all(is_plain)
}

fn parse_url(url: &str) -> Result<String, AppError> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let host = rest.and_then(|rest| rest.split('/').next());
    let is_plain = url
        .chars()
        .all(|c| c.is_ascii_graphic() && !"?#\"<>".contains(c));
    match host {
        Some(host) if is_plain && is_plain_host(host) => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(AppError::PublicUrl {
            url: url.to_owned(),
        }),
    }
}

/// Whether an address has a shape that readers of the feed accept: `name@host.domain`.
fn is_email(address: &str) -> bool {
    let is_word = |word: &str, also: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
        !word.is_empty() && word.chars().all(is_plain)
    };
    let Some((name, host)) = address.split_once('@') else {
        return false;
    };
    let mut labels = host.split('.');
    host.contains('.')
        && name
            .split('.')
            .all(|word| is_word(word, "!#$%&'*+/=?^_`{|}~-"))
        && labels.all(|word| is_word(word, "-") && !word.starts_with('-') && !word.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_address_without_a_query() {
        let read = |url| parse_url(url).map_err(|error| error.to_string());
        assert_eq!(
            read("https://bikes.example/live/").unwrap(),
            "https://bikes.example/live"
        );
        for url in [
            "bikes.example",
            "ftp://b",
            "https://",
            "https://b/?x",
            "https://b/\"x",
        ] {
            let error = read(url).unwrap_err();
            assert!(error.contains("http:// or https://"), "{url}: {error}");
        }
    }

    #[test]
    fn a_contact_has_a_name_and_a_domain() {
        assert!(is_email("gbfs-feed@bikes.example"));
        for address in ["", "bikes", "@bikes.example", "a@b", "a b@c.d", "a@-b.c"] {
            assert!(!is_email(address), "{address}");
        }
    }
}
