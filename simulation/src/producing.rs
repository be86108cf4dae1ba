//! A producer: it looks how far an earlier run came, takes rows, and sends them, a batch of each partition
//! at a time.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use producer::Speed;
use producer::machines::{
    Lanes, Outgoing, Partitions, Reached, ReplayClock, StoredPrefix, TailSearch, Ticks,
};
use tokio::time::Instant;

use crate::broker::Log;
use crate::city::{City, Row, source};

/// What becomes of a request to store a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Stored,
    /// Stored, and the response gets lost.
    ResponseLost,
    /// Stored by the leader alone: nobody hears of it.
    Unreplicated,
    RequestLost,
    /// It arrives after it was given up.
    Late,
    /// What is stored cannot be looked at, after a failure.
    Unreadable,
}

/// One partition's batch under way.
#[derive(Debug, Default)]
struct Task {
    queue: VecDeque<Outgoing>,
    batch: Vec<Outgoing>,
    has_failed: bool,
    next_offset: i64,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) files: u8,
    /// Numbers of the sources, by file.
    sources: Vec<usize>,
    rows: VecDeque<Row>,
    partitions: Partitions,
    lanes: Lanes,
    ticks: Ticks,
    reached: Option<Reached>,
    tasks: Vec<Task>,
    has_ended: bool,
}

