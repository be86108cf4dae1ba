//! Where trips come from: a file, a folder of files, a simulated city, or a live feed.

mod files;
#[cfg(test)]
mod golden;
mod rows;
mod table;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_util::sync::CancellationToken;

pub(crate) use self::table::{Table, TableRow};
use crate::error::ProducerError;
use crate::gbfs::{FeedUrl, FeedUrlError};
use crate::order::Feed;
use crate::simulate::{City, SimulateConfig, SimulateError};

/// Where the trips come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A trip file (`.csv`, `.csv.gz`, `.zip`) or a folder of such files.
    Path(PathBuf),
    /// A city that does not exist.
    Simulate(SimulateConfig),
    /// A GBFS system, by the address of its `gbfs.json`.
    Gbfs(FeedUrl),
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// The simulated city's parameters are wrong.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// The feed's address is none.
    #[error(transparent)]
    Gbfs(#[from] FeedUrlError),
}

/// What a source holds, ready to be merged.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// One for each file that is not a duplicate, in the order of the files' names.
    pub(crate) feeds: Vec<Feed>,
    /// Files left out because another one has the same content.
    pub(crate) duplicate_files: u64,
    /// Files that could not be used; each is one reject.
    pub(crate) refused_files: u64,
    /// Whether reading was stopped: then the feeds are not complete.
    pub(crate) stopped: bool,
}

impl FromStr for Source {
    type Err = SourceError;

    /// Reads `simulate`, `simulate:seed=7,trips=300000`, `gbfs:https://…/gbfs.json`, or else a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(url) = text.strip_prefix("gbfs:") {
            return Ok(Self::Gbfs(url.parse()?));
        }
        match text.strip_prefix("simulate") {
            Some("") => Ok(Self::Simulate(SimulateConfig::default())),
            Some(rest) if rest.starts_with(':') => {
                let config = rest.trim_start_matches(':').parse()?;
                Ok(Self::Simulate(config))
            }
            _ => Ok(Self::Path(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Simulate(config) => config.source_name().fmt(f),
            Self::Gbfs(url) => write!(f, "gbfs:{url}"),
        }
    }
}

impl Source {
    /// Reads the files, or builds the city. Blocks: not for an async thread.
    ///
    /// Cost: 72 bytes a row of the files, all files at once.
    pub(crate) fn load(&self, stop: &CancellationToken) -> Result<Loaded, ProducerError> {
        match self {
            Self::Path(path) => files::load(path, stop),
            Self::Simulate(config) => Ok(Loaded {
                feeds: vec![Feed::city(City::new(config)?)],
                ..Loaded::default()
            }),
            // A live feed has nothing to load: it is polled (see `gbfs`).
            Self::Gbfs(_) => Ok(Loaded::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let found = match text.parse::<Source>() {
            Ok(Source::Path(path)) => format!("path {}", path.display()),
            Ok(Source::Simulate(config)) => config.source_name(),
            Ok(Source::Gbfs(url)) => format!("feed {url}"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn a_source_is_a_city_a_feed_or_a_path() {
        check("simulate", expect!["simulate:7"]);
        check("simulate:seed=3", expect!["simulate:3"]);
        check(
            "simulate:seed=3,trips=300000,stations=20,bikes=90,start=2026-03-08,dirty=0.01",
            expect!["simulate:3,trips=300000,start=2026-03-08,stations=20,bikes=90,dirty=0.01"],
        );
        check("simulate:seed=3,days=2", expect!["simulate:3,days=2"]);
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
        check("data/JC.zip", expect!["path data/JC.zip"]);
        check("simulated.csv", expect!["path simulated.csv"]);
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        check(
            "simulate:sead=3",
            expect![[
                r#"unknown parameter "sead": known are seed, trips, days, start, stations, bikes, dirty"#
            ]],
        );
        check(
            "simulate:seed",
            expect![[r#"parameter "seed" has no value: write seed=…"#]],
        );
        check(
            "simulate:trips=many",
            expect![[r#"parameter trips: "many" is not a whole number"#]],
        );
        check(
            "simulate:bikes=0",
            expect!["parameter bikes: 0 is not within 1 to 100000"],
        );
        check(
            "simulate:start=1/2/2020",
            expect![[r#"parameter start: "1/2/2020" is not a date such as 2026-06-01"#]],
        );
    }
}
