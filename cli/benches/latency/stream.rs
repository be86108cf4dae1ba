//! When the count of the watched dock is on the wire to a browser.

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::city::Clock;
use crate::rows::milliseconds;
use crate::{Moment, now};

/// Reads the page's event stream; gives the dock's bikes and when they came.
pub(crate) fn watch(page: &str, dock: i32) -> Result<Receiver<(i64, Moment)>> {
    let address = page
        .strip_prefix("http://")
        .context("the page has an address")?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    write!(stream, "GET /live HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let now = now();
            if let Some(bikes) = bikes_at(dock, &line)
                && sender.send((bikes, now)).is_err()
            {
                return;
            }
        }
    });
    Ok(received)
}

/// Of an event `docks`: each dock by its key, with its bikes first.
fn bikes_at(dock: i32, line: &str) -> Option<i64> {
    let event: Value = serde_json::from_str(line.strip_prefix("data:")?).ok()?;
    let docks = event["docks"].as_array()?;
    let found = docks.iter().find(|found| found[0] == dock)?;
    found[1][0].as_i64()
}

/// Milliseconds from each departure to the event that tells of it.
pub(crate) fn since_due(events: &Receiver<(i64, Moment)>, clock: Clock) -> Vec<f64> {
    let events = events.try_iter().skip(1);
    events
        .filter_map(|(bikes, at)| Some(milliseconds(clock.due_of_count(bikes)?, at)))
        .collect()
}
