//! The server under measurement, and what it takes of the machine.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::Process;

/// Linux's ticks of a process's CPU time, in a second.
const TICKS_A_SECOND: f64 = 100.0;

/// After this long nothing that was begun before goes on.
const REST: Duration = Duration::from_secs(2);

/// `bikeshare serve`, stopped when dropped.
pub(crate) struct PageServer {
    process: Process,
    address: SocketAddr,
}

/// What a process has taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    /// Since it began, of all cores.
    pub(crate) cpu_s: f64,
}

impl PageServer {
    pub(crate) fn start(database_url: &str) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            // All pages are of this machine.
            .args(["--streams-per-peer", "10000"])
            .env("DATABASE_URL", database_url)
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut lines = BufReader::new(process.stdout.take().context("stdout is piped")?).lines();
        let line = lines.next().context("serve says where the page is")??;
        let address = line.strip_prefix("http://").context("it has an address")?;
        Ok(Self {
            address: address.trim_end_matches('/').parse()?,
            process,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has taken once it has nothing more to do.
    pub(crate) async fn usage_at_rest(&self) -> Result<Usage> {
        tokio::time::sleep(REST).await;
        self.usage()
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let read = |name: &str| {
            let path = format!("/proc/{}/{name}", self.process.id());
            std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
        };
        let (status, stat) = (read("status")?, read("stat")?);
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.context("its memory is told")?;
        // Behind the name, which may hold blanks, the 12th and 13th number.
        let (_, numbers) = stat.rsplit_once(')').context("its name has an end")?;
        let ticks = numbers.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Usage {
            resident_kib: resident.trim().trim_end_matches(" kB").parse()?,
            cpu_s: ticks as f64 / TICKS_A_SECOND,
        })
    }
}
