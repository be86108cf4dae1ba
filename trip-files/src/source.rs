//! Where trips come from: a file, a folder, a bucket or a simulated city.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::bucket::Bucket;
use crate::catalog::Catalog;
use crate::config::S3Config;
use crate::error::{NotRead, TripFilesError};
use crate::folder::Folder;
use crate::loader::{HeldFiles, Loaded, Loader, SentUnit};
use crate::order::RowStream;
use crate::progress::Reading;
use crate::s3_location::{NoBucketName, S3Location};
use crate::simulate::{City, SimulateConfig, SimulateError};
use crate::spill::Spill;
use crate::store::Store;

/// Months that are ready and not taken (chosen: one is prepared while another is sent).
const MONTHS_AHEAD: usize = 1;

/// Where the trips come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A trip file (`.csv`, `.csv.gz`, `.zip`, `.parquet`) or a folder of such files.
    Path(PathBuf),
    /// The trip files of a bucket whose keys begin alike.
    S3(S3Location),
    /// A city that does not exist.
    Simulate(SimulateConfig),
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// The simulated city's parameters are wrong.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// The bucket's name is missing.
    #[error(transparent)]
    S3(#[from] NoBucketName),
}

impl FromStr for Source {
    type Err = SourceError;

    /// Reads `simulate`, `simulate:seed=7,trips=300000`, `s3://bucket/prefix`, or else a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("s3://") {
            return Ok(Self::S3(text.parse()?));
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
            Self::S3(location) => location.fmt(f),
            Self::Simulate(config) => config.source_name().fmt(f),
        }
    }
}

impl Source {
    /// Whether it never comes to an end by itself.
    pub(crate) fn is_endless(&self) -> bool {
        match self {
            Self::Path(_) | Self::S3(_) => false,
            Self::Simulate(config) => config.trips.is_none() && config.days.is_none(),
        }
    }

    /// Lists the files, or builds the city; reads no rows yet. None if told to stop.
    ///
    /// # Errors
    /// If the source cannot be listed or the city not be built.
    pub async fn open(
        &self,
        s3: &S3Config,
        spill: &Arc<Spill>,
        reading: &Reading,
    ) -> Result<Option<Opened>, TripFilesError> {
        let store: Box<dyn Store> = match self {
            Self::Simulate(config) => {
                let city = RowStream::city(City::new(config)?);
                return Ok(Some(Opened(OpenedKind::City(Box::new(city)))));
            }
            Self::Path(path) => Box::new(Folder::new(path)),
            // Finding credentials takes far more room than all the rest.
            Self::S3(location) => Box::new(Box::pin(Bucket::new(location, s3, reading)).await),
        };
        let (spill, reading) = (Arc::clone(spill), reading.clone());
        let stop = reading.stop().clone();
        let listing = tokio::task::spawn_blocking(move || {
            let catalog = Catalog::open(store, &reading)?;
            Ok(Loader::new(catalog, spill, reading)?)
        });
        match listing.await? {
            // A listing that is stopped ends with an error of its own.
            Err(_) if stop.is_cancelled() => Ok(None),
            Ok(loader) => Ok(Some(Opened(OpenedKind::Files(Box::new(loader))))),
            Err(NotRead::Stopped) => Ok(None),
            Err(NotRead::Failed(error)) => Err(error),
            Err(NotRead::Refused(reason)) => unreachable!("a catalog refuses no file: {reason}"),
        }
    }
}

/// A source whose rows can be read.
#[derive(Debug)]
pub struct Opened(OpenedKind);

#[derive(Debug)]
enum OpenedKind {
    City(Box<RowStream>),
    Files(Box<Loader>),
}

impl Opened {
    /// What an earlier run has sent, as far as that was noted: see [`SentUnit`].
    pub fn sent(&self) -> Vec<SentUnit> {
        match &self.0 {
            OpenedKind::City(_) => Vec::new(),
            OpenedKind::Files(loader) => loader.sent(),
        }
    }

    /// Hashes of the files that earlier runs have taken, as far as that was noted.
    pub fn taken(&self) -> Vec<u64> {
        match &self.0 {
            OpenedKind::City(_) => Vec::new(),
            OpenedKind::Files(loader) => loader.taken(),
        }
    }

    /// Starts to read everything but what was sent, on a thread of its own, which ends with the
    /// receiver.
    pub fn start(self, held: HeldFiles) -> mpsc::Receiver<Result<Loaded, TripFilesError>> {
        let (sender, receiver) = mpsc::channel(MONTHS_AHEAD);
        match self.0 {
            OpenedKind::City(city) => {
                let loaded = Loaded {
                    streams: vec![*city],
                    ..Loaded::default()
                };
                sender.try_send(Ok(loaded)).expect("the channel is empty");
            }
            OpenedKind::Files(loader) => {
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || loader.run(&held, &sender, &runtime));
            }
        }
        receiver
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
            Ok(Source::S3(location)) => format!("{location:?}"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn a_source_is_a_city_a_bucket_or_a_path() {
        check("simulate", expect!["simulate:7"]);
        check("simulate:seed=3", expect!["simulate:3"]);
        check(
            "simulate:seed=3,trips=300000,stations=20,bikes=90,start=2026-03-08,dirty=0.01",
            expect!["simulate:3,trips=300000,start=2026-03-08,stations=20,bikes=90,dirty=0.01"],
        );
        check("simulate:seed=3,days=2", expect!["simulate:3,days=2"]);
        check("data/JC.zip", expect!["path data/JC.zip"]);
        check(
            "s3://tripdata",
            expect![[r#"S3Location { bucket: "tripdata", prefix: "" }"#]],
        );
        check(
            "s3://tripdata/JC-2020",
            expect![[r#"S3Location { bucket: "tripdata", prefix: "JC-2020" }"#]],
        );
        check(
            "s3:///x",
            expect![[r#""s3:///x" names no bucket: write s3://bucket or s3://bucket/prefix"#]],
        );
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
