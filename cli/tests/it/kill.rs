//! kill -9 of the whole process, again and again: nothing is lost, nothing is doubled.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::machine::{Machine, kill_9};

const SOURCE: &str = "simulate:seed=9,trips=150000";
const KILLS: usize = 20;

#[tokio::test]
async fn twenty_kills_at_random_moments_leave_the_tables_of_an_uninterrupted_load() {
    let smooth = Machine::new();
    let summary = smooth.once(SOURCE);
    let wall_ms = (summary["wall_s"].as_f64().unwrap() * 1_000.0) as u64;
    let expected = smooth.digest().await;

    let seed = rand::random();
    println!("kill moments from seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let bumpy = Machine::new();
    let mut killed_while_loading = 0;
    for _ in 0..KILLS {
        let mut child = bumpy.up(SOURCE).arg("--once").spawn().unwrap();
        // Each run goes on where the last one was killed: short ones, so that there is a load left.
        let moment = random.random_range(200..(wall_ms / 3).max(400));
        std::thread::sleep(Duration::from_millis(moment));
        if child.try_wait().unwrap().is_none() {
            killed_while_loading += 1;
        }
        kill_9(child);
    }
    println!("{killed_while_loading} of {KILLS} kills hit a running process");
    assert!(
        killed_while_loading >= KILLS / 4,
        "the load was over before it could be killed"
    );

    let again = bumpy.once(SOURCE);
    assert_eq!(again["rows_read"], 150_000);
    let mut tables = bumpy.tables().await;
    assert_eq!(tables.digest().await, expected);
    assert_eq!(tables.windows_that_differ().await, 0);
    assert_eq!(tables.docks_that_differ().await, 0);
    tables.close().await;
}
