//! Seeds one by one, and many of them on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::laws::Violation;
use crate::plan::Plan;
use crate::shrink;
use crate::world::World;

/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A seed whose history breaks a law.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) plan: Plan,
    pub(crate) violation: Violation,
}

/// What a plan ends in; a panic breaks a law as well.
pub(crate) fn outcome(plan: &Plan) -> Result<(), Violation> {
    guarded(plan, None)
}

/// The same, with each step that did something.
pub(crate) fn told(plan: &Plan, mut tell: impl FnMut(String)) -> Result<(), Violation> {
    guarded(plan, Some(&mut tell))
}

fn guarded(plan: &Plan, tell: Option<&mut dyn FnMut(String)>) -> Result<(), Violation> {
    let run = AssertUnwindSafe(|| World::new(plan).run(tell));
    catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Violation {
            law: "nothing panics",
            text: text.unwrap_or_default(),
        })
    })
}

/// Runs seeds on all cores; gives the failure of the least seed, made short, and how many seeds ran.
pub(crate) fn seeds(first: u64, count: u64, mut tell: impl FnMut(u64)) -> (u64, Option<Failure>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    // A greater seed than the least that failed need not be run any more.
    let end = AtomicU64::new(count);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end.load(Ordering::Relaxed) {
                return;
            }
            if outcome(&Plan::draw(first.wrapping_add(number))).is_err() {
                end.fetch_min(number, Ordering::Relaxed);
            }
            ran.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut told = Instant::now();
        while !workers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(ran.load(Ordering::Relaxed));
            }
        }
    });
    let failed = end.into_inner();
    let failure = (failed < count)
        .then(|| failure(first.wrapping_add(failed)))
        .flatten();
    (ran.into_inner(), failure)
}

/// A seed's failure with its shortest history, if it has one.
pub(crate) fn failure(seed: u64) -> Option<Failure> {
    let plan = Plan::draw(seed);
    let violation = outcome(&plan).err()?;
    let plan = shrink::shortest(plan, &violation);
    let violation = outcome(&plan).err()?;
    Some(Failure { plan, violation })
}
