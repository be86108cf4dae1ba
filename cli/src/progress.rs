//! Shows how far the producer is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use trip_files::{FileProgress, Progress};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Starts the display; it ends when the sender is dropped.
pub(crate) fn show(progress: watch::Receiver<Progress>) -> JoinHandle<()> {
    if std::io::stderr().is_terminal() {
        tokio::spawn(draw(progress))
    } else {
        tokio::spawn(print(progress))
    }
}

async fn draw(mut progress: watch::Receiver<Progress>) {
    let bar = ProgressBar::new_spinner();
    bar.set_style(style("{spinner} {pos} rows  {per_sec}  {msg}"));
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        if let Some(total) = now.total.filter(|_| bar.length().is_none()) {
            bar.set_length(total);
            bar.set_style(style("{wide_bar} {pos} of {len} rows  {per_sec}  {msg}"));
        }
        bar.set_position(now.rows);
        bar.set_message(message(&now));
        // The sender publishes ten times a second, which is as often as one can read.
    }
    bar.finish_and_clear();
}

async fn print(mut progress: watch::Receiver<Progress>) {
    let mut printed = Instant::now();
    while progress.changed().await.is_ok() {
        if printed.elapsed() < LINE_EVERY {
            continue;
        }
        printed = Instant::now();
        let now = progress.borrow_and_update().clone();
        let total = now
            .total
            .map(|total| format!(" of {total}"))
            .unwrap_or_default();
        let rate = now.rows_per_second;
        tracing::info!(
            "{}{total} rows, {rate:.0} rows/s, {}",
            now.rows,
            message(&now)
        );
    }
}

/// Where the replay is, in event time, and what is being read for it.
fn message(progress: &Progress) -> String {
    let clock = progress
        .clock
        .map(|clock| clock.format("%Y-%m-%d %H:%M:%S UTC").to_string());
    let reading = progress.reading.as_ref().map(reading);
    let parts: Vec<_> = clock.into_iter().chain(reading).collect();
    parts.join("  ")
}

fn reading(file: &FileProgress) -> String {
    format!(
        "reading {}: {} of {} MB, {} rows",
        file.file,
        file.bytes / 1_000_000,
        file.bytes_total.div_ceil(1_000_000),
        file.rows
    )
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is constant")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_read_is_shown_with_its_bytes_and_rows() {
        let progress = Progress {
            reading: Some(FileProgress {
                file: "202401-citibike-tripdata.zip".to_owned(),
                bytes: 120_500_000,
                bytes_total: 371_000_001,
                rows: 812_000,
            }),
            ..Progress::default()
        };
        assert_eq!(
            message(&progress),
            "reading 202401-citibike-tripdata.zip: 120 of 372 MB, 812000 rows"
        );
    }
}
