//! A browser that never leaves the page: follows `/live`, comes back with the last event's id, and
//! holds every event to the laws.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::progress::Violations;

/// Three heartbeats of the page: what a browser waits for.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a browser waits before it comes back.
const RETRY: Duration = Duration::from_millis(100);
/// How long a page may take for what is asked once.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the page has said so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) version: i64,
    pub(crate) clock: Option<DateTime<FixedOffset>>,
    /// Bikes by `location_id`.
    pub(crate) docks: BTreeMap<i64, i64>,
    pub(crate) events: u64,
}

/// Event `docks`, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Delta {
    version: i64,
    clock: Option<DateTime<FixedOffset>>,
    #[serde(default)]
    full: bool,
    docks: Vec<(i64, Vec<serde_json::Value>)>,
}

impl Seen {
    /// Takes an event in; a sentence for each law that it breaks.
    fn take(&mut self, data: &str) -> Result<Vec<String>> {
        let delta: Delta = serde_json::from_str(data)?;
        let mut broken = Vec::new();
        if delta.clock < self.clock {
            let (old, new) = (self.clock, delta.clock);
            broken.push(format!(
                "the page's clock went back from {old:?} to {new:?}"
            ));
        }
        if delta.version < self.version {
            let (old, new) = (self.version, delta.version);
            broken.push(format!("the page's version went back from {old} to {new}"));
        }
        if delta.full {
            self.docks.clear();
        }
        for (dock, count) in delta.docks {
            let bikes = count.first().and_then(serde_json::Value::as_i64);
            let bikes = bikes.context("a count has no bikes")?;
            if bikes < 0 {
                broken.push(format!("dock {dock} shows {bikes} bikes"));
            }
            self.docks.insert(dock, bikes);
        }
        self.clock = delta.clock;
        self.version = delta.version;
        self.events += 1;
        Ok(broken)
    }
}

/// Follows the page until the runtime ends, however often it goes away.
pub(crate) fn follow(page: SocketAddr, violations: Violations) -> watch::Receiver<Seen> {
    let (sender, seen) = watch::channel(Seen::default());
    tokio::spawn(async move {
        loop {
            // However the stream ends, it is opened again.
            drop(read(page, &sender, &violations).await);
            tokio::time::sleep(RETRY).await;
        }
    });
    seen
}

async fn read(page: SocketAddr, seen: &watch::Sender<Seen>, violations: &Violations) -> Result<()> {
    let version = seen.borrow().version;
    let last = match version {
        0 => String::new(),
        _ => format!("last-event-id: {version}\r\n"),
    };
    // Of HTTP 1.0, so that lines come as they are, without chunks around them.
    let request = format!("GET /live HTTP/1.0\r\nhost: chaos\r\n{last}\r\n");
    let mut stream = TcpStream::connect(page).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let mut is_docks = false;
    loop {
        let line = tokio::time::timeout(SILENCE_MAX, lines.next_line()).await??;
        let line = line.context("the stream has ended")?;
        if let Some(event) = line.strip_prefix("event: ") {
            is_docks = event == "docks";
        }
        let Some(data) = line.strip_prefix("data: ").filter(|_| is_docks) else {
            continue;
        };
        let mut broken = Ok(Vec::new());
        seen.send_modify(|seen| broken = seen.take(data));
        for what in broken? {
            violations.add(what);
        }
    }
}

/// The body of a page's answer.
pub(crate) async fn get(page: SocketAddr, path: &str) -> Result<String> {
    let asking = async {
        let mut stream = TcpStream::connect(page).await?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: chaos\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(ANSWER_MAX, asking).await??;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without an end")?;
    if !head.contains(" 200 ") {
        bail!("{path} was answered by {head:?}: {body}");
    }
    Ok(body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(events: &[&str]) -> Vec<String> {
        let mut seen = Seen::default();
        let broken = events.iter().flat_map(|event| seen.take(event).unwrap());
        broken.collect()
    }

    #[test]
    fn a_clock_that_goes_back_and_a_count_below_zero_are_found() {
        let noon = r#"{"version":2,"clock":"2026-06-01T12:00:00Z","docks":[[1,[4,0,1,1,1,null]]]}"#;
        let before = r#"{"version":3,"clock":"2026-06-01T11:59:59.999Z","docks":[]}"#;
        let older = r#"{"version":1,"clock":"2026-06-01T12:00:00Z","docks":[]}"#;
        let below =
            r#"{"version":2,"clock":"2026-06-01T12:00:00Z","docks":[[1,[-1,0,1,1,1,null]]]}"#;
        assert_eq!(broken(&[noon, noon]), [""; 0]);
        for (event, what) in [(before, "clock"), (older, "version"), (below, "-1 bikes")] {
            let broken = broken(&[noon, event]);
            assert!(broken.len() == 1 && broken[0].contains(what), "{broken:?}");
        }
    }
}
