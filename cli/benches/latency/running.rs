//! The program under measurement, and what it says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};

use crate::{Moment, city};

/// What the producer says when its clock starts, behind the time of day.
const PACE_BEGINS: &str = "the replay clock starts";
/// The history before is loaded first.
const PATIENCE: Duration = Duration::from_secs(120);

/// `bikeshare up`, stopped when dropped.
pub(crate) struct Running {
    process: Child,
    page: String,
    log: Receiver<String>,
}

impl Running {
    pub(crate) fn start(folder: &Path, database_url: &str) -> Result<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_bikeshare"))
            .args(["up", "--speed", "1", "--from", city::PACED_FROM])
            .args(["--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", database_url)
            .args(["--log", "warn,producer=info", "--source"])
            .arg(folder.join("trips.csv"))
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, log) = channel();
        let stderr = process.stderr.take().context("stderr is piped")?;
        std::thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            lines.for_each(|line| sender.send(line).unwrap_or_default());
        });
        let mut stdout = BufReader::new(process.stdout.take().context("stdout is piped")?).lines();
        let page = stdout
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("http://")?;
                Some(format!("http://{}", rest.split_whitespace().next()?))
            })
            .context("up did not say where the page is")?;
        std::thread::spawn(move || stdout.for_each(drop));
        Ok(Self { process, page, log })
    }

    pub(crate) fn page(&self) -> &str {
        self.page.trim_end_matches('/')
    }

    /// When the first paced trip was due, by the time in front of the producer's line.
    pub(crate) fn pace_began(&mut self) -> Result<Moment> {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.context("the replay clock did not start")?;
            if line.contains(PACE_BEGINS) {
                let time = line.split_whitespace().next().unwrap_or_default();
                let time: DateTime<Utc> = time.parse().context("a line begins with its time")?;
                return Ok(time.timestamp_micros());
            }
        }
    }

    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = self.process.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status()?;
        ensure!(status.success(), "could not stop bikeshare up");
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
