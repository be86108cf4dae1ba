//! How far a run is.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::compact::instant;

/// How often progress is published (chosen: ten times a second is smooth to the eye).
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Rows taken from the source, those an earlier run had sent included.
    pub rows: u64,
    /// Rows that are safe: the topic has confirmed them to this run, or they are written.
    pub confirmed: u64,
    /// Rows in all, where that is known.
    pub total: Option<u64>,
    /// Of `rows`, those that are no trip.
    pub rejected: u64,
    /// Of `rows`, those an earlier run had sent.
    pub already_produced: u64,
    /// Event time: the departure the replay has reached.
    pub clock: Option<DateTime<Utc>>,
    /// Rows a second, over the last tenths of a second.
    pub rows_per_second: f64,
    /// The file being read and ordered; files are read ahead of the rows that are sent.
    pub reading: Option<FileProgress>,
}

/// How far a file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileProgress {
    /// The file's name.
    pub file: String,
    /// Bytes read of the file as it is stored. An archive's directory is read twice.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// Rows found so far.
    pub rows: u64,
}

/// How many rows a run has taken so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows taken from the source, those an earlier run had sent included.
    pub rows: u64,
    /// Of `rows`, those that are safe: confirmed by the topic, or written.
    pub confirmed: u64,
    /// Of `rows`, those that are no trip.
    pub rejected: u64,
    /// Of `rows`, those an earlier run had sent.
    pub already_produced: u64,
}

/// The reading thread's link to the run: whether to stop, and how far it is.
#[derive(Debug, Clone)]
pub struct Reading {
    stop: CancellationToken,
    progress: watch::Sender<Progress>,
    /// Written by the reader of the bytes and that of the rows, which are on one thread.
    now: Arc<Mutex<(FileProgress, Instant)>>,
}

impl Reading {
    pub fn new(progress: watch::Sender<Progress>, stop: CancellationToken) -> Self {
        Self {
            stop,
            progress,
            now: Arc::new(Mutex::new((FileProgress::default(), Instant::now()))),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// A file is begun.
    pub(crate) fn begin(&self, file: &str, bytes_total: u64) {
        let mut now = self.lock();
        now.0 = FileProgress {
            file: file.to_owned(),
            bytes_total,
            ..FileProgress::default()
        };
        self.publish(&mut now);
    }

    /// No file is being read any more.
    pub(crate) fn end(&self) {
        self.progress
            .send_modify(|progress| progress.reading = None);
    }

    /// More was read of the file.
    pub(crate) fn add(&self, bytes: u64, rows: u64) {
        let mut now = self.lock();
        now.0.bytes += bytes;
        now.0.rows += rows;
        if now.1.elapsed() >= PUBLISH_EVERY {
            self.publish(&mut now);
        }
    }

    fn publish(&self, now: &mut (FileProgress, Instant)) {
        now.1 = Instant::now();
        let reading = Some(now.0.clone());
        self.progress
            .send_modify(|progress| progress.reading = reading);
    }

    fn lock(&self) -> MutexGuard<'_, (FileProgress, Instant)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the bytes that are read of a file.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    input: R,
    reading: Reading,
}

impl<R> Counted<R> {
    pub(crate) fn new(input: R, reading: &Reading) -> Self {
        Self {
            input,
            reading: reading.clone(),
        }
    }

    /// What is read, not counted any more.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.reading.add(count as u64, 0);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}

/// Publishes progress now and then.
#[derive(Debug)]
pub struct Reporter {
    progress: watch::Sender<Progress>,
    /// Rows in all, once that is known.
    pub total: Option<u64>,
    published: Instant,
    rows_then: u64,
}

impl Reporter {
    pub fn new(progress: watch::Sender<Progress>) -> Self {
        Self {
            progress,
            total: None,
            published: Instant::now(),
            rows_then: 0,
        }
    }

    /// Publishes if it is time to; `at` is the departure of the last row, as [`crate::Row`] has it.
    pub fn report(&mut self, counts: RowCounts, at: Option<i64>) {
        if self.published.elapsed() >= PUBLISH_EVERY {
            self.publish(counts, at);
        }
    }

    /// Publishes now.
    pub fn publish(&mut self, counts: RowCounts, at: Option<i64>) {
        let RowCounts {
            rows,
            confirmed,
            rejected,
            already_produced,
        } = counts;
        let seconds = self.published.elapsed().as_secs_f64().max(1e-3);
        #[expect(clippy::cast_precision_loss, reason = "a rate is for the eye")]
        let rows_per_second = (rows - self.rows_then) as f64 / seconds;
        self.published = Instant::now();
        self.rows_then = rows;
        self.progress.send_modify(|progress| {
            *progress = Progress {
                rows,
                confirmed,
                total: self.total,
                rejected,
                already_produced,
                clock: at.map(instant),
                rows_per_second,
                reading: progress.reading.take(),
            };
        });
    }
}
