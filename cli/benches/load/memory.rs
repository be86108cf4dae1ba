//! Peak memory of a process and of the Postgres it writes to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Looks at the processes every so often until told to finish.
pub(crate) struct Watch {
    done: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    /// Watches the process `pid` and every process named `postgres`.
    pub(crate) fn start(pid: u32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            let mut peak = 0;
            while !watched.load(Ordering::Relaxed) {
                peak = peak.max(resident_bytes(pid));
                std::thread::sleep(Duration::from_millis(50));
            }
            peak
        });
        Self { done, thread }
    }

    /// The peak in bytes: each page shared by processes counted once (PSS).
    pub(crate) fn finish(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn resident_bytes(pid: u32) -> u64 {
    let Ok(processes) = fs::read_dir("/proc") else {
        return 0;
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|found| *found == pid || is_postgres(*found))
        .map(proportional_set_bytes)
        .sum()
}

fn is_postgres(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
}

fn proportional_set_bytes(pid: u32) -> u64 {
    let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
        return 0;
    };
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024
}
