//! Three sinks share the partitions while they are killed and frozen again and again: the tables are those
//! of one sink that nobody disturbs.

use std::ops::AddAssign;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::postgres::Database;
use testkit::{Process, wait_until};
use tokio_util::sync::CancellationToken;

use crate::deployment::{Deployment, signal, terminate};
use crate::machine::digest;

/// A day in 86 seconds: longer than the disturbances take.
const CITY: &str = "simulate:seed=9,trips=150000,days=1";
const SPEED: &str = "1000";
const DISTURBANCES: usize = 20;

/// What the project promises, and half as much again for a machine that does other things as well.
const PAUSE_MAX: Duration = Duration::from_millis(7_500);

/// Members whose processes run, and partitions that one of them owns.
const SETTLED: &str = "
    select (select count(*) from sink_member) members,
        (select count(*) from partition_lease join sink_member using (member)) owned";

/// The longest time that a partition stood still although there was something to read.
#[derive(Debug, Default)]
struct Pauses {
    partitions: Vec<(i64, Instant)>,
    longest: Duration,
}

impl Pauses {
    fn look(&mut self, now: Instant, progress: &[(i64, i64)]) {
        self.partitions.resize(progress.len(), (-1, now));
        for ((stored, since), (next_offset, end)) in self.partitions.iter_mut().zip(progress) {
            if stored == next_offset && next_offset < end {
                self.longest = self.longest.max(now - *since);
            } else {
                (*stored, *since) = (*next_offset, now);
            }
        }
    }
}

/// Looks until it is told to stop.
async fn longest_pause(
    deployment: &Deployment,
    database: &Database,
    stop: CancellationToken,
) -> Duration {
    let mut connection = database.connect().await;
    let mut pauses = Pauses::default();
    while !stop.is_cancelled() {
        let progress = deployment.progress(&mut connection).await;
        pauses.look(Instant::now(), &progress);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pauses.longest
}

/// Three sinks, one of which is killed or frozen at a time.
struct Sinks<'a> {
    deployment: &'a Deployment,
    database: &'a Database,
    processes: Vec<Process>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    kills: u32,
    freezes: u32,
}

impl<'a> Sinks<'a> {
    fn start(deployment: &'a Deployment, database: &'a Database) -> Self {
        Self {
            deployment,
            database,
            processes: (0..3).map(|_| deployment.sink(database)).collect(),
            counts: Counts::default(),
        }
    }

    /// Waits until each sink that runs owns a partition.
    async fn settled(&self) {
        wait_until("three sinks share the partitions", async || {
            self.database.value(SETTLED).await == "3 3"
        })
        .await;
    }

    async fn disturb(&mut self, random: &mut StdRng) {
        let victim = random.random_range(0..self.processes.len());
        if random.random() {
            // Dropping kills it.
            self.processes[victim] = self.deployment.sink(self.database);
            self.counts.kills.add_assign(1);
        } else {
            signal(&self.processes[victim], "-STOP");
            let frozen = Duration::from_millis(random.random_range(200..6_000));
            tokio::time::sleep(frozen).await;
            signal(&self.processes[victim], "-CONT");
            self.counts.freezes.add_assign(1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_sinks_that_are_killed_and_frozen_leave_the_tables_of_one_that_is_not() {
    let deployment = Deployment::start().await;
    let disturbed = Deployment::database().await;
    let seed = rand::random();
    println!("disturbances from seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut sinks = Sinks::start(&deployment, &disturbed);
    sinks.settled().await;
    let mut producer = deployment.produce(CITY, SPEED);
    let stop = CancellationToken::new();
    let disturbing = async {
        for _ in 0..DISTURBANCES {
            let moment = Duration::from_millis(random.random_range(0..1_000));
            tokio::time::sleep(moment).await;
            sinks.disturb(&mut random).await;
            sinks.settled().await;
        }
        let is_loading = producer.try_wait().unwrap().is_none();
        stop.cancel();
        is_loading
    };
    let looking = longest_pause(&deployment, &disturbed, stop.clone());
    let (longest, is_loading) = tokio::join!(looking, disturbing);
    println!(
        "{:?}, longest pause of a partition {longest:?}",
        sinks.counts
    );
    assert!(
        is_loading,
        "the load was over before its sinks were disturbed"
    );
    assert!(longest < PAUSE_MAX, "{longest:?}");

    wait_until("the producer has ended", async || {
        producer.try_wait().unwrap().is_some()
    })
    .await;
    assert!(producer.wait().unwrap().success());
    deployment.drained(&disturbed).await;
    for process in sinks.processes {
        terminate(process).await;
    }
    assert_eq!(deployment.logged(" ERROR "), [""; 0]);
    assert!(audit(&disturbed), "{}", disturbed.name);

    let calm = Deployment::database().await;
    let alone = deployment.sink(&calm);
    deployment.drained(&calm).await;
    terminate(alone).await;
    let (mut calm, mut disturbed) = (calm.connect().await, disturbed.connect().await);
    assert_eq!(digest(&mut disturbed).await, digest(&mut calm).await);
}

/// Whether the tables keep all laws.
fn audit(database: &Database) -> bool {
    let mut audit = Command::new(env!("CARGO_BIN_EXE_bikeshare"));
    audit.args(["audit", "--database-url", &database.url()]);
    audit.status().unwrap().success()
}

#[test]
fn a_pause_is_counted_only_while_there_is_something_to_read() {
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let mut pauses = Pauses::default();
    pauses.look(at(0), &[(5, 5)]);
    pauses.look(at(10), &[(5, 5)]);
    pauses.look(at(11), &[(5, 8)]);
    pauses.look(at(13), &[(5, 9)]);
    pauses.look(at(14), &[(9, 9)]);
    assert_eq!(pauses.longest, Duration::from_secs(3));
}