impl Run {
    /// Reads the partitions' ends, from which it goes on; `first_step` records of each at first.
    pub(crate) fn start(
        (city, files): (&City, u8),
        logs: &[Log],
        speed: Speed,
        first_step: i64,
        now: Instant,
    ) -> Option<Self> {
        let count = u32::try_from(logs.len()).ok()?;
        let partitions = Partitions::of_topic("trips", count).ok()??;
        let chosen: Vec<usize> = (0..city.files.len())
            .filter(|file| files >> file & 1 == 1)
            .collect();
        let names: Vec<String> = chosen.iter().map(|file| source(*file)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let seen: Vec<_> = logs
            .iter()
            .map(|log| {
                let search = search(log, &names, first_step);
                names.iter().map(|name| search.seen(name)).collect()
            })
            .collect();
        let mut lanes = Lanes::new(partitions);
        lanes.add(&names, &seen);
        let mut sources = vec![0; city.files.len()];
        chosen
            .iter()
            .enumerate()
            .for_each(|(number, file)| sources[*file] = number);
        let task = |log: &Log| Task {
            next_offset: log.replicated,
            ..Task::default()
        };
        Some(Self {
            files,
            sources,
            rows: city.merged(files).into(),
            partitions,
            lanes,
            ticks: Ticks::new(ReplayClock::new(speed, None), now),
            reached: None,
            tasks: logs.iter().map(task).collect(),
            has_ended: false,
        })
    }

    /// In a few words, for people.
    pub(crate) fn text(&self) -> String {
        let Self { files, rows, .. } = self;
        let tasks = self.tasks.iter();
        let tasks: Vec<_> = tasks
            .map(|task| format!("{}+{}", task.batch.len(), task.queue.len()))
            .collect();
        format!(
            "files {files:b}, {} rows left, queued {}",
            rows.len(),
            tasks.join(" ")
        )
    }

    /// Whether all rows were taken and confirmed.
    pub(crate) fn is_done(&self) -> bool {
        let is_idle = |task: &Task| task.queue.is_empty() && task.batch.is_empty();
        self.has_ended && self.tasks.iter().all(is_idle)
    }

    /// Takes rows that are due, at most so many new ones.
    pub(crate) fn take(&mut self, rows_max: u8, now: Instant) {
        let mut taken = 0;
        while taken < rows_max && !self.has_ended {
            let Some(row) = self.rows.front() else {
                self.end();
                return;
            };
            let (source, seq, at) = (self.sources[row.file], row.seq, row.at);
            let partition = self.partitions.of_key(&row.key);
            if !self.lanes.has(partition, source, seq) {
                if !self.is_due(at, now) {
                    return;
                }
                self.queue_row(partition);
                taken += 1;
            }
            self.rows.pop_front();
            self.reached = Some(Reached::after(self.reached, source, seq, at));
            if taken > 0 && self.ticks.take_after_row(now) {
                self.tick();
            }
        }
    }

    fn queue_row(&mut self, partition: u32) {
        if let Some(row) = self.rows.front() {
            let record = Outgoing {
                key: Some(row.key.clone()),
                value: row.value.clone(),
            };
            self.queue([(partition, record)]);
            self.lanes.count_queued(partition);
        }
    }

    /// Whether a row is due; while it waits the partitions are told the time.
    fn is_due(&mut self, at: Option<i64>, now: Instant) -> bool {
        let due = at.and_then(|at| Some((at, self.ticks.due(at, now)?)));
        let Some((at, _)) = due.filter(|(_, due)| now < *due) else {
            return true;
        };
        if self.ticks.take_while_waiting(now)
            && let (Some(event_time), Some(reached)) = (self.ticks.event_time(now), self.reached)
        {
            let at = reached.tick_before(at, event_time);
            let ticks = self.lanes.ticks(at, reached);
            self.queue(ticks);
        }
        false
    }

    fn tick(&mut self) {
        if let Some(reached) = self.reached
            && let Some(at) = reached.at
        {
            let ticks = self.lanes.ticks(at, reached);
            self.queue(ticks);
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        if let Some(reached) = self.reached
            && let Some(departed_at) = reached.at
        {
            let last = self.lanes.last_ticks(departed_at, reached);
            self.queue(last.ticks);
        }
    }

    fn queue(&mut self, records: impl IntoIterator<Item = (u32, Outgoing)>) {
        for (partition, record) in records {
            self.tasks[partition as usize].queue.push_back(record);
        }
    }

    /// Sends one partition's batch, or what is not there of one that failed before.
    pub(crate) fn send(
        &mut self,
        partition: usize,
        log: &mut Log,
        records: u8,
        delivery: Delivery,
    ) {
        let Some(task) = self.tasks.get_mut(partition) else {
            return;
        };
        if task.batch.is_empty() {
            let count = usize::from(records).min(task.queue.len());
            task.batch = task.queue.drain(..count).collect();
        }
        if task.batch.is_empty() || task.has_failed && !task.remove_stored(log, delivery) {
            return;
        }
        task.has_failed = !task.deliver(log, delivery);
    }
}

impl Task {
    /// Takes out what is stored already; false if that cannot be told now, or may still be lost.
    fn remove_stored(&mut self, log: &Log, delivery: Delivery) -> bool {
        if delivery == Delivery::Unreadable {
            return false;
        }
        let end = log.replicated.max(self.next_offset);
        let mut stored = StoredPrefix::of(&self.batch);
        log.values(self.next_offset, end)
            .for_each(|value| stored.see(value));
        let stored = stored.count();
        self.next_offset = end;
        self.batch.drain(..stored);
        let mut waiting = StoredPrefix::of(&self.batch);
        log.values(end, i64::MAX)
            .for_each(|value| waiting.see(value));
        if self.batch.is_empty() {
            self.has_failed = false;
        }
        !self.batch.is_empty() && waiting.count() == 0
    }

    fn deliver(&mut self, log: &mut Log, delivery: Delivery) -> bool {
        let values = || -> Vec<Bytes> { self.batch.iter().map(|it| it.value.clone()).collect() };
        match delivery {
            Delivery::RequestLost | Delivery::Unreadable => return false,
            Delivery::Late => {
                log.arrive();
                log.late = Some(values());
                return false;
            }
            Delivery::Unreplicated => {
                log.append(values());
                return false;
            }
            Delivery::Stored | Delivery::ResponseLost => {}
        }
        let base = log.append(values());
        log.replicate();
        if delivery == Delivery::ResponseLost {
            return false;
        }
        self.next_offset = base + self.batch.len() as i64;
        self.batch.clear();
        true
    }
}

fn search(log: &Log, names: &[&str], first_step: i64) -> TailSearch {
    let range = log.range();
    let (mut search, last) = TailSearch::of(range.start..range.end, first_step);
    log.values(last.start, last.end)
        .for_each(|value| search.note(value));
    while search.is_to_go_on(names) {
        let step = search.step(range.start);
        log.values(step.start, step.end)
            .for_each(|value| search.note(value));
        search.stepped(step.start, range.start);
    }
    search
}

/// Moments of a run, counted from one that all of them share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments(Instant);

impl Moments {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn at(self, ms: u64) -> Instant {
        self.0 + Duration::from_millis(ms)
    }
}
