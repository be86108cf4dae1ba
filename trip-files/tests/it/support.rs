//! All that a source gives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::{Body, Record, Trip};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trip_files::{
    Content, Encoder, FilesConfig, HeldFiles, Merged, Progress, Reading, Source, Spill,
    TripFilesError,
};

pub(crate) fn testdata(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/trips")
        .join(file)
}

/// The rows of a source as records, in their order.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) records: Vec<Record>,
    pub(crate) duplicate_files: u64,
    pub(crate) refused_files: u64,
}

/// Reads a source to its end.
pub(crate) async fn read(source: Source, config: &FilesConfig) -> Rows {
    try_read(source, config).await.unwrap()
}

pub(crate) async fn try_read(source: Source, config: &FilesConfig) -> Result<Rows, TripFilesError> {
    let spill = Arc::new(Spill::new(config)?);
    let (progress, _) = watch::channel(Progress::default());
    let reading = Reading::new(progress, CancellationToken::new());
    let opened = source.open(&config.s3, &spill, &reading).await?.unwrap();
    let mut months = opened.start(HeldFiles::default());
    let (mut rows, mut found) = (Merged::default(), Rows::default());
    while let Some(loaded) = months.recv().await {
        let loaded = loaded?;
        found.duplicate_files += loaded.duplicate_files;
        found.refused_files += loaded.refused_files;
        rows.add(loaded.streams);
        while let Some((source, seq, row)) = rows.next_row().unwrap() {
            let stream = &rows.streams[source];
            let encoder = Encoder::new(&stream.source);
            let json = match &row.content {
                Content::Trip(trip) => encoder.trip(seq, trip, stream.names()),
                Content::Reject(reject) => encoder.reject(seq, reject),
            };
            found.records.push(Record::from_json(&json).unwrap());
        }
    }
    Ok(found)
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The sources, in the order in which their first rows come.
    pub(crate) fn sources(&self) -> Vec<&str> {
        let mut sources: Vec<_> = Vec::new();
        for record in &self.records {
            if !sources.contains(&record.source.as_str()) {
                sources.push(&record.source);
            }
        }
        sources
    }

    /// Trips with their sources.
    pub(crate) fn trips(&self) -> impl Iterator<Item = (&str, &Trip)> {
        self.records.iter().filter_map(|record| match &record.body {
            Body::Trip(trip) => Some((record.source.as_str(), trip)),
            _ => None,
        })
    }

    /// Rejects, as lines that name file, line and reason.
    pub(crate) fn rejects(&self) -> impl Iterator<Item = String> {
        self.records.iter().filter_map(|record| match &record.body {
            Body::Reject(reject) => Some(format!(
                "{}, line {}: {}",
                reject.file, reject.line, reject.reason
            )),
            _ => None,
        })
    }

    /// What the rows say, without the files' names.
    pub(crate) fn contents(&self) -> Vec<(u64, &Trip)> {
        let rows = self.records.iter();
        rows.filter_map(|record| match &record.body {
            Body::Trip(trip) => Some((record.seq, trip)),
            _ => None,
        })
        .collect()
    }

    /// Fails unless the only source's rows are numbered without gaps and ordered by departure.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.sources().len(), 1);
        let seqs = self.records.iter().map(|record| record.seq);
        assert!(seqs.eq(0..self.len() as u64), "{} rows", self.len());
        assert!(self.trips().map(|(_, trip)| trip.departed_at).is_sorted());
    }
}
