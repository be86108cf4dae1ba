//! Pages that are looked at: event streams, some of which are watched closely.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::tables::Published;

/// Streams on which each event is timed: spread over all, in the order in which they were opened.
const SAMPLED: usize = 50;

/// The others are read this often, long before the system's buffers are full.
const READ_EVERY: Duration = Duration::from_secs(2);

/// A server that does not respond has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Audience {
    sampled: Vec<BufReader<TcpStream>>,
    others: Vec<TcpStream>,
}

/// An audience that takes what it is sent.
pub(crate) struct Listening {
    is_over: Arc<AtomicBool>,
    sampled: Vec<JoinHandle<Vec<(i64, Instant)>>>,
    others: JoinHandle<Result<()>>,
}

/// What the sampled streams brought: versions, and when.
pub(crate) struct Heard(Vec<Vec<(i64, Instant)>>);

impl Audience {
    /// Opens so many streams that have seen a version.
    pub(crate) fn open(server: SocketAddr, pages: usize, version: i64) -> Result<Self> {
        let mut audience = Self {
            sampled: Vec::new(),
            others: Vec::new(),
        };
        for page in 0..pages {
            let stream = open(server, version).with_context(|| format!("page {page}"))?;
            if page % (pages / SAMPLED) == 0 {
                audience.sampled.push(stream);
            } else {
                audience.others.push(stream.into_inner());
            }
        }
        Ok(audience)
    }

    pub(crate) fn listen(self) -> Result<Listening> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (mut others, over) = (self.others, Arc::clone(&is_over));
        for stream in &others {
            stream.set_nonblocking(true)?;
        }
        let others = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(READ_EVERY);
                others.iter_mut().try_for_each(take_all)?;
            }
            Ok(())
        });
        let sample = |stream: BufReader<TcpStream>| {
            let over = Arc::clone(&is_over);
            std::thread::spawn(move || versions(stream, &over))
        };
        Ok(Listening {
            sampled: self.sampled.into_iter().map(sample).collect(),
            is_over,
            others,
        })
    }
}

/// Opens a stream; its response has begun.
fn open(server: SocketAddr, version: i64) -> Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /live?since={version} HTTP/1.1\r\nhost: bench\r\n\r\n"
    )?;
    let mut stream = BufReader::with_capacity(4 << 10, stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "it was answered: {line}");
    while !line.starts_with("event: heartbeat") {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the stream has ended");
    }
    Ok(stream)
}

/// Takes what is there.
fn take_all(stream: &mut TcpStream) -> Result<()> {
    let mut bytes = [0; 64 << 10];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => anyhow::bail!("a stream has ended"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The version of each event, and when it came.
fn versions(stream: BufReader<TcpStream>, is_over: &AtomicBool) -> Vec<(i64, Instant)> {
    let mut versions = Vec::new();
    for line in stream.lines().map_while(Result::ok) {
        if let Some(version) = line.strip_prefix("id: ").and_then(|id| id.parse().ok()) {
            versions.push((version, Instant::now()));
        }
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    versions
}

impl Listening {
    /// Ends it; a stream that was ended before is an error.
    pub(crate) fn stop(self) -> Result<Heard> {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.others.join();
        ended
            .ok()
            .context("who reads the others does not panic")??;
        // Those who wait for a line hear the next heartbeat.
        let sampled = self.sampled.into_iter().map(|sampled| sampled.join().ok());
        let heard: Option<Vec<_>> = sampled.collect();
        Ok(Heard(heard.context("who reads a stream does not panic")?))
    }
}

impl Heard {
    /// From each publish to the first event of that version or a later one, on each stream.
    pub(crate) fn milliseconds(&self, published: &Published) -> Vec<f64> {
        let published: BTreeMap<_, _> = published.iter().copied().collect();
        let mut waits = Vec::new();
        for stream in &self.0 {
            let mut before = i64::MIN;
            for (version, at) in stream {
                let told = published.range((before + 1).min(*version)..=*version);
                waits.extend(told.map(|(_, sent)| at.duration_since(*sent).as_secs_f64() * 1e3));
                before = *version;
            }
        }
        waits
    }

    pub(crate) fn events_a_second(&self, seconds: u64) -> f64 {
        let events: usize = self.0.iter().map(Vec::len).sum();
        events as f64 / self.0.len() as f64 / seconds as f64
    }
}
