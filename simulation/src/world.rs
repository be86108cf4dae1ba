//! Everything there is, and what a step does to it.

use std::fmt::Write as _;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use sink::Module;

use crate::broker::Log;
use crate::city::City;
use crate::database::Database;
use crate::docks::Publish;
use crate::laws::{self, Violation};
use crate::mirror::Mirror;
use crate::plan::{Plan, SINKS, Step};
use crate::producing::{Delivery, Moments, Run};
use crate::sinks::{Heartbeat, Outside, Process};
use crate::stream::Trouble;

/// After the last fault everything comes to rest in so many rounds (chosen: two minutes, far more than the
/// longest wait of the product's).
const ROUNDS_MAX: usize = 200;
/// What passes in one of them.
const ROUND_MS: u64 = 600;

pub(crate) struct World<'a> {
    plan: &'a Plan,
    city: City,
    logs: Vec<Log>,
    database: Database,
    producers: Vec<Option<Run>>,
    sinks: Vec<Option<Process>>,
    mirror: Mirror,
    starts: u32,
    now_ms: u64,
    moments: Moments,
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        // The city is drawn from numbers of its own: a step less leaves it as it is.
        let mut random = SmallRng::seed_from_u64(!plan.seed);
        let city = City::draw(plan.shape, &mut random);
        let mut database = Database::with_partitions(plan.partitions);
        database.commits.is_estimated = city.has_anonymous;
        database.commits.is_one_file = city.files.len() == 1;
        Self {
            plan,
            city,
            logs: (0..plan.partitions).map(|_| Log::default()).collect(),
            database,
            producers: vec![None, None],
            sinks: (0..SINKS).map(|_| None).collect(),
            mirror: Mirror::new(),
            starts: 0,
            now_ms: 0,
            moments: Moments::new(),
        }
    }

    /// Runs the plan, then lets everything come to rest; the first law that was broken. Tells, if somebody
    /// listens, each step that did something.
    pub(crate) fn run(mut self, mut tell: Option<&mut dyn FnMut(String)>) -> Result<(), Violation> {
        for step in &self.plan.steps {
            let before = tell.is_some().then(|| self.state());
            self.apply(*step);
            if let Some(tell) = &mut tell {
                let after = self.state();
                if before.as_ref() != Some(&after) {
                    tell(format!("{step:?}\n    {after}"));
                }
            }
            self.check()?;
        }
        if let Some(tell) = &mut tell {
            tell("no more faults".to_owned());
        }
        let settled = self.settle().and_then(|()| self.mirror.settle());
        if let Some(tell) = tell {
            tell(self.records());
            tell(self.state());
        }
        settled?;
        match laws::at_the_end(&self.city, &self.logs, &self.database)
            .into_iter()
            .next()
        {
            None => Ok(()),
            Some(violation) => Err(violation),
        }
    }

    fn check(&self) -> Result<(), Violation> {
        if let Some(violation) = self.database.commits.violations.first() {
            return Err(violation.clone());
        }
        let mut failures = self.sinks.iter().flatten().flat_map(Process::failures);
        match failures.find(|failure| !failure.contains("records are missing")) {
            None => Ok(()),
            Some(failure) => Err(Violation {
                law: "only missing records stop a stream for good",
                text: failure.to_owned(),
            }),
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::StartProducer { producer, files } => self.start_producer(producer, files),
            Step::CrashProducer { producer } => self.producers[producer] = None,
            Step::Take { producer, rows } => {
                let now = self.moments.at(self.now_ms);
                if let Some(run) = &mut self.producers[producer] {
                    run.take(rows, now);
                }
            }
            Step::Send {
                producer,
                partition,
                records,
                delivery,
            } => {
                if let Some(run) = &mut self.producers[producer] {
                    run.send(partition, &mut self.logs[partition], records, delivery);
                }
            }
            Step::Foreign { partition } => {
                let log = &mut self.logs[partition];
                log.append(vec!["no record".into()]);
                log.replicate();
            }
            Step::Arrive { partition } => self.logs[partition].arrive(),
            Step::Replicate { partition } => self.logs[partition].replicate(),
            Step::FailOver { partition } => {
                self.logs[partition].fail_over();
                self.break_streams();
            }
            Step::RestartBroker => {
                self.logs.iter_mut().for_each(Log::fail_over);
                self.break_streams();
            }
            Step::StartSink { sink } => self.start_sink(sink),
            Step::KillSink { sink } => self.kill_sink(sink),
            Step::StopSink { sink } => {
                if let Some(process) = self.awake(sink) {
                    process.0.leave(process.1.database);
                    self.kill_sink(sink);
                }
            }
            Step::Freeze { sink } => self.freeze(sink, true),
            Step::Thaw { sink } => self.freeze(sink, false),
            Step::Heartbeat { sink, outcome } => {
                if let Some((process, outside)) = self.awake(sink) {
                    process.heartbeat(outside.database, outcome);
                }
            }
            Step::Stream {
                sink,
                partition,
                module,
                trouble,
            } => {
                if let Some((process, mut outside)) = self.awake(sink) {
                    process.step((partition, module), &mut outside, trouble);
                }
            }
            Step::Publish { sink, outcome } => {
                if let Some((process, outside)) = self.awake(sink) {
                    let place = (process.number, &process.recent);
                    process.publisher.step(place, outside.database, outcome);
                }
            }
            Step::Decide { is_committed } => self.database.decide(is_committed),
            Step::CrashDatabase => self.database.crash(),
            Step::SetClock { by_ms } => self.database.now += by_ms,
            Step::Pass { ms } => self.pass(u64::from(ms)),
            Step::Mirror(step) => self.mirror.apply(step),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.database.now += ms.cast_signed();
    }

    fn start_producer(&mut self, producer: usize, files: u8) {
        let (speed, step) = (self.plan.speed, self.plan.first_step);
        let now = self.moments.at(self.now_ms);
        if self.producers[producer].is_none() {
            self.producers[producer] =
                Run::start((&self.city, files), &self.logs, speed, step, now);
        }
    }

    fn start_sink(&mut self, sink: usize) {
        if self.sinks[sink].is_none() {
            self.starts += 1;
            let bytes = self.plan.fetch_bytes_max;
            self.sinks[sink] = Some(Process::boot(sink, self.starts, bytes));
        }
    }

    fn kill_sink(&mut self, sink: usize) {
        if self.sinks[sink].take().is_some() {
            self.database.disconnect(sink);
        }
    }

    fn freeze(&mut self, sink: usize, is_frozen: bool) {
        if let Some(process) = &mut self.sinks[sink] {
            process.is_frozen = is_frozen;
        }
    }

    /// A process that runs, and what it has around it.
    fn awake(&mut self, sink: usize) -> Option<(&mut Process, Outside<'_>)> {
        let process = self.sinks[sink]
            .as_mut()
            .filter(|process| !process.is_frozen)?;
        let outside = Outside {
            database: &mut self.database,
            logs: &mut self.logs,
            now_ms: self.now_ms,
            moments: self.moments,
        };
        Some((process, outside))
    }

    fn break_streams(&mut self) {
        for sink in 0..SINKS {
            if let Some((process, mut outside)) = self.awake(sink) {
                process.break_streams(&mut outside);
            }
        }
    }

    /// Nothing goes wrong any more: all that should end has to end.
    fn settle(&mut self) -> Result<(), Violation> {
        self.database.decide(true);
        self.logs.iter_mut().for_each(Log::arrive);
        self.logs.iter_mut().for_each(Log::replicate);
        let all = (1 << self.plan.shape.files) - 1;
        for round in 0..ROUNDS_MAX {
            self.round(all, round);
            self.check()?;
            if self.is_at_rest(all) {
                // Once more, so that what was committed last is published.
                self.round(all, round + 1);
                return self.check();
            }
        }
        Err(Violation {
            law: "everything comes to rest",
            text: self.state(),
        })
    }

    fn round(&mut self, files: u8, round: usize) {
        self.pass(ROUND_MS);
        // Whoever stopped with an error is started again by somebody.
        for sink in 0..SINKS {
            self.freeze(sink, false);
            let process = self.sinks[sink].as_ref();
            if process.is_some_and(|process| process.failures().next().is_some()) {
                self.kill_sink(sink);
            }
            self.start_sink(sink);
        }
        for producer in 0..self.producers.len() {
            if self.producers[producer]
                .as_ref()
                .is_some_and(|run| run.is_done() && run.files != files)
            {
                self.producers[producer] = None;
            }
            self.start_producer(producer, files);
            self.apply(Step::Take {
                producer,
                rows: u8::MAX,
            });
            for partition in 0..self.logs.len() {
                for _ in 0..2 {
                    let (records, delivery) = (u8::MAX, Delivery::Stored);
                    self.apply(Step::Send {
                        producer,
                        partition,
                        records,
                        delivery,
                    });
                }
            }
        }
        for sink in 0..SINKS {
            self.apply(Step::Heartbeat {
                sink,
                outcome: Heartbeat::Heard,
            });
            for partition in 0..self.plan.partitions {
                for module in Module::ALL {
                    for _ in 0..4 {
                        let trouble = Trouble::Nothing;
                        self.apply(Step::Stream {
                            sink,
                            partition,
                            module,
                            trouble,
                        });
                    }
                }
            }
        }
        let outcome = if round % 4 == 3 {
            Publish::Saved
        } else {
            Publish::Done
        };
        (0..SINKS).for_each(|sink| self.apply(Step::Publish { sink, outcome }));
    }

    fn is_at_rest(&self, files: u8) -> bool {
        let mut runs = self.producers.iter().flatten();
        let has_sent = runs.all(|run| run.is_done() && run.files == files);
        let mut cursors = self.database.cursors.iter();
        // What is sent twice may be the last record, for which a module has nothing to say.
        let has_stored = cursors.all(|(key, row)| {
            let end = self.logs[key.0 as usize].end();
            let mut sinks = self.sinks.iter().flatten();
            row.cursor.next_offset == end || sinks.any(|sink| sink.is_quiet(*key, end))
        });
        has_sent && has_stored && self.has_published()
    }

    /// Whether the published clock has reached the city's, the least of the partitions' watermarks.
    fn has_published(&self) -> bool {
        let cursors = self.database.cursors.iter();
        let splits = cursors.filter(|((_, module), _)| *module == Module::TripSplit);
        let least = splits.map(|(_, row)| row.cursor.watermark).min().flatten();
        self.database.published.clock >= least
    }

    /// In one line, for people.
    fn state(&self) -> String {
        let mut text = String::new();
        // Writing to a text never fails.
        let mut put = |what: std::fmt::Arguments<'_>| text.write_fmt(what).unwrap_or(());
        put(format_args!("{} ms", self.now_ms));
        for run in self.producers.iter().flatten() {
            put(format_args!("\n    producer: {}", run.text()));
        }
        for (partition, log) in self.logs.iter().enumerate() {
            let (replicated, end) = (log.replicated, log.end());
            put(format_args!("\n    log {partition}: {replicated} of {end}"));
            for ((_, module), row) in self
                .database
                .cursors
                .iter()
                .filter(|(key, _)| key.0 as usize == partition)
            {
                let cursor = &row.cursor;
                let (next, generation) = (cursor.next_offset, cursor.generation);
                put(format_args!(
                    "; {module} {next} by {} ({generation})",
                    row.owner
                ));
            }
        }
        for process in self.sinks.iter().flatten() {
            put(format_args!("\n    {}", process.text()));
        }
        put(format_args!("\n    leases {}", self.database.leases_text()));
        let clock = self.database.published.clock;
        put(format_args!(
            "\n    clock {clock:?}; {}",
            self.mirror.text()
        ));
        text
    }

    /// What the partitions hold, for people.
    fn records(&self) -> String {
        let logs = self.logs.iter().enumerate();
        let values = logs.flat_map(|(partition, log)| {
            let values = (0..).zip(log.values(0, i64::MAX));
            values.map(move |(offset, value): (i64, _)| {
                format!("{partition}@{offset} {}", String::from_utf8_lossy(value))
            })
        });
        values.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the laws say of a city that was stored without a fault and then damaged.
    fn laws_after(damage: impl FnOnce(&mut Database)) -> Vec<&'static str> {
        let drawn = Plan::draw(SEED);
        let plan = Plan {
            steps: Vec::new(),
            ..drawn
        };
        let mut world = World::new(&plan);
        world.settle().unwrap();
        damage(&mut world.database);
        let violations = laws::at_the_end(&world.city, &world.logs, &world.database);
        let mut laws: Vec<_> = violations.iter().map(|violation| violation.law).collect();
        laws.dedup();
        laws
    }

    /// Its city has one file, with bad rows, and names all bikes.
    const SEED: u64 = 2;

    #[test]
    fn a_world_without_faults_breaks_no_law() {
        assert_eq!(laws_after(|_| {}), Vec::<&str>::new());
    }

    #[test]
    fn what_is_wrong_is_found() {
        let lost = laws_after(|database| {
            let (id, _) = database.events.pop_first().unwrap();
            database.events.remove(&(id + 1));
        });
        assert!(lost.contains(&"each trip is stored once"), "{lost:?}");
        let doubled = laws_after(|database| {
            let events: Vec<_> = database.events.clone().into_iter().take(2).collect();
            for (id, event) in events {
                database.events.insert(id + (1_000 << 11), event);
            }
        });
        assert!(doubled.contains(&"each trip is stored once"), "{doubled:?}");
        let reordered = laws_after(|database| {
            let (id, departure) = database.events.pop_first().unwrap();
            let arrival = database.events.remove(&(id + 1)).unwrap();
            database.events.insert(id + (1_000 << 11), departure);
            database.events.insert(id + (1_000 << 11) + 1, arrival);
        });
        assert_eq!(reordered, ["rows of a file keep their order"]);
        let rejected = laws_after(|database| database.rejects.clear());
        assert_eq!(rejected, ["each bad row is stored once"]);
        let counted = laws_after(|database| {
            *database.frequency.first_entry().unwrap().get_mut() += 1;
        });
        assert_eq!(counted, ["windows are GROUP BY"]);
        let unread = laws_after(|database| {
            let mut cursors = database.cursors.values_mut();
            cursors.next().unwrap().cursor.next_offset -= 1;
        });
        assert_eq!(unread, ["cursors stand at the end"]);
        let shown = laws_after(|database| {
            let mut docks = database.published.docks.values_mut();
            docks.next().unwrap().0 += 1;
        });
        assert_eq!(shown, ["docks are those of all events"]);
    }
}
