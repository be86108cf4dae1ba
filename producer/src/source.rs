//! Where trips come from: trip files, a simulated city, or a live feed.

use std::fmt;
use std::str::FromStr;

use crate::gbfs::{FeedUrl, FeedUrlError};

/// Where the trips come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Trip files or a simulated city: what can be read again.
    Trips(trip_files::Source),
    /// A GBFS system, by the address of its `gbfs.json`.
    Gbfs(FeedUrl),
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// The bucket or the simulated city cannot be meant.
    #[error(transparent)]
    Trips(#[from] trip_files::SourceError),
    /// The feed's address is none.
    #[error(transparent)]
    Gbfs(#[from] FeedUrlError),
}

impl FromStr for Source {
    type Err = SourceError;

    /// Reads `gbfs:https://…/gbfs.json`, or else as [`trip_files::Source`] does.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("gbfs:") {
            Some(url) => Ok(Self::Gbfs(url.parse()?)),
            None => Ok(Self::Trips(text.parse()?)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trips(source) => source.fmt(f),
            Self::Gbfs(url) => write!(f, "gbfs:{url}"),
        }
    }
}

impl From<trip_files::Source> for Source {
    fn from(source: trip_files::Source) -> Self {
        Self::Trips(source)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let found = match text.parse::<Source>() {
            Ok(Source::Trips(source)) => format!("trips {source}"),
            Ok(Source::Gbfs(url)) => format!("feed {url}"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn a_source_is_a_feed_or_trips() {
        check("simulate:seed=3", expect!["trips simulate:3"]);
        check("s3://tripdata/JC", expect!["trips s3://tripdata/JC"]);
        check(
            "gbfs:https://gbfs.example/2.3/gbfs.json",
            expect!["feed https://gbfs.example/2.3/gbfs.json"],
        );
        check(
            "gbfs:http://gbfs.example/gbfs.json",
            expect![[
                r#""http://gbfs.example/gbfs.json" is not the address of a feed: write gbfs:https://…/gbfs.json (http only for this machine)"#
            ]],
        );
        check(
            "s3:///x",
            expect![[r#""s3:///x" names no bucket: write s3://bucket or s3://bucket/prefix"#]],
        );
    }
}
