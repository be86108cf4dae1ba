//! `vehicle_types.json` of a feed, read again and again.

use std::collections::BTreeSet;

use domain::{Reject, error_chain};
use tracing::warn;

use super::changes::{BadKey, rejects};
use super::client::{FeedClient, FileResponse};
use super::error::FeedError;
use super::feed;
use super::url::FeedUrl;
use super::vehicles::VehicleTypes;

/// The file, and what was read of it.
#[derive(Debug)]
pub(super) struct TypesFile {
    /// None where the feed names no such file.
    url: Option<FeedUrl>,
    types: Option<VehicleTypes>,
    bad: BTreeSet<BadKey>,
    /// What was wrong with the file when it was read last.
    failure: Option<String>,
}

impl TypesFile {
    pub(super) fn new(url: Option<FeedUrl>) -> Self {
        Self {
            url,
            types: None,
            bad: BTreeSet::new(),
            failure: None,
        }
    }

    /// What was read last.
    pub(super) fn types(&self) -> VehicleTypes {
        self.types.clone().unwrap_or_default()
    }

    /// Requests the file; gives what could not be used of it.
    ///
    /// A file that stays unusable leaves the types as they were, or all vehicles bikes.
    ///
    /// # Errors
    /// [`FeedError`] if the server is in trouble and the types are not known yet: a moment later scooters
    /// would be bikes that have left.
    pub(super) async fn request(
        &mut self,
        client: &mut FeedClient,
    ) -> Result<Vec<Reject>, FeedError> {
        let Some(url) = self.url.clone() else {
            return Ok(Vec::new());
        };
        match self.read(&url, client).await {
            Ok(rejects) => {
                self.failure = None;
                Ok(rejects)
            }
            Err(error) if error.is_transient() && self.types.is_none() => Err(error),
            Err(error) => {
                client.forget(&url);
                Ok(self.fail(&url, &error).into_iter().collect())
            }
        }
    }

    async fn read(
        &mut self,
        url: &FeedUrl,
        client: &mut FeedClient,
    ) -> Result<Vec<Reject>, FeedError> {
        let FileResponse::File(bytes) = client.get_if_changed(url).await? else {
            return Ok(Vec::new());
        };
        let name = url.to_string();
        let listing = feed::vehicle_types(&name, &bytes)?;
        let (mut types, mut bad) = (Vec::new(), listing.doubts);
        for entry in listing.entries {
            match entry {
                Ok(found) => types.push(found),
                Err(entry) => bad.push(entry),
            }
        }
        self.types = Some(types.into_iter().collect());
        Ok(rejects(&name, bad, &mut self.bad))
    }

    /// A reject, unless the same was wrong the last time.
    fn fail(&mut self, url: &FeedUrl, error: &FeedError) -> Option<Reject> {
        let text = error_chain(error);
        if self.failure.as_ref() == Some(&text) {
            return None;
        }
        warn!(error = text, "the kinds of vehicles cannot be read: {text}");
        let url = url.to_string();
        let reason = text.strip_prefix(&format!("{url}: ")).unwrap_or(&text);
        let start = error.content().map_or("", |(_, start)| start);
        let reject = Reject::new(&url, 1, reason, start);
        self.failure = Some(text);
        Some(reject)
    }
}
