//! Peak memory of a process, its children and the Postgres they write to.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks: each makes the system walk the pages of every process.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks at the processes every so often until told to finish.
pub(crate) struct Watch {
    done: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    /// Watches the process `pid`, all that come from it, and every process named `postgres`.
    pub(crate) fn start(pid: u32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            let mut peak = 0;
            while !watched.load(Ordering::Relaxed) {
                peak = peak.max(resident_bytes(pid));
                std::thread::sleep(PAUSE);
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

fn resident_bytes(root: u32) -> u64 {
    let Ok(processes) = fs::read_dir("/proc") else {
        return 0;
    };
    let processes = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, process(pid)?)));
    let processes: HashMap<u32, (String, u32)> = processes.collect();
    let counts = |pid: u32| {
        let is_postgres = processes[&pid].0 == "postgres";
        is_postgres || comes_from(root, pid, &processes)
    };
    let watched = processes.keys().filter(|pid| counts(**pid));
    watched.map(|pid| proportional_set_bytes(*pid)).sum()
}

/// Its name and its parent.
fn process(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    Some((name.to_owned(), parent))
}

fn comes_from(root: u32, mut pid: u32, processes: &HashMap<u32, (String, u32)>) -> bool {
    // A process that ended meanwhile ends the walk, too.
    while pid != root {
        match processes.get(&pid) {
            Some((_, parent)) if *parent != pid => pid = *parent,
            _ => return false,
        }
    }
    true
}

fn proportional_set_bytes(pid: u32) -> u64 {
    let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
        return 0;
    };
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024
}
