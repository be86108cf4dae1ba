//! `up --once` ends, whatever its source holds, and what it read is what it produced and rejected.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::machine::Machine;

const HEADER: &str = "ride_id,rideable_type,started_at,ended_at,start_station_name,\
    start_station_id,end_station_name,end_station_id,start_lat,start_lng,end_lat,end_lng,\
    member_casual\n";

/// Less than a sink waits for a stream that may have more to say.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

fn trip(number: usize) -> String {
    format!(
        "{number:016X},classic_bike,2023-03-01 08:{:02}:00,2023-03-01 09:00:00,Grove St PATH,JC115,\
         Hamilton Park,JC009,40.71941,-74.04309,40.727596,-74.044247,member\n",
        number % 60
    )
}

fn reject(number: usize) -> String {
    trip(number).replace("2023-03-01 09:00:00", "soon")
}

fn ends(machine: &Machine, source: &Path) -> Value {
    let begun = Instant::now();
    let summary = machine.once(source.to_str().unwrap());
    assert!(begun.elapsed() < ENDS_WITHIN, "{:?}", begun.elapsed());
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(
        count("rows_read"),
        count("produced") + count("rejected"),
        "{summary}"
    );
    summary
}

#[test]
fn a_source_without_a_trip_ends_and_says_so() {
    let machine = Machine::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    };
    let read = |source: &Path| {
        let summary = ends(&machine, source);
        let count = |name: &str| summary[name].as_u64().unwrap();
        (count("produced"), count("rejected"), count("records"))
    };
    let bad: String = (0..5).map(reject).collect();
    let one = file("202303-one.csv", &format!("{HEADER}{}", reject(9)));
    let all = file("202303-bad.csv", &format!("{HEADER}{bad}"));
    assert_eq!(read(&one), (0, 1, 0));
    assert_eq!(read(&all), (0, 5, 0));
    file("refused/a.csv", "name,age\nAda,36\n");
    file("refused/b.csv", "\u{1}\u{2}\u{3}");
    let (produced, rejected, records) = read(&folder.path().join("refused"));
    assert_eq!((produced, records), (0, 0));
    assert_eq!(rejected, 2, "each file is one reject");

    let good: String = (20..30).map(trip).collect();
    let good = file("202303-good.csv", &format!("{HEADER}{good}"));
    assert_eq!(read(&good), (10, 0, 20));
    // The city's clock stands still, and new rows have no time.
    let other = file("202303-other.csv", &format!("{HEADER}{}", reject(40)));
    assert_eq!(read(&other), (0, 1, 20));
    assert_eq!(read(&other), (0, 1, 20));
}

#[test]
fn any_mixture_of_trips_rejects_refused_files_and_nothing_ends() {
    let seed = rand::random();
    println!("mixtures from seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let machine = Machine::new();
    let mut number = 0;
    let mut records = 0;
    for run in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..random.random_range(1..4) {
            let rows = (0..random.random_range(0..8)).map(|_| {
                number += 1;
                let is_trip = random.random_bool(0.4);
                records += 2 * u64::from(is_trip);
                if is_trip {
                    trip(number)
                } else {
                    reject(number)
                }
            });
            let rows: String = rows.collect();
            let path = folder.path().join(format!("part-{run}-{name}.csv"));
            let header = if rows.is_empty() { "refused\n" } else { HEADER };
            fs::write(path, format!("{header}{rows}")).unwrap();
        }
        let summary = ends(&machine, folder.path());
        assert_eq!(summary["records"].as_u64(), Some(records), "{summary}");
    }
}
